"""Dates moved as bytes: what `dates` says of the same value, or nothing at all."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.ir.profile import DatePart
from karnak.runtime.date_bytes import MOST_BYTES, UNKNOWN, calendar_day, day_number, moved, truncated
from karnak.runtime.dates import Amount, DateError, shift, truncate
from karnak.runtime.scan import vr_code

# Bytes around a value and its room: neither may be read or written.
GUARD = 0xEE
FIRST = date(1970, 1, 1)

dates = st.dates().map(lambda day: f"{day.year:04d}{day.month:02d}{day.day:02d}")
times = st.times().map(lambda time: f"{time:%H%M%S.%f}")
offsets = st.sampled_from(["", "+0100", "-1200"])
digits = st.text("0123456789", max_size=15)
cut = st.integers(0, 21)
values = st.one_of(
    dates,
    times.flatmap(lambda time: cut.map(lambda size: time[:size])),
    st.builds(lambda day, time, size, offset: (day + time)[:size] + offset, dates, times, st.integers(2, 21), offsets),
    st.builds(lambda number, unit: f"{number}{unit}", digits, st.sampled_from("DWMYX")),
    st.text("0123456789.:+-Y ", max_size=MOST_BYTES - 1),
)
vrs = st.sampled_from(["AS", "DA", "DT", "TM"])
amounts = st.one_of(st.integers(-400, 400), st.integers(-(10**7), 10**7))
seconds = st.one_of(st.integers(-100_000, 100_000), st.integers(-(10**10), 10**10))


def as_bytes(value: str, vr: str, amount: Amount) -> str | None:
    data = np.frombuffer(bytes([GUARD]) + value.encode("ascii") + bytes([GUARD]), np.uint8)
    out = np.full(MOST_BYTES + 2, GUARD, np.uint8)
    work = np.zeros(20, np.uint8)
    after = moved(data, 1, 1 + len(value), vr_code(vr), amount.days, amount.seconds, out, 1, work)
    return written(out, after)


def written(out: "np.ndarray[tuple[int], np.dtype[np.uint8]]", after: int) -> str | None:
    """What stands in the room after its first byte, once nothing but it was found to be written."""
    assert (out[0], out[-1]) == (GUARD, GUARD)
    return None if after == UNKNOWN else out[1:after].tobytes().decode("ascii")


def by_dates(value: str, vr: str, amount: Amount) -> str | None:
    try:
        return shift(value, vr, amount)
    except DateError:
        return None


@given(values, vrs, amounts, seconds)
def test_what_is_moved_is_what_dates_says(value: str, vr: str, days: int, secs: int) -> None:
    found = as_bytes(value, vr, Amount(days, secs))
    assert found is None or found == by_dates(value, vr, Amount(days, secs))


@pytest.mark.parametrize(
    ("vr", "value"),
    [
        ("DA", "20230517"),
        ("DA", "20240229"),
        ("TM", "10"),
        ("TM", "1011"),
        ("TM", "101112"),
        ("TM", "101112.5"),
        ("TM", "000000.000001"),
        ("DT", "2023"),
        ("DT", "202305"),
        ("DT", "20230517"),
        ("DT", "2023051710"),
        ("DT", "202305171011-0530"),
        ("DT", "20230517101112"),
        ("DT", "20230517101112.5"),
        ("DT", "20230517101112.123456+0100"),
        ("AS", "047Y"),
        ("AS", "45M"),
        ("AS", "9W"),
        ("AS", "010D"),
    ],
)
@pytest.mark.parametrize("amount", [Amount(0, 0), Amount(31, 3599), Amount(-400, -86401), Amount(1, 86400)])
def test_forms_of_today_are_moved_here(vr: str, value: str, amount: Amount) -> None:
    assert as_bytes(value, vr, amount) == by_dates(value, vr, amount)


@pytest.mark.parametrize(
    ("vr", "value"),
    [
        ("DA", "20230229"),
        ("DA", "19000229"),
        ("DA", "20231301"),
        ("DA", "20230500"),
        ("DA", "00000101"),
        ("DA", "2023051"),
        ("DA", "2023.05.17"),
        ("DA", "0001010a"),
        ("TM", "24"),
        ("TM", "1060"),
        ("TM", "101160"),
        ("TM", "101112."),
        ("TM", "101112.1234567"),
        ("TM", "101"),
        ("TM", "10:11"),
        ("DT", "202"),
        ("DT", "20235"),
        ("DT", "20230517101112."),
        ("DT", "202305171011.5"),
        ("DT", "20230517+01"),
        ("DT", "20230517+010a"),
        ("DT", "2023051710111213"),
        ("AS", "047X"),
        ("AS", "Y"),
        ("AS", "0047Y"),
    ],
)
def test_anything_else_is_left(vr: str, value: str) -> None:
    assert as_bytes(value, vr, Amount(1, 1)) is None


@pytest.mark.parametrize(("vr", "value", "days"), [
    ("DA", "00010101", 1), ("DA", "99991231", -1), ("DT", "0001", 1), ("DT", "99991231235959.999999", -1),
    ("AS", "999Y", 365), ("AS", "000D", -1),
])  # fmt: skip
def test_the_calendar_has_ends(vr: str, value: str, days: int) -> None:
    assert as_bytes(value, vr, Amount(days, 0)) is None
    assert as_bytes(value, vr, Amount(0, 0)) == value


@given(values, st.sampled_from(["DA", "DT"]), st.sampled_from(DatePart))
def test_what_is_truncated_is_what_dates_says(value: str, vr: str, part: DatePart) -> None:
    data = np.frombuffer(value.encode("ascii") + bytes([GUARD]), np.uint8)
    out = np.full(MOST_BYTES + 2, GUARD, np.uint8)
    found = written(out, truncated(data, 0, len(value), vr_code(vr), 6 if part is DatePart.DAY else 4, out, 1))
    try:
        expected = truncate(value, vr, part)
    except DateError:
        expected = None
    assert found is None or found == expected
    if expected is not None and "." not in value[:8]:
        assert found == expected


@given(st.dates())
def test_days_are_numbered_as_the_calendar_does(day: date) -> None:
    number = day_number(day.year, day.month, day.day)
    assert FIRST + timedelta(days=number) == day
    assert calendar_day(number) == (day.year, day.month, day.day)
