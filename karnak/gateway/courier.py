"""The courier: finds out what Storage Commitment asks for, and brings the report to its requestor.

A report is owed from the moment the request is on disk until its requestor has said Success to it, over restarts and
crashes. It goes over the association of the request if that is still there, else over new ones, at growing intervals.
Each try says what is so at that time. One that could not be brought within the time that the configuration gives is
given up; the requestor, which has heard nothing, still has its instances and can ask again (PS3.4 section J.3.3).
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from karnak.gateway.deliver.backoff import Patience
from karnak.gateway.deliver.event_report import send_report
from karnak.gateway.deliver.parcel import DeliveryError
from karnak.gateway.journal import Journal, Value
from karnak.gateway.machine import Machine, Worker
from karnak.gateway.owed_reports import DamagedReport, Owed, OwedReports
from karnak.gateway.receive.commitment import Reference, Report, Reporter, Transaction
from karnak.gateway.route import Caller, ReportAddress

# Reports that are brought at once; a requestor is brought one at a time over new associations.
_AT_ONCE = 8
# Requests of 16 MiB at most each; who asks for more is told to come again.
_MAXIMUM_OWED = 1000
_SECONDS_FOR_THE_ANSWER = 30.0

Send = Callable[[Report, Caller, ReportAddress, float], int]


@dataclass(slots=True)
class _Line:
    """What one requestor is owed over new associations.

    Attributes:
        names: its reports, the oldest first.
        failures: tries in a row that failed.
        not_before: when it is tried again, by the monotonic clock.
        busy: somebody is at it.
    """

    names: deque[str] = field(default_factory=deque)
    failures: int = 0
    not_before: float = 0.0
    busy: bool = False


class Courier:
    """Brings reports, in threads of its own.

    Args:
        reports: those that are owed, on disk.
        safe: tells which of some instances are safe.
        address_of: tells where a requestor hears of reports over new associations, or None.
        patience: how long one is tried.
        journal: where events are written.
        clock: tells the time, in UTC.
        new_name: gives a name that no report has had; names sort by time.
        chance: gives a number from 0 up to 1, for waiting times.
        machine: what it runs on.
        send: brings a report over a new association; raises DeliveryError.
    """

    def __init__(
        self,
        reports: OwedReports,
        safe: Callable[[Sequence[Reference]], Iterable[Reference]],
        address_of: Callable[[Caller], ReportAddress | None],
        patience: Patience,
        journal: Journal,
        clock: Callable[[], datetime],
        new_name: Callable[[], str],
        chance: Callable[[], float],
        machine: Machine,
        send: Send = send_report,
    ) -> None:
        self._reports = reports
        self._safe = safe
        self._address_of = address_of
        self._patience = patience
        self._journal = journal
        self._clock = clock
        self._new_name = new_name
        self._chance = chance
        self._send = send
        self._machine = machine
        self._monotonic = machine.monotonic
        self._changed = threading.Condition()
        self._asked: deque[tuple[Owed, Reporter]] = deque()
        self._lines: dict[tuple[str, str], _Line] = {}
        self._owed = 0
        self._stopping = False
        self._workers: list[Worker] = []

    def start(self) -> None:
        """Take up what is owed since before, and begin to work.

        Raises:
            OSError: the disk refuses.
        """
        self._reports.tidy()
        for name in self._reports.names():
            try:
                owed = self._reports.read(name)
            except DamagedReport as error:
                self._journal.write("commitment given up", reason=str(error))
                self._reports.remove(name)
                continue
            self._owed += 1
            self._line_of(owed.caller).names.append(name)
        self._workers = [self._machine.start(f"courier {number}", self.step) for number in range(_AT_ONCE)]

    def stop(self) -> None:
        """Begin nothing new; what is owed stays so."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Wait for what is being brought, for so many seconds at most."""
        deadline = self._monotonic() + seconds
        for worker in self._workers:
            worker.join(max(deadline - self._monotonic(), 0))

    def take(self, transaction: Transaction, caller: Caller, reporter: Reporter) -> bool:
        """Take a request; any thread may ask.

        Args:
            transaction: what is asked.
            caller: who asks.
            reporter: its association.

        Returns:
            Whether there will be a report: the request is on disk. Not where too many are owed, or the disk refuses.
        """
        with self._changed:
            if self._stopping or self._owed >= _MAXIMUM_OWED:
                return False
            self._owed += 1
        owed = Owed(self._new_name(), transaction, caller, self._clock())
        try:
            self._reports.keep(owed)
        except OSError as error:
            self._journal.write_error("commitment not kept", error)
            with self._changed:
                self._owed -= 1
            return False
        with self._changed:
            self._asked.append((owed, reporter))
            self._changed.notify()
        return True

    def step(self, *, wait: bool) -> bool:
        """Answer one request, or report to one requestor; False when the courier is stopped.

        Args:
            wait: wait where there is nothing to do.
        """
        found = self._next(wait=wait)
        if isinstance(found, _Line):
            self._serve(found)
        elif found is not None:
            self._answer(*found)
        return not self._stopping

    def _next(self, *, wait: bool) -> tuple[Owed, Reporter] | _Line | None:
        """What is to be done now, or None; a line that is given is busy."""
        with self._changed:
            while not self._stopping:
                if self._asked:
                    return self._asked.popleft()
                now = self._monotonic()
                open_lines = [line for line in self._lines.values() if line.names and not line.busy]
                for line in open_lines:
                    if line.not_before <= now:
                        line.busy = True
                        return line
                if not wait:
                    return None
                self._changed.wait(min((line.not_before - now for line in open_lines), default=None))
            return None

    def _answer(self, owed: Owed, reporter: Reporter) -> None:
        """Report over the association of the request."""
        brought = False
        try:
            report = Report(owed.transaction, self._look_up(owed))
            brought = reporter.report(report, _SECONDS_FOR_THE_ANSWER)
            if brought:
                self._brought(owed, report)
        except Exception as error:
            self._journal.write_error("commitment not reported", error)
        if not brought:
            with self._changed:
                self._line_of(owed.caller).names.append(owed.name)
                self._changed.notify()

    def _serve(self, line: _Line) -> None:
        """Report to one requestor, over new associations, all that it is owed."""
        failed = False
        try:
            with self._changed:
                names = tuple(line.names)
            for name in names:
                if self._stopping:
                    break
                owed = self._read(name)
                if owed is None or self._is_too_old(owed):
                    line.names.remove(name)
                    continue
                problem, reachable = self._bring(owed)
                if problem is None:
                    line.names.remove(name)
                    continue
                failed = True
                self._say("commitment waiting", owed.caller, reason=problem)
                if not reachable:
                    break
        except Exception as error:
            failed = True
            self._journal.write_error("commitment not reported", error)
        with self._changed:
            line.failures = line.failures + 1 if failed else 0
            wait = self._patience.backoff.wait(line.failures, self._chance()) if failed else 0.0
            line.not_before = self._monotonic() + wait
            line.busy = False
            self._changed.notify()

    def _bring(self, owed: Owed) -> tuple[str | None, bool]:
        """Try one report; gives why it is still owed, or None, and whether others of the requestor may do better."""
        address = self._address_of(owed.caller)
        if address is None:
            return "its source has no `host` and `port` for reports", False
        safe = self._look_up(owed)
        if safe is None:
            return "what is safe can't be looked up", False
        report = Report(owed.transaction, safe)
        try:
            status = self._send(report, owed.caller, address, _SECONDS_FOR_THE_ANSWER)
        except DeliveryError as error:
            return str(error), False
        if status != 0:
            return f"the requestor answered the report with status {status:04X}H", True
        self._brought(owed, report)
        return None, True

    def _read(self, name: str) -> Owed | None:
        try:
            return self._reports.read(name)
        except (DamagedReport, FileNotFoundError) as error:
            reason = str(error) if isinstance(error, DamagedReport) else "its file is gone"
            self._journal.write("commitment given up", reason=reason)
            self._forget(name)
            return None

    def _is_too_old(self, owed: Owed) -> bool:
        if self._clock() - owed.asked < self._patience.keep:
            return False
        reason = f"it could not be brought for {self._patience.keep.total_seconds() / 86400:g} days"
        self._say("commitment given up", owed.caller, reason=reason, count=len(owed.transaction.references))
        self._forget(owed.name)
        return True

    def _look_up(self, owed: Owed) -> frozenset[Reference] | None:
        try:
            return frozenset(self._safe(owed.transaction.references))
        except Exception as error:
            self._journal.write_error("commitment not looked up", error)
            return None

    def _brought(self, owed: Owed, report: Report) -> None:
        self._forget(owed.name)
        self._say("commitment reported", owed.caller, count=len(report.safe or ()))

    def _forget(self, name: str) -> None:
        try:
            self._reports.remove(name)
        except OSError as error:
            # It is reported once more after the next start, which does no harm.
            self._journal.write_error("commitment not forgotten", error)
        with self._changed:
            self._owed -= 1

    def _line_of(self, caller: Caller) -> _Line:
        return self._lines.setdefault((caller.called_ae, caller.calling_ae), _Line())

    def _say(self, event: str, caller: Caller, **values: Value) -> None:
        self._journal.write(event, called_ae=caller.called_ae, calling_ae=caller.calling_ae, **values)
