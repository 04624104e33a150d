"""Entries and changes for the tests of the index."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from karnak.gateway.states import State
from karnak.gateway.store.index import Index
from karnak.gateway.store.rows import Change, Entry, Part
from tests.gateway.arrivals import START, arrival

LATER = START + timedelta(days=1)
NAMES = ("pacs", "research")


def at(seconds: float) -> datetime:
    """A time after all instances came."""
    return LATER + timedelta(seconds=seconds)


def entry(receipt: str, *destinations: str, uid: str = "", study: str | None = "1.2.9", **changes: Any) -> Entry:
    """An instance of its own SOP Instance UID, where none is given."""
    made = arrival(sop_instance_uid=uid or f"1.2.3.{receipt}", **changes)
    return Entry(receipt, made, 1000, destinations or NAMES, study, "1.2.9.1")


def waits(part: Part, seconds: float, cause: str = "no answer") -> Change:
    """It could not be sent, and is due again after a time."""
    return Change(part.receipt, part.destination, State.WAITING, LATER, cause, at(seconds))


def ends(part: Part, state: State = State.DELIVERED, cause: str = "done", when: datetime = LATER) -> Change:
    return Change(part.receipt, part.destination, state, when, cause)


def receipts_due(index: Index, destination: str = "pacs", seconds: float = 0, limit: int = 100) -> list[str]:
    """What is due; it is put back at once."""
    parts = index.due(destination, at(seconds), limit)
    index.put_back(parts)
    return names(parts)


def names(parts: Iterable[Part]) -> list[str]:
    return [part.receipt for part in parts]
