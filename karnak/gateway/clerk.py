"""The clerk: the one thread that writes the index, in groups, and ends instances.

Others leave their wishes in its tray and go on. What lies there together is written in one transaction; then lanes
get what is due, and originals that nobody is owed any more leave the spool, in this order: a file never goes before
the index knows why.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from karnak.errors import KarnakError
from karnak.gateway.audit import AuditEntry, AuditLog
from karnak.gateway.ending import Endings
from karnak.gateway.journal import Journal
from karnak.gateway.lane import Lane
from karnak.gateway.ledger import Retention, prune
from karnak.gateway.machine import Machine, Worker
from karnak.gateway.records import of_changes, of_entries
from karnak.gateway.states import ImpossibleTransition
from karnak.gateway.store.index import Index
from karnak.gateway.store.rows import Change, Entry, Part

# Wishes that are written in one transaction.
_GROUP = 512
# Seconds between transactions: each costs some milliseconds of processor time, however few wishes are written in it.
# Who comes to a clerk at rest is served at once.
_GATHER = 0.05
# The same after a transaction of many wishes, as long as more come: where none came for so long, none is waited for.
_GATHER_MANY, _MANY = 0.2, 16
_LULL = 0.02
# How long a quiet clerk sleeps at most, in seconds: a retry by another process is seen then.
_NAP = 1.0
# Seconds between looks for instances that have ended and whose file is still there.
_SETTLE_AGAIN = 30.0


@dataclass(frozen=True, slots=True)
class _Ask:
    lane: Lane


@dataclass(frozen=True, slots=True)
class _Flush:
    done: threading.Event


_Wish: TypeAlias = Entry | Change | Part | AuditEntry | _Ask | _Flush


class Clerk:
    """Writes the index from one thread.

    Args:
        index: what is written.
        endings: deals with the files of instances that have ended everywhere, after that was committed.
        retention: how long ended instances stay in the ledger.
        audit: the audit log.
        added: called with receipts that are in the index now.
        forget: called with receipts whose files are dealt with.
        journal: where events are written.
        clock: tells the time, in UTC.
        machine: what it runs on.
    """

    def __init__(
        self,
        index: Index,
        endings: Endings,
        retention: Retention,
        audit: AuditLog,
        added: Callable[[Sequence[str]], None],
        forget: Callable[[str], None],
        journal: Journal,
        clock: Callable[[], datetime],
        machine: Machine,
    ) -> None:
        self._index = index
        self._endings = endings
        self._retention = retention
        self._audit = audit
        self._added = added
        self._forget = forget
        self._journal = journal
        self._clock = clock
        self._machine = machine
        self._monotonic = machine.monotonic
        # The last transaction: when it was begun, and of how much.
        self._written_at = -_GATHER_MANY
        self._were_many = False
        self._look_again = 0.0
        self._settle_again = 0.0
        self._tray: queue.SimpleQueue[_Wish | None] = queue.SimpleQueue()
        self._lanes: dict[str, Lane] = {}
        # When the index is to be asked again for parts of a destination; None while there is nothing to ask for.
        self._next: dict[str, datetime | None] = {}
        # What is to be tried again, and how much of it the audit log has already.
        self._left: Sequence[_Wish] = ()
        self._logged = 0
        self._stopping = False
        self._worker: Worker | None = None

    def start(self) -> None:
        """Begin to write."""
        self._worker = self._machine.start("clerk", self.step)

    def stop(self) -> None:
        """Write what lies in the tray, and end; where the index refuses, the next start finds what was not written."""
        self._stopping = True
        self._tray.put(None)
        if self._worker is not None:
            self._worker.join()

    def serve(self, lanes: Iterable[Lane]) -> None:
        """Bring these lanes what is due for them, from now on."""
        for lane in lanes:
            self._lanes.setdefault(lane.name, lane)
            self._tray.put(_Ask(lane))

    def add(self, entries: Iterable[Entry]) -> None:
        """Write instances that are new; any thread may ask."""
        for entry in entries:
            self._tray.put(entry)

    def note(self, changes: Sequence[Change]) -> None:
        """Write what became of parts; any thread may ask."""
        for change in changes:
            self._tray.put(change)

    def put_back(self, parts: Iterable[Part]) -> None:
        """Take back parts that nothing became of; any thread may give them."""
        for part in parts:
            self._tray.put(part)

    def ask(self, lane: Lane) -> None:
        """Ask for more parts; any thread may."""
        self._tray.put(_Ask(lane))

    def log(self, entry: AuditEntry) -> None:
        """Have the audit log tell something as soon as it can be written; any thread may ask."""
        self._tray.put(entry)

    def flush(self, seconds: float) -> bool:
        """Wait until everything that was asked for before is written.

        Args:
            seconds: how long to wait.

        Returns:
            Whether it is written.
        """
        done = threading.Event()
        self._tray.put(_Flush(done))
        return done.wait(seconds)

    @property
    def behind(self) -> int:
        """How many wishes lie in the tray; who brings new instances waits while there are many."""
        return self._tray.qsize() + len(self._left)

    def step(self, *, wait: bool) -> bool:
        """Write what lies in the tray, and bring lanes what is due; False where that was the last.

        Args:
            wait: wait for something to do where there is nothing.
        """
        taken, going = self._take(wait=wait)
        # Once and whatever comes: it is known to this process only, and a part that is in nobody's hands is due.
        self._index.put_back(wish for wish in taken if isinstance(wish, Part))
        wishes = [wish for wish in taken if not isinstance(wish, Part)]
        try:
            self._write(wishes)
            self._feed()
        except Exception as error:
            # The database is locked, gone or full. Nothing of this is forgotten: it is tried again, and after a
            # restart what was in work is due again.
            self._journal.write_error("index failed", error, **_reason(error))
            self._left = wishes
            if self._stopping or not going:
                return False
            self._machine.sleep(_NAP)
            return True
        self._logged = 0
        for wish in wishes:
            if isinstance(wish, _Flush):
                wish.done.set()
        return going

    def _take(self, *, wait: bool) -> tuple[list[_Wish], bool]:
        """What is to be written; waits for it at most until the next retry is due; False with the last of it."""
        wishes, self._left = [*self._left], ()
        try:
            if wait and not wishes:
                wish = self._tray.get(timeout=self._nap())
                self._gather()
            else:
                wish = self._tray.get_nowait()
            while wish is not None:
                wishes.append(wish)
                if len(wishes) >= _GROUP:
                    return wishes, True
                wish = self._tray.get_nowait()
        except queue.Empty:
            return wishes, True
        return wishes, False

    def _gather(self) -> None:
        """Let those who come soon after the last transaction come together."""
        least = self._written_at + _GATHER
        most = self._written_at + _GATHER_MANY if self._were_many else least
        known = 0
        while (now := self._monotonic()) < most and not self._stopping:
            there = self._tray.qsize()
            if there >= _GROUP or (now >= least and there == known):
                break
            known = there
            self._machine.sleep(least - now if now < least else _LULL)
        self._were_many = self._tray.qsize() >= _MANY
        self._written_at = self._monotonic()

    def _nap(self) -> float:
        times = [when for when in self._next.values() if when is not None]
        if not times:
            return _NAP
        return min(max((min(times) - self._clock()).total_seconds(), 0.0), _NAP)

    def _write(self, wishes: Sequence[_Wish]) -> None:
        entries = [wish for wish in wishes if isinstance(wish, Entry)]
        changes = [wish for wish in wishes if isinstance(wish, Change)]
        now = self._clock()
        ended: list[str] = []
        # The log first: what happens and is not in it would never have happened.
        self._log(wishes[self._logged :])
        self._logged = len(wishes)
        if entries:
            ended += self._index.add(entries)
            self._added([entry.receipt for entry in entries])
        if changes:
            ended += self._note(changes)
        if self._monotonic() >= self._look_again:
            self._look_again = self._monotonic() + _NAP
            ended += self._index.fulfil(now, self._open)
            for name in self._lanes:
                self._next[name] = now
        for name in {name for entry in entries for name in entry.destinations}:
            self._next[name] = now
        for wish in wishes:
            if isinstance(wish, _Ask):
                self._next[wish.lane.name] = now
        for change in changes:
            if change.retry_at is not None:
                known = self._next.get(change.destination)
                self._next[change.destination] = change.retry_at if known is None else min(known, change.retry_at)
        if self._monotonic() >= self._settle_again:
            # What a crash, or a disk that refused, has left between the commit and the file.
            self._settle_again = self._monotonic() + _SETTLE_AGAIN
            ended += [receipt for receipt in self._index.unsettled(_GROUP) if receipt not in ended]
            prune(self._index, self._retention, now)
        if ended:
            self._settle(ended)

    def _log(self, wishes: Sequence[_Wish]) -> None:
        self._audit.write(
            *of_entries(wish for wish in wishes if isinstance(wish, Entry)),
            *of_changes(wish for wish in wishes if isinstance(wish, Change)),
            *(wish for wish in wishes if isinstance(wish, AuditEntry)),
        )

    def _note(self, changes: Sequence[Change]) -> list[str]:
        """Note changes; one that can't be, which is a mistake in Karnak, holds up no other."""
        try:
            return self._index.note(changes)
        except ImpossibleTransition:
            ended = []
            for change in changes:
                try:
                    ended += self._index.note([change])
                except ImpossibleTransition as error:
                    # Its part stays in work, and so nobody touches it until the next start.
                    receipt, destination = change.receipt, change.destination
                    self._journal.write_error("index failed", error, receipt=receipt, destination=destination)
            return ended

    def _open(self, name: str) -> None:
        """Somebody wants a destination to be tried now."""
        if name in self._lanes:
            self._lanes[name].open()

    def _settle(self, ended: Sequence[str]) -> None:
        """Deal with the files of instances that have ended."""
        settled = self._endings.end(self._index.endings(ended))
        if settled:
            self._index.settle(settled, self._clock())
            for receipt in settled:
                self._forget(receipt)

    def _feed(self) -> None:
        """Bring lanes what is due."""
        now = self._clock()
        for name, when in self._next.items():
            lane = self._lanes.get(name)
            if lane is None or when is None or when > now:
                continue
            room = lane.room
            if room <= 0:
                # The lane asks again, or its destination is left alone for a while.
                closed = lane.closed
                self._next[name] = now + timedelta(seconds=closed) if closed > 0 else None
                continue
            parts = self._index.due(name, now, room)
            if not lane.offer(parts):
                self._index.put_back(parts)
            self._next[name] = now if len(parts) == room else self._index.next_retry(name)


def _reason(error: Exception) -> dict[str, str]:
    """What a person can be told of an error; what a library says of one is not among it."""
    if isinstance(error, KarnakError):
        return {"reason": str(error)}
    if isinstance(error, OSError) and error.strerror is not None:
        return {"reason": error.strerror}
    return {}
