"""Laws that every outcome obeys, as assertions for tests of profiles.

    from hypothesis import given
    from karnak.testing.invariants import fails_closed, tells_nothing_of
    from karnak.testing.strategies import instances

    @given(instances())
    def test_our_profile_fails_closed(data):
        fails_closed(karnak.deidentify(data, OUR_PROGRAM, PROJECT, pseudonym="P-1", now=NOW))

They raise AssertionError, and say which law is broken without repeating a value.
"""

from collections.abc import Iterable

from karnak.runtime.outcome import Outcome, Status


def fails_closed(outcome: Outcome) -> None:
    """Assert that an outcome carries data and UIDs of its output if, and only if, the instance may leave.

    Raises:
        AssertionError: it does not, or there is no reason where one is due.
    """
    forwarded = outcome.status is Status.FORWARDED
    assert (outcome.data is not None) is forwarded, "data belongs to what is forwarded, and to nothing else"
    assert bool(outcome.reason) is not forwarded, "a reason belongs to what is not forwarded"
    assert (outcome.sop_instance_uid is not None) is forwarded, "the output's SOP Instance UID"
    assert (outcome.transfer_syntax_uid is not None) is forwarded, "the output's transfer syntax"
    if not forwarded:
        assert outcome.study_instance_uid is None, "there is no output that has a study"
        assert outcome.series_instance_uid is None, "there is no output that has a series"
        assert tuple(outcome.changes) == (), "what was not sent was not changed"


def one_to_one(pairs: Iterable[tuple[str, str]]) -> None:
    """Assert that equal texts became equal texts and unequal ones unequal ones.

    Args:
        pairs: (what it was, what it became), of one instance or of several of a project.

    Raises:
        AssertionError: one became two, or two became one.
    """
    forward: dict[str, str] = {}
    back: dict[str, str] = {}
    for old, new in pairs:
        assert forward.setdefault(old, new) == new, "one value became two"
        assert back.setdefault(new, old) == old, "two values became one"


def tells_nothing_of(outcome: Outcome, texts: Iterable[str]) -> None:
    """Assert that an outcome names none of some texts outside of its data, however it is shown.

    Args:
        outcome: what became of an instance.
        texts: values of the original, long enough not to be part of a word by chance.

    Raises:
        AssertionError: a reason, a warning or a change names one of them.
    """
    told = (outcome.reason, outcome.warnings, tuple(outcome.changes), outcome.fallback)
    said = f"{outcome!r} {told!r}"
    found = sum(text in said for text in texts)
    assert found == 0, f"an outcome tells {found} of the values it must not tell"
