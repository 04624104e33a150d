"""What a gateway runs on: threads, a clock that never goes back, a disk, a database.

What goes on by itself in a gateway does so in steps. Threads take them one after another; a test takes them itself, in
any order, at a time of its own, and over a disk that crashes.
"""

import gc
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy.engine import URL

from karnak.gateway.disk import Disk
from karnak.gateway.store.database import Database, open_database


class Step(Protocol):
    """One step of what goes on by itself."""

    def __call__(self, *, wait: bool) -> bool:
        """Do what is to be done now.

        Args:
            wait: where there is nothing to do, wait for it.

        Returns:
            Whether there may be a next step.
        """


class Worker(Protocol):
    """Somebody who takes steps until there is none any more."""

    def join(self, timeout: float | None = None) -> None:
        """Wait for that, for so many seconds at most."""


def in_thread(name: str, step: Step) -> Worker:
    """Take steps in a thread of their own, from now on; it goes behind who answers senders where processors are scarce.

    Args:
        name: what the thread is called.
        step: one step.
    """

    def work() -> None:
        _yield_to_receivers()
        while step(wait=True):
            pass

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    return thread


def _yield_to_receivers() -> None:
    """Have the system take this thread for one that computes: its waking interrupts nobody (sched(7), SCHED_BATCH)."""
    # Where that is not allowed, everything is as right, and slower.
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def spare_what_stays() -> None:
    """Spare the garbage collector all that has been made so far; for the process that a gateway has to itself.

    Modules, tables and programs stay as long as the gateway does. To look through them stops every thread for a tenth
    of a second, twice a minute under load; what comes and goes is looked through in a moment.
    """
    gc.collect()
    gc.freeze()


def open_index(url: URL) -> Database:
    """Open the index; it is made, or brought up to date, where that is needed.

    Raises:
        IndexUnavailable: it can't be read, a newer Karnak has written it, or another gateway uses it.
    """
    return open_database(url, upgrade=True, alone=True)


@dataclass(frozen=True, slots=True)
class Machine:
    """What a gateway runs on.

    Attributes:
        disk: where the spool lies.
        open_index: opens the database of the index.
        start: has steps taken by themselves, under a name.
        monotonic: a clock that never goes back, in seconds.
        sleep: waits, for so many seconds.
    """

    disk: Disk = field(default_factory=Disk)
    open_index: Callable[[URL], Database] = open_index
    start: Callable[[str, Step], Worker] = in_thread
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
