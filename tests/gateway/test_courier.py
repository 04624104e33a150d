"""Reports of Storage Commitment: owed on disk, brought over associations of their own, tried again, given up."""

import io
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from ssl import SSLContext

import pytest

from karnak.errors import KarnakError
from karnak.gateway.courier import Courier
from karnak.gateway.deliver.backoff import Backoff, Patience
from karnak.gateway.deliver.event_report import send_report
from karnak.gateway.deliver.parcel import DeliveryError
from karnak.gateway.deliver.tls import RenewedTrust, Trust
from karnak.gateway.disk import Disk
from karnak.gateway.journal import Journal
from karnak.gateway.machine import Machine
from karnak.gateway.owed_reports import DamagedReport, Owed, OwedReports
from karnak.gateway.receive.commitment import Reference, Report, Reporter, Transaction
from karnak.gateway.receive.tls import TlsFiles, listening_rules
from karnak.gateway.renewed import Rules
from karnak.gateway.route import Caller, ForwardNode, ReportAddress, Sender, report_address
from tests.gateway.certificates import Authority
from tests.gateway.receive.commitments import Scu, close_sockets
from tests.gateway.receive.door import CT, until
from tests.system.programs import free_port

SAFE, LOST = (CT, "1.2.3.1"), (CT, "1.2.3.2")
CALLER = Caller("KARNAK", "CT01", "127.0.0.1")
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
SOON = Backoff(0.01, 1, 0.01)
NOWHERE = ReportAddress("127.0.0.1", 1)


@pytest.fixture(autouse=True)
def _close(monkeypatch: pytest.MonkeyPatch) -> None:
    close_sockets(monkeypatch)


def _fails(error: KarnakError) -> None:
    raise AssertionError(error)


class Here:
    """An association that is still there, or not."""

    def __init__(self, success: bool) -> None:
        self.success = success
        self.reports: list[Report] = []

    def report(self, report: Report, seconds: float) -> bool:
        self.reports.append(report)
        return self.success


@dataclass
class House:
    """A courier with a requestor that is a function."""

    folder: Path
    send: Callable[[Report, Caller, ReportAddress, float], int] = lambda *_: 0
    address: ReportAddress | None = NOWHERE
    safe: Callable[[Sequence[Reference]], Iterable[Reference]] = lambda _: [SAFE]
    now: datetime = NOON
    stream: io.StringIO = field(default_factory=io.StringIO)
    sent: list[Report] = field(default_factory=list)
    courier: Courier = field(init=False)

    def __post_init__(self) -> None:
        def send(report: Report, caller: Caller, address: ReportAddress, seconds: float) -> int:
            self.sent.append(report)
            return self.send(report, caller, address, seconds)

        numbers = count(len(self.on_disk()))
        self.courier = Courier(
            OwedReports(self.folder, Disk(), "fsync"),
            self._look,
            lambda _: self.address,
            Patience(SOON, timedelta(days=2)),
            Journal(self.stream, lambda: self.now),
            lambda: self.now,
            lambda: f"{next(numbers):08}",
            lambda: 0.0,
            Machine(),
            send,
        )

    def _look(self, references: Sequence[Reference]) -> Iterable[Reference]:
        return self.safe(references)

    def on_disk(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("commitments/*"))

    def events(self, name: str) -> list[dict[str, object]]:
        lines = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        return [line for line in lines if line["event"] == name]

    def ask(self, *references: Reference, uid: str = "1.2.99", reporter: Reporter | None = None) -> bool:
        return self.courier.take(Transaction(uid, references or (SAFE,)), CALLER, reporter or Here(False))


@contextmanager
def house(folder: Path, **changes: object) -> Iterator[House]:
    made = House(folder, **changes)  # type: ignore[arg-type]
    made.courier.start()
    try:
        yield made
    finally:
        made.courier.stop()
        made.courier.wait(20)


def test_a_report_goes_over_the_association_that_is_there(tmp_path: Path) -> None:
    here = Here(True)
    with house(tmp_path) as made:
        assert made.ask(SAFE, LOST, reporter=here)
        until(lambda: made.events("commitment reported"))
    assert here.reports == [Report(Transaction("1.2.99", (SAFE, LOST)), frozenset({SAFE}))]
    assert (made.sent, made.on_disk()) == ([], [])
    assert made.events("commitment reported")[0]["count"] == 1


def test_a_report_is_owed_on_disk_from_the_answer_to_the_request(tmp_path: Path) -> None:
    """The threads have not begun: what is on disk was put there before the answer."""
    first = House(tmp_path)
    assert first.ask(SAFE, LOST)
    assert first.on_disk() == ["00000000.json"]
    assert (tmp_path / "commitments" / "00000000.json").stat().st_mode & 0o077 == 0
    # The process dies, and another one starts.
    with house(tmp_path) as second:
        until(lambda: second.events("commitment reported"))
    assert second.sent == [Report(Transaction("1.2.99", (SAFE, LOST)), frozenset({SAFE}))]
    assert second.on_disk() == []


def test_what_is_safe_is_asked_at_each_try(tmp_path: Path) -> None:
    answers: list[DeliveryError | int] = [DeliveryError("no association"), 0x0110, 0]
    safe = iter([[], [], [SAFE], [SAFE]])

    def send(*_: object) -> int:
        answer = answers.pop(0)
        if isinstance(answer, int):
            return answer
        raise answer

    with house(tmp_path, send=send, safe=lambda _: next(safe)) as made:
        assert made.ask()
        until(lambda: made.events("commitment reported"))
    assert [event["reason"] for event in made.events("commitment waiting")] == [
        "no association",
        "the requestor answered the report with status 0110H",
    ]
    assert [report.event_type for report in made.sent] == [2, 1, 1]
    assert made.on_disk() == []


def test_one_that_is_refused_holds_up_no_other(tmp_path: Path) -> None:
    with house(tmp_path, send=lambda report, *_: 0 if report.transaction.uid == "1.2.2" else 0x0110) as made:
        assert made.ask(uid="1.2.1")
        assert made.ask(uid="1.2.2")
        until(lambda: made.events("commitment reported"))
        assert made.on_disk() == ["00000000.json"]


def test_a_report_is_given_up_after_its_time(tmp_path: Path) -> None:
    def send(*_: object) -> int:
        raise DeliveryError("no association")

    with house(tmp_path, send=send) as made:
        assert made.ask(SAFE, LOST)
        until(lambda: made.events("commitment waiting"))
        made.now = NOON + timedelta(days=2) - timedelta(seconds=1)
        tried = len(made.sent)
        until(lambda: len(made.sent) > tried + 1)
        assert made.on_disk() == ["00000000.json"]
        made.now = NOON + timedelta(days=2)
        until(lambda: made.events("commitment given up"))
    (given_up,) = made.events("commitment given up")
    assert (given_up["reason"], given_up["count"]) == ("it could not be brought for 2 days", 2)
    assert made.on_disk() == []


def test_a_requestor_gets_an_address_later(tmp_path: Path) -> None:
    with house(tmp_path, address=None) as made:
        assert made.ask()
        until(lambda: made.events("commitment waiting"))
        assert made.events("commitment waiting")[0]["reason"] == "its source has no `host` and `port` for reports"
        made.address = NOWHERE
        until(lambda: made.events("commitment reported"))


def test_nothing_is_promised_while_nobody_knows_what_is_safe(tmp_path: Path) -> None:
    """Over the association of the request all of it is a processing failure; later it waits for an answer."""
    lost = threading.Event()

    def look(_: Sequence[Reference]) -> Iterable[Reference]:
        if not lost.is_set():
            raise OSError("SECRET")
        return [SAFE]

    here = Here(True)
    with house(tmp_path, safe=look) as made:
        assert made.ask(reporter=here)
        until(lambda: here.reports)
        assert here.reports[0].safe is None
        assert made.ask()
        until(lambda: made.events("commitment waiting"))
        lost.set()
        until(lambda: len(made.events("commitment reported")) == 2)
    assert [report.safe for report in made.sent] == [frozenset({SAFE})]
    assert "SECRET" not in made.stream.getvalue()


def test_what_can_not_be_kept_is_not_taken(tmp_path: Path) -> None:
    class Full(Disk):
        def sync(self, descriptor: int) -> None:
            raise OSError("no room")

    made = House(tmp_path)
    made.courier._reports = OwedReports(tmp_path, Full(), "fsync")
    assert not made.ask()
    assert made.on_disk() == []
    assert made.events("commitment not kept")[0]["error"] == "OSError"
    made.courier.stop()
    assert not made.ask()


def test_too_many_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("karnak.gateway.courier._MAXIMUM_OWED", 2)
    made = House(tmp_path)
    assert [made.ask() for _ in range(3)] == [True, True, False]


def test_remains_of_a_crash_and_damaged_files_go(tmp_path: Path) -> None:
    reports = OwedReports(tmp_path, Disk(), "os")
    assert reports.names() == []
    owed = Owed("b", Transaction("1.2.99", (SAFE, LOST)), CALLER, NOON)
    reports.keep(owed)
    assert reports.read("b") == owed
    folder = tmp_path / "commitments"
    (folder / "a.part").write_text("{")
    (folder / "a.json").write_text('{"transaction": "1.2"}')
    reports.tidy()
    assert not (folder / "a.part").exists()
    (folder / "a.part").write_text("{")
    with pytest.raises(DamagedReport, match=r"^the file a\.json is damaged$"):
        reports.read("a")
    with house(tmp_path) as made:
        until(lambda: made.events("commitment reported"))
    assert made.on_disk() == []
    assert made.events("commitment given up")[0]["reason"] == "the file a.json is damaged"


def test_whose_address_it_is() -> None:
    one, other = ReportAddress("one", 1), ReportAddress("other", 2)
    nodes = (
        ForwardNode("A", (Sender("CT01", None, one), Sender("MR01", None)), ()),
        ForwardNode("KARNAK", (Sender("CT01", None, other),), ()),
        ForwardNode("ANY", None, ()),
    )
    assert report_address(nodes, CALLER) == other
    assert report_address(nodes, Caller("A", "CT01", "")) == one
    assert report_address(nodes, Caller("ANY", "CT01", "")) == one
    assert report_address(nodes, Caller("A", "MR01", "")) is None


@pytest.mark.parametrize("secure", [False, True])
def test_pynetdicom_hears_over_a_new_association(secure: bool, tmp_path: Path) -> None:
    """It listens late; with TLS it asks for our certificate, and we for its."""
    authority = Authority(tmp_path)
    theirs, ours = authority.issue("scu"), authority.issue("karnak")
    rules: SSLContext | None = None
    trust: Rules | None = None
    if secure:
        rules = listening_rules(TlsFiles(theirs.certificate, theirs.key, authority.file))
        trust = RenewedTrust(Trust(authority.file, ours.certificate, ours.key), _fails)
    scu = Scu(free_port())
    with house(tmp_path, send=send_report, address=ReportAddress("127.0.0.1", scu.port, trust)) as made:
        assert made.ask(SAFE, LOST)
        until(lambda: made.events("commitment waiting"))
        with scu.listening(rules):
            assert scu.only_report() == (2, [SAFE], [LOST])
            until(lambda: made.events("commitment reported"))
    how = "over TLS " if secure else ""
    reason = f"no association {how}with 127.0.0.1 port {scu.port}"
    assert {event["reason"] for event in made.events("commitment waiting")} == {reason}


def test_a_report_does_not_leave_without_the_tls_that_is_asked_for(tmp_path: Path) -> None:
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    theirs = stranger.issue("scu")
    rules = listening_rules(TlsFiles(theirs.certificate, theirs.key))
    trust = RenewedTrust(Trust(authority.file), _fails)
    scu = Scu(free_port())
    with house(tmp_path, send=send_report, address=ReportAddress("127.0.0.1", scu.port, trust)) as made:
        for listening in (rules, None):
            with scu.listening(listening):
                before = len(made.events("commitment waiting"))
                if not before:
                    assert made.ask()
                until(lambda: len(made.events("commitment waiting")) > before + 1)  # noqa: B023 -- called at once
    assert scu.reports == []
    assert made.on_disk() == ["00000000.json"]


@pytest.mark.parametrize("status", [0x0110, None])
def test_a_requestor_that_does_not_take_the_report(status: int | None, tmp_path: Path) -> None:
    scu = Scu(free_port())
    scu.status = status or 0
    if status is None:
        scu.ae.supported_contexts = []
        scu.ae.add_supported_context(CT)
    with house(tmp_path, send=send_report, address=ReportAddress("127.0.0.1", scu.port)) as made, scu.listening():
        assert made.ask()
        until(lambda: made.events("commitment waiting"))
        assert made.on_disk() == ["00000000.json"]
        reason = str(made.events("commitment waiting")[0]["reason"])
    told = "the requestor answered the report with status 0110H"
    assert reason == (told if status else f"no association with 127.0.0.1 port {scu.port}")
