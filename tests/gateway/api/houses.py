"""A gateway for the tests of the API: the queue and the ledger are real, the rest is said by the test."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

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
from karnak.gateway.ledger import Ledger
from karnak.gateway.metrics import Levels, Metrics, ReloadOutcome
from karnak.gateway.shadow_report import CountedDifference, CountedFates, Decision, Fate, ShadowReport
from karnak.gateway.shadows import ShadowTaken
from karnak.gateway.states import State
from karnak.gateway.store.database import Database
from karnak.gateway.store.index import Index
from karnak.gateway.store.queue import Choice, Queue
from karnak.gateway.store.rows import Wish

BEGAN = datetime(2026, 1, 2, tzinfo=UTC)
FINDING = Finding("research.yml", 14, 18, "K203", "error", "unknown tag keyword")
HINT = Finding("candidate.yml", 1, 1, "K112", "info", "the profile has no version")


def shadow_report(destination: str, *, ended: bool = False) -> ShadowReport:
    """What a shadow has seen in half an hour."""
    return ShadowReport(
        destination=destination,
        profile="Research 2",
        candidate="d2",
        active=["d1"],
        began=BEGAN,
        ends=BEGAN + timedelta(hours=1),
        ended=BEGAN + timedelta(minutes=30) if ended else None,
        because="a person has ended it" if ended else None,
        seen=1200,
        same=700,
        different=480,
        passed_by=19,
        failed=1,
        differences=[
            CountedDifference("(0008,1010)", Decision("keep", "station", 4), Decision("remove", "PS3.15", 9), 440),
            CountedDifference("(0010,4000)", Decision("", "", 0), Decision("add", "note", 7), 3),
            CountedDifference("(0012,0010)", Decision("replace", "who", 5), Decision("replace", "who", 6), 12),
        ],
        fates=[CountedFates(Fate("forwarded", ""), Fate("rejected", "rule X cannot be carried out"), 40)],
        untold=0,
    )


@dataclass
class FakeHouse:
    """Says what it is told to say, and remembers who has asked for what."""

    database: Database
    checks: Sequence[Check] = (Check("spool", True), Check("index", True))
    outcome: ReloadOutcome = ReloadOutcome.ACTIVATED
    asked: list[tuple[str, ...]] = field(default_factory=list)
    error: Exception | None = None
    reports: dict[str, ShadowReport] = field(default_factory=dict)
    texts: list[Source] = field(default_factory=list)

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

    def look(self, actor: str, *, patients: bool) -> None:
        self.asked.append(("look", actor, str(patients)))

    def rules(self) -> Rules:
        return Rules(3, BEGAN, [ProfileState("TRIAL", "Research", "research.yml", "d1")])

    def reload(self, actor: str) -> ReloadResult:
        self.asked.append(("reload", actor))
        return ReloadResult(self.outcome, 4, [FINDING] if self.outcome is ReloadOutcome.REFUSED else [])

    def shadows(self) -> Sequence[ShadowReport]:
        return list(self.reports.values())

    def start_shadow(self, destination: str, candidate: Source, lasts: timedelta, actor: str) -> ShadowStart:
        if destination != "pacs":
            raise NoSuchDestination("no destination with rules is called so")
        if destination in self.reports:
            raise ShadowTaken("a shadow runs for pacs already; end it first")
        self.asked.append(("shadow", destination, str(lasts), actor))
        self.texts.append(candidate)
        if "no.such" in candidate.text:
            return ShadowStart(None, [FINDING])
        self.reports[destination] = shadow_report(destination)
        return ShadowStart(self.reports[destination], [HINT])

    def end_shadow(self, destination: str, actor: str) -> ShadowReport | None:
        self.asked.append(("end shadow", destination, actor))
        if destination not in self.reports:
            return None
        self.reports[destination] = shadow_report(destination, ended=True)
        return self.reports[destination]
