"""The intake: what receivers have made safe gets its rows in the index.

Receivers say what they have kept; that is a hint, and the folder is the truth: it is looked through at the start and
now and then, for hints that got lost. An instance that nobody's rules can be asked about is quarantined here.
"""

import math
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

from karnak.errors import KarnakError
from karnak.gateway.clerk import Clerk
from karnak.gateway.journal import Journal
from karnak.gateway.library import Library
from karnak.gateway.machine import Machine, Worker
from karnak.gateway.metrics import Metrics, ReasonClass
from karnak.gateway.receipts import time_of
from karnak.gateway.route import ForwardNode, find_node
from karnak.gateway.spool import Arrival, DamagedFile, Held, NotInSpool, Spool
from karnak.gateway.states import State
from karnak.gateway.store.rows import NO_DESTINATION, Entry
from karnak.runtime.deidentify import Engine
from karnak.runtime.part10 import SERIES_INSTANCE_UID, STUDY_INSTANCE_UID, Instance, decode_instance, read_instance

# Instances that are handed to the clerk together.
_GROUP = 128
# The clerk is left alone while so many of its wishes are not written.
_MAXIMUM_BEHIND = 4096
_NAP = 0.05
# Seconds that somebody waits for the intake.
_PATIENCE = 10.0
_MISMATCH = "the command names another SOP Class or SOP Instance than the data set"
_NOBODY = "there is no forward node with the AE title that was called"
# Seconds between looks through the folder.
_LOOK = 30.0


class Intake:
    """Turns files of the spool into rows of the index.

    Args:
        spool: where they lie.
        library: says to which epoch an instance belongs.
        clerk: writes the rows.
        unknown: tells which of some receipts have no rows yet.
        conceal: gives what is kept of a PatientID, or None for nothing.
        journal: where events are written.
        metrics: what is counted.
        engine: how data sets are read.
        machine: what it runs on.
    """

    def __init__(
        self,
        spool: Spool,
        library: Library,
        clerk: Clerk,
        unknown: Callable[[Sequence[str]], Sequence[str]],
        conceal: Callable[[Instance], bytes | None],
        journal: Journal,
        metrics: Metrics,
        engine: Engine,
        machine: Machine,
    ) -> None:
        self._spool = spool
        self._library = library
        self._clerk = clerk
        self._unknown = unknown
        self._conceal = conceal
        self._journal = journal
        self._metrics = metrics
        self._read = read_instance if engine == "tables" else decode_instance
        self._hints: queue.SimpleQueue[str | threading.Event | None] = queue.SimpleQueue()
        # Given to the clerk and perhaps not written yet.
        self._given: set[str] = set()
        self._lock = threading.Lock()
        self._machine = machine
        self._next_look = machine.monotonic()
        self._stopping = False
        self._worker: Worker | None = None

    def start(self) -> None:
        """Take in what the folder has, and then what receivers keep."""
        self._worker = self._machine.start("intake", self.step)

    def stop(self) -> None:
        """Take in no more."""
        self._stopping = True
        self._hints.put(None)
        if self._worker is not None:
            self._worker.join()

    def hint(self, receipt: str) -> None:
        """Say that a receiver has kept an instance; any thread may."""
        self._hints.put(receipt)

    def look(self) -> None:
        """Look through the folder soon: hints may be lost; any thread may say so."""
        self._next_look = -math.inf
        # For who waits for a hint.
        self._hints.put(threading.Event())

    def flush(self) -> None:
        """Wait until what was told before is with the clerk."""
        done = threading.Event()
        self._hints.put(done)
        done.wait(_PATIENCE)

    def written(self, receipts: Sequence[str]) -> None:
        """Say that instances are in the index."""
        with self._lock:
            self._given.difference_update(receipts)

    def step(self, *, wait: bool) -> bool:
        """Take in what is new; False where that was the last.

        Args:
            wait: wait for something new where there is nothing, until the next look through the folder.
        """
        going = True
        try:
            now = self._machine.monotonic()
            if now >= self._next_look:
                self._next_look = now + _LOOK
                try:
                    self._look_through()
                except BaseException:
                    self._next_look = now
                    raise
            receipts, going = self._take(max(self._next_look - now, 0) if wait else 0)
            self._take_in(receipts)
        except Exception as error:
            # The look through the folder finds again what was missed.
            self._journal.write_error("intake failed", error)
            self._machine.sleep(1)
        return going

    def _take(self, seconds: float) -> tuple[list[str], bool]:
        receipts: list[str] = []
        try:
            hint = self._hints.get(timeout=seconds) if seconds else self._hints.get_nowait()
            while hint is not None:
                if isinstance(hint, threading.Event):
                    self._take_in(receipts)
                    receipts = []
                    hint.set()
                else:
                    receipts.append(hint)
                    if len(receipts) >= _GROUP:
                        return receipts, True
                hint = self._hints.get_nowait()
        except queue.Empty:
            return receipts, True
        return receipts, False

    def _look_through(self) -> None:
        """Take in what lies in the folder and has no rows."""
        stored = iter(self._spool.stored())
        while some := list(islice(stored, _GROUP)):
            self._take_in(self._unknown(some))

    def _take_in(self, receipts: Sequence[str]) -> None:
        while self._clerk.behind > _MAXIMUM_BEHIND:
            if self._stopping:
                # The next start finds them in the folder.
                return
            self._machine.sleep(_NAP)
        with self._lock:
            new = [receipt for receipt in dict.fromkeys(receipts) if receipt not in self._given]
            self._given.update(new)
        entries = []
        for receipt in new:
            try:
                entries.append(self._entry(receipt))
            except NotInSpool:
                # A hint that came late: the instance has ended already.
                self.written([receipt])
            except OSError as error:
                self._journal.write_error("intake failed", error, receipt=receipt)
                self.written([receipt])
        self._clerk.add(entries)

    def _entry(self, receipt: str) -> Entry:
        try:
            held = self._spool.open(receipt)
        except DamagedFile as error:
            # Nobody knows who sent it: what can't be told stays empty.
            when = time_of(receipt) or datetime.fromtimestamp(0, UTC)
            return self._kept_back(Entry(receipt, Arrival("", "", "", "dimse", "", "", "", when), 0, ()), str(error))
        try:
            return self._routed(held)
        finally:
            held.close()

    def _routed(self, held: Held) -> Entry:
        receipt, arrival = held.receipt, held.arrival
        unrouted = Entry(receipt, arrival, held.size, ())
        try:
            instance = self._read(held.data_set(), arrival.transfer_syntax_uid)
            study, series = instance.text(STUDY_INSTANCE_UID), instance.text(SERIES_INSTANCE_UID)
            uids = (instance.sop_class_uid, instance.sop_instance_uid)
            patient = self._conceal(instance)
        except KarnakError as error:
            return self._kept_back(unrouted, str(error), ReasonClass.UNREADABLE)
        except Exception as error:
            self._journal.write_error("instance failed", error, receipt=receipt)
            cause = f"an internal error of type {type(error).__name__}"
            return self._kept_back(unrouted, cause, ReasonClass.INTERNAL)
        entry = replace(unrouted, study_instance_uid=study, series_instance_uid=series, patient=patient)
        if uids != (arrival.sop_class_uid, arrival.sop_instance_uid):
            return self._kept_back(entry, _MISMATCH, ReasonClass.MISMATCH)
        epoch = self._library.pin(receipt, arrival.received, study)
        node: ForwardNode | None = find_node(epoch.plan.nodes, arrival.called_ae)
        if node is None:
            return self._kept_back(entry, _NOBODY, ReasonClass.NO_FORWARD_NODE)
        return replace(entry, destinations=tuple(outlet.name for outlet in node.outlets))

    def _kept_back(self, entry: Entry, cause: str, reason: ReasonClass = ReasonClass.UNREADABLE) -> Entry:
        self._journal.write(str(State.QUARANTINED), receipt=entry.receipt, reason=cause)
        self._metrics.rejected(NO_DESTINATION, reason)
        return replace(entry, quarantined=cause)
