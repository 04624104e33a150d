"""Waits grow, stay within their limits, and never end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.gateway.deliver.backoff import Backoff

seconds = st.floats(0.001, 3600)
backoffs = st.tuples(seconds, st.floats(1, 100), seconds).map(
    lambda drawn: Backoff(min(drawn[0], drawn[2]), drawn[1], max(drawn[0], drawn[2]))
)
failures = st.integers(1, 10**9)
chances = st.floats(0, 1)


@given(backoffs, failures, chances)
def test_a_wait_lies_between_half_and_all_of_its_limit(backoff: Backoff, count: int, chance: float) -> None:
    limit = backoff.limit(count)
    assert limit <= backoff.longest
    assert limit >= backoff.first * (1 - 1e-9)
    assert limit / 2 <= backoff.wait(count, chance) <= limit


@given(backoffs, failures, chances, chances)
def test_waits_grow_with_failures_and_with_chance(backoff: Backoff, count: int, one: float, other: float) -> None:
    assert backoff.limit(count + 1) >= backoff.limit(count) * (1 - 1e-9)
    assert (backoff.wait(count, one) <= backoff.wait(count, other)) == (one <= other) or one == pytest.approx(other)


def test_known_waits() -> None:
    backoff = Backoff(first=5, factor=2, longest=60)
    assert [round(backoff.limit(count), 6) for count in range(1, 7)] == [5, 10, 20, 40, 60, 60]
    assert backoff.wait(1, 0) == pytest.approx(2.5)
    assert backoff.wait(3, 0.5) == pytest.approx(15)
    assert backoff.wait(10**12, 1) == 60


@pytest.mark.parametrize(
    ("first", "factor", "longest"), [(0, 2, 10), (-1, 2, 10), (5, 0.5, 10), (5, 2, 4), (5, 2, float("inf")),
                                     (float("nan"), 2, 10), (5, float("inf"), 10)]
)  # fmt: skip
def test_what_is_no_backoff(first: float, factor: float, longest: float) -> None:
    with pytest.raises(ValueError, match="a backoff needs"):
        Backoff(first, factor, longest)


def test_what_has_no_wait() -> None:
    with pytest.raises(ValueError, match="without a failure"):
        Backoff().wait(0, 0.5)
    with pytest.raises(ValueError, match="chance"):
        Backoff().wait(1, 1.5)
