"""The gateway: everything that a plan asks for, put together and running.

Receivers make instances safe in the spool; the intake gives them rows in the index; a lane per destination treats and
delivers them; the clerk writes down what became of them. `docs/design/gateway.md` shows the way.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from karnak.dsl.diagnostics import Diagnostic
from karnak.gateway.audit import AuditEntry, AuditEvent, AuditLog
from karnak.gateway.clerk import Clerk
from karnak.gateway.courier import Courier
from karnak.gateway.ending import Endings
from karnak.gateway.giving_way import giving_way
from karnak.gateway.house_lock import HouseLock
from karnak.gateway.intake import Intake
from karnak.gateway.journal import Journal
from karnak.gateway.lane import Lane, Surroundings
from karnak.gateway.ledger import Ledger, Retention
from karnak.gateway.library import Library, Reload
from karnak.gateway.machine import Machine
from karnak.gateway.metrics import Door, Levels, Metrics, QueueLength, ReloadOutcome
from karnak.gateway.owed_reports import OwedReports
from karnak.gateway.patient_cipher import PatientCipher
from karnak.gateway.plan import Plan
from karnak.gateway.receive.commitment import Reference, Reporter, Transaction
from karnak.gateway.route import Caller, ForwardNode, Outlet, report_address
from karnak.gateway.shadows import Shadows
from karnak.gateway.spool import Spool
from karnak.gateway.store.database import IndexUnavailable, index_url
from karnak.gateway.store.index import Index
from karnak.gateway.store.ownership import claim
from karnak.gateway.store.queue import Queue
from karnak.gateway.watching import Watch
from karnak.runtime.part10 import Instance
from karnak.runtime.warm import warm_up
from karnak.version import VERSION

# Seconds that somebody waits for the clerk.
_PATIENCE = 10.0

Read = Callable[[], tuple[Plan | None, tuple[Diagnostic, ...]]]


class Doors(Protocol):
    """The ways in."""

    @property
    def port(self) -> int:
        """The port for associations."""

    def start(self) -> None:
        """Open them.

        Raises:
            KarnakError: one can't be opened.
        """

    def stop(self, seconds: float) -> None:
        """Let nobody new in, and let what is coming in be answered, for so many seconds at most."""

    def admit(self, nodes: Sequence[ForwardNode]) -> None:
        """Take new rules of who may come in."""

    def open(self) -> Mapping[Door, int]:
        """How many associations or requests there are."""


class Gateway:
    """A gateway from its start to its end.

    Args:
        plan: what to do.
        read: reads and checks the configuration anew.
        journal: where events are written.
        clock: tells the time, in UTC.
        new_receipt: gives a name that no instance has had; names sort by time.
        random_bytes: gives so many random bytes.
        open_doors: makes the ways in, which are opened last and closed first.
        machine: what it runs on.
    """

    def __init__(
        self,
        plan: Plan,
        read: Read,
        journal: Journal,
        clock: Callable[[], datetime],
        new_receipt: Callable[[], str],
        random_bytes: Callable[[int], bytes],
        open_doors: Callable[["Gateway"], Doors],
        machine: Machine | None = None,
    ) -> None:
        self.plan = plan
        self._read = read
        self.journal = journal
        self.clock = clock
        self._new_receipt = new_receipt
        house = plan.house
        pinned = house.reload.study_idle if house.reload.pin == "study" else None
        self.library = Library(plan, self._read_again, clock, pinned, self._owed_since)
        self.shadows = Shadows(journal, clock)
        self.metrics = Metrics([outlet.name for outlet in _outlets(plan)], self._levels)
        key = house.patient_key
        self._cipher = PatientCipher(key, random_bytes) if key is not None else None
        self._random_bytes = random_bytes
        self._open_doors = open_doors
        self._machine = machine or Machine()
        self._lanes: dict[str, Lane] = {}
        # From now on: what changes while the gateway starts is a change, too.
        self._watch = Watch(lambda: self.library.current.plan.files, self._files_changed)
        self._lock = HouseLock(plan.data_dir)

    def start(self) -> None:
        """Open the house: what was left is taken up, then the doors open.

        Raises:
            KarnakError: something can't be opened or listened on.
        """
        plan, house = self.plan, self.plan.house
        self._lock.take()
        if plan.engine == "tables":
            # Before the doors open: the first instance doesn't wait for a compiler.
            warm_up()
        self.spool = Spool(plan.data_dir, self._machine.disk, house.spool.durability, self._new_receipt)
        self.spool.tidy()
        self._database = self._machine.open_index(index_url(plan.data_dir, house.index_url))
        if house.index_url is not None:
            claim(self._database, plan.data_dir, lambda: self._random_bytes(16).hex())
        self.audit = AuditLog(plan.data_dir / "audit", self.clock)
        self._index = Index(self._database)
        self._index.resume(self.spool.stored())
        self.queue = Queue(self._database)
        self.ledger = Ledger(self._database)
        endings = Endings(self.spool, house.spool.originals, self.journal, self.clock, self._profile_of)
        retention = Retention(timedelta(days=house.keep_days), house.maximum_rows)
        self._clerk = Clerk(
            self._index,
            endings,
            retention,
            self.audit,
            self._written,
            self.library.forget,
            self.journal,
            self.clock,
            self._machine,
        )
        self._around = Surroundings(
            self.library,
            self.spool,
            self.journal,
            self.metrics,
            self.clock,
            self._chance,
            plan.engine,
            self.shadows.running,
        )
        self._intake = Intake(
            self.spool,
            self.library,
            self._clerk,
            self._index.unknown,
            self._conceal,
            self.journal,
            self.metrics,
            plan.engine,
            self._machine,
        )
        self._courier = Courier(
            OwedReports(plan.data_dir, self._machine.disk, house.spool.durability),
            self.safe,
            lambda caller: report_address(self.library.current.plan.nodes, caller),
            house.patience,
            self.journal,
            self.clock,
            self._new_receipt,
            self._chance,
            self._machine,
        )
        # A port that is taken is told before anything is done.
        self._doors = self._open_doors(self)
        self.audit.write(AuditEntry.of(AuditEvent.STARTED, version=VERSION))
        self._clerk.start()
        self._open_lanes()
        self._intake.start()
        self._courier.start()
        try:
            self._doors.start()
        except BaseException:
            self.stop()
            raise
        self.journal.write("listening", host=plan.listen.host, port=self._doors.port)
        if house.reload.watch:
            self._watch.start()

    def stop(self) -> None:
        """Close the doors, let what is in work end, and leave the rest for the next start."""
        self.journal.write("stopping")
        seconds = self.plan.listen.drain_timeout
        self._watch.stop()
        self._courier.stop()
        self._doors.stop(seconds)
        self._intake.stop()
        for lane in self._lanes.values():
            lane.stop(seconds)
        self._courier.wait(seconds)
        self.shadows.stop()
        for outlet in _outlets(self.library.current.plan):
            outlet.destination.close()
        self._clerk.stop()
        self._tell(AuditEntry.of(AuditEvent.STOPPED))
        self.audit.close()
        self._database.close()
        self.spool.close()
        self._lock.give_back()
        programs = {o.treatment.program for o in _outlets(self.library.current.plan) if o.treatment is not None}
        self.journal.write("stopped", tables=sum(program.table_count for program in programs))

    @property
    def port(self) -> int:
        """The port that is listened on for associations."""
        return self._doors.port

    def stored(self, receipt: str) -> None:
        """Hear from a door that an instance is safe in the spool; any thread may say so."""
        self._intake.hint(receipt)

    def look(self) -> None:
        """Hear that somebody died who may have had instances to tell of; any thread may say so."""
        self._intake.look()

    def commit(self, transaction: Transaction, caller: Caller, reporter: Reporter) -> bool:
        """Take a request for Storage Commitment; any thread may bring it.

        Args:
            transaction: what is asked.
            caller: who asks.
            reporter: its association.

        Returns:
            Whether there will be a report: the request is on disk.
        """
        return self._courier.take(transaction, caller, reporter)

    def safe(self, references: Sequence[Reference]) -> Iterable[Reference]:
        """Tell which of some instances are safe: in the spool, delivered, or kept (Storage Commitment).

        Args:
            references: pairs of SOP Class UID and SOP Instance UID.
        """
        # What was acknowledged a moment ago may have no rows yet.
        self._intake.flush()
        if not self._clerk.flush(_PATIENCE):
            raise IndexUnavailable("the index can't be written now")
        return self._index.safe(references, originals_kept=self.plan.house.spool.originals == "keep")

    def reload(self, actor: str = "local") -> Reload:
        """Read the configuration again; it becomes active if nothing is wrong with it.

        Args:
            actor: who wants it, for the audit log.
        """
        before = self.library.current
        try:
            done = self.library.reload()
        except Exception as error:
            self.journal.write_error("reload refused", error)
            self.metrics.reloaded(ReloadOutcome.REFUSED)
            return Reload(before, False, ())
        if not done.is_new:
            self.metrics.reloaded(ReloadOutcome.REFUSED)
            self._tell(AuditEntry.of(AuditEvent.CONFIGURATION_REFUSED, actor=actor))
            for diagnostic in done.diagnostics:
                where = f"{diagnostic.span.file}:{diagnostic.span.line}:{diagnostic.span.column}"
                self.journal.write("reload refused", reason=f"{diagnostic.code} {where} {diagnostic.message}")
            return done
        plan = done.epoch.plan
        self._tell(AuditEntry.of(AuditEvent.CONFIGURATION_ACTIVATED, actor=actor, count=done.epoch.number))
        self.metrics.reloaded(ReloadOutcome.ACTIVATED)
        self.metrics.configure(outlet.name for outlet in _outlets(plan))
        self._doors.admit(plan.nodes)
        self._open_lanes()
        self.shadows.keep(plan.treated())
        kept = {id(outlet.destination) for outlet in _outlets(plan)}
        for outlet in _outlets(before.plan):
            if id(outlet.destination) not in kept:
                outlet.destination.close()
        self.journal.write("reloaded", count=done.epoch.number)
        if (plan.listen, plan.data_dir, plan.house, plan.engine) != (
            self.plan.listen,
            self.plan.data_dir,
            self.plan.house,
            self.plan.engine,
        ):
            self.journal.write("restart needed", reason="settings beside forward nodes and projects are others")
        return done

    def _tell(self, entry: AuditEntry) -> None:
        """Have the audit log tell something that has happened: now, or else as soon as it can be written."""
        try:
            self.audit.write(entry)
        except OSError as error:
            self.journal.write_error("audit failed", error)
            self._clerk.log(entry)

    def _files_changed(self) -> None:
        self.reload()

    def _chance(self) -> float:
        """A number from 0 up to 1."""
        return int.from_bytes(self._random_bytes(6)) / (1 << 48)

    def _written(self, receipts: Sequence[str]) -> None:
        self._intake.written(receipts)

    def _profile_of(self, digest: str) -> str | None:
        """The name of a profile of the active epoch, by the digest of its program."""
        treatments = (outlet.treatment for outlet in _outlets(self.library.current.plan))
        names = (t.program.profile.name for t in treatments if t is not None and t.program.digest == digest)
        return next(names, None)

    def _conceal(self, instance: Instance) -> bytes | None:
        """What is kept of the patient: nothing, or PatientID and its issuer, encrypted."""
        if self._cipher is None:
            return None
        return self._cipher.conceal(instance)

    def _read_again(self) -> tuple[Plan | None, tuple[Diagnostic, ...]]:
        with giving_way():
            plan, found = self._read()
        if plan is None:
            return None, found
        # A destination that is the same keeps its connections.
        known = {outlet.name: outlet for outlet in _outlets(self.library.current.plan)}
        nodes = tuple(
            replace(
                node, outlets=tuple(_with_connections_of(known.get(outlet.name), outlet) for outlet in node.outlets)
            )
            for node in plan.nodes
        )
        return replace(plan, nodes=nodes), found

    def _open_lanes(self) -> None:
        for outlet in _outlets(self.library.current.plan):
            lane = self._lanes.get(outlet.name)
            if lane is None:
                lane = self._lanes[outlet.name] = Lane(outlet.name, self._around, self._clerk, self._machine)
            lane.start(outlet.destination.parallel)
        self._clerk.serve(self._lanes.values())

    def _owed_since(self) -> datetime | None:
        """When the oldest instance came that is still owed; None where none is."""
        try:
            return min(self.queue.oldest().values(), default=None)
        except IndexUnavailable:
            # Nobody can say; then all epochs are kept.
            return self.library.epochs_since

    def _levels(self) -> Levels:
        """What the metrics measure when they are asked."""
        now = self.clock()
        oldest = self.queue.oldest()
        depths: dict[str, int] = {}
        for (destination, _), count in self.queue.depths().items():
            depths[destination] = depths.get(destination, 0) + count
        queues = {
            name: QueueLength(depth, max((now - oldest[name]).total_seconds(), 0.0) if name in oldest else 0.0)
            for name, depth in depths.items()
        }
        return Levels(queues, self.spool.size(), self.spool.free_bytes(), self._doors.open())


def _outlets(plan: Plan) -> list[Outlet]:
    return [outlet for node in plan.nodes for outlet in node.outlets]


def _with_connections_of(known: Outlet | None, outlet: Outlet) -> Outlet:
    if known is None or known.settings != outlet.settings:
        return outlet
    return replace(outlet, destination=known.destination)
