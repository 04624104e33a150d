"""The gateway as its API sees it: what is asked and wished, answered and passed on."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from karnak.dsl.diagnostics import Diagnostic, Severity
from karnak.dsl.nodes import Source
from karnak.gateway.api.house import (
    Check,
    DestinationState,
    Finding,
    NoSuchDestination,
    ProfileState,
    QueuePage,
    ReloadResult,
    Rules,
    ShadowStart,
)
from karnak.gateway.audit import AuditEntry, AuditEvent
from karnak.gateway.ledger import Ledger
from karnak.gateway.metrics import ReloadOutcome
from karnak.gateway.route import Outlet, Treatment
from karnak.gateway.shadow import RefusedCandidate
from karnak.gateway.shadow_report import ShadowReport
from karnak.gateway.states import State
from karnak.gateway.store.database import IndexUnavailable
from karnak.gateway.store.queue import Choice
from karnak.gateway.store.rows import Wish

if TYPE_CHECKING:
    from karnak.gateway.gateway import Gateway

_LEVELS: Mapping[Severity, Literal["error", "warning", "info"]] = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
}


class FrontDesk:
    """Answers the API; from many threads.

    Args:
        gateway: the gateway, running.
    """

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway

    def readiness(self) -> Sequence[Check]:
        """What must be so for the gateway to take instances."""
        gateway = self._gateway
        minimum = gateway.plan.house.spool.minimum_free
        full = gateway.spool.full(minimum)
        reason = f"less than {minimum} bytes of the disk are free: instances are refused" if full else None
        try:
            gateway.queue.oldest()
            index = Check("index", True)
        except IndexUnavailable as error:
            index = Check("index", False, str(error))
        return (index, Check("disk", not full, reason))

    def metrics(self) -> bytes:
        """All metrics in Prometheus' text form."""
        return self._gateway.metrics.text()

    def destinations(self) -> Sequence[DestinationState]:
        """The destinations that are enabled."""
        gateway = self._gateway
        depths, oldest, now = gateway.queue.depths(), gateway.queue.oldest(), gateway.clock()
        return [
            _destination(node.ae_title, outlet, depths, oldest.get(outlet.name), now)
            for node in gateway.library.current.plan.nodes
            for outlet in node.outlets
        ]

    def queue(self, choice: Choice, limit: int) -> QueuePage:
        """List the queue."""
        queue = self._gateway.queue
        return QueuePage(queue.list(choice, limit), queue.count(choice))

    def retry(self, choice: Choice, actor: str) -> int:
        """Have waiting parts tried again now; gives how many are meant."""
        return self._wish(choice, Wish.RETRY, AuditEvent.RETRIED_BY_PERSON, actor)

    def drop(self, choice: Choice, actor: str) -> int:
        """Have open parts dropped; gives how many are meant."""
        return self._wish(choice, Wish.DROP, AuditEvent.DROPPED_BY_PERSON, actor)

    def ledger(self, actor: str) -> Ledger:
        """The ledger, to be read."""
        self._gateway.audit.write(AuditEntry.of(AuditEvent.LEDGER_READ, actor=actor))
        return self._gateway.ledger

    def look(self, actor: str, *, patients: bool) -> None:
        """Note that somebody reads the ledger."""
        event = AuditEvent.PATIENTS_READ if patients else AuditEvent.LEDGER_READ
        self._gateway.audit.write(AuditEntry.of(event, actor=actor))

    def rules(self) -> Rules:
        """The rules in force."""
        epoch = self._gateway.library.current
        found: dict[tuple[str, str], ProfileState] = {}
        for node in epoch.plan.nodes:
            for outlet in node.outlets:
                treatment = outlet.treatment
                if treatment is not None:
                    state = _profile(treatment)
                    found[state.project, state.digest] = state
        return Rules(epoch.number, epoch.began, list(found.values()))

    def reload(self, actor: str) -> ReloadResult:
        """Read profiles and configuration again."""
        done = self._gateway.reload(actor)
        outcome = ReloadOutcome.ACTIVATED if done.is_new else ReloadOutcome.REFUSED
        return ReloadResult(outcome, done.epoch.number, _findings(done.diagnostics))

    def shadows(self) -> Sequence[ShadowReport]:
        """What candidates would do otherwise than the active rules."""
        return self._gateway.shadows.reports()

    def start_shadow(self, destination: str, candidate: Source, lasts: timedelta, actor: str) -> ShadowStart:
        """Run a candidate beside a destination's rules.

        Raises:
            NoSuchDestination: there is nothing to compare with.
            ShadowTaken: another one runs for the destination.
        """
        gateway = self._gateway
        if destination not in gateway.library.current.plan.treated():
            raise NoSuchDestination("no destination with rules is called so")
        try:
            report, findings = gateway.shadows.start(destination, candidate, lasts)
        except RefusedCandidate as refused:
            return ShadowStart(None, _findings(refused.findings))
        # The configuration may have changed while the candidate was compiled.
        gateway.shadows.keep(gateway.library.current.plan.treated())
        gateway.audit.write(
            AuditEntry.of(AuditEvent.SHADOW_BEGAN, actor=actor, destination=destination, digest=report.candidate)
        )
        return ShadowStart(report, _findings(findings))

    def end_shadow(self, destination: str, actor: str) -> ShadowReport | None:
        """End a destination's shadow; gives its report, or None where there is none."""
        ran = destination in self._gateway.shadows.running
        report = self._gateway.shadows.end(destination, "a person has ended it")
        if ran and report is not None:
            self._gateway.audit.write(
                AuditEntry.of(AuditEvent.SHADOW_ENDED, actor=actor, destination=destination, digest=report.candidate)
            )
        return report

    def _wish(self, choice: Choice, wish: Wish, event: AuditEvent, actor: str) -> int:
        count = self._gateway.queue.wish(choice, wish)
        named = {"destination": choice.destination, "receipt": choice.receipt}
        values = {name: value for name, value in named.items() if value is not None}
        self._gateway.audit.write(AuditEntry.of(event, actor=actor, count=count, **values))
        return count


def _findings(diagnostics: Sequence[Diagnostic]) -> list[Finding]:
    return [
        Finding(
            diagnostic.span.file,
            diagnostic.span.line,
            diagnostic.span.column,
            diagnostic.code,
            _LEVELS.get(diagnostic.severity, "info"),
            diagnostic.message,
        )
        for diagnostic in diagnostics
    ]


def _destination(
    ae_title: str,
    outlet: Outlet,
    depths: Mapping[tuple[str, str], int],
    oldest: datetime | None,
    now: datetime,
) -> DestinationState:
    treatment = outlet.treatment
    mode: Literal["deidentify", "morph", "none"] = "none"
    if treatment is not None:
        mode = "deidentify" if treatment.mode == "deid" else "morph"
    return DestinationState(
        outlet.name,
        ae_title,
        str(outlet.destination),
        mode,
        treatment.project.name if treatment is not None else None,
        (treatment.program.profile.name or None) if treatment is not None else None,
        treatment.program.digest if treatment is not None else None,
        {State(state): count for (name, state), count in depths.items() if name == outlet.name},
        max((now - oldest).total_seconds(), 0.0) if oldest is not None else 0.0,
    )


def _profile(treatment: Treatment) -> ProfileState:
    profile = treatment.program.profile
    return ProfileState(treatment.project.name, profile.name or None, treatment.file, treatment.program.digest)
