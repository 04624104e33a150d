"""Arrivals for the tests of the spool and of what lies behind it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from hypothesis import strategies as st

from karnak.gateway.receipts import Receipts
from karnak.gateway.spool import Arrival, Door

START = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
_ARRIVAL = Arrival(
    called_ae="KARNAK",
    calling_ae="CT01",
    address="192.0.2.7",
    door="dimse",
    sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
    sop_instance_uid="1.2.3.4",
    transfer_syntax_uid="1.2.840.10008.1.2.1",
    received=START,
)


def arrival(**changes: Any) -> Arrival:
    """An arrival, with some of it changed."""
    return replace(_ARRIVAL, **changes)


def receipts(start: datetime = START) -> Callable[[], str]:
    """Receipts that are the same in every run: a second apart, and numbered."""
    numbers = count()
    seconds = count()
    first = int(start.timestamp()) * 10**9

    def clock_ns() -> int:
        return first + next(seconds) * 10**9

    return Receipts(clock_ns, lambda size: next(numbers).to_bytes(size))


def arrivals() -> st.SearchStrategy[Arrival]:
    """Arrivals, from the usual to what only a broken or an evil sender says."""
    uid = st.from_regex(r"[1-9][0-9]{0,5}(\.[1-9][0-9]{0,5}){1,8}", fullmatch=True)
    anything = st.text(max_size=80)
    doors: list[Door] = ["dimse", "stow"]
    return st.builds(
        Arrival,
        called_ae=st.just("KARNAK") | anything,
        calling_ae=st.just("CT 01") | anything,
        address=st.ip_addresses().map(str),
        door=st.sampled_from(doors),
        sop_class_uid=uid | anything,
        sop_instance_uid=uid | anything,
        transfer_syntax_uid=uid | anything,
        received=st.datetimes(timezones=st.just(UTC)) | st.just(START - timedelta(days=1)),
    )
