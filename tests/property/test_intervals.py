"""Shifts keep the intervals between the dates of a patient, and never keep a date (sections 2 and 6)."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from karnak.ir.profile import DATE_VRS, DateEffect, DatePart, Shift, ShiftRange, TruncateDate
from karnak.runtime.dates import Amount, DateError, shift, truncate
from karnak.testing.reading import leaves, read_part10
from karnak.testing.specimen import Leaf, Specimen, leaf, part10, sequence
from karnak.testing.strategies import date_effects, dates, moments, specimens, times
from tests.runtime.making import PROJECT, both_engines, program, rule, specimen

days = st.integers(-40000, 40000)
seconds = st.integers(-(10**6), 10**6)
amounts = st.builds(Amount, days, seconds)
calendar = st.dates(date(1900, 1, 1), date(2100, 12, 31))
ranges = st.builds(
    lambda low, more: ShiftRange(low, low + more, low, low + more), st.integers(1, 500), st.integers(1, 900)
)


def written(day: date) -> str:
    return f"{day.year:04d}{day.month:02d}{day.day:02d}"


def read(text: str) -> date:
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


@given(calendar, calendar, amounts)
def test_the_days_between_two_dates_stay(one: date, other: date, amount: Amount) -> None:
    try:
        moved = [read(shift(written(each), "DA", amount)) for each in (one, other)]
    except DateError:
        return
    assert moved[1] - moved[0] == other - one
    assert one - moved[0] == timedelta(days=amount.days)


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), st.timedeltas(timedelta(0), timedelta(9999)), amounts)
def test_the_time_between_two_moments_stays(one: datetime, later: timedelta, amount: Amount) -> None:
    def text(when: datetime) -> str:
        return f"{when.year:04d}{when:%m%d%H%M%S}.{when.microsecond:06d}+0100"

    try:
        moved = [shift(text(each), "DT", amount) for each in (one, one + later)]
    except DateError:
        return
    assert all(each.endswith("+0100") for each in moved)
    first, second = (datetime.strptime(each[:21], "%Y%m%d%H%M%S.%f") for each in moved)
    assert second - first == later
    assert one - first == timedelta(days=amount.days, seconds=amount.seconds)


@given(st.times(), st.times(), seconds)
def test_the_seconds_between_two_times_of_a_day_stay_around_midnight(one: object, other: object, by: int) -> None:
    texts = [f"{each:%H%M%S.%f}" for each in (one, other)]
    moved = [shift(text, "TM", Amount(0, by)) for text in texts]

    def micros(text: str) -> int:
        return ((int(text[:2]) * 60 + int(text[2:4])) * 60 + int(text[4:6])) * 10**6 + int(text[7:])

    day = 86400 * 10**6
    assert (micros(moved[1]) - micros(moved[0])) % day == (micros(texts[1]) - micros(texts[0])) % day
    assert (micros(texts[0]) - micros(moved[0])) % day == by * 10**6 % day


@given(st.one_of(dates(), moments(), times()), st.sampled_from(["DA", "DT", "TM", "AS"]), amounts)
def test_a_shift_and_its_opposite_undo_each_other(value: str, vr: str, amount: Amount) -> None:
    back = Amount(-amount.days, -amount.seconds)
    try:
        there = shift(value, vr, amount)
        again = shift(there, vr, back)
    except DateError:
        return
    if vr == "DT" and len(value.split("+", maxsplit=1)[0].split("-", maxsplit=1)[0].split(".", maxsplit=1)[0]) < 14:
        return  # What a moment does not say is lost on the way.
    assert again.replace(".", "").startswith(value.replace(".", "").replace(":", "")) or vr == "AS"


@given(st.one_of(dates(), moments()), st.sampled_from(["DA", "DT"]), st.sampled_from(DatePart))
def test_truncating_twice_is_truncating_once(value: str, vr: str, part: DatePart) -> None:
    try:
        once = truncate(value, vr, part)
    except DateError:
        return
    assert truncate(once, vr, part) == once
    assert once[:4] == value[:4]


# --- on instances ---------------------------------------------------------------------------


def date_leaves(data: bytes) -> Iterator[tuple[str, list[str]]]:
    for path, found in leaves(read_part10(data)[2]):
        if isinstance(found, Leaf) and found.vr == "DA":
            yield path, [text.strip(" \0") for text in found.value.decode("latin-1").split("\\")]


def real(texts: list[str]) -> bool:
    """All values are dates in today's form, or empty."""
    try:
        return all(written(read(text)) == text for text in texts if text)
    except ValueError:
        return False


@given(
    specimens(patient_ids=("PAT-1",)),
    specimens(patient_ids=("PAT-1",)),
    st.one_of(ranges, st.builds(Shift, days, seconds)),
)
@settings(max_examples=100)
def test_all_dates_of_a_patient_move_by_the_same_days(one: Specimen, other: Specimen, effect: DateEffect) -> None:
    chosen = program(rule(effect, vrs=DATE_VRS))
    found: set[int] = set()
    for made in (one, other):
        data = part10(made)
        outcome = both_engines(data, chosen)
        assert outcome.data is not None, outcome.reason
        moved = dict(date_leaves(outcome.data))
        for path, texts in date_leaves(data):
            if any(texts) and real(texts) and path in moved and real(moved[path]):
                found |= {(read(old) - read(new)).days for old, new in zip(texts, moved[path], strict=True)
                          if old and new != "19000101"}  # fmt: skip
    assert len(found) <= 1
    if isinstance(effect, Shift):
        assert found <= {effect.days}
    elif isinstance(effect, ShiftRange):
        assert all(effect.min_days <= amount < effect.max_days for amount in found)


@given(specimens(), date_effects())
@settings(max_examples=100)
def test_no_date_comes_through_unread(made: Specimen, effect: DateEffect) -> None:
    """A date that no one can read is gone afterwards, never kept."""
    data = part10(made)
    outcome = both_engines(data, program(rule(effect, vrs=DATE_VRS)))
    if outcome.data is None:
        assert outcome.reason is not None
        assert "shift_by_tag" in outcome.reason
        return
    after = dict(date_leaves(outcome.data))
    for path, texts in date_leaves(data):
        unreadable = [text for text in texts if text and not real([text.replace(".", "")])]
        assert not set(unreadable) & set(after.get(path, []))


@given(st.lists(calendar, min_size=2, max_size=6), st.integers(1, 3000), st.text("ABC123", min_size=1, max_size=8))
def test_the_intervals_of_a_study_are_those_of_the_patient(found: list[date], most: int, patient: str) -> None:
    texts = [written(day) for day in found]
    nested = sequence("ReferencedStudySequence", *([leaf("StudyDate", text)] for text in texts))
    made = specimen(leaf("DateOfLastCalibration", "\\".join(texts)), nested, patient_id=patient)
    outcome = both_engines(part10(made), program(rule(ShiftRange(0, most, 0, 1), vrs=DATE_VRS)))
    assert outcome.data is not None
    (_, together), *apart = sorted(date_leaves(outcome.data), key=lambda pair: -len(pair[1]))
    assert [text for _, (text,) in sorted(apart)] == together
    amount = PROJECT.scale(patient, 0, most) or (1 if most > 1 else 0)
    assert together == [written(day - timedelta(days=amount)) for day in found]


@given(st.integers(0, 5), st.integers(1, 6), st.text("AB1", min_size=1, max_size=6))
def test_no_range_that_allows_more_leaves_a_date_where_it_was(low: int, more: int, patient: str) -> None:
    assume(low + more > 1)
    made = specimen(leaf("StudyDate", "20230517"), patient_id=patient)
    outcome = both_engines(part10(made), program(rule(ShiftRange(low, low + more, 0, 1), vrs=DATE_VRS)))
    assert outcome.data is not None
    assert dict(date_leaves(outcome.data))["(0008,0020)"] != ["20230517"]


@given(specimens(), st.sampled_from(DatePart))
@settings(max_examples=50)
def test_truncated_dates_begin_their_month_or_year(made: Specimen, part: DatePart) -> None:
    outcome = both_engines(part10(made), program(rule(TruncateDate(part), vrs=DATE_VRS)))
    assert outcome.data is not None
    for _, texts in date_leaves(outcome.data):
        assert all(text.endswith("01" if part is DatePart.DAY else "0101") for text in texts if text)
