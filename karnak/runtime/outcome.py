"""What became of an instance: forwarded, excluded or rejected, and what was decided on the way.

An outcome never holds a value of the original instance outside `data`, and `data` only
where the instance may leave.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self, overload


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
        segments: pieces of a Part 10 file in order, long ones within the input; None unless forwarded; never shown.
        reason: a sentence without patient values, or None when forwarded.
        changes: what was decided, in the order of the dataset; worked out when it is asked for.
        warnings: sentences about what a rule asked for and could not be done, without patient values.
        sop_class_uid: SOP Class of the instance, or None where it could not be read.
        sop_instance_uid: SOP Instance UID of the output, or None unless forwarded.
        study_instance_uid: Study Instance UID of the output, or None.
        series_instance_uid: Series Instance UID of the output, or None.
        transfer_syntax_uid: transfer syntax of `data`, or None unless forwarded.
        fallback: why the interpreter was asked instead of the table, or None.
    """

    status: Status
    segments: tuple[bytes | memoryview, ...] | None = field(repr=False)
    reason: str | None
    changes: Sequence[Change] = field(default=(), repr=False)
    warnings: tuple[str, ...] = ()
    sop_class_uid: str | None = None
    sop_instance_uid: str | None = None
    study_instance_uid: str | None = None
    series_instance_uid: str | None = None
    transfer_syntax_uid: str | None = None
    fallback: str | None = None

    @property
    def data(self) -> bytes | None:
        """Bytes of a Part 10 file, or None unless forwarded; joined each time, so ask once."""
        return None if self.segments is None else b"".join(self.segments)

    @classmethod
    def excluded(cls, reason: str, sop_class_uid: str | None = None) -> Self:
        """An instance that the profile asks not to send."""
        return cls(Status.EXCLUDED, None, reason, sop_class_uid=sop_class_uid)

    @classmethod
    def rejected(cls, reason: str, sop_class_uid: str | None = None) -> Self:
        """An instance that could not be processed without error, and so is not sent."""
        return cls(Status.REJECTED, None, reason, sop_class_uid=sop_class_uid)


class Deferred(Sequence[Change]):
    """Changes that are worked out when somebody looks at them.

    Args:
        work_out: gives them.
    """

    def __init__(self, work_out: Callable[[], Sequence[Change]]) -> None:
        self._work_out = work_out
        self._found: Sequence[Change] | None = None

    def _changes(self) -> Sequence[Change]:
        if self._found is None:
            self._found = self._work_out()
        return self._found

    @overload
    def __getitem__(self, index: int) -> Change: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Change]: ...
    def __getitem__(self, index: int | slice) -> Change | Sequence[Change]:
        return self._changes()[index]

    def __len__(self) -> int:
        return len(self._changes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self._changes()) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self._changes()))
