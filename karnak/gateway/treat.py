"""From an original to what one destination gets of it: filters, pseudonym, rules.

Nothing here sends, waits or writes. Whatever goes wrong ends in a verdict, never in a parcel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from karnak.errors import KarnakError
from karnak.gateway.deliver.parcel import Parcel
from karnak.gateway.metrics import ReasonClass
from karnak.gateway.pseudonyms import PseudonymError
from karnak.gateway.route import Outlet, Treatment, exclusion_of
from karnak.gateway.states import State
from karnak.runtime.deidentify import Engine, deidentify
from karnak.runtime.outcome import Status
from karnak.runtime.part10 import SERIES_INSTANCE_UID, STUDY_INSTANCE_UID, Instance

Buffers = Sequence[bytes | memoryview]


@dataclass(frozen=True, slots=True)
class Treated:
    """What became of an instance for one destination.

    Attributes:
        parcel: what is to be delivered, or None where the way ends here.
        state: excluded or rejected where it ends here, otherwise None.
        cause: why, a sentence without patient values.
        digest: digest of the program that decided, or None where no rules were asked.
        remarks: sentences about what a rule asked for and could not be done.
        fallback: why the interpreter was asked instead of the tables, or None.
        error: an unforeseen exception, for the journal, which writes its type and place.
        reason: what kind of cause, where it was rejected.
    """

    parcel: Parcel | None = None
    state: State | None = None
    cause: str | None = None
    digest: str | None = None
    remarks: tuple[str, ...] = ()
    fallback: str | None = None
    error: Exception | None = None
    reason: ReasonClass | None = None


def treat(outlet: Outlet, instance: Instance, original: Buffers, now: datetime, engine: Engine) -> Treated:
    """Make what a destination is to get of an instance.

    Args:
        outlet: the destination with its rules.
        instance: the original.
        original: its encoded data set.
        now: the time, for what the output says of when it was made.
        engine: what carries the rules out.

    Returns:
        A parcel, or why there is none; whatever happens.
    """
    digest = outlet.treatment.program.digest if outlet.treatment is not None else None
    try:
        exclusion = exclusion_of(outlet, instance)
        if exclusion is not None:
            return Treated(state=State.EXCLUDED, cause=exclusion, digest=digest)
        if outlet.treatment is None:
            return Treated(parcel=_as_received(instance, original))
        return _by_rules(outlet.treatment, instance, now, engine)
    except KarnakError as error:
        reason = ReasonClass.PSEUDONYM if isinstance(error, PseudonymError) else ReasonClass.EXPRESSION
        return Treated(state=State.REJECTED, cause=str(error), digest=digest, reason=reason)
    except Exception as error:
        cause = f"an internal error of type {type(error).__name__}"
        return Treated(state=State.REJECTED, cause=cause, digest=digest, error=error, reason=ReasonClass.INTERNAL)


def _by_rules(treatment: Treatment, instance: Instance, now: datetime, engine: Engine) -> Treated:
    project, program = treatment.project, treatment.program
    pseudonym = treatment.pseudonyms.pseudonym(instance, project) if treatment.pseudonyms is not None else None
    outcome = deidentify(instance, program, project, pseudonym=pseudonym, mode=treatment.mode, now=now, engine=engine)
    if outcome.status is Status.EXCLUDED:
        cause = outcome.reason or "the profile excludes the instance"
        return Treated(state=State.EXCLUDED, cause=cause, digest=program.digest, fallback=outcome.fallback)
    if outcome.status is not Status.FORWARDED or outcome.segments is None:
        cause = outcome.reason or "the instance could not be de-identified"
        return Treated(
            state=State.REJECTED,
            cause=cause,
            digest=program.digest,
            fallback=outcome.fallback,
            reason=ReasonClass.RULE,
        )
    parcel = Parcel.of_outcome(outcome)
    return Treated(parcel=parcel, digest=program.digest, remarks=outcome.warnings, fallback=outcome.fallback)


def _as_received(instance: Instance, original: Buffers) -> Parcel:
    return Parcel(
        tuple(original),
        instance.transfer_syntax_uid,
        instance.sop_class_uid or "",
        instance.sop_instance_uid or "",
        instance.text(STUDY_INSTANCE_UID),
        instance.text(SERIES_INSTANCE_UID),
    )
