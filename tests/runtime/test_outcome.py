"""The three outcomes, and that only one of them carries data."""

from dataclasses import FrozenInstanceError

import pytest

from karnak.runtime.outcome import Change, Deferred, Outcome, Status


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.excluded("a rule says so", "1.2"), Status.EXCLUDED),
        (Outcome.rejected("it is broken", "1.2"), Status.REJECTED),
    ],
)
def test_what_does_not_leave_has_a_reason_and_no_data(outcome: Outcome, status: Status) -> None:
    assert outcome.status is status
    assert outcome.data is None
    assert outcome.reason
    assert outcome.sop_class_uid == "1.2"
    assert (outcome.sop_instance_uid, outcome.study_instance_uid, outcome.series_instance_uid) == (None, None, None)
    assert outcome.transfer_syntax_uid is None


def test_statuses_compare_with_their_words() -> None:
    assert [str(status) for status in Status] == ["forwarded", "excluded", "rejected"]
    assert Outcome.rejected("x").status == "rejected"


def test_an_outcome_cannot_be_changed() -> None:
    outcome = Outcome.rejected("x")
    with pytest.raises(FrozenInstanceError):
        outcome.reason = "leak"  # type: ignore[misc]


def test_an_outcome_does_not_show_the_instance_it_carries() -> None:
    outcome = Outcome(Status.FORWARDED, (b"DOE^JANE",), None)
    assert "DOE" not in repr(outcome)


def test_changes_are_worked_out_once_and_compare_by_what_they_are() -> None:
    asked = []
    kept = Change("(0008,0060)", "keep", "basic", 7)

    def work_out() -> list[Change]:
        asked.append(1)
        return [kept]

    deferred = Deferred(work_out)
    assert asked == []
    assert deferred == (kept,)
    assert deferred != ()
    # What is equal has one hash: an outcome can lie in a set, whoever worked its changes out.
    assert len({deferred, (kept,), Deferred(lambda: [kept])}) == 1
    assert asked == [1]
