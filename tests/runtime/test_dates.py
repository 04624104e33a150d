"""Dates, times and ages: what is a value, how it moves, what is left of it (sections 2 and 6)."""

from datetime import date

import pytest

from karnak.ir.profile import DatePart
from karnak.runtime.dates import Amount, DateError, age_between, parse_date, shift, truncate

NOT_AT_ALL = Amount(0, 0)


@pytest.mark.parametrize(
    ("value", "days", "moved"),
    [
        ("20230517", 1, "20230516"),
        ("20230517", -1, "20230518"),
        ("20230517", 365, "20220517"),
        ("20240301", 1, "20240229"),
        ("20230101", 1, "20221231"),
        ("2023.05.17", 17, "20230430"),
        ("00010102", 1, "00010101"),
        ("99991230", -1, "99991231"),
    ],
)
def test_da_moves_by_days_and_is_written_in_todays_form(value: str, days: int, moved: str) -> None:
    assert shift(value, "DA", Amount(days, 86399)) == moved


@pytest.mark.parametrize(
    ("value", "seconds", "moved"),
    [
        ("101112", 12, "101100.000000"),
        ("101112.5", 1, "101111.500000"),
        ("101112.123456", -1, "101113.123456"),
        ("10", 3600, "090000.000000"),
        ("1011", 60, "101000.000000"),
        ("10:11:12", 2, "101110.000000"),
        ("000000", 1, "235959.000000"),
        ("235959", -1, "000000.000000"),
        ("000000.000001", 86400, "000000.000001"),
    ],
)
def test_tm_moves_by_seconds_and_wraps_at_midnight(value: str, seconds: int, moved: str) -> None:
    assert shift(value, "TM", Amount(500, seconds)) == moved


@pytest.mark.parametrize(
    ("value", "days", "seconds", "moved"),
    [
        ("20230517101112", 1, 12, "20230516101100"),
        ("20230517101112.5", 1, 0, "20230516101112.5"),
        ("20230517101112.123456+0100", 1, 1, "20230516101111.123456+0100"),
        ("202305171011-0530", 1, 60, "202305161010-0530"),
        ("2023051710", 0, 3600, "2023051709"),
        ("20230517+0000", 1, 0, "20230516+0000"),
        ("202305", 1, 0, "202304"),
        ("2023", 1, 0, "2022"),
        ("2023-0500", 1, 0, "2022-0500"),
        ("20230517000000", 0, 1, "20230516235959"),
    ],
)
def test_dt_moves_by_both_and_keeps_its_precision_and_its_offset(
    value: str, days: int, seconds: int, moved: str
) -> None:
    assert shift(value, "DT", Amount(days, seconds)) == moved


@pytest.mark.parametrize(
    ("value", "days", "moved"),
    [
        ("047Y", 365, "048Y"),
        ("047Y", 364, "047Y"),
        ("047Y", -365, "046Y"),
        ("047Y", -364, "047Y"),
        ("010M", 60, "012M"),
        ("010W", 15, "012W"),
        ("010D", 15, "025D"),
        ("45Y", 0, "045Y"),
        ("999D", 0, "999D"),
    ],
)
def test_as_grows_with_the_days_in_its_own_unit(value: str, days: int, moved: str) -> None:
    assert shift(value, "AS", Amount(days, 86399)) == moved


@pytest.mark.parametrize(
    ("value", "vr"),
    [
        ("", "DA"),
        ("2023", "DA"),
        ("20230230", "DA"),
        ("20231301", "DA"),
        ("00000101", "DA"),
        ("2023-05-17", "DA"),
        ("20230517 ", "DA"),
        ("20230517\n", "DA"),
        ("20230101-20231231", "DA"),
        ("\u0662\u0660\u0662\u0663\u0660\u0661\u0660\u0661", "DA"),
        ("", "TM"),
        ("240000", "TM"),
        ("101160", "TM"),
        ("1", "TM"),
        ("101112.", "TM"),
        ("101112.1234567", "TM"),
        ("", "DT"),
        ("202", "DT"),
        ("20231301", "DT"),
        ("20230517+1", "DT"),
        ("20230517101112+01:00", "DT"),
        ("", "AS"),
        ("Y", "AS"),
        ("047", "AS"),
        ("047y", "AS"),
        ("1047Y", "AS"),
        ("-47Y", "AS"),
    ],
)
def test_what_is_no_value_of_its_vr_is_refused_without_being_repeated(value: str, vr: str) -> None:
    with pytest.raises(DateError) as caught:
        shift(value, vr, NOT_AT_ALL)
    assert not value.strip() or value not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "vr", "amount"),
    [
        ("00010101", "DA", Amount(1, 0)),
        ("99991231", "DA", Amount(-1, 0)),
        ("20230517", "DA", Amount(10**9, 0)),
        ("20230517", "DA", Amount(10**400, 0)),
        ("101112", "TM", Amount(0, 10**400)),
        ("00010101000000", "DT", Amount(0, 1)),
        ("20230517101112", "DT", Amount(10**400, 0)),
        ("999Y", "AS", Amount(365, 0)),
        ("000D", "AS", Amount(-1, 0)),
        ("010D", "AS", Amount(10**400, 0)),
    ],
)
def test_what_leaves_the_calendar_is_refused(value: str, vr: str, amount: Amount) -> None:
    with pytest.raises(DateError):
        shift(value, vr, amount)


@pytest.mark.parametrize(
    ("value", "vr", "part", "left"),
    [
        ("20230517", "DA", DatePart.DAY, "20230501"),
        ("20230517", "DA", DatePart.MONTH_DAY, "20230101"),
        ("2023.05.17", "DA", DatePart.DAY, "20230501"),
        ("20230517101112.5+0100", "DT", DatePart.DAY, "20230501101112.5+0100"),
        ("20230517101112.5+0100", "DT", DatePart.MONTH_DAY, "20230101101112.5+0100"),
        ("202305", "DT", DatePart.DAY, "202305"),
        ("202305", "DT", DatePart.MONTH_DAY, "202301"),
        ("2023", "DT", DatePart.MONTH_DAY, "2023"),
        ("2023-0500", "DT", DatePart.MONTH_DAY, "2023-0500"),
    ],
)
def test_truncation_sets_parts_to_the_first_and_keeps_the_rest(value: str, vr: str, part: DatePart, left: str) -> None:
    assert truncate(value, vr, part) == left


@pytest.mark.parametrize(("value", "vr"), [("20230230", "DA"), ("may", "DA"), ("20231301", "DT"), ("2023051", "DT")])
def test_truncation_refuses_what_is_no_date(value: str, vr: str) -> None:
    with pytest.raises(DateError):
        truncate(value, vr, DatePart.DAY)


@pytest.mark.parametrize(
    ("birth", "then", "age"),
    [
        ("20230517", "20230517", "000D"),
        ("20230517", "20230816", "091D"),
        ("20230517", "20230817", "003M"),
        ("20230517", "20250516", "023M"),
        ("20230517", "20250517", "002Y"),
        ("19760517", "20230516", "046Y"),
        ("19760517", "20230517", "047Y"),
        ("20000229", "20230228", "022Y"),
        ("20000229", "20230301", "023Y"),
        ("10000101", "19991231", "999Y"),
    ],
)
def test_an_age_is_in_years_months_or_days(birth: str, then: str, age: str) -> None:
    assert age_between(parse_date(birth), parse_date(then)) == age


@pytest.mark.parametrize(("birth", "then"), [("20230518", "20230517"), ("10000101", "20000101")])
def test_there_is_no_age_before_birth_or_from_1000_years_on(birth: str, then: str) -> None:
    assert age_between(parse_date(birth), parse_date(then)) is None


def test_dates_are_read_in_both_forms() -> None:
    assert parse_date("2023.05.17") == parse_date("20230517") == date(2023, 5, 17)
