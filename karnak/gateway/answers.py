"""What became of an instance at each destination, and the one status that the sender is told.

Success means that every destination has the instance, or that the instance was not meant
for it. Everything else is a failure, so that the sender keeps what it has. Pure data: no
sockets, no files, no clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Self


class Fate(StrEnum):
    """The ways in which one destination's part can end."""

    DELIVERED = "delivered"
    EXCLUDED = "excluded"
    REJECTED = "rejected"
    UNDELIVERED = "undelivered"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an instance at one destination; made by its named constructors.

    Attributes:
        destination: its name.
        fate: how it ended.
        reason: a sentence without patient values, or None when delivered.
    """

    destination: str
    fate: Fate
    reason: str | None = None

    @classmethod
    def delivered(cls, destination: str) -> Self:
        """The destination has it and has said so."""
        return cls(destination, Fate.DELIVERED)

    @classmethod
    def excluded(cls, destination: str, reason: str) -> Self:
        """A filter, a condition or the profile says that it is not for this destination."""
        return cls(destination, Fate.EXCLUDED, reason)

    @classmethod
    def rejected(cls, destination: str, reason: str) -> Self:
        """It could not be de-identified without error, so it was kept here and not sent."""
        return cls(destination, Fate.REJECTED, reason)

    @classmethod
    def undelivered(cls, destination: str, reason: str) -> Self:
        """It was ready, but the destination did not take it."""
        return cls(destination, Fate.UNDELIVERED, reason)


class StoreStatus(IntEnum):
    """The statuses that C-STORE is answered with (PS3.4 Table B.2-1, PS3.7 Annex C)."""

    SUCCESS = 0x0000
    # Annex C.5.10: something in Karnak itself went wrong.
    PROCESSING_FAILURE = 0x0110
    # Refused, out of resources: a destination did not take it. Senders try such an instance again.
    UNDELIVERED = 0xA700
    # The command names another SOP Class or SOP Instance than the data set.
    MISMATCH = 0xA900
    # Cannot understand: the bytes are no data set.
    UNREADABLE = 0xC000
    # Cannot understand: the rules ended in an error. Sending it again unchanged does not help.
    REJECTED = 0xC001


def status_of(results: Iterable[Result]) -> StoreStatus:
    """Choose the status for the sender.

    A destination that may work next time outweighs a rejection: told to try again, the sender does.

    Args:
        results: one per destination.
    """
    fates = {result.fate for result in results}
    if Fate.UNDELIVERED in fates:
        return StoreStatus.UNDELIVERED
    if Fate.REJECTED in fates:
        return StoreStatus.REJECTED
    return StoreStatus.SUCCESS


def count(results: Iterable[Result]) -> Mapping[Fate, int]:
    """Count the results of each fate; every fate is there."""
    counts = dict.fromkeys(Fate, 0)
    for result in results:
        counts[result.fate] += 1
    return counts
