"""Spool and index together, over a disk that fails and crashes between any two calls: nothing is lost or mixed.

The machine receives, takes in, delivers, retries, drops and finishes as the gateway does; at any call of the disk and
before and after any commit the process may die, with or without the machine. Whatever was acknowledged is then found
again and comes to its end at each destination: delivered, or replaced by what is newer, dropped by a person, or kept
in quarantine. Nothing half-received ever is.
"""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import wraps
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy.engine import URL

from karnak.gateway.receipts import Receipts
from karnak.gateway.spool import Arrival, NotInSpool, Receiving, Spool
from karnak.gateway.states import State
from karnak.gateway.store.database import open_database
from karnak.gateway.store.index import Index
from karnak.gateway.store.queue import Choice, Queue
from karnak.gateway.store.rows import DROPPED, REPLACED, Change, Entry, Part, Wish
from tests.gateway.arrivals import START, arrival
from tests.gateway.model_database import ModelDatabase
from tests.gateway.model_disk import Crash, ModelDisk

DESTINATIONS = ("pacs", "research")
ENDS = {State.DELIVERED: "taken", State.EXCLUDED: "a filter", State.REJECTED: "an error"}
Method = TypeVar("Method", bound=Callable[..., None])


class CrashingDatabase(ModelDatabase):
    """Its commits are calls that a process can die at."""

    def _call(self) -> None:
        # A full disk is another test's matter.
        if self._disk.fail is not None:
            with suppress(OSError):
                self._disk.fail("commit")


@dataclass
class Sent:
    """What a sender has sent under a receipt."""

    arrival: Arrival
    data: bytes
    acknowledged: bool = False


@dataclass
class World:
    """What is true whatever the gateway knows.

    Attributes:
        sent: by receipt, all that was sent to its end.
        delivered: what each destination was given, in order: receipt and data.
        dropped: parts that a person wanted to be dropped.
    """

    sent: dict[str, Sent] = field(default_factory=dict)
    delivered: dict[str, list[tuple[str, bytes]]] = field(default_factory=lambda: {name: [] for name in DESTINATIONS})
    dropped: set[tuple[str, str]] = field(default_factory=set)


def mortal(method: Method) -> Method:
    """A rule in which the process may die; it is started again then."""

    @wraps(method)
    def guarded(self: "Gateway", *args: Any, **kwargs: Any) -> None:
        try:
            method(self, *args, **kwargs)
        except Crash:
            self.crash()

    return guarded  # type: ignore[return-value]


class Gateway(RuleBasedStateMachine):
    """The gateway, as far as spool and index go."""

    @initialize(seed=st.integers(0, 1 << 32))
    def begin(self, seed: int) -> None:
        chance = Random(seed)
        self.choose: Callable[[int], int] = lambda most: chance.randint(0, most)
        self.disk = ModelDisk()
        made = open_database(URL.create("sqlite", database=":memory:"), upgrade=True)
        self.database = CrashingDatabase(made, self.disk)
        self.world = World()
        self.now = START
        self.ticks = 0
        self.started()

    def started(self) -> None:
        """What a process does when it starts."""
        self.open: list[tuple[Receiving, Sent]] = []
        self.spool = Spool(Path("/data"), self.disk, "fsync", Receipts(self.clock_ns, bytes))
        self.index = Index(self.database)
        abandoned = self.spool.half_received()
        assert self.spool.tidy() == abandoned
        self.index.resume(self.spool.stored())
        self.take_in()
        for receipt in self.index.unsettled(10_000):
            self.finish(receipt)

    def clock_ns(self) -> int:
        self.ticks += 1
        return int(START.timestamp()) * 10**9 + self.ticks * 1000

    def crash(self) -> None:
        """Die, with or without the machine, and start again; dying while starting is possible as well."""
        while True:
            if self.choose(1):
                self.disk.lose_power(self.choose)
            else:
                self.disk.end_process()
            if not self.choose(3):
                self.arm(self.choose(20), None)
            try:
                self.started()
            except Crash:
                continue
            except OSError:
                self.disk.fail = None
                continue
            self.disk.fail = None
            assert self.spool.half_received() == 0
            return

    def arm(self, calls: int, error: int | None) -> None:
        """Let one of the next calls fail, or be the last one."""
        left = calls

        def fail(_: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                if error is None:
                    raise Crash
                self.disk.fail = None
                raise OSError(error, os.strerror(error))

        self.disk.fail = fail

    def take_in(self) -> None:
        """The intake: what is in the spool and not in the index is routed."""
        stored = self.index.unknown(self.spool.stored())
        entries = []
        for receipt in stored:
            held = self.spool.open(receipt)
            entries.append(Entry(receipt, held.arrival, held.size, DESTINATIONS))
            held.close()
        for receipt in self.index.add(entries):
            self.finish(receipt)

    def finish(self, receipt: str) -> None:
        """All parts have ended: the file goes, or to quarantine; then that is noted."""
        if any(ending.state is State.REJECTED for ending in self.index.endings([receipt])[receipt]):
            with suppress(NotInSpool):
                self.spool.quarantine(receipt, {}, START)
        else:
            self.spool.remove(receipt)
        self.index.settle([receipt], self.now)

    @rule(
        uids=st.lists(st.sampled_from(["1", "1", "2", None]), min_size=1, max_size=4),
        caller=st.sampled_from(["CT01", "CT02"]),
        pieces=st.lists(st.binary(min_size=1, max_size=4), max_size=3),
        end=st.sampled_from(["keep", "keep", "keep", "drop", "leave"]),
    )
    @mortal
    def receive(self, uids: list[str | None], caller: str, pieces: list[bytes], end: str) -> None:
        """A sender sends instances: new, again, or as other versions; and may stop in the middle of one."""
        for i, uid in enumerate(uids, 1):
            self.receive_one(uid, caller, pieces, end if i == len(uids) else "keep")

    def receive_one(self, uid: str | None, caller: str, pieces: list[bytes], end: str) -> None:
        # An instance that takes long has a UID of its own, so that it is plain which version is the newer one.
        name = uid if uid is not None and end != "leave" else f"9.{self.clock_ns()}"
        sent = Sent(arrival(sop_instance_uid=name, calling_ae=caller), b"\x08" + b"".join(pieces))
        try:
            receiving = self.spool.begin(sent.arrival)
            receiving.write(b"\x08")
            for piece in pieces:
                receiving.write(piece)
            if end == "keep":
                self.keep(receiving, sent)
        except OSError:
            return
        if end == "drop":
            receiving.drop()
        elif end == "leave":
            self.open.append((receiving, sent))

    def keep(self, receiving: Receiving, sent: Sent) -> None:
        self.world.sent[receiving.receipt] = sent
        assert receiving.keep() == receiving.receipt
        sent.acknowledged = True

    @precondition(lambda self: self.open)
    @rule()
    @mortal
    def receive_the_rest(self) -> None:
        """A sender goes on."""
        receiving, sent = self.open.pop()
        with suppress(OSError):
            receiving.write(b"rest")
            sent.data += b"rest"
            self.keep(receiving, sent)

    @rule()
    @mortal
    def look(self) -> None:
        """The gateway looks for what came, and for what people want."""
        with suppress(OSError):
            self.take_in()
            for receipt in self.index.fulfil(self.now):
                self.finish(receipt)

    @rule(
        destination=st.sampled_from(DESTINATIONS),
        limit=st.integers(1, 4),
        outcomes=st.lists(
            st.sampled_from([*ENDS, State.WAITING, State.WAITING, State.DELIVERING, None]), min_size=4, max_size=4
        ),
        meanwhile=st.sampled_from([None, "CT01", "CT02"]),
    )
    @mortal
    def deliver(self, destination: str, limit: int, outcomes: list[State | None], meanwhile: str | None) -> None:
        """A lane takes what is due, and this and that comes of it."""
        with suppress(OSError):
            self.take_in()
        parts = self.index.due(destination, self.now, limit)
        changes, back = [], []
        for part, outcome in zip(parts, outcomes, strict=False):
            if outcome is None or not self.send(part, outcome):
                back.append(part)
            elif outcome in ENDS:
                changes.append(Change(part.receipt, destination, outcome, self.now, ENDS[outcome]))
            elif outcome is State.WAITING:
                again = self.now + timedelta(seconds=self.choose(9))
                changes.append(Change(part.receipt, destination, outcome, self.now, "no answer", again))
            else:
                # It lasts: this is noted, and the process dies before it is over.
                changes.append(Change(part.receipt, destination, outcome, self.now))
                self.arm(self.choose(2), None)
        self.index.put_back(back)
        if meanwhile is not None and parts:
            # Another version of what is in work comes in.
            sent = Sent(arrival(sop_instance_uid=parts[0].sop_instance_uid, calling_ae=meanwhile), b"\x08new")
            with suppress(OSError):
                receiving = self.spool.begin(sent.arrival)
                receiving.write(sent.data)
                self.keep(receiving, sent)
                self.take_in()
        for receipt in self.index.note(changes):
            with suppress(OSError):
                self.finish(receipt)
        if State.DELIVERING in outcomes[: len(parts)]:
            raise Crash

    def send(self, part: Part, outcome: State) -> bool:
        """Open an instance and, where that is its end, give it to its destination."""
        try:
            held = self.spool.open(part.receipt)
        except OSError:
            return False
        sent = self.world.sent[part.receipt]
        data = bytes(held.data_set())
        assert (held.arrival, data) == (sent.arrival, sent.data)
        if outcome in (State.DELIVERED, State.DELIVERING):
            self.world.delivered[part.destination].append((part.receipt, data))
        return True

    @rule(wish=st.sampled_from(Wish), number=st.integers(0, 5))
    @mortal
    def want(self, wish: Wish, number: int) -> None:
        """A person wants a part to be retried or dropped."""
        queue = Queue(self.database)
        parts = queue.list(Choice(), 6)
        for part in parts[number : number + 1]:
            if wish is Wish.DROP:
                self.world.dropped.add((part.receipt, part.destination))
            queue.wish(Choice(part.destination, receipt=part.receipt), wish)

    @rule(seconds=st.integers(1, 5))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(calls=st.integers(0, 60), error=st.sampled_from([None, errno.ENOSPC, errno.EIO]))
    def something_will_fail(self, calls: int, error: int | None) -> None:
        self.arm(calls, error)

    @rule()
    def die(self) -> None:
        self.crash()

    @precondition(lambda self: hasattr(self, "spool"))
    @invariant()
    def what_was_acknowledged_is_there_or_has_ended(self) -> None:
        fail, self.disk.fail = self.disk.fail, None
        stored = self.spool.stored()
        ended = set(self.index.ended(sorted(self.world.sent)))
        for receipt, sent in self.world.sent.items():
            if receipt in stored:
                held = self.spool.open(receipt)
                assert (held.arrival, bytes(held.data_set())) == (sent.arrival, sent.data)
            else:
                assert receipt in ended or not sent.acknowledged
        assert set(stored) <= self.world.sent.keys()
        self.disk.fail = fail

    def teardown(self) -> None:
        """All ends well: no more failures, every destination takes all."""
        if not hasattr(self, "spool"):
            return
        self.disk.fail = None
        self.crash()
        self.disk.fail = None
        self.now += timedelta(days=1)
        for receipt in self.index.fulfil(self.now):
            self.finish(receipt)
        for destination in DESTINATIONS:
            while parts := self.index.due(destination, self.now, 3):
                changes = []
                for part in parts:
                    assert self.send(part, State.DELIVERED)
                    changes.append(Change(part.receipt, destination, State.DELIVERED, self.now, "taken"))
                for receipt in self.index.note(changes):
                    self.finish(receipt)
        assert Queue(self.database).depths() == {}
        assert self.spool.stored() == []
        assert self.index.unsettled(10) == []
        endings = self.index.endings(sorted(self.world.sent))
        for receipt, sent in self.world.sent.items():
            if sent.acknowledged or endings[receipt]:
                self.has_ended_well(receipt, sent)
        for given in self.world.delivered.values():
            self.came_in_order(given)
        self.database.close()

    def has_ended_well(self, receipt: str, sent: Sent) -> None:
        endings = self.index.endings([receipt])[receipt]
        assert tuple(ending.destination for ending in endings) == DESTINATIONS
        for ending in endings:
            if ending.state is State.DELIVERED:
                assert (receipt, sent.data) in self.world.delivered[ending.destination]
            elif ending.cause == REPLACED:
                assert any(newer > receipt and self.same(other, sent) for newer, other in self.world.sent.items())
            elif ending.cause == DROPPED:
                assert (receipt, ending.destination) in self.world.dropped
            else:
                assert ending.cause == ENDS[ending.state]
        if any(ending.state is State.REJECTED for ending in endings):
            kept = self.disk.names[Path("/data/quarantine") / START.date().isoformat() / receipt / "instance.dcm"]
            assert kept.content.endswith(sent.data)
            assert Path("/data/quarantine") / START.date().isoformat() / receipt / "report.json" in self.disk.names

    @staticmethod
    def same(one: Sent, other: Sent) -> bool:
        return (one.arrival.sop_instance_uid, one.arrival.calling_ae) == (
            other.arrival.sop_instance_uid,
            other.arrival.calling_ae,
        )

    def came_in_order(self, given: list[tuple[str, bytes]]) -> None:
        """Of the versions of an instance a destination has the newest in the end: none came after a newer one."""
        last: dict[str, str] = {}
        for receipt, _ in given:
            uid = self.world.sent[receipt].arrival.sop_instance_uid
            assert last.get(uid, "") <= receipt
            last[uid] = receipt


TestGateway = Gateway.TestCase
TestGateway.settings = settings(max_examples=60, stateful_step_count=30)
