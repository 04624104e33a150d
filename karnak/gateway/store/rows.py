"""What goes into the index and what comes out of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from karnak.gateway.spool_head import Arrival
from karnak.gateway.states import TERMINAL, State

# The destination of an instance that has none: nobody's rules were asked.
NO_DESTINATION = ""
REPLACED = "replaced by a newer receipt"
DROPPED = "dropped by a person"


class Wish(IntEnum):
    """What a person wants of a part."""

    RETRY = 1
    DROP = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """An instance that was received.

    Attributes:
        receipt: its name in the spool.
        arrival: who sent it, when, and what it is said to be.
        size: bytes of its data set.
        destinations: names of those that it is routed to.
        study_instance_uid: of the original, where it was read.
        series_instance_uid: of the original, where it was read.
        patient: identifiers of the patient, encrypted; None where they are not to be kept.
        quarantined: why nobody's rules are asked (it is unreadable, nobody is called so); then no destinations count.
    """

    receipt: str
    arrival: Arrival
    size: int
    destinations: tuple[str, ...]
    study_instance_uid: str | None = None
    series_instance_uid: str | None = None
    patient: bytes | None = None
    quarantined: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """An instance at a destination, due or listed.

    Attributes:
        receipt: name of the instance in the spool.
        destination: name of the destination.
        state: where it is.
        cause: why it is there, without patient values, or None.
        attempts: how often it was sent, or could not be.
        received: when the instance came, in UTC.
        retry_at: when it is due again, where it waits.
        size: bytes of the original's data set.
        sop_class_uid: of the original, as its sender said.
        sop_instance_uid: of the original, as its sender said.
        transfer_syntax_uid: of the original.
        study_instance_uid: of the original, where it was read.
        series_instance_uid: of the original, where it was read.
        wish: what a person wants of it and the gateway has not done yet.
    """

    receipt: str
    destination: str
    state: State
    cause: str | None
    attempts: int
    received: datetime
    retry_at: datetime | None
    size: int
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    study_instance_uid: str | None
    series_instance_uid: str | None
    wish: Wish | None


@dataclass(frozen=True, slots=True)
class NewUids:
    """The UIDs of what was sent."""

    sop_instance_uid: str
    series_instance_uid: str | None = None
    study_instance_uid: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a part.

    Attributes:
        receipt: name of the instance in the spool.
        destination: name of the destination.
        state: where it is now.
        when: since when, in UTC.
        cause: why, without patient values; every end has one, and so has every wait.
        retry_at: when it is due again; only where it waits, and always there.
        program: digest of the rules that it was treated by.
        new: the UIDs of what was sent.
    """

    receipt: str
    destination: str
    state: State
    when: datetime
    cause: str | None = None
    retry_at: datetime | None = None
    program: str | None = None
    new: NewUids | None = None

    def __post_init__(self) -> None:
        waits = self.state is State.WAITING
        if (waits or self.state in TERMINAL) and not self.cause:
            raise ValueError(f"a part that is {self.state} has a cause")
        if waits != (self.retry_at is not None):
            raise ValueError("a part that waits, and no other, has a time to be tried again")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a part of an instance ended.

    Attributes:
        destination: name of the destination.
        state: a terminal state.
        cause: why, without patient values.
        program: digest of the rules that it was treated by, or None.
    """

    destination: str
    state: State
    cause: str | None
    program: str | None
