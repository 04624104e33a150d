"""A candidate beside the active rules: what is told, what is not, and that nobody waits for it."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from karnak.dsl.compile import compile_condition, compile_profile
from karnak.dsl.nodes import Source
from karnak.gateway import shadow as module
from karnak.gateway.apart import Apart
from karnak.gateway.disk import Disk
from karnak.gateway.pseudonyms import GeneratedPseudonym
from karnak.gateway.route import Outlet, Treatment
from karnak.gateway.shadow import MAXIMUM_WAITING, TIME_OVER, RefusedCandidate, Shadow
from karnak.gateway.shadow_process import Look, Rules, compare
from karnak.gateway.shadow_report import (
    MAXIMUM_KINDS,
    NOTHING,
    Comparison,
    CountedDifference,
    Decision,
    Difference,
    Fate,
    Sums,
    differences,
)
from karnak.gateway.spool import Spool
from karnak.runtime.keys import Project
from karnak.runtime.outcome import Change
from karnak.runtime.part10 import read_instance
from karnak.runtime.program import Program
from tests.gateway.arrivals import arrival
from tests.gateway.house import Shelf
from tests.gateway.instances import SECONDARY_CAPTURE, dataset_bytes

EXPLICIT = "1.2.840.10008.1.2.1"
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
PROJECT = Project("TRIAL", bytes(range(16)))


def source(*rules: str) -> Source:
    lines = "".join(f"  - {rule}\n" for rule in rules)
    return Source("rules.yml", f"name: Rules\nprofileElements:\n{lines}")


def program(*rules: str) -> Program:
    return compile_profile(source(*rules))


KEEP_STATION = "{ name: station, codename: action.on.specific.tags, action: K, tags: [ StationName ] }"
DROP_STATION = "{ name: no station, codename: action.on.specific.tags, action: X, tags: [ StationName ] }"
BASIC = "{ name: basic, codename: basic.dicom.profile }"
NOTHING_LEFT = "{ name: all, codename: action.on.specific.tags, action: X, tags: [ 'XXXX,XXXX' ] }"
SAY_A, SAY_B = (
    "{ name: word, codename: expression.on.tags, "
    f"arguments: {{ expr: \"Replace('{word}')\" }}, tags: [ StationName ] }}"
    for word in "AB"
)
ACTIVE = program(KEEP_STATION, BASIC)
OUTLET = Outlet("archive", Shelf(), Treatment("deid", ACTIVE, PROJECT, GeneratedPseudonym()))
KEPT, GONE = Decision("keep", "station", 3), Decision("remove", "no station", 3)


def data_set(patient: str = "P1") -> bytes:
    uids = {"SOPClassUID": SECONDARY_CAPTURE, "SOPInstanceUID": "1.2.3"}
    uids |= {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.2"}
    return dataset_bytes(**uids | {"PatientID": patient, "PatientName": "DOE^JANE", "StationName": "CT7"})


def compared(active: Program, candidate: Program, pseudonym: str | None = "K-1") -> Comparison:
    look = Look(EXPLICIT, pseudonym, NOW)
    return compare(memoryview(data_set()), look, Rules("deid", active, PROJECT), candidate)


def test_places_where_the_decision_is_another_are_told_with_both_rules() -> None:
    found = compared(ACTIVE, program(DROP_STATION, BASIC))
    assert found == Comparison(
        Fate("forwarded", ""), Fate("forwarded", ""), frozenset({Difference("(0008,1010)", KEPT, GONE)})
    )
    assert not found.same


def test_the_same_decision_with_another_value_is_a_difference() -> None:
    word = Decision("replace", "word", 3)
    found = compared(program(SAY_A, BASIC), program(SAY_B, BASIC))
    assert found.differences == {Difference("(0008,1010)", word, word)}
    assert compared(program(SAY_A, BASIC), program(SAY_A, BASIC)).same


def test_an_instance_that_only_one_lets_go_is_told_as_such() -> None:
    found = compared(ACTIVE, program(NOTHING_LEFT))
    assert (found.active.status, found.candidate.status, found.differences) == ("forwarded", "rejected", frozenset())
    assert found.candidate.reason
    assert not found.same


def test_what_both_reject_is_the_same() -> None:
    found = compared(ACTIVE, program(DROP_STATION, BASIC), pseudonym=None)
    assert found.same
    assert found.active == found.candidate
    assert found.active.status == "rejected"


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ((), (), set()),
        ((Change("(0010,0010)", "keep", "a", 1),), (Change("(0010,0010)", "keep", "b", 2),), set()),
        # What nobody speaks of stays as it is.
        ((Change("(0010,0010)", "keep", "a", 1),), (), set()),
        (
            (Change("(0008,1140)[0]/(0008,1155)", "uid", "a", 1), Change("(0008,1140)[1]/(0008,1155)", "uid", "a", 1)),
            (
                Change("(0008,1140)[0]/(0008,1155)", "keep", "b", 2),
                Change("(0008,1140)[1]/(0008,1155)", "keep", "b", 2),
            ),
            {Difference("(0008,1140)/(0008,1155)", Decision("uid", "a", 1), Decision("keep", "b", 2))},
        ),
        # Nothing is told of what lies inside a sequence that differs.
        (
            (Change("(0008,1140)", "keep", "a", 1), Change("(0008,1140)[0]/(0008,1155)", "uid", "a", 1)),
            (Change("(0008,1140)", "remove", "b", 2),),
            {Difference("(0008,1140)", Decision("keep", "a", 1), Decision("remove", "b", 2))},
        ),
        (
            (),
            (Change("(0010,0010)", "add", None, 0),),
            {Difference("(0010,0010)", NOTHING, Decision("add", "", 0))},
        ),
    ],
)
def test_decisions_are_compared_place_by_place(
    one: tuple[Change, ...], other: tuple[Change, ...], found: set[Difference]
) -> None:
    assert differences(one, other) == found


def test_kinds_are_told_apart_up_to_a_bound() -> None:
    sums, fate = Sums(), Fate("forwarded", "")
    kinds = [Difference(f"({number:04X},0010)", KEPT, GONE) for number in range(MAXIMUM_KINDS + 2)]
    for _ in range(2):
        sums.add(Comparison(fate, fate, frozenset(kinds[:1])))
    sums.add(Comparison(fate, fate, frozenset(kinds[1:])))
    assert len(sums.differences()) == MAXIMUM_KINDS
    assert (sums.same, sums.different, sums.untold) == (0, 3, 2)
    assert sums.differences()[0] == CountedDifference("(0000,0010)", KEPT, GONE, 2)


class Stand:
    """A shadow with a spool to look at and a clock that a test moves."""

    def __init__(self, folder: Path, candidate: Source) -> None:
        numbers = iter(range(1000))
        self.spool = Spool(folder, Disk(), "os", lambda: f"{next(numbers):026x}")
        self.now = NOW
        self.heard: list[Shadow] = []
        self.shadow = Shadow("archive", candidate, timedelta(seconds=60), lambda: self.now, self.heard.append)

    def look(self, data: bytes | None = None, outlet: Outlet = OUTLET) -> None:
        data = data or data_set()
        receiving = self.spool.begin(arrival())
        receiving.write(data)
        held = self.spool.open(receiving.keep())
        self.shadow.look(outlet, read_instance(data, EXPLICIT), held.path)
        # It was delivered meanwhile.
        self.spool.remove(held.receipt)

    def wait(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not holds():
            assert time.monotonic() < deadline, self.shadow.report()
            time.sleep(0.01)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    made = Stand(tmp_path, source(DROP_STATION, BASIC))
    before = open_files()
    yield made
    made.shadow.end("the test is over")
    made.spool.close()
    assert open_files() <= before


def test_instances_are_counted_by_place_and_rule_and_gone_files_are_compared(stand: Stand) -> None:
    for _ in range(3):
        stand.look()
    # Rules that changed meanwhile: the candidate does as they do.
    treatment = replace(OUTLET.treatment, program=program(DROP_STATION, BASIC)) if OUTLET.treatment else None
    stand.look(outlet=replace(OUTLET, treatment=treatment))
    stand.look(data_set(patient=""))
    stand.wait(lambda: stand.shadow.report().same + stand.shadow.report().different == 5)
    report = stand.shadow.report()
    assert report.differences == [CountedDifference("(0008,1010)", KEPT, GONE, 3)]
    assert (report.seen, report.same, report.different, report.passed_by, report.failed) == (5, 2, 3, 0, 0)
    assert report.active == (report.candidate, ACTIVE.digest)
    (fates,) = report.fates
    assert (fates.active, fates.candidate, fates.instances) == (fates.active, fates.active, 1)
    assert fates.active.status == "rejected"
    assert (report.began, report.ends, report.ended) == (NOW, NOW + timedelta(seconds=60), None)
    for value in ("CT7", "DOE", "P1", "1.2.3"):
        assert value not in repr(report)
    stand.shadow.end("enough")
    assert (stand.shadow.report().ended, stand.shadow.report().because) == (NOW, "enough")
    assert stand.heard == [stand.shadow]
    stand.look()
    assert stand.shadow.report().seen == 5


def test_what_comes_while_it_is_busy_or_is_too_large_passes_by(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Apart.answer
    free = threading.Event()

    def slowly(apart: Apart, seconds: float) -> object:
        assert free.wait(30)
        return asked(apart, seconds)

    monkeypatch.setattr(Apart, "answer", slowly)
    stand.look()
    stand.wait(stand.shadow._waiting.empty)
    for _ in range(MAXIMUM_WAITING + 3):
        stand.look()
    assert stand.shadow.report().passed_by == 3
    free.set()
    stand.wait(lambda: stand.shadow.report().different == MAXIMUM_WAITING + 1)
    monkeypatch.setattr(module, "MAXIMUM_BYTES", 10)
    stand.look()
    report = stand.shadow.report()
    assert (report.seen, report.passed_by, report.failed) == (MAXIMUM_WAITING + 5, 4, 0)


def test_errors_are_counted_and_what_the_destination_does_not_take_is_not_and_its_time_ends_it(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    condition, _ = compile_condition("tagIsPresent('PatientComments')")
    assert condition is not None
    stand.look(outlet=replace(OUTLET, condition=condition))
    stand.look(outlet=replace(OUTLET, treatment=None))
    assert stand.shadow.report().seen == 0

    def fail(*_: object) -> str:
        raise ZeroDivisionError("DOE^JANE")

    with monkeypatch.context() as patched:
        patched.setattr(GeneratedPseudonym, "pseudonym", fail)
        stand.look()
    report = stand.shadow.report()
    assert (report.seen, report.failed, report.ended) == (1, 1, None)

    stand.look()
    stand.now += timedelta(seconds=60)
    stand.look()
    stand.wait(lambda: bool(stand.heard))
    report = stand.shadow.report()
    assert (report.seen, report.different, report.because) == (2, 1, TIME_OVER)
    assert report.ended == stand.now


def test_a_process_that_dies_ends_it(stand: Stand) -> None:
    stand.shadow._apart._process.kill()
    stand.look()
    stand.wait(lambda: bool(stand.heard))
    report = stand.shadow.report()
    assert report.because == "a process of the gateway's has ended: killed by SIGKILL"
    assert (report.seen, report.failed + report.passed_by) == (1, 1)


def test_a_candidate_with_errors_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedCandidate) as refused:
        Stand(tmp_path, source("{ name: x, codename: no.such.element }"))
    (finding,) = (one for one in refused.value.findings if one.severity == "error")
    assert (finding.span.file, finding.span.line) == ("rules.yml", 3)
