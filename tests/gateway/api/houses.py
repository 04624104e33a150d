"""A gateway for the tests of the API: the queue and the ledger are real, the rest is said by the test."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from karnak.gateway.api.house import (
    Check,
    DestinationState,
    Finding,
    ProfileState,
    QueuePage,
    ReloadResult,
    Rules,
)
from karnak.gateway.ledger import Ledger
from karnak.gateway.metrics import Levels, Metrics, ReloadOutcome
from karnak.gateway.states import State
from karnak.gateway.store.database import Database
from karnak.gateway.store.index import Index
from karnak.gateway.store.queue import Choice, Queue
from karnak.gateway.store.rows import Wish

BEGAN = datetime(2026, 1, 2, tzinfo=UTC)
FINDING = Finding("research.yml", 14, 18, "K203", "error", "unknown tag keyword")


@dataclass
class FakeHouse:
    """Says what it is told to say, and remembers who has asked for what."""

    database: Database
    checks: Sequence[Check] = (Check("spool", True), Check("index", True))
    outcome: ReloadOutcome = ReloadOutcome.ACTIVATED
    asked: list[tuple[str, ...]] = field(default_factory=list)
    error: Exception | None = None

    def __post_init__(self) -> None:
        self.index = Index(self.database)
        self.lines = Queue(self.database)
        self.counters = Metrics(["pacs"], lambda: Levels({}, 0, 0))

    def readiness(self) -> Sequence[Check]:
        return self.checks

    def metrics(self) -> bytes:
        return self.counters.text()

    def destinations(self) -> Sequence[DestinationState]:
        if self.error is not None:
            raise self.error
        waiting = {State.ROUTED: 3, State.WAITING: 1}
        return [
            DestinationState("pacs", "KARNAK", "PACS at pacs port 104", "deidentify", "T", "p", "d1", waiting, 12.5),
            DestinationState("disk", "KARNAK", "folder out", "none", None, None, None, {}, 0),
        ]

    def queue(self, choice: Choice, limit: int) -> QueuePage:
        return QueuePage(self.lines.list(choice, limit), self.lines.count(choice))

    def retry(self, choice: Choice, actor: str) -> int:
        self.asked.append(("retry", actor))
        return self.lines.wish(choice, Wish.RETRY)

    def drop(self, choice: Choice, actor: str) -> int:
        self.asked.append(("drop", actor))
        return self.lines.wish(choice, Wish.DROP)

    def ledger(self, actor: str) -> Ledger:
        self.asked.append(("ledger", actor))
        return Ledger(self.database)

    def rules(self) -> Rules:
        return Rules(3, BEGAN, [ProfileState("TRIAL", "Research", "research.yml", "d1")])

    def reload(self, actor: str) -> ReloadResult:
        self.asked.append(("reload", actor))
        return ReloadResult(self.outcome, 4, [FINDING] if self.outcome is ReloadOutcome.REFUSED else [])
