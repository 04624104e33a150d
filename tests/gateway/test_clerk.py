"""The clerk where index or audit log refuse: nothing is forgotten, nothing is told twice, and it can be stopped."""

import errno
import io
import json
import os
import queue
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from karnak.gateway.audit import AuditEntry, AuditEvent, AuditLog
from karnak.gateway.audit_chain import audit_files, verify_audit
from karnak.gateway.clerk import Clerk
from karnak.gateway.intake import Intake
from karnak.gateway.journal import Journal
from karnak.gateway.ledger import Retention
from karnak.gateway.library import Library
from karnak.gateway.machine import Machine
from karnak.gateway.metrics import Metrics
from karnak.gateway.spool import Arrival, Spool
from karnak.gateway.states import State
from karnak.gateway.store.database import IndexUnavailable, index_url, open_database
from karnak.gateway.store.index import Index
from karnak.gateway.store.rows import Change, Entry
from tests.gateway.instances import SECONDARY_CAPTURE

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECONDS = 30.0


class _NoEndings:
    def end(self, instances: dict[str, Any]) -> list[str]:
        return list(instances)


@dataclass
class Time:
    """Seconds that go by only while the clerk sleeps.

    Attributes:
        naps: how long it has slept each time.
        coming: what happens meanwhile, and when, in order.
    """

    naps: list[float] = field(default_factory=list)
    coming: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        while self.coming and self.coming[0][0] <= self.now():
            self.coming.pop(0)[1]()

    def now(self) -> float:
        return round(sum(self.naps), 6)


@dataclass
class Office:
    """A clerk with an index and an audit log that can be made to refuse.

    Attributes:
        clerk: the clerk.
        index: its index.
        audit: its log.
        folder: of the log.
        time: its clock.
    """

    clerk: Clerk
    index: Index
    audit: AuditLog
    folder: Path
    time: "Time"

    def receive(self, coming: Iterable[tuple[float, str]]) -> None:
        """Have instances come later, each so many seconds after the beginning."""
        self.time.coming = [(when, partial(self.clerk.add, [entry(name)])) for when, name in coming]

    def written(self, receipts: Iterable[str]) -> list[str]:
        """Those that the index knows."""
        receipts = [*receipts]
        unknown = self.index.unknown(receipts)
        return [receipt for receipt in receipts if receipt not in unknown]

    def steps(self, count: int) -> None:
        for _ in range(count):
            assert self.clerk.step(wait=False)

    def told(self) -> list[str]:
        """The events of the audit log, in order."""
        lines = [json.loads(line) for path in audit_files(self.folder) for line in path.read_text().splitlines()]
        return [line["event"] for line in lines]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    database = open_database(index_url(tmp_path), upgrade=True)
    index = Index(database)
    audit = AuditLog(tmp_path / "audit", lambda: NOW)
    time = Time()
    clerk = Clerk(
        index,
        cast(Any, _NoEndings()),
        Retention(timedelta(days=365), 1000),
        audit,
        lambda receipts: None,
        lambda receipt: None,
        Journal(io.StringIO(), lambda: NOW),
        lambda: NOW,
        Machine(sleep=time.sleep, monotonic=time.now),
    )
    yield Office(clerk, index, audit, tmp_path / "audit", time)
    audit.close()
    database.close()


def entry(receipt: str) -> Entry:
    arrival = Arrival("TRIAL1", "CT01", "10.0.0.1", "dimse", SECONDARY_CAPTURE, f"1.2.{receipt}", "1.2", NOW)
    return Entry(receipt, arrival, 100, ("disk",))


def refusing(method: Callable[..., Any], times: int, error: Exception) -> Callable[..., Any]:
    """The method, which refuses so many times before."""
    left = iter(range(times))

    def called(*arguments: Any, **named: Any) -> Any:
        if next(left, None) is not None:
            raise error
        return method(*arguments, **named)

    return called


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
UNAVAILABLE = IndexUnavailable("the index can't be used", "SQLITE_FULL")


def test_parts_that_are_given_back_are_not_forgotten_when_the_audit_log_refuses(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.clerk.add([entry("a")])
    office.steps(1)
    [part] = office.index.due("disk", NOW, 10)
    monkeypatch.setattr(office.audit, "write", refusing(office.audit.write, 1, FULL))
    office.clerk.put_back([part])
    office.clerk.add([entry("b")])
    office.steps(2)
    assert [due.receipt for due in office.index.due("disk", NOW, 10)] == ["a", "b"]


def test_what_the_audit_log_has_is_not_told_again_while_the_index_refuses(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(office.index, "add", refusing(office.index.add, 5, UNAVAILABLE))
    office.clerk.add([entry("a")])
    office.steps(2)
    office.clerk.add([entry("b")])
    office.steps(5)
    assert office.told() == ["received", "received"]
    assert [due.receipt for due in office.index.due("disk", NOW, 10)] == ["a", "b"]
    ended = [Change(name, "disk", State.DELIVERED, NOW, "there") for name in ("a", "b")]
    monkeypatch.setattr(office.index, "note", refusing(office.index.note, 3, UNAVAILABLE))
    office.clerk.note(ended)
    office.steps(4)
    assert office.told() == ["received", "received", "delivered", "delivered"]


def test_what_the_audit_log_has_refused_is_told_when_it_takes_it_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(office.audit, "write", refusing(office.audit.write, 3, FULL))
    office.clerk.add([entry("a")])
    office.clerk.log(AuditEntry.of(AuditEvent.CONFIGURATION_ACTIVATED, actor="local", count=2))
    office.steps(4)
    assert office.told() == ["received", "configuration activated"]
    assert verify_audit(office.folder) is None


def test_nobody_waits_for_ever_for_an_index_that_refuses(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(office.index, "add", refusing(office.index.add, 1, UNAVAILABLE))
    office.clerk.add([entry("a")])
    assert not office.clerk.flush(0)
    office.steps(1)
    assert not office.clerk.flush(0)
    office.steps(2)
    assert office.index.safe([(SECONDARY_CAPTURE, "1.2.a")])


def test_who_comes_to_a_clerk_at_rest_is_served_at_once(office: Office) -> None:
    office.clerk.add([entry("a")])
    assert office.clerk.step(wait=True)
    assert (office.written(["a"]), office.time.naps) == (["a"], [])
    office.time.sleep(1)
    office.clerk.add([entry("b")])
    assert office.clerk.step(wait=True)
    assert (office.written(["b"]), office.time.naps) == (["b"], [1])


def test_who_comes_soon_after_is_served_with_those_who_come_then(office: Office) -> None:
    office.clerk.add([entry("a")])
    assert office.clerk.step(wait=True)
    office.clerk.add([entry("b")])
    office.receive([(0.02, "c"), (0.05, "d"), (0.06, "e")])
    assert office.clerk.step(wait=True)
    assert (office.written("abcde"), office.time.now()) == (["a", "b", "c", "d"], 0.05)


def test_a_stream_is_written_five_times_a_second_until_it_ends(office: Office) -> None:
    names = [f"{number:03}" for number in range(480)]
    office.receive((number / 1000, name) for number, name in enumerate(names))
    groups = []
    for seconds in (0, 0.001, 0.001, 0.001, 0.001):
        office.time.sleep(seconds)
        assert office.clerk.step(wait=True)
        groups.append((office.time.now(), len(office.written(names))))
    assert groups == [(0, 1), (0.05, 51), (0.26, 261), (0.47, 471), (0.54, 480)]


def test_so_many_come_that_none_has_to_wait(office: Office) -> None:
    office.clerk.add([entry("a")])
    assert office.clerk.step(wait=True)
    office.clerk.add([entry(f"{number:03}") for number in range(600)])
    assert office.clerk.step(wait=True)
    assert office.time.naps == []


def test_a_clerk_that_is_far_behind_can_be_stopped_while_the_index_refuses(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(office.index, "add", refusing(office.index.add, 10_000, UNAVAILABLE))
    office.clerk.add([entry(str(number)) for number in range(2000)])
    office.clerk.start()
    office.clerk.stop()
    assert len(office.time.naps) < 10


class _EmptySpool:
    def stored(self) -> list[str]:
        return []


class _BusyClerk:
    behind = 5000

    def add(self, entries: list[Entry]) -> None:
        raise AssertionError("nothing was to be given to a clerk that is behind")


def test_an_intake_whose_clerk_is_far_behind_can_be_stopped() -> None:
    waiting: queue.SimpleQueue[float] = queue.SimpleQueue()
    intake = Intake(
        cast(Spool, _EmptySpool()),
        cast(Library, None),
        cast(Clerk, _BusyClerk()),
        list,
        lambda instance: None,
        Journal(io.StringIO(), lambda: NOW),
        cast(Metrics, None),
        "tables",
        Machine(monotonic=lambda: -1.0, sleep=waiting.put),
    )
    intake.hint("a")
    intake.start()
    assert waiting.get(timeout=SECONDS) > 0
    intake.stop()
