"""A destination that is away for an hour: it is asked as the law of waiting says, and gets all when it is back.

No hour passes: the gateway goes step by step (`stepped.py`), with a clock that the test moves.
"""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from karnak.gateway.deliver.backoff import Backoff
from karnak.gateway.deliver.parcel import Answer, Delivered, DeliveryError, Parcel, Refused
from karnak.gateway.gateway import Gateway
from karnak.gateway.journal import Journal
from karnak.gateway.receipts import Receipts
from karnak.gateway.route import Outlet
from karnak.gateway.spool import Arrival
from karnak.gateway.store.queue import Choice, Queue
from karnak.gateway.store.rows import Wish
from tests.gateway.house import EXPLICIT, NoDoors, instance, make_plan
from tests.gateway.instances import SECONDARY_CAPTURE
from tests.gateway.stepped import Clock, Ground

HOUR = 3600
BACKOFF = Backoff(5, 2, 600)
# The test looks at the clock once a second, and so does the clerk.
LATE = 2.1


@dataclass
class Away:
    """A destination that is away until a time, as a whole or for one instance.

    Attributes:
        clock: tells the time.
        until: when it is back, in seconds from the start.
        only: the instance that it does not take meanwhile; None for all.
        at_once: as with any destination.
        asked: seconds from the start of each call in which it gave something back.
        got: SOP Instance UID of what it has, with the second in which it got it.
    """

    clock: Clock
    until: float
    only: str | None = None
    at_once: int = 1
    parallel: int = 1
    asked: list[float] = field(default_factory=list)
    got: list[tuple[str, float]] = field(default_factory=list)

    def deliver(self, parcels: Sequence[Parcel]) -> Sequence[Answer]:
        now = self.clock.monotonic()
        if now < self.until and self.only is None:
            self.asked.append(now)
            raise DeliveryError("no connection: Connection refused")
        answers: list[Answer] = []
        for parcel in parcels:
            if now < self.until and parcel.sop_instance_uid == self.only:
                self.asked.append(now)
                answers.append(Refused("the peer answered C-STORE with status A700H (Refused: Out of Resources)"))
            else:
                self.got.append((parcel.sop_instance_uid, now))
                answers.append(Delivered())
        return answers

    def close(self) -> None: ...


class Life:
    """A gateway's process, and its journal."""

    def __init__(self, gateway: Gateway, stream: io.StringIO, ground: Ground) -> None:
        self.gateway = gateway
        self._stream = stream
        self._ground = ground

    def receive(self, uid: str) -> str:
        now = self._ground.clock()
        arrival = Arrival("TRIAL1", "CT01", "10.0.0.1", "dimse", SECONDARY_CAPTURE, uid, EXPLICIT, now)
        receiving = self.gateway.spool.begin(arrival)
        receiving.write(instance(SOPInstanceUID=uid))
        receipt = receiving.keep()
        self.gateway.stored(receipt)
        return receipt

    def lines(self, event: str) -> list[dict[str, object]]:
        lines = [json.loads(line) for line in self._stream.getvalue().splitlines()]
        return [line for line in lines if line["event"] == event]

    def pass_time(self, until: float, enough: Callable[[], bool] = lambda: False) -> None:
        """Let time pass second by second, until one or until it is enough."""
        while self._ground.clock.monotonic() < until and not enough():
            self._ground.run(1)
            self._ground.clock.sleep(1)


@contextmanager
def life(ground: Ground, data_dir: Path, shelf: Away) -> Iterator[Life]:
    stream = io.StringIO()
    chance = Random("an hour")
    gateway = Gateway(
        make_plan(data_dir, Outlet("away", shelf, None, backoff=BACKOFF)),
        lambda: (None, ()),
        Journal(stream, ground.clock),
        ground.clock,
        Receipts(ground.clock.nanoseconds, chance.randbytes),
        chance.randbytes,
        lambda _: NoDoors(),
        ground.machine(),
    )
    gateway.start()
    try:
        yield Life(gateway, stream, ground)
    finally:
        gateway.stop()


@pytest.fixture
def ground() -> Iterator[Ground]:
    made = Ground()
    try:
        yield made
    finally:
        made.close()


def check_waits(asked: Sequence[float]) -> None:
    """Each wait lies between half and all of its limit, and little more."""
    waits = [later - earlier for earlier, later in pairwise(asked)]
    for number, wait in enumerate(waits, 1):
        assert BACKOFF.limit(number) / 2 <= wait <= BACKOFF.limit(number) + LATE


def test_a_destination_that_is_away_for_an_hour(ground: Ground, tmp_path: Path) -> None:
    shelf = Away(ground.clock, HOUR)
    uids = [f"1.2.3.{number}" for number in range(12)]
    with life(ground, tmp_path, shelf) as now:
        for uid in uids:
            now.receive(uid)
        now.pass_time(HOUR)
        assert shelf.got == []
        # However many wait, it is asked once in a time: 7 times while waits grow, then every ten minutes or sooner.
        check_waits(shelf.asked)
        assert 7 + (HOUR - 635) / 600 <= len(shelf.asked) <= 8 + (HOUR - 315) / 300
        assert {line["reason"] for line in now.lines("waiting")} == {"no connection: Connection refused"}
        now.pass_time(2 * HOUR, lambda: len(shelf.got) > 0)
        back = ground.clock.monotonic()
        ground.run(len(uids))
        at_once = [uid for uid, _ in shelf.got]
        assert ground.clock.monotonic() < back + 1
        now.pass_time(2 * HOUR, lambda: len(shelf.got) == len(uids))
    # It is not found out sooner than the last wait ends, and then it gets everything, each once.
    assert sorted(uid for uid, _ in shelf.got) == sorted(uids)
    check_waits([*shelf.asked, shelf.got[0][1]])
    # Those that it was not asked about meanwhile did not wait on their own account: they follow at once, in order.
    tried = _tried(now, uids)
    assert len(uids) - len(tried) > 3
    assert [uid for uid in at_once if uid not in tried] == [uid for uid in uids if uid not in tried]
    assert now.gateway.spool.stored() == []


def _tried(now: Life, uids: Sequence[str]) -> set[str]:
    """Those that had to wait on their own account: one for each time that the destination was asked."""
    waited = {line["receipt"] for line in now.lines("waiting")}
    received = sorted({str(line["receipt"]) for line in [*now.lines("waiting"), *now.lines("delivered")]})
    return {uid for receipt, uid in zip(received, uids, strict=True) if receipt in waited}


def test_a_person_need_not_wait_until_it_is_asked(ground: Ground, tmp_path: Path) -> None:
    shelf = Away(ground.clock, HOUR)
    with life(ground, tmp_path, shelf) as now:
        now.receive("1.2.3.1")
        now.pass_time(HOUR + 1)
        asked = len(shelf.asked)
        Queue(ground.index()).wish(Choice(destination="away"), Wish.RETRY)
        now.pass_time(HOUR + 3)
    assert len(shelf.asked) == asked
    assert [uid for uid, _ in shelf.got] == ["1.2.3.1"]


def test_an_instance_that_is_refused_for_an_hour_holds_up_no_other(ground: Ground, tmp_path: Path) -> None:
    shelf = Away(ground.clock, HOUR, only="1.2.3.1")
    with life(ground, tmp_path, shelf) as now:
        for number in range(4):
            now.receive(f"1.2.3.{number}")
        now.pass_time(6)
        assert [uid for uid, _ in shelf.got] == ["1.2.3.0", "1.2.3.2", "1.2.3.3"]
        now.pass_time(2 * HOUR, lambda: len(shelf.got) == 4)
        counts = [line["count"] for line in now.lines("waiting")]
    check_waits([*shelf.asked, shelf.got[-1][1]])
    assert counts == list(range(1, len(shelf.asked) + 1))


def test_a_restart_does_not_begin_the_waits_of_an_instance_anew(ground: Ground, tmp_path: Path) -> None:
    shelf = Away(ground.clock, HOUR, only="1.2.3.1")
    with life(ground, tmp_path, shelf) as now:
        now.receive("1.2.3.1")
        now.pass_time(600)
    before = len(shelf.asked)
    assert before >= 5
    with life(ground, tmp_path, shelf) as now:
        now.pass_time(2 * HOUR, lambda: len(shelf.got) == 1)
        assert [line["count"] for line in now.lines("waiting")] == list(range(before + 1, len(shelf.asked) + 1))
    check_waits([*shelf.asked, shelf.got[-1][1]])
