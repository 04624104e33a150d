"""One instance in, one outcome out: the engine's front door.

Whatever goes wrong, the outcome is `rejected`, has a reason and has no data; an instance
leaves only if every rule ran on it without error.
"""

from datetime import datetime
from typing import Literal

from karnak.errors import KarnakError
from karnak.ir.selector import format_tag
from karnak.runtime.always_set import always_set
from karnak.runtime.interpret import Interpretation, interpret
from karnak.runtime.keys import Project
from karnak.runtime.outcome import Change, Outcome, Status
from karnak.runtime.part10 import Instance, read_instance, write_part10
from karnak.runtime.program import Program
from karnak.runtime.rejection import Excluded, Rejected

Mode = Literal["deid", "morph"]
_SOP_INSTANCE_UID = 0x00080018
_STUDY_INSTANCE_UID = 0x0020000D
_SERIES_INSTANCE_UID = 0x0020000E


def deidentify(
    data: bytes | Instance,
    program: Program,
    project: Project,
    *,
    pseudonym: str | None = None,
    mode: Mode = "deid",
    now: datetime,
    transfer_syntax_uid: str | None = None,
) -> Outcome:
    """De-identify or morph one instance.

    Args:
        data: a Part 10 file, a dataset alone with its transfer syntax given, or an instance already parsed.
        program: the compiled profile.
        project: name and secret.
        pseudonym: the patient's pseudonym; needed in mode "deid", not used in mode "morph".
        mode: "deid" also sets the attributes that say so; "morph" applies the rules alone.
        now: the time, with its zone; the clock is never read here.
        transfer_syntax_uid: of a dataset alone; None for a Part 10 file.

    Returns:
        Forwarded with the bytes of a Part 10 file in the same transfer syntax, excluded, or rejected with a reason.

    Raises:
        ValueError: `now` has no zone.
    """
    if now.tzinfo is None:
        raise ValueError("now needs a time zone")
    sop_class_uid = None
    try:
        instance = data if isinstance(data, Instance) else read_instance(data, transfer_syntax_uid)
        sop_class_uid = instance.sop_class_uid
        interpretation = interpret(instance, program, project)
        if mode == "deid":
            if not pseudonym or not pseudonym.strip():
                raise Rejected("there is no pseudonym for this patient")
            _set_always(interpretation, program, project, pseudonym, now)
        return _forwarded(instance, interpretation)
    except Excluded as reason:
        return Outcome.excluded(str(reason), sop_class_uid)
    except KarnakError as reason:
        return Outcome.rejected(str(reason), sop_class_uid)
    except Exception as error:
        # The text of a foreign exception may hold a value; its type does not.
        return Outcome.rejected(f"an internal error of type {type(error).__name__}", sop_class_uid)


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
        raise Rejected("the rules leave no SOP Instance UID (0008,0018): the instance could not be stored")
    sop_class_uid = made.sop_class_uid or instance.media_storage_sop_class_uid
    if sop_class_uid is None:
        raise Rejected("the instance has no SOP Class UID (0008,0016)")
    return Outcome(
        status=Status.FORWARDED,
        data=write_part10(made.dataset, instance.transfer_syntax_uid, sop_class_uid, sop_instance_uid),
        reason=None,
        changes=tuple(interpretation.changes),
        warnings=tuple(interpretation.warnings),
        sop_class_uid=sop_class_uid,
        sop_instance_uid=sop_instance_uid,
        study_instance_uid=made.text(_STUDY_INSTANCE_UID),
        series_instance_uid=made.text(_SERIES_INSTANCE_UID),
        transfer_syntax_uid=instance.transfer_syntax_uid,
    )
