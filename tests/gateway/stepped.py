"""What a gateway runs on that goes step by step: the test is its threads, its clock and its disk.

Each thread of a gateway is a `Hand` here, and does something when it is told to. Disk, index and audit log fail when
the disk is told to, or are the place where the process dies.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection
from sqlalchemy.engine import URL

from karnak.gateway.audit import AuditEntry, AuditLog
from karnak.gateway.machine import Machine, Step
from karnak.gateway.store.database import Database, IndexUnavailable, open_database
from tests.gateway.model_database import ModelDatabase
from tests.gateway.model_disk import ModelDisk

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """A clock that the test moves; each look takes a microsecond, so that no two moments are the same."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        self.now += _MICROSECOND
        return self.now

    def monotonic(self) -> float:
        return (self.now - START).total_seconds()

    def nanoseconds(self) -> int:
        return (self() - _EPOCH) // _MICROSECOND * 1000

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass(eq=False)
class Hand:
    """What would be a thread.

    Attributes:
        name: the thread's.
        step: what it does again and again.
        gone: whether that was over.
        busy: whether it is in the middle of a step.
    """

    name: str
    step: Step
    gone: bool = False
    busy: bool = False

    def go(self) -> None:
        """Take a step, unless it is over, or in the middle of one."""
        if self.gone or self.busy:
            return
        self.busy = True
        try:
            self.gone = not self.step(wait=False)
        finally:
            self.busy = False

    def join(self, timeout: float | None = None) -> None:
        while not self.gone:
            self.go()


class FailingDatabase(ModelDatabase):
    """Before and after a commit it may fail, or the process die; it may fail a reader, too."""

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        self._call()
        with super().reading() as connection:
            yield connection

    def close(self) -> None:
        """It is in memory, and must outlive the process."""

    def _call(self) -> None:
        if self._disk.fail is not None:
            try:
                self._disk.fail("index")
            except OSError:
                raise IndexUnavailable("the index can't be used") from None


@dataclass
class Ground:
    """What a gateway stands on, which outlives its processes.

    Attributes:
        disk: where the spool lies.
        clock: tells the time.
        hands: the threads of the process that runs now.
    """

    disk: ModelDisk = field(default_factory=ModelDisk)
    clock: Clock = field(default_factory=Clock)
    hands: list[Hand] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._database = open_database(URL.create("sqlite", database=":memory:"), upgrade=True)

    def machine(self) -> Machine:
        """What a new process runs on."""
        self.hands = []
        return Machine(
            disk=self.disk,
            open_index=lambda _: FailingDatabase(self._database, self.disk),
            start=self._start,
            monotonic=self.clock.monotonic,
            sleep=self.clock.sleep,
        )

    def index(self) -> Database:
        """The index, for the test: it never fails."""
        return self._database

    def close(self) -> None:
        self._database.close()

    def let_fail(self, audit: AuditLog) -> None:
        """Let an audit log fail as the disk does, before it has written and after; it may be closed twice."""
        write, close, disk = audit.write, audit.close, self.disk
        closed = False

        def writing(*entries: AuditEntry) -> None:
            _call(disk)
            write(*entries)
            _call(disk)

        def closing() -> None:
            nonlocal closed
            if not closed:
                closed = True
                close()

        audit.write = writing  # type: ignore[method-assign]
        audit.close = closing  # type: ignore[method-assign]

    def run(self, rounds: int) -> None:
        """Let every hand take so many steps, in turn."""
        for _ in range(rounds):
            for hand in self.hands:
                hand.go()

    def _start(self, name: str, step: Step) -> Hand:
        self.hands.append(Hand(name, step))
        return self.hands[-1]


def _call(disk: ModelDisk) -> None:
    if disk.fail is not None:
        disk.fail("audit")


def failing(disk: ModelDisk, after: int, times: int, error: Callable[[], BaseException]) -> None:
    """Let calls of a disk fail.

    Args:
        disk: which.
        after: calls that succeed before.
        times: calls that fail then; a process that has died makes none any more.
        error: makes what they end with.
    """
    left, failures = after, times

    def fail(_: str) -> None:
        nonlocal left, failures
        left -= 1
        if left >= 0:
            return
        made = error()
        if isinstance(made, OSError):
            failures -= 1
            if failures <= 0:
                disk.fail = None
        raise made

    disk.fail = fail
