"""A candidate's rules beside the active ones, on live instances, for a time: what would be decided otherwise.

Nothing of it is sent or kept. Instances are compared in a process of their own, one at a time; while it is busy, others
pass by unlooked at, and are counted. A lane gives it an open file and goes on: whatever becomes of the comparison, the
delivery doesn't hear of it.
"""

import os
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from multiprocessing.reduction import send_handle
from pathlib import Path

from karnak.dsl.diagnostics import Diagnostic
from karnak.dsl.nodes import Source
from karnak.gateway.apart import Apart, Gone
from karnak.gateway.pseudonyms import PseudonymError
from karnak.gateway.route import Outlet, Treatment, exclusion_of
from karnak.gateway.shadow_process import Examined, Look, Rules, serve
from karnak.gateway.shadow_report import Comparison, ShadowReport, Sums
from karnak.runtime.part10 import Instance

# Instances that wait to be compared.
MAXIMUM_WAITING = 16
# Larger files are not looked at: the interpreter holds each several times in memory.
MAXIMUM_BYTES = 128 << 20
# How many of the rules that a candidate was compared with are named.
_MAXIMUM_DIGESTS = 32
_SECONDS_TO_COMPILE = 60.0
_SECONDS_TO_COMPARE = 300.0
_SECONDS_TO_END = 5.0
_TICK = 0.2

TIME_OVER = "its time was over"


@dataclass(frozen=True, slots=True)
class _Sight:
    """An instance that is to be compared, with its file open."""

    treatment: Treatment
    look: Look
    descriptor: int


class RefusedCandidate(Exception):
    """A candidate has errors.

    Attributes:
        findings: what the linter says of it.
    """

    def __init__(self, findings: tuple[Diagnostic, ...]) -> None:
        super().__init__()
        self.findings = findings


class Shadow:
    """Compares a candidate with what is active for one destination, from now on.

    Args:
        destination: whose instances are looked at.
        candidate: the text of the candidate.
        lasts: for how long.
        clock: tells the time, in UTC.
        ended: hears, in a thread of the shadow's own, that it has ended.

    Raises:
        RefusedCandidate: the candidate has errors.
        Gone: the process to compare in does not start.
    """

    def __init__(
        self,
        destination: str,
        candidate: Source,
        lasts: timedelta,
        clock: Callable[[], datetime],
        ended: Callable[["Shadow"], None],
    ) -> None:
        self.destination = destination
        self._clock = clock
        self._tell = ended
        self._apart = Apart(serve)
        examined = self._apart.ask(candidate, _SECONDS_TO_COMPILE)
        assert isinstance(examined, Examined)
        if examined.digest is None:
            self._apart.end()
            raise RefusedCandidate(examined.findings)
        self.findings = examined.findings
        self._profile, self._candidate = examined.profile, examined.digest
        self._began = clock()
        self._ends = self._began + lasts
        self._waiting: queue.Queue[_Sight] = queue.Queue(MAXIMUM_WAITING)
        self._lock = threading.Lock()
        self._sums = Sums()
        self._seen = self._passed_by = self._failed = 0
        self._treatment: Treatment | None = None
        self._active: list[str] = []
        self._ended: datetime | None = None
        self._because: str | None = None
        self._thread = threading.Thread(target=self._work, name=f"shadow {destination}", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it still looks at instances."""
        return self._ended is None and self._clock() < self._ends

    def end(self, because: str) -> None:
        """Look at nothing more; what waits is compared if that takes no more than seconds.

        Args:
            because: why, for people.
        """
        self._close(because)
        if threading.current_thread() is not self._thread:
            self._thread.join(_SECONDS_TO_END)
            self._apart.end()
            self._thread.join()

    def look(self, outlet: Outlet, instance: Instance, path: Path) -> None:
        """Look at an instance that is about to be treated; returns at once, and never fails.

        Args:
            outlet: the destination, with the rules of the instance's time.
            instance: the original.
            path: its spooled file.
        """
        if not self.running:
            return
        try:
            sight = self._sight(outlet, instance, path)
        except Exception:
            with self._lock:
                self._seen += 1
                self._failed += 1
            return
        if sight is None:
            return
        with self._lock:
            self._seen += 1
        try:
            if os.fstat(sight.descriptor).st_size > MAXIMUM_BYTES:
                raise queue.Full
            self._waiting.put_nowait(sight)
        except queue.Full:
            os.close(sight.descriptor)
            with self._lock:
                self._passed_by += 1

    def report(self) -> ShadowReport:
        """What has been seen so far."""
        with self._lock:
            return ShadowReport(
                self.destination,
                self._profile,
                self._candidate,
                tuple(self._active),
                self._began,
                self._ends,
                self._ended,
                self._because,
                self._seen,
                self._sums.same,
                self._sums.different,
                self._passed_by,
                self._failed,
                self._sums.differences(),
                self._sums.fates(),
                self._sums.untold,
            )

    def _sight(self, outlet: Outlet, instance: Instance, path: Path) -> _Sight | None:
        """Take what is needed to compare an instance; None where the destination doesn't get it, whatever the rules."""
        treatment = outlet.treatment
        if treatment is None or exclusion_of(outlet, instance) is not None:
            return None
        pseudonym = None
        if treatment.pseudonyms is not None:
            with suppress(PseudonymError):
                # Without one both profiles reject the instance.
                pseudonym = treatment.pseudonyms.pseudonym(instance, treatment.project)
        look = Look(instance.transfer_syntax_uid, pseudonym, self._clock())
        return _Sight(treatment, look, os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC))

    def _work(self) -> None:
        because = TIME_OVER
        try:
            while True:
                try:
                    sight = self._waiting.get(timeout=_TICK)
                except queue.Empty:
                    if not self.running:
                        break
                    continue
                self._compare(sight)
        except Gone as gone:
            because = str(gone)
        except Exception as error:
            because = f"an internal error of type {type(error).__name__}"
        self._close(because)
        self._apart.end()
        self._drop_what_waits()
        self._tell(self)

    def _close(self, because: str) -> None:
        with self._lock:
            if self._ended is None:
                self._ended, self._because = self._clock(), because

    def _drop_what_waits(self) -> None:
        while True:
            try:
                sight = self._waiting.get_nowait()
            except queue.Empty:
                return
            os.close(sight.descriptor)
            with self._lock:
                self._passed_by += 1

    def _compare(self, sight: _Sight) -> None:
        try:
            compared = self._ask(sight)
        except Gone:
            with self._lock:
                self._failed += 1
            raise
        finally:
            os.close(sight.descriptor)
        with self._lock:
            if compared is None:
                self._failed += 1
                return
            self._sums.add(compared)
            digest = sight.treatment.program.digest
            if self._active[-1:] != [digest]:
                self._active = [*(one for one in self._active if one != digest), digest][-_MAXIMUM_DIGESTS:]

    def _ask(self, sight: _Sight) -> Comparison | None:
        connection, treatment = self._apart.connection, sight.treatment
        try:
            if treatment is not self._treatment:
                connection.send(Rules(treatment.mode, treatment.program, treatment.project))
                self._treatment = treatment
            connection.send(sight.look)
            send_handle(connection, sight.descriptor, None)
        except OSError:
            raise self._apart.gone() from None
        compared: Comparison | None = self._apart.answer(_SECONDS_TO_COMPARE)
        return compared
