"""The shadows of a gateway: started, told of and ended by people; at most one runs for a destination.

What one has seen is told until another is started for its destination, or the gateway ends.
"""

import threading
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from karnak.dsl.diagnostics import Diagnostic
from karnak.dsl.nodes import Source
from karnak.errors import KarnakError
from karnak.gateway.journal import Journal
from karnak.gateway.shadow import Shadow
from karnak.gateway.shadow_report import ShadowReport


class ShadowTaken(KarnakError):
    """A shadow runs for the destination already."""


class Shadows:
    """The shadows of a gateway; used from many threads.

    Args:
        journal: where events are written.
        clock: tells the time, in UTC.

    Attributes:
        running: those that look at instances, by destination.
    """

    def __init__(self, journal: Journal, clock: Callable[[], datetime]) -> None:
        self._journal = journal
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, Shadow] = {}
        self._starting: set[str] = set()
        self.running: dict[str, Shadow] = {}

    def start(
        self, destination: str, candidate: Source, lasts: timedelta
    ) -> tuple[ShadowReport, tuple[Diagnostic, ...]]:
        """Run a candidate beside the active rules of a destination.

        Args:
            destination: its name.
            candidate: the text of the candidate.
            lasts: for how long.

        Returns:
            What is known of it, and what the linter says of the candidate.

        Raises:
            ShadowTaken: another one runs for the destination.
            RefusedCandidate: the candidate has errors.
            Gone: the process to compare in does not start.
        """
        with self._lock:
            if destination in self.running or destination in self._starting:
                raise ShadowTaken(f"a shadow runs for {destination} already; end it first")
            self._starting.add(destination)
        try:
            shadow = Shadow(destination, candidate, lasts, self._clock, self._ended)
            with self._lock:
                self._known[destination] = shadow
                if shadow.running:
                    self.running[destination] = shadow
        finally:
            with self._lock:
                self._starting.discard(destination)
        report = shadow.report()
        self._journal.write("shadow began", destination=destination, profile=report.profile)
        return report, shadow.findings

    def end(self, destination: str, because: str) -> ShadowReport | None:
        """End the shadow of a destination; gives its report, or None where there is none."""
        with self._lock:
            shadow = self._known.get(destination)
        if shadow is None:
            return None
        shadow.end(because)
        return shadow.report()

    def keep(self, destinations: Collection[str]) -> None:
        """End the shadows of other destinations than these: there is nothing any more to compare with."""
        for name in [name for name in list(self.running) if name not in destinations]:
            self.end(name, "the active configuration has no such destination with rules")

    def stop(self) -> None:
        """End all: the gateway stops."""
        for name in list(self.running):
            self.end(name, "the gateway stops")

    def reports(self) -> Sequence[ShadowReport]:
        """What is known of each, by destination."""
        with self._lock:
            known = sorted(self._known.items())
        return [shadow.report() for _, shadow in known]

    def _ended(self, shadow: Shadow) -> None:
        with self._lock:
            if self.running.get(shadow.destination) is shadow:
                del self.running[shadow.destination]
        report = shadow.report()
        compared = report.same + report.different
        self._journal.write("shadow ended", destination=shadow.destination, count=compared, reason=report.because)
