"""Receipts sort by time, differ, and say when they were given."""

import threading
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from karnak.gateway.receipts import Receipts, time_of

NANOSECONDS = st.integers(0, 2**62)


def test_a_receipt_is_its_time_and_ten_random_digits() -> None:
    made = Receipts(lambda: 1_767_323_045_678_901_234, lambda size: bytes(range(0xA0, 0xA0 + size)))()
    assert made == "003ec9b59f691814a0a1a2a3a4"
    assert time_of(made) == datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)


@given(st.lists(NANOSECONDS, min_size=2, max_size=20), st.binary(min_size=5, max_size=5))
def test_each_is_later_than_the_one_before_whatever_the_clock_does(times: list[int], random: bytes) -> None:
    clock = iter(times)
    give = Receipts(lambda: next(clock), lambda size: random[:size])
    made = [give() for _ in times]
    assert made == sorted(set(made))
    assert {len(receipt) for receipt in made} == {26}


def test_threads_share_them() -> None:
    give = Receipts(lambda: 5, bytes)
    made: list[str] = []
    threads = [threading.Thread(target=lambda: made.extend(give() for _ in range(200))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 800


@given(st.text(alphabet="0123456789abcdefG.", max_size=30))
def test_what_is_no_receipt_has_no_time(text: str) -> None:
    is_one = len(text) == 26 and not set(text) & set("G.")
    assert is_one or time_of(text) is None


def test_a_time_beyond_the_calendar_is_none() -> None:
    assert time_of("f" * 26) is None
