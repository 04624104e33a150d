"""A parcel: an instance that is ready to leave, what a destination must know to take it, and what it answers.

What lies in a parcel is all that the destination will see. Its data set is a row of pieces
as the executor left them, long ones still within the file they were read from; nobody joins
them on the way out. A destination may write the same values in another transfer syntax and
changes nothing else.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

from karnak.errors import KarnakError
from karnak.runtime.outcome import Outcome
from karnak.runtime.part10 import file_head

Buffer = bytes | memoryview

# Preamble, "DICM", and (0002,0000) up to its value, which says how long the rest of the group is (PS3.10 section 7.1).
_BEFORE_GROUP_LENGTH = 140
_GROUP_LENGTH = struct.Struct("<I")


class DeliveryError(KarnakError):
    """A destination took none of the parcels of a call; the message says why, without patient values."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """An instance that is ready to leave.

    Attributes:
        segments: pieces of the encoded data set in order, without file meta information.
        transfer_syntax_uid: how it is encoded.
        sop_class_uid: SOP Class.
        sop_instance_uid: SOP Instance UID.
        study_instance_uid: Study Instance UID, or None where the SOP Class has none.
        series_instance_uid: Series Instance UID, or None where the SOP Class has none.
    """

    segments: tuple[Buffer, ...] = field(repr=False)
    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str | None = None
    series_instance_uid: str | None = None

    @classmethod
    def of_outcome(cls, outcome: Outcome) -> Self:
        """Take what the executor has written, without copying it.

        Args:
            outcome: of an instance that may leave.

        Raises:
            ValueError: it may not.
        """
        if outcome.segments is None:
            raise ValueError("an instance that may not leave is no parcel")
        return cls(
            _without_head(outcome.segments),
            outcome.transfer_syntax_uid or "",
            outcome.sop_class_uid or "",
            outcome.sop_instance_uid or "",
            outcome.study_instance_uid,
            outcome.series_instance_uid,
        )

    @property
    def size(self) -> int:
        """How many bytes the data set has."""
        return sum(len(segment) for segment in self.segments)

    @property
    def data_set(self) -> bytes:
        """The encoded data set in one piece; joined each time, so ask once."""
        return b"".join(self.segments)

    def file(self) -> tuple[Buffer, ...]:
        """Give the pieces of a Part 10 file, with file meta information of its own."""
        head = file_head(self.transfer_syntax_uid, self.sop_class_uid, self.sop_instance_uid)
        return (head, *self.segments)


def _without_head(pieces: Sequence[Buffer]) -> tuple[Buffer, ...]:
    """Leave out preamble and file meta information, which the executor writes into the first piece of a file."""
    first = memoryview(pieces[0])
    start = _BEFORE_GROUP_LENGTH + 4 + _GROUP_LENGTH.unpack_from(first, _BEFORE_GROUP_LENGTH)[0]
    rest = tuple(pieces[1:])
    return (first[start:], *rest) if start < len(first) else rest


@dataclass(frozen=True, slots=True)
class Delivered:
    """The destination has the instance and has said so.

    Attributes:
        remark: what it had to remark on, or None.
    """

    remark: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The destination doesn't have the instance, or hasn't said so; it may be offered again.

    Attributes:
        reason: a sentence without patient values.
    """

    reason: str


Answer = Delivered | Refused


class Destination(Protocol):
    """Something that takes parcels, from several threads at once."""

    @property
    def at_once(self) -> int:
        """How many parcels one call of `deliver` takes at most."""
        ...

    @property
    def parallel(self) -> int:
        """How many calls of `deliver` may run at once."""
        ...

    def deliver(self, parcels: Sequence[Parcel]) -> Sequence[Answer]:
        """Hand parcels over; what is answered with Delivered, the destination has when this returns.

        Args:
            parcels: at least one and at most `at_once`, in the order in which they should arrive.

        Returns:
            One answer per parcel, in the same order.

        Raises:
            DeliveryError: the destination can't be reached, or takes nothing; it has none of them.
        """
        ...

    def close(self) -> None:
        """Let go of connections; nothing is delivered afterwards."""
        ...
