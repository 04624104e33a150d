"""What the API asks of the gateway. Nothing of it holds a value of an original but the ledger's UIDs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from karnak.dsl.nodes import Source
from karnak.errors import KarnakError
from karnak.gateway.ledger import Ledger
from karnak.gateway.metrics import ReloadOutcome
from karnak.gateway.shadow_report import ShadowReport
from karnak.gateway.states import State
from karnak.gateway.store.queue import Choice
from karnak.gateway.store.rows import Part


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be so for the gateway to be ready.

    Attributes:
        name: what is checked, in a word: `index`, `disk`.
        ready: whether it is so.
        reason: why not, for people; None where it is so.
    """

    name: str
    ready: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class DestinationState:
    """A destination and what waits for it.

    Attributes:
        name: its name.
        forward_node: AE title of the forward node it belongs to.
        target: where it is, in words.
        mode: what is done to instances.
        project: name of its project, or None.
        profile: name of its profile, or None.
        digest: of the rules in force, or None.
        queue: how many parts are open, by state.
        oldest_seconds: age of the oldest of them; 0 where there is none.
    """

    name: str
    forward_node: str
    target: str
    mode: Literal["deidentify", "morph", "none"]
    project: str | None
    profile: str | None
    digest: str | None
    queue: Mapping[State, int]
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class QueuePage:
    """Parts of the queue.

    Attributes:
        parts: the first of those that are meant, in the order of their receipt.
        total: how many are meant.
    """

    parts: Sequence[Part]
    total: int


@dataclass(frozen=True, slots=True)
class ProfileState:
    """A profile in force.

    Attributes:
        project: the project it belongs to.
        profile: its name, or None where it has none.
        file: where it was read.
        digest: of its rules; equal digests do the same.
    """

    project: str
    profile: str | None
    file: str
    digest: str


@dataclass(frozen=True, slots=True)
class Rules:
    """What is in force.

    Attributes:
        epoch: 1 for the first after a start, one more with each reload.
        began: since when, in UTC.
        profiles: the profiles.
    """

    epoch: int
    began: datetime
    profiles: Sequence[ProfileState]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found in a profile or the configuration.

    Attributes:
        file: where.
        line: from 1.
        column: from 1.
        code: of the finding.
        severity: how bad it is.
        message: what is wrong.
    """

    file: str
    line: int
    column: int
    code: str
    severity: Literal["error", "warning", "info"]
    message: str


@dataclass(frozen=True, slots=True)
class ReloadResult:
    """What came of a reload.

    Attributes:
        outcome: whether new rules are in force.
        epoch: what is in force now.
        findings: what was found.
    """

    outcome: ReloadOutcome
    epoch: int
    findings: Sequence[Finding]


@dataclass(frozen=True, slots=True)
class ShadowStart:
    """What came of starting a shadow.

    Attributes:
        report: the shadow that runs now, or None where the candidate has errors.
        findings: what the linter says of the candidate.
    """

    report: ShadowReport | None
    findings: Sequence[Finding]


class NoSuchDestination(KarnakError):
    """There is no such destination, or none with rules."""


class House(Protocol):
    """The gateway, as the API sees it; all of it is called from many threads.

    `actor` is who asks, for the audit log: the name of a token, or `local`.
    """

    def readiness(self) -> Sequence[Check]:
        """What must be so for the gateway to take instances."""

    def metrics(self) -> bytes:
        """All metrics in Prometheus' text form."""

    def destinations(self) -> Sequence[DestinationState]:
        """The destinations that are enabled."""

    def queue(self, choice: Choice, limit: int) -> QueuePage:
        """List the queue."""

    def retry(self, choice: Choice, actor: str) -> int:
        """Have waiting parts tried again now; gives how many are meant."""

    def drop(self, choice: Choice, actor: str) -> int:
        """Have open parts dropped; gives how many are meant."""

    def ledger(self, actor: str) -> Ledger:
        """The ledger, to be read."""

    def look(self, actor: str, *, patients: bool) -> None:
        """Have the audit log say that somebody reads the ledger, and whether patients' identifiers are decrypted."""

    def rules(self) -> Rules:
        """The rules in force."""

    def reload(self, actor: str) -> ReloadResult:
        """Read profiles and configuration again."""

    def shadows(self) -> Sequence[ShadowReport]:
        """What candidates would do otherwise than the active rules."""

    def start_shadow(self, destination: str, candidate: Source, lasts: timedelta, actor: str) -> ShadowStart:
        """Run a candidate beside a destination's rules.

        Raises:
            NoSuchDestination: there is nothing to compare with.
            ShadowTaken: another one runs for the destination.
        """

    def end_shadow(self, destination: str, actor: str) -> ShadowReport | None:
        """End a destination's shadow; gives its report, or None where there is none."""
