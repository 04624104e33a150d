"""One instance in, one outcome out: the engine's front door.

Whatever goes wrong, the outcome is `rejected`, has a reason and has no data; an instance
leaves only if every rule ran on it without error.
"""

from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Literal

from karnak.errors import KarnakError
from karnak.ir.selector import format_tag
from karnak.runtime.always_set import always_set
from karnak.runtime.encoding import DEFLATED
from karnak.runtime.interpret import Interpretation, interpret
from karnak.runtime.keys import Project
from karnak.runtime.outcome import Change, Deferred, Outcome, Status
from karnak.runtime.part10 import (
    SERIES_INSTANCE_UID,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    Instance,
    decode_instance,
    deflate_dataset,
    file_head,
    read_instance,
    write_part10,
)
from karnak.runtime.program import Program
from karnak.runtime.rejection import (
    NO_PSEUDONYM,
    NO_SOP_CLASS_UID,
    NO_SOP_INSTANCE_UID,
    Excluded,
    FallBack,
    Rejected,
    named,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from karnak.runtime.rewrite import Rewritten
    from karnak.runtime.scanned import ScannedInstance

Mode = Literal["deid", "morph"]
Engine = Literal["tables", "reference"]


def deidentify(
    data: bytes | memoryview | Instance,
    program: Program,
    project: Project,
    *,
    pseudonym: str | None = None,
    mode: Mode = "deid",
    now: datetime,
    transfer_syntax_uid: str | None = None,
    engine: Engine = "tables",
) -> Outcome:
    """De-identify or morph one instance.

    Args:
        data: a Part 10 file, a dataset alone with its transfer syntax given, or an instance already read.
        program: the compiled profile.
        project: name and secret.
        pseudonym: the patient's pseudonym; needed in mode "deid", not used in mode "morph".
        mode: "deid" also sets the attributes that say so; "morph" applies the rules alone.
        now: the time, with its zone; the clock is never read here.
        transfer_syntax_uid: of a dataset alone; None for a Part 10 file.
        engine: "tables" rewrites bytes by decision tables; "reference" is the interpreter, slow and the judge.

    Returns:
        Forwarded with the bytes of a Part 10 file in the same transfer syntax, excluded, or rejected with a reason.

    Raises:
        ValueError: `now` has no zone.
    """
    if now.tzinfo is None:
        raise ValueError("now needs a time zone")
    sop_class_uid = fallback = None
    try:
        if isinstance(data, Instance):
            instance, shared = data, True
        else:
            read = read_instance if engine == "tables" else decode_instance
            instance, shared = read(data, transfer_syntax_uid), False
        sop_class_uid = instance.sop_class_uid
        if program.waiting is not None:
            # What a profile asks for and no part of this build can do: a rule is never skipped.
            rule = program.waiting
            raise Rejected(f"{named(rule)} needs {rule.codename}, which this build cannot run")
        if engine == "tables":
            try:
                return _by_table(instance, program, project, pseudonym, mode, now, shared)
            except FallBack as why:
                fallback = str(why)
        outcome = _by_interpreter(instance.decoded(), program, project, pseudonym, mode, now)
    except Excluded as reason:
        outcome = Outcome.excluded(str(reason), sop_class_uid)
    except KarnakError as reason:
        outcome = Outcome.rejected(str(reason), sop_class_uid)
    except Exception as error:
        # The text of a foreign exception may hold a value; its type does not.
        outcome = Outcome.rejected(f"an internal error of type {type(error).__name__}", sop_class_uid)
    return outcome if fallback is None else replace(outcome, fallback=fallback)


def _by_table(
    instance: Instance,
    program: Program,
    project: Project,
    pseudonym: str | None,
    mode: Mode,
    now: datetime,
    shared: bool,
) -> Outcome:
    if instance.scanned is None:
        raise FallBack("big endian")
    scanned = instance.scanned.apart() if shared else instance.scanned
    try:
        made = _rewriter()(scanned, program, project, _usable(pseudonym), mode == "deid", now)
    finally:
        scanned.release()
    sop_instance_uid = made.uids[SOP_INSTANCE_UID]
    sop_class_uid = made.uids[SOP_CLASS_UID] or instance.media_storage_sop_class_uid
    if sop_class_uid is None or sop_instance_uid is None:
        raise Rejected(NO_SOP_CLASS_UID)
    transfer_syntax_uid = instance.transfer_syntax_uid
    head = file_head(transfer_syntax_uid, sop_class_uid, sop_instance_uid)
    pieces: tuple[bytes | memoryview, ...] = (head, *made.segments)
    if transfer_syntax_uid in DEFLATED:
        pieces = (head, deflate_dataset(b"".join(made.segments)))
    return Outcome(
        Status.FORWARDED,
        pieces,
        None,
        Deferred(lambda: _by_interpreter(instance.decoded(), program, project, pseudonym, mode, now).changes),
        tuple(made.warnings),
        sop_class_uid,
        sop_instance_uid,
        made.uids[STUDY_INSTANCE_UID],
        made.uids[SERIES_INSTANCE_UID],
        transfer_syntax_uid,
    )


@cache
def _rewriter() -> "Callable[[ScannedInstance, Program, Project, str | None, bool, datetime], Rewritten]":
    """What rewrites bytes; loaded when the first instance comes, for it brings the compiler with it."""
    from karnak.runtime.rewrite import rewrite

    return rewrite


def _usable(pseudonym: str | None) -> str | None:
    return pseudonym if pseudonym and pseudonym.strip() else None


def _by_interpreter(
    instance: Instance, program: Program, project: Project, pseudonym: str | None, mode: Mode, now: datetime
) -> Outcome:
    interpretation = interpret(instance, program, project)
    if mode == "deid":
        usable = _usable(pseudonym)
        if usable is None:
            raise Rejected(NO_PSEUDONYM)
        _set_always(interpretation, program, project, usable, now)
    return _forwarded(instance, interpretation)


def _set_always(
    interpretation: Interpretation, program: Program, project: Project, pseudonym: str, now: datetime
) -> None:
    """Set and remove what de-identification always sets and removes."""
    around = interpretation.around
    elements, removed = always_set(
        interpretation.deeds, program, project, pseudonym, now, around.encoding, around.output_repertoire
    )
    for element in elements.values():
        interpretation.dataset.put(element)
    for tag in removed:
        interpretation.dataset.pop(tag, None)
    interpretation.changes += [Change(format_tag(tag), "set", None, 0) for tag in sorted(elements)]


def _forwarded(instance: Instance, interpretation: Interpretation) -> Outcome:
    made = Instance(interpretation.dataset, instance.transfer_syntax_uid)
    sop_instance_uid = made.sop_instance_uid
    if sop_instance_uid is None:
        raise Rejected(NO_SOP_INSTANCE_UID)
    sop_class_uid = made.sop_class_uid or instance.media_storage_sop_class_uid
    if sop_class_uid is None:
        raise Rejected(NO_SOP_CLASS_UID)
    return Outcome(
        status=Status.FORWARDED,
        segments=(write_part10(made.dataset, instance.transfer_syntax_uid, sop_class_uid, sop_instance_uid),),
        reason=None,
        changes=tuple(interpretation.changes),
        warnings=tuple(interpretation.warnings),
        sop_class_uid=sop_class_uid,
        sop_instance_uid=sop_instance_uid,
        study_instance_uid=made.text(STUDY_INSTANCE_UID),
        series_instance_uid=made.text(SERIES_INSTANCE_UID),
        transfer_syntax_uid=instance.transfer_syntax_uid,
    )
