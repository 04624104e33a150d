"""The assertions for people who test profiles: they pass what is lawful and catch what is not."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from karnak.runtime.outcome import Change, Outcome, Status
from karnak.runtime.program import Program
from karnak.testing.invariants import fails_closed, one_to_one, tells_nothing_of
from karnak.testing.strategies import instances, programs
from tests.runtime.making import both_engines

FORWARDED = Outcome(
    Status.FORWARDED, (b"DOE",), None, sop_instance_uid="1.2", study_instance_uid="1.3", transfer_syntax_uid="1.2.840"
)
REJECTED = Outcome.rejected("it is broken", "1.2")


@given(instances(), programs())
@settings(max_examples=40)
def test_the_engine_is_lawful(data: bytes, chosen: Program) -> None:
    outcome = both_engines(data, chosen, mode="deid")
    fails_closed(outcome)
    tells_nothing_of(outcome, ["DOE^JANE", "PAT-1", "PAT-2", "20230517"])


def test_lawful_outcomes_pass() -> None:
    for outcome in (FORWARDED, REJECTED, Outcome.excluded("a rule says so")):
        fails_closed(outcome)
        tells_nothing_of(outcome, ["DOE"])


@pytest.mark.parametrize(
    "outcome",
    [
        replace(REJECTED, segments=(b"DOE",)),
        replace(REJECTED, reason=None),
        replace(REJECTED, sop_instance_uid="1.2"),
        replace(REJECTED, study_instance_uid="1.2"),
        replace(REJECTED, series_instance_uid="1.2"),
        replace(REJECTED, transfer_syntax_uid="1.2"),
        replace(REJECTED, changes=(Change("(0010,0010)", "keep", None, 0),)),
        replace(FORWARDED, segments=None),
        replace(FORWARDED, reason="but"),
        replace(FORWARDED, sop_instance_uid=None),
        replace(FORWARDED, transfer_syntax_uid=None),
    ],
)
def test_outcomes_that_do_not_fail_closed_are_caught(outcome: Outcome) -> None:
    with pytest.raises(AssertionError):
        fails_closed(outcome)


@pytest.mark.parametrize("pairs", [[("a", "x"), ("a", "y")], [("a", "x"), ("b", "x")]])
def test_mappings_that_are_not_one_to_one_are_caught(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(AssertionError):
        one_to_one(pairs)
    one_to_one([("a", "x"), ("b", "y"), ("a", "x")])


@pytest.mark.parametrize(
    "outcome",
    [
        replace(REJECTED, reason="not a date: DOE^JANE"),
        replace(FORWARDED, warnings=("kept DOE^JANE",)),
        replace(FORWARDED, changes=(Change("(0010,0010)", "keep", "DOE^JANE", 0),)),
        replace(FORWARDED, study_instance_uid="DOE^JANE"),
    ],
)
def test_outcomes_that_tell_are_caught_without_being_repeated(outcome: Outcome) -> None:
    with pytest.raises(AssertionError) as caught:
        tells_nothing_of(outcome, ["DOE^JANE"])
    assert "DOE^JANE" not in str(caught.value)
