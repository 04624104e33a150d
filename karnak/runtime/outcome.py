"""What became of an instance: forwarded, excluded or rejected, and what was decided on the way.

An outcome never holds a value of the original instance outside `data`, and `data` only
where the instance may leave.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self


class Status(StrEnum):
    """The three ways in which an instance can leave the engine."""

    FORWARDED = "forwarded"
    EXCLUDED = "excluded"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Change:
    """One decision about one element.

    Attributes:
        path: tags from the root, as "(0008,1140)[0]/(0008,1155)"; items counted from 0.
        action: what was done: "keep", "remove", "empty", "uid", "dummy", "shift", "replace", "add" or "set".
        rule: name of the profile element that decided, or None for what is always set.
        line: line of that element in the profile, or 0.
    """

    path: str
    action: str
    rule: str | None
    line: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of de-identifying or morphing one instance; made by its named constructors.

    Attributes:
        status: "forwarded", "excluded" or "rejected".
        data: bytes of a Part 10 file, or None unless forwarded; never shown by repr.
        reason: a sentence without patient values, or None when forwarded.
        changes: what was decided, in the order of the dataset.
        warnings: sentences about what a rule asked for and could not be done, without patient values.
        sop_class_uid: SOP Class of the instance, or None where it could not be read.
        sop_instance_uid: SOP Instance UID of the output, or None unless forwarded.
        study_instance_uid: Study Instance UID of the output, or None.
        series_instance_uid: Series Instance UID of the output, or None.
        transfer_syntax_uid: transfer syntax of `data`, or None unless forwarded.
    """

    status: Status
    data: bytes | None = field(repr=False)
    reason: str | None
    changes: tuple[Change, ...] = ()
    warnings: tuple[str, ...] = ()
    sop_class_uid: str | None = None
    sop_instance_uid: str | None = None
    study_instance_uid: str | None = None
    series_instance_uid: str | None = None
    transfer_syntax_uid: str | None = None

    @classmethod
    def excluded(cls, reason: str, sop_class_uid: str | None = None) -> Self:
        """An instance that the profile asks not to send."""
        return cls(Status.EXCLUDED, None, reason, sop_class_uid=sop_class_uid)

    @classmethod
    def rejected(cls, reason: str, sop_class_uid: str | None = None) -> Self:
        """An instance that could not be processed without error, and so is not sent."""
        return cls(Status.REJECTED, None, reason, sop_class_uid=sop_class_uid)
