"""A sender that drips is cut, whatever it drips; one that keeps the pace is not."""

from hypothesis import given
from hypothesis import strategies as st

from karnak.gateway.receive.pace import Pace

waits = st.floats(0.001, 9.9)


@given(st.lists(st.tuples(waits, st.floats(1.0, 50.0)), min_size=1, max_size=60))
def test_who_keeps_the_pace_is_never_cut(pieces: list[tuple[float, float]]) -> None:
    pace = Pace(1000, 10)
    assert all(pace.goes_on(int(waited * 1000 * factor) + 1, waited) for waited, factor in pieces)


@given(st.lists(st.tuples(waits, st.floats(0.0, 0.49)), min_size=60, max_size=60), st.floats(10, 20))
def test_who_is_slower_is_cut_within_twice_the_time(pieces: list[tuple[float, float]], last: float) -> None:
    pace, waited = Pace(1000, 10), 0.0
    for seconds, factor in [*pieces, (last, 0.0)]:
        waited += seconds
        if not pace.goes_on(int(seconds * 1000 * factor), seconds):
            break
    else:
        raise AssertionError("it was never cut")
    assert waited < 30


def test_what_was_waited_for_before_does_not_count() -> None:
    pace = Pace(1000, 10)
    assert pace.goes_on(1, 9)
    pace.restart()
    assert pace.goes_on(1, 9)
    assert not pace.goes_on(1, 1)


def test_no_rate_no_cut() -> None:
    pace = Pace(0, 0.1)
    assert all(pace.goes_on(1, 5) for _ in range(9))
