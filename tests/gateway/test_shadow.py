"""A candidate beside the active rules: what is told, what is not, and that nobody waits for it."""

from datetime import UTC, datetime, timedelta

import pytest

from karnak.dsl.compile import compile_profile
from karnak.dsl.nodes import Source
from karnak.gateway.pseudonyms import GeneratedPseudonym
from karnak.gateway.route import Treatment
from karnak.gateway.shadow import Decision, Difference, Shadow, differences
from karnak.runtime.keys import Project
from karnak.runtime.outcome import Change
from karnak.runtime.program import Program
from tests.gateway.instances import SECONDARY_CAPTURE, dataset_bytes

EXPLICIT = "1.2.840.10008.1.2.1"
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
PROJECT = Project("TRIAL", bytes(range(16)))


def program(*rules: str) -> Program:
    lines = "".join(f"  - {rule}\n" for rule in rules)
    return compile_profile(Source("rules.yml", f"name: Rules\nprofileElements:\n{lines}"))


KEEP_STATION = "{ name: station, codename: action.on.specific.tags, action: K, tags: [ StationName ] }"
DROP_STATION = "{ name: no station, codename: action.on.specific.tags, action: X, tags: [ StationName ] }"
BASIC = "{ name: basic, codename: basic.dicom.profile }"
NOTHING_LEFT = "{ name: all, codename: action.on.specific.tags, action: X, tags: [ 'XXXX,XXXX' ] }"
ACTIVE = Treatment("deid", program(KEEP_STATION, BASIC), PROJECT, GeneratedPseudonym())


def instance(patient: str = "P1") -> memoryview:
    uids = {"SOPClassUID": SECONDARY_CAPTURE, "SOPInstanceUID": "1.2.3"}
    uids |= {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.2"}
    return memoryview(dataset_bytes(**uids | {"PatientID": patient, "PatientName": "DOE^JANE", "StationName": "CT7"}))


def shadow(candidate: Program, seconds: float = 60) -> Shadow:
    return Shadow("archive", candidate, NOW + timedelta(seconds=seconds), lambda: NOW)


def test_differences_are_counted_by_place_and_rule() -> None:
    candidate = program(DROP_STATION, BASIC)
    looking = shadow(candidate)
    looking.start()
    for _ in range(3):
        looking.look(ACTIVE, instance(), EXPLICIT)
    looking.stop()
    report = looking.report()
    kept, gone = Decision("keep", "station", 3), Decision("remove", "no station", 3)
    assert report.differences == {Difference("(0008,1010)", kept, gone): 3}
    assert (report.compared, report.passed_by, report.untold, report.outcomes) == (3, 0, 0, {})
    assert (report.active, report.candidate) == (ACTIVE.program.digest, candidate.digest)
    assert not report.running


def test_equal_rules_have_no_differences() -> None:
    looking = shadow(program(KEEP_STATION, BASIC))
    looking.start()
    looking.look(ACTIVE, instance(), EXPLICIT)
    looking.stop()
    report = looking.report()
    assert (report.compared, report.differences, report.active) == (1, {}, report.candidate)


def test_an_instance_that_only_one_lets_go_is_told_as_such() -> None:
    looking = shadow(program(NOTHING_LEFT))
    looking.start()
    looking.look(ACTIVE, instance(), EXPLICIT)
    looking.stop()
    report = looking.report()
    assert report.outcomes == {("forwarded", "rejected"): 1}
    assert report.differences == {}


def test_nobody_waits_and_what_passes_by_is_counted() -> None:
    looking = shadow(program(BASIC))
    # It was not started: nothing is taken from the queue.
    for _ in range(20):
        looking.look(ACTIVE, instance(), EXPLICIT)
    assert looking.report().passed_by == 4
    looking.start()
    looking.stop()
    assert looking.report().compared == 16


def test_what_can_not_be_treated_is_no_difference() -> None:
    looking = shadow(program(BASIC))
    looking.start()
    looking.look(ACTIVE, instance(patient=""), EXPLICIT)
    looking.look(ACTIVE, memoryview(b"no data set"), EXPLICIT)
    looking.stop()
    report = looking.report()
    assert (report.compared, report.passed_by, report.differences) == (0, 2, {})


def test_it_ends_by_itself() -> None:
    looking = shadow(program(BASIC), seconds=0)
    looking.start()
    looking.look(ACTIVE, instance(), EXPLICIT)
    looking.stop()
    report = looking.report()
    assert (report.running, report.compared, report.passed_by) == (False, 0, 0)


def test_no_value_of_an_instance_is_told() -> None:
    looking = shadow(program(DROP_STATION, BASIC))
    looking.start()
    looking.look(ACTIVE, instance(), EXPLICIT)
    looking.stop()
    for value in ("CT7", "DOE", "P1", "1.2.3"):
        assert value not in repr(looking.report()).replace("P1D", "")


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ((), (), {}),
        ((Change("(0010,0010)", "keep", "a", 1),), (Change("(0010,0010)", "keep", "b", 2),), {}),
        (
            (Change("(0008,1140)[0]/(0008,1155)", "uid", "a", 1), Change("(0008,1140)[1]/(0008,1155)", "uid", "a", 1)),
            (
                Change("(0008,1140)[0]/(0008,1155)", "keep", "b", 2),
                Change("(0008,1140)[1]/(0008,1155)", "keep", "b", 2),
            ),
            {Difference("(0008,1140)/(0008,1155)", Decision("uid", "a", 1), Decision("keep", "b", 2)): 2},
        ),
        (
            (),
            (Change("(0010,0010)", "add", None, 0),),
            {Difference("(0010,0010)", Decision("", "", 0), Decision("add", "", 0)): 1},
        ),
    ],
)
def test_decisions_are_compared_place_by_place(
    one: tuple[Change, ...], other: tuple[Change, ...], found: dict[Difference, int]
) -> None:
    assert differences(one, other) == found
