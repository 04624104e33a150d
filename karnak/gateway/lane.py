"""A lane: everything that is owed to one destination, treated and delivered in the order it came.

Each lane has threads of its own: a destination that is down, slow or stuck holds up nobody else. A part leaves a lane
delivered, or ended with a cause, or waiting with a time and a cause. Whatever is unforeseen makes it wait, too.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from karnak.errors import KarnakError
from karnak.gateway.deliver.backoff import Backoff
from karnak.gateway.deliver.parcel import Delivered, DeliveryError, Destination, Parcel
from karnak.gateway.journal import Journal
from karnak.gateway.library import Library
from karnak.gateway.machine import Machine, Worker
from karnak.gateway.metrics import Door, End, Metrics
from karnak.gateway.route import Outlet
from karnak.gateway.shadow import Shadow
from karnak.gateway.spool import DamagedFile, NotInSpool, Spool
from karnak.gateway.states import State
from karnak.gateway.store.rows import Change, NewUids, Part
from karnak.gateway.treat import Treated, treat
from karnak.runtime.deidentify import Engine
from karnak.runtime.part10 import decode_instance, read_instance

# Parts that a lane holds beyond those in work; the rest waits in the index.
MAXIMUM_HELD = 256


class Clerk(Protocol):
    """Who writes down what becomes of parts, and brings more of them."""

    def note(self, changes: Sequence[Change]) -> None: ...

    def put_back(self, parts: Iterable[Part]) -> None: ...

    def ask(self, lane: "Lane") -> None: ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What lanes share.

    Attributes:
        library: the rules.
        spool: the originals.
        journal: where events are written.
        metrics: what is counted.
        clock: tells the time, in UTC.
        chance: gives a number from 0 up to 1, for waiting times.
        engine: what carries the rules out.
        shadows: candidates whose rules run beside the active ones, by destination.
    """

    library: Library
    spool: Spool
    journal: Journal
    metrics: Metrics
    clock: Callable[[], datetime]
    chance: Callable[[], float]
    engine: Engine
    shadows: Mapping[str, Shadow]


@dataclass(slots=True)
class _Ready:
    part: Part
    door: Door
    parcel: Parcel
    digest: str | None


class Lane:
    """Serves one destination until it is stopped.

    Args:
        name: the destination's.
        around: what all lanes share.
        clerk: writes down what becomes of parts, and brings more of them.
        machine: what it runs on.
    """

    def __init__(
        self,
        name: str,
        around: Surroundings,
        clerk: Clerk,
        machine: Machine,
    ) -> None:
        self.name = name
        self._around = around
        self._clerk = clerk
        self._start = machine.start
        self._monotonic = machine.monotonic
        self._held: deque[Part] = deque()
        self._changed = threading.Condition()
        self._in_work = 0
        self._failures = 0
        self._closed_until = 0.0
        self._stopping = False
        self._workers: list[Worker] = []

    def start(self, workers: int) -> None:
        """Begin to work; what is there already stays.

        Args:
            workers: how many deliveries may run at once; lanes grow and never shrink.
        """
        while len(self._workers) < workers:
            self._workers.append(self._start(f"lane {self.name}", self.step))

    def stop(self, seconds: float) -> None:
        """Take no new parts, and wait for those in work.

        Args:
            seconds: how long to wait.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        deadline = self._monotonic() + seconds
        for worker in self._workers:
            worker.join(max(deadline - self._monotonic(), 0))

    @property
    def room(self) -> int:
        """How many more parts the lane takes now."""
        with self._changed:
            return 0 if self._stopping or self._closed() > 0 else MAXIMUM_HELD - len(self._held)

    @property
    def closed(self) -> float:
        """For how many seconds the destination is still left alone; 0 while it is not."""
        with self._changed:
            return self._closed()

    def open(self) -> None:
        """Try the destination now, however long it was to be left alone."""
        with self._changed:
            self._closed_until = 0.0
            self._changed.notify_all()

    def offer(self, parts: Sequence[Part]) -> bool:
        """Give parts to the lane, in the order in which they are to be delivered; False where it takes none."""
        with self._changed:
            if self._stopping or self._closed() > 0:
                return False
            self._held.extend(parts)
            self._changed.notify(len(parts))
            return True

    def destination(self) -> Destination | None:
        """The destination as the active rules name it, or None where they don't."""
        outlet = self._outlet()
        return outlet.destination if outlet is not None else None

    def _outlet(self) -> Outlet | None:
        nodes = self._around.library.current.plan.nodes
        return next((outlet for node in nodes for outlet in node.outlets if outlet.name == self.name), None)

    def step(self, *, wait: bool) -> bool:
        """Treat and deliver as many parts as the destination takes at once; False when the lane is stopped.

        Args:
            wait: wait for parts where there are none.
        """
        parts = self._take(wait=wait)
        if not parts:
            return parts is not None
        destination = self.destination()
        try:
            self._serve(parts, destination)
        finally:
            with self._changed:
                self._in_work -= 1
        return True

    def _take(self, *, wait: bool) -> list[Part] | None:
        """Parts to be served together; none where there are none and nobody waits, None at the end."""
        with self._changed:
            while True:
                if self._stopping:
                    return None
                closed = self._closed_until - self._monotonic()
                if self._held and closed <= 0:
                    break
                if not wait:
                    return []
                self._changed.wait(closed if self._held else None)
            destination = self.destination()
            at_once = destination.at_once if destination is not None else 1
            parts = [self._held.popleft() for _ in range(min(at_once, len(self._held)))]
            self._in_work += 1
            hungry = len(self._held) <= MAXIMUM_HELD // 2
        if hungry:
            self._clerk.ask(self)
        return parts

    def _serve(self, parts: Sequence[Part], destination: Destination | None) -> None:
        if destination is None:
            self._hold_back(parts, "the configuration has no such destination")
            return
        with ExitStack() as open_files:
            ready: list[_Ready] = []
            for part in parts:
                try:
                    found = self._treat(part, open_files)
                except Exception as error:
                    # The disk doesn't give it, say: that is nobody else's matter.
                    self._around.journal.write_error(
                        "instance failed", error, receipt=part.receipt, destination=self.name
                    )
                    found = self._waiting(part, _internal(error))
                if isinstance(found, Change):
                    self._clerk.note([found])
                else:
                    ready.append(found)
            if ready:
                self._deliver(ready, destination)

    def _deliver(self, ready: Sequence[_Ready], destination: Destination) -> None:
        started = self._monotonic()
        try:
            answers = destination.deliver([one.parcel for one in ready])
            answered = list(zip(ready, answers, strict=True))
        except DeliveryError as error:
            self._close()
            self._hold_back([one.part for one in ready], str(error))
            return
        except Exception as error:
            self._around.journal.write_error("destination failed", error, destination=self.name)
            self._hold_back([one.part for one in ready], _internal(error))
            return
        self._failures = 0
        self._around.metrics.delivered_in(self.name, self._monotonic() - started)
        changes = []
        for one, answer in answered:
            if isinstance(answer, Delivered):
                changes.append(self._delivered(one, answer.remark))
            else:
                changes.append(self._waiting(one.part, answer.reason))
        self._clerk.note(changes)

    def _treat(self, part: Part, open_files: ExitStack) -> _Ready | Change:
        around = self._around
        try:
            held = around.spool.open(part.receipt)
        except (NotInSpool, DamagedFile) as error:
            return self._ended(part, Door.DIMSE, State.QUARANTINED, str(error), None)
        door = Door(held.arrival.door)
        open_files.callback(held.close)
        data = held.data_set()
        started = self._monotonic()
        outlet = around.library.outlet_for(part.receipt, part.received, held.arrival.called_ae, self.name)
        if outlet is None:
            return self._waiting(part, "the AE title that was called has no such destination any more")
        read = read_instance if around.engine == "tables" else decode_instance
        try:
            instance = read(data, part.transfer_syntax_uid)
        except KarnakError as error:
            return self._ended(part, door, State.QUARANTINED, str(error), None)
        shadow = around.shadows.get(self.name)
        if shadow is not None and not part.attempts:
            shadow.look(outlet, instance, held.path)
        treated = treat(outlet, instance, [data], around.clock(), around.engine)
        around.metrics.treated(self.name, self._monotonic() - started)
        self._remark(part, treated)
        if treated.parcel is None:
            return self._ended(part, door, treated.state or State.REJECTED, treated.cause or "", treated.digest)
        return _Ready(part, door, treated.parcel, treated.digest)

    def _remark(self, part: Part, treated: Treated) -> None:
        around = self._around
        for remark in treated.remarks:
            around.journal.write("remark", receipt=part.receipt, destination=self.name, reason=remark)
        if treated.fallback is not None:
            around.metrics.fell_back(self.name)
            around.journal.write("fallback", receipt=part.receipt, destination=self.name, reason=treated.fallback)
        if treated.error is not None:
            around.journal.write_error("instance failed", treated.error, receipt=part.receipt, destination=self.name)
        if treated.reason is not None:
            around.metrics.rejected(self.name, treated.reason)

    def _ended(self, part: Part, door: Door, state: State, cause: str, digest: str | None) -> Change:
        around = self._around
        around.metrics.ended(self.name, door, End(str(state)))
        around.journal.write(str(state), receipt=part.receipt, destination=self.name, reason=cause)
        return Change(part.receipt, self.name, state, around.clock(), cause, program=digest)

    def _delivered(self, one: _Ready, remark: str | None) -> Change:
        around, part, parcel = self._around, one.part, one.parcel
        if remark is not None:
            around.journal.write("remark", receipt=part.receipt, destination=self.name, reason=remark)
        around.metrics.ended(self.name, one.door, End.DELIVERED)
        around.journal.write("delivered", receipt=part.receipt, destination=self.name)
        return Change(
            part.receipt,
            self.name,
            State.DELIVERED,
            around.clock(),
            remark or "the destination has it",
            program=one.digest,
            new=NewUids(parcel.sop_instance_uid, parcel.series_instance_uid, parcel.study_instance_uid),
        )

    def _waiting(self, part: Part, reason: str) -> Change:
        around = self._around
        attempts = part.attempts + 1
        now = around.clock()
        retry_at = now + timedelta(seconds=self._wait(attempts))
        around.metrics.retried(self.name)
        around.journal.write("waiting", receipt=part.receipt, destination=self.name, reason=reason, count=attempts)
        return Change(part.receipt, self.name, State.WAITING, now, reason, retry_at)

    def _wait(self, failures: int) -> float:
        """How long to wait after so many failures, in seconds; the active rules say it."""
        outlet = self._outlet()
        backoff = outlet.backoff if outlet is not None else Backoff()
        return backoff.wait(failures, self._around.chance())

    def _hold_back(self, parts: Sequence[Part], reason: str) -> None:
        self._clerk.note([self._waiting(part, reason) for part in parts])

    def _closed(self) -> float:
        return max(self._closed_until - self._monotonic(), 0.0)

    def _close(self) -> None:
        """The destination takes nothing: leave it alone for a while, longer each time.

        What it was to get goes back: in nobody's hands it can be dropped, or replaced by what is newer.
        """
        with self._changed:
            self._failures += 1
            self._closed_until = self._monotonic() + self._wait(self._failures)
            back = list(self._held)
            self._held.clear()
        self._clerk.put_back(back)


def _internal(error: Exception) -> str:
    """A cause that says nothing of the error's text, which may quote an instance."""
    return f"an internal error of type {type(error).__name__}"
