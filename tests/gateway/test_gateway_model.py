"""The whole gateway beside a model of it: whatever happens, nothing is lost, mixed, doubled or let out.

Instances come in, destinations fail in every way, rules change, people meddle, time passes, the disk, the index and the
audit log fail, and the process dies between any two calls, with or without the machine. The gateway is the real one
without its doors; it goes step by step (`stepped.py`), and `gateway_law.py` says what must be true.
"""

import errno
import io
import os
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from karnak.errors import KarnakError
from karnak.gateway.config_house import ReloadSection, SpoolSection
from karnak.gateway.deliver.backoff import Backoff
from karnak.gateway.deliver.parcel import Answer, Delivered, DeliveryError, Parcel, Refused
from karnak.gateway.gateway import Gateway
from karnak.gateway.journal import Journal
from karnak.gateway.ledger import Ledger
from karnak.gateway.plan import Plan
from karnak.gateway.questions import Question
from karnak.gateway.receipts import Receipts, time_of
from karnak.gateway.route import Outlet
from karnak.gateway.spool import Arrival, Receiving
from karnak.gateway.store.index import Index
from karnak.gateway.store.queue import Choice, Queue
from karnak.gateway.store.rows import Wish
from tests.gateway.gateway_law import PROGRAMS, STUDY_IDLE, Rules, Sent, World
from tests.gateway.house import NoDoors, deidentified, make_plan
from tests.gateway.instances import SECONDARY_CAPTURE
from tests.gateway.model_disk import Crash
from tests.gateway.stepped import Ground, failing

Method = TypeVar("Method", bound=Callable[..., None])
MOODS = ("takes", "takes", "is down", "refuses", "takes and denies", "takes and dies", "breaks")
ERRORS = (None, errno.ENOSPC, errno.EIO)
RULES = st.builds(Rules, st.sampled_from(["basic", "keeping", "keeping", "nothing"]), st.booleans(), st.integers(0, 1))


def mortal(method: Method) -> Method:
    """A rule in which the process may die; it is started again then."""

    @wraps(method)
    def guarded(self: "GatewayMachine", *args: Any, **kwargs: Any) -> None:
        try:
            method(self, *args, **kwargs)
        except Crash:
            if self.broken is not None:
                raise self.broken from None
            self.crash()

    return guarded  # type: ignore[return-value]


class Shelf:
    """A destination as one configuration reaches it; its mood is the machine's."""

    def __init__(self, machine: "GatewayMachine", name: str, at_once: int, parallel: int) -> None:
        self._machine = machine
        self._name = name
        self.at_once = at_once
        self.parallel = parallel
        self._closed = False

    def deliver(self, parcels: Sequence[Parcel]) -> Sequence[Answer]:
        assert not self._closed, "nobody is given anything after it was closed"
        assert 0 < len(parcels) <= self.at_once
        machine, world = self._machine, self._machine.world
        try:
            receipts = [world.offers(self._name, parcel, machine.ground.clock.now) for parcel in parcels]
        except AssertionError as error:
            # A lane bears all that a destination may raise, but nobody bears this.
            machine.broken = error
            raise Crash from None
        mood = machine.moods.get(self._name, "takes")
        machine.do_meanwhile()
        if mood == "is down" or self.is_closed():
            raise DeliveryError("no connection")
        if mood == "breaks":
            raise ZeroDivisionError
        answers: list[Answer] = []
        for number, receipt in enumerate(receipts):
            if mood == "refuses" and number == 0:
                answers.append(Refused("status A700H"))
                continue
            confirmed = mood in ("takes", "refuses")
            world.takes(self._name, receipt, confirmed=confirmed)
            answers.append(Delivered() if confirmed else Refused("the connection broke"))
        if mood == "takes and dies":
            raise DeliveryError("no answer")
        return answers

    def close(self) -> None:
        self._closed = True

    def is_closed(self) -> bool:
        return self._closed


class GatewayMachine(RuleBasedStateMachine):
    """A gateway, its senders, its destinations, its people and its misfortunes."""

    @initialize(seed=st.integers(0, 1 << 32), pinned=st.booleans(), keep=st.booleans())
    def begin(self, seed: int, pinned: bool, keep: bool) -> None:
        self.chance = Random(seed)
        self.folder = TemporaryDirectory()
        self.data_dir = Path(self.folder.name)
        self.ground = Ground()
        self.world = World(pinned)
        self.keep = keep
        self.active = Rules()
        self.moods: dict[str, str] = {}
        self.meanwhile: list[Callable[[], None]] = []
        self.coming: list[tuple[Receiving, Sent]] = []
        self.numbers = 0
        self.broken: AssertionError | None = None
        self.gateway: Gateway | None = None
        self.started()

    def choose(self, most: int) -> int:
        return self.chance.randint(0, most)

    # --- a process and its end

    def plan(self, rules: Rules) -> Plan:
        wait = Backoff(5, 2, 600)
        program = PROGRAMS[rules.program]
        settings = f"port {rules.connection}"
        outlets = [
            deidentified("deid", Shelf(self, "deid", 3, 1), program, backoff=wait, settings=settings),
            Outlet("raw", Shelf(self, "raw", 1, 1), None, None, frozenset({SECONDARY_CAPTURE}), wait, "raw"),
        ]
        if rules.wide:
            outlets.append(deidentified("wide", Shelf(self, "wide", 2, 2), program, backoff=wait, settings="wide"))
        return make_plan(
            self.data_dir,
            *outlets,
            spool=SpoolSection(durability="fsync", originals="keep" if self.keep else "remove"),
            reload=ReloadSection(watch=False, pin="study" if self.world.pinned else "instance", study_idle=STUDY_IDLE),
        )

    def started(self) -> None:
        """What a process does when it starts."""
        ground, world = self.ground, self.world
        self.coming.clear()
        self.meanwhile.clear()
        self.stream = io.StringIO()
        self.next_plan: Callable[[], tuple[Plan | None, tuple[()]]] = lambda: (None, ())
        receipts = Receipts(ground.clock.nanoseconds, self.chance.randbytes)
        journal = Journal(self.stream, ground.clock)
        gateway = self.gateway = Gateway(
            self.plan(self.active),
            lambda: self.next_plan(),  # noqa: PLW0108 -- it changes
            journal,
            ground.clock,
            receipts,
            self.chance.randbytes,
            lambda _: NoDoors(),
            ground.machine(),
        )
        world.begin_life(gateway.library.current.began, self.active)
        pin, write = gateway.library.pin, journal.write

        def pinning(receipt: str, *about: Any) -> Any:
            epoch = pin(receipt, *about)
            is_new = Index(ground.index()).unknown([receipt]) == [receipt]
            world.routed(receipt, ground.clock.now, is_new=is_new)
            return epoch

        def writing(event: str, **values: Any) -> None:
            if event == "waiting":
                world.waited.add((values["receipt"], values["destination"]))
            write(event, **values)

        gateway.library.pin = pinning  # type: ignore[method-assign, assignment]
        journal.write = writing  # type: ignore[method-assign]
        gateway.start()
        ground.let_fail(gateway.audit)
        written = gateway._intake.written

        def adding(receipts: Sequence[str]) -> None:
            world.added([receipt for receipt in receipts if not Index(ground.index()).unknown([receipt])])
            written(receipts)

        gateway._intake.written = adding  # type: ignore[method-assign]
        assert gateway.spool.half_received() == 0

    def gone(self) -> None:
        """What the system does when a process has died."""
        gateway, self.gateway = self.gateway, None
        assert gateway is not None
        if hasattr(gateway, "audit"):
            gateway.audit.close()
        gateway._lock.give_back()

    def crash(self) -> None:
        """Die, with or without the machine, and start again; dying while starting is possible as well."""
        while True:
            self.gone()
            if self.choose(1):
                self.ground.disk.lose_power(self.choose)
            else:
                self.ground.disk.end_process()
            if not self.choose(3):
                self.arm(self.choose(30), self.choose(2))
            try:
                self.started()
            except (Crash, OSError, KarnakError):
                continue
            self.ground.disk.fail = None
            return

    def arm(self, after: int, kind: int, times: int = 1) -> None:
        error = ERRORS[kind]
        made = Crash if error is None else lambda: OSError(error, os.strerror(error))
        failing(self.ground.disk, after, times, made)

    # --- senders

    def sent(self, kind: str, uid: str, study: int, caller: str) -> Sent:
        self.numbers += 1
        return Sent(self.numbers, kind, uid, study, caller, self.ground.clock())

    def comes(self, sent: Sent) -> Receiving:
        assert self.gateway is not None
        said = Arrival(address="10.0.0.1", door="dimse", **sent.as_said())
        receiving = self.gateway.spool.begin(said)
        receiving.write(sent.data[:100])
        return receiving

    def ends(self, receiving: Receiving, sent: Sent, hint: bool) -> None:
        assert self.gateway is not None
        receiving.write(sent.data[100:])
        self.world.sent[receiving.receipt] = sent
        receiving.keep()
        sent.acknowledged = True
        if hint:
            self.gateway.stored(receiving.receipt)

    def arrives(self, kind: str, uid: str, study: int, caller: str, hint: bool = True) -> None:
        sent = self.sent(kind, uid, study, caller)
        try:
            self.ends(self.comes(sent), sent, hint)
        except OSError:
            # The sender hears that it is not safe.
            return

    @rule(
        kinds=st.lists(
            st.sampled_from(["good"] * 5 + ["CT", "no patient", "unreadable", "mismatch", "nobody"]),
            min_size=1,
            max_size=4,
        ),
        uid=st.sampled_from([0, 0, 0, *range(1, 30)]),
        study=st.integers(1, 2),
        caller=st.sampled_from(["CT01", "CT01", "CT02"]),
        hint=st.sampled_from([True, True, True, False]),
        rounds=st.integers(0, 3),
    )
    @mortal
    def instances_arrive(self, kinds: list[str], uid: int, study: int, caller: str, hint: bool, rounds: int) -> None:
        """Instances of a study come in: new ones, or one again, from the same source or another."""
        for number, kind in enumerate(kinds):
            # A SOP Instance belongs to one study.
            name = f"1.2.{study}.1.{uid + number}"
            self.arrives(kind, name, study, caller, hint)
        self.ground.run(rounds)

    @rule(
        uid=st.integers(0, 30),
        study=st.integers(1, 2),
        hints=st.tuples(st.booleans(), st.booleans()),
        rounds=st.tuples(st.integers(0, 2), st.integers(0, 4)),
    )
    @mortal
    def an_instance_comes_twice(self, uid: int, study: int, hints: tuple[bool, bool], rounds: tuple[int, int]) -> None:
        """Its sender has not heard of the first time, say; and the gateway may hear of either late."""
        for hint, some in zip(hints, rounds, strict=True):
            self.arrives("good", f"1.2.{study}.1.{uid}", study, "CT01", hint)
            self.ground.run(some)

    @rule(study=st.integers(1, 2))
    @mortal
    def an_instance_begins_to_come(self, study: int) -> None:
        sent = self.sent("good", f"1.2.{study}.1.{100 + self.numbers}", study, "CT01")
        try:
            self.coming.append((self.comes(sent), sent))
        except OSError:
            return

    @precondition(lambda self: bool(self.coming))
    @rule(whole=st.booleans())
    @mortal
    def the_rest_of_it_comes(self, whole: bool) -> None:
        receiving, sent = self.coming.pop(0)
        try:
            if whole:
                self.ends(receiving, sent, True)
            else:
                receiving.drop()
        except OSError:
            return

    # --- the gateway

    @rule(which=st.integers(0, 5), times=st.integers(1, 3))
    @mortal
    def a_hand_works(self, which: int, times: int) -> None:
        hand = self.ground.hands[which % len(self.ground.hands)]
        for _ in range(times):
            hand.go()

    @rule(rounds=st.integers(1, 4))
    @mortal
    def all_work(self, rounds: int) -> None:
        self.ground.run(rounds)

    @rule(seconds=st.sampled_from([1, 5, 20, 31, 600, 3600]))
    def time_passes(self, seconds: int) -> None:
        self.ground.clock.sleep(seconds)

    # --- destinations, rules, people

    @rule(name=st.sampled_from(["deid", "raw", "wide"]), mood=st.sampled_from(MOODS))
    def a_destination_changes_its_mood(self, name: str, mood: str) -> None:
        self.moods[name] = mood

    @rule(rules=RULES)
    @mortal
    def rules_change(self, rules: Rules) -> None:
        self.reload(rules)

    def reload(self, rules: Rules) -> None:
        assert self.gateway is not None
        before = self.gateway.library.current.number
        self.next_plan = lambda: (self.plan(rules), ())
        try:
            self.gateway.reload()
        finally:
            current = self.gateway.library.current
            if current.number > before:
                self.active = rules
                self.world.reloaded(current.began, rules)

    @rule(raises=st.booleans())
    @mortal
    def rules_are_broken(self, raises: bool) -> None:
        assert self.gateway is not None

        def unreadable() -> tuple[Plan | None, tuple[()]]:
            raise OSError(errno.EIO, "no")

        before = self.gateway.library.current
        self.next_plan = unreadable if raises else lambda: (None, ())
        assert not self.gateway.reload().is_new
        assert self.gateway.library.current is before

    @rule(wish=st.sampled_from(Wish), number=st.integers(0, 5))
    def somebody_wants(self, wish: Wish, number: int) -> None:
        """A person wants a part to be retried or dropped."""
        queue = Queue(self.ground.index())
        for part in queue.list(Choice(), 6)[number : number + 1]:
            if wish is Wish.DROP:
                self.world.dropped.add((part.receipt, part.destination))
            queue.wish(Choice(part.destination, receipt=part.receipt), wish)

    @rule(
        what=st.lists(
            st.sampled_from(["clerk", "intake", "lane", "again", "reload", "drop", "retry", "time", "mood", "die"]),
            min_size=1,
            max_size=4,
        )
    )
    def meanwhile_something_happens(self, what: list[str]) -> None:
        """During the next delivery, that is."""
        self.meanwhile += [getattr(self, f"meanwhile_{one}") for one in what]

    def do_meanwhile(self) -> None:
        todo, self.meanwhile = self.meanwhile, []
        for one in todo:
            one()

    def meanwhile_clerk(self) -> None:
        self.ground.hands[0].go()

    def meanwhile_intake(self) -> None:
        next(hand for hand in self.ground.hands if hand.name == "intake").go()

    def meanwhile_lane(self) -> None:
        lanes = [hand for hand in self.ground.hands if hand.name.startswith("lane")]
        lanes[self.choose(len(lanes) - 1)].go()

    def meanwhile_again(self) -> None:
        if self.world.sent:
            sent = list(self.world.sent.values())[-1 - self.choose(min(len(self.world.sent), 4) - 1)]
            if not sent.is_kept_back:
                self.arrives("good", sent.uid, sent.study, sent.caller)

    def meanwhile_reload(self) -> None:
        self.reload(Rules(self.chance.choice(["basic", "keeping"]), bool(self.choose(1)), self.choose(1)))

    def meanwhile_drop(self) -> None:
        self.somebody_wants(Wish.DROP, self.choose(3))

    def meanwhile_retry(self) -> None:
        self.somebody_wants(Wish.RETRY, self.choose(3))

    def meanwhile_time(self) -> None:
        self.time_passes(self.chance.choice([1, 40, 900]))

    def meanwhile_mood(self) -> None:
        self.a_destination_changes_its_mood(self.chance.choice(["deid", "raw", "wide"]), self.chance.choice(MOODS))

    def meanwhile_die(self) -> None:
        raise Crash

    # --- misfortunes

    @rule(after=st.integers(0, 40), kind=st.sampled_from([0, 1, 1, 2, 2]), times=st.integers(1, 4))
    def something_will_fail(self, after: int, kind: int, times: int) -> None:
        self.arm(after, kind, times)

    @rule(dies=st.booleans())
    @mortal
    def it_ends_and_is_started(self, dies: bool) -> None:
        assert self.gateway is not None
        if dies:
            raise Crash
        try:
            self.gateway.stop()
            for receiving, _ in self.coming:
                receiving.drop()
        except (OSError, KarnakError):
            self.crash()
            return
        self.ground.disk.end_process()
        self.started()

    # --- what must be true

    @precondition(lambda self: getattr(self, "gateway", None) is not None)
    @invariant()
    def an_original_goes_when_all_have_ended_and_not_before(self) -> None:
        ready = self.files("spool", "ready")
        assert ready.keys() <= self.world.sent.keys()
        ended = set(Index(self.ground.index()).ended(sorted(self.world.sent)))
        for receipt, sent in self.world.sent.items():
            if receipt in ready:
                assert ready[receipt].endswith(sent.data)
            else:
                assert receipt in ended or not sent.acknowledged

    def files(self, *folder: str) -> dict[str, bytes]:
        """Contents of the files in a folder, by name without suffix."""
        at = self.data_dir.joinpath(*folder)
        names = self.ground.disk.names
        return {path.stem: bytes(inode.content) for path, inode in names.items() if path.parent == at}

    def teardown(self) -> None:
        """All ends well: nothing fails any more, every destination takes everything."""
        if not hasattr(self, "ground"):
            return
        try:
            self.ends_well()
        except Crash:
            assert self.broken is not None
            raise self.broken from None
        finally:
            if self.gateway is not None:
                self.gone()
            self.ground.close()
            self.folder.cleanup()

    def ends_well(self) -> None:
        ground, world = self.ground, self.world
        assert self.gateway is not None
        ground.disk.fail = None
        self.moods.clear()
        self.meanwhile.clear()
        for receiving, _ in self.coming:
            receiving.drop()
        self.reload(Rules())
        for seconds in [1] * 5 + [40] * 20 + [700] * 20:
            ground.run(3)
            ground.clock.sleep(seconds)
            if self.is_over():
                break
        index, queue = Index(ground.index()), Queue(ground.index())
        assert queue.depths() == {}, self.stream.getvalue()
        assert self.gateway.spool.stored() == []
        assert index.unsettled(10) == []
        known = set(world.sent) - set(index.unknown(sorted(world.sent)))
        assert known >= {receipt for receipt, sent in world.sent.items() if sent.acknowledged}
        left: dict[Path, bytes] = {}
        for receipt, endings in index.endings(sorted(known)).items():
            world.check_end(receipt, {one.destination: (str(one.state), one.cause or "") for one in endings})
            self.expect_file(receipt, {str(one.state) for one in endings}, left)
        for destination in ("deid", "raw", "wide"):
            world.check_destination(destination)
        self.ledger_counts(known)
        self.gateway.stop()
        ground.disk.end_process()
        self.started()
        self.no_other_files(left)

    def is_over(self) -> bool:
        index, queue = Index(self.ground.index()), Queue(self.ground.index())
        ready = self.files("spool", "ready")
        return not ready and not index.unsettled(1) and not queue.depths()

    def expect_file(self, receipt: str, states: set[str], left: dict[Path, bytes]) -> None:
        day, data = self.day(receipt), self.world.sent[receipt].data
        if states & {"rejected", "quarantined"}:
            left[self.data_dir / "quarantine" / day / receipt / "instance.dcm"] = data
        elif self.keep:
            left[self.data_dir / "kept" / day / f"{receipt}.dcm"] = data

    @staticmethod
    def day(receipt: str) -> str:
        when = time_of(receipt)
        assert when is not None
        return when.date().isoformat()

    def no_other_files(self, left: dict[Path, bytes]) -> None:
        """What has to be in quarantine or kept is there, and after a start nothing else is anywhere."""
        reports = {path.with_name("report.json") for path in left if path.name == "instance.dcm"}
        for path, inode in self.ground.disk.names.items():
            if path in left:
                assert bytes(inode.content).endswith(left[path])
            else:
                assert path in reports or path.name == "door.lock", path
        assert left.keys() | reports <= self.ground.disk.names.keys()

    def ledger_counts(self, known: set[str]) -> None:
        """What the ledger says of a study is what happened to it."""
        studies = {one.uid: one for one in Ledger(self.ground.index()).studies(Question(), 100)}
        readable = {name: self.world.sent[name] for name in known if self.world.sent[name].kind != "unreadable"}
        assert studies.keys() == {sent.study_uid for sent in readable.values()}
        for uid, record in studies.items():
            ours = {name: sent for name, sent in readable.items() if sent.study_uid == uid}
            assert record.receipts == len(ours)
            assert record.bytes == sum(len(sent.data) for sent in ours.values())
            assert record.instances == len({sent.as_said()["sop_instance_uid"] for sent in ours.values()})
            for tally in record.tallies:
                there = [name for name in ours if tally.destination in self.world.parts_of(name)]
                assert sum(tally.states.values()) == len(there)


TestGateway = GatewayMachine.TestCase
TestGateway.settings = settings(max_examples=50, stateful_step_count=40)
