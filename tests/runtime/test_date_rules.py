"""Rules on dates: which elements, which amounts, what cannot be parsed (section 2)."""

import pytest

from karnak.ir.expression import Expression
from karnak.ir.profile import DATE_VRS, DatePart, Evaluate, Rule, Shift, ShiftByTag, ShiftRange, TruncateDate
from karnak.runtime.dates import Amount, shift
from karnak.runtime.outcome import Status
from karnak.testing.expressions import call, number
from karnak.testing.specimen import IMPLICIT, Leaf, Specimen, leaf, sequence, tag_of
from tests.runtime.making import (
    CT,
    PROJECT,
    K,
    X,
    after,
    leaves,
    output,
    raw,
    rejection,
    rule,
    run,
    specimen,
    value_after,
    without,
)

SERIES_NUMBER, INSTANCE_NUMBER = tag_of("SeriesNumber"), tag_of("InstanceNumber")
TEN_DAYS = Shift(10, 60)


def dates(effect: Shift | ShiftRange | ShiftByTag | TruncateDate, *tags: str) -> Rule:
    return rule(effect, *tags, vrs=DATE_VRS)


DATED = specimen(
    leaf("StudyDate", "20230517"),
    leaf("AcquisitionDateTime", "20230517101112.5+0100"),
    leaf("StudyTime", "101112"),
    leaf("PatientAge", "047Y"),
    leaf("StudyID", "20230517"),
)


def test_only_dates_times_and_ages_move() -> None:
    found = after(DATED, dates(Shift(365, 60)))
    assert raw(found, "StudyDate") == b"20220517"
    assert raw(found, "AcquisitionDateTime") == b"20220517101012.5+0100 "
    assert raw(found, "StudyTime") == b"101012.000000 "
    assert raw(found, "PatientAge") == b"048Y"
    assert raw(found, "StudyID") == b"20230517"


def test_a_date_rule_leaves_other_elements_to_the_rules_after_it() -> None:
    # Even where its selector is not narrowed, it says nothing of a text.
    assert value_after(leaf("StudyID", "20230517"), rule(TEN_DAYS, "StudyID"), rule(X, "StudyID")) is None


def test_every_value_moves_and_empty_ones_stay_empty() -> None:
    made = leaf("DateOfLastCalibration", "20230517\\\\20230101")
    assert value_after(made, dates(TEN_DAYS)) == b"20230507\\\\20221222"


def test_an_empty_element_stays_empty() -> None:
    assert value_after(leaf("StudyDate", ""), dates(TEN_DAYS)) == b""
    assert value_after(leaf("StudyDate", "        "), dates(TEN_DAYS)) == b""


def test_nested_dates_move_by_their_own_value() -> None:
    made = specimen(leaf("StudyDate", "20230517"), sequence("ReferencedStudySequence", [leaf("StudyDate", "20200110")]))
    found = leaves(after(made, dates(TEN_DAYS)))
    assert found["00080020"] == b"20230507"
    assert found["00081110[0]/00080020"] == b"20191231"


def test_a_date_that_was_sent_as_unknown_is_a_date() -> None:
    assert value_after(Leaf(tag_of("StudyDate"), "UN", b"20230517"), dates(TEN_DAYS)) == b"20230507"


def test_implicit_dates_move() -> None:
    implicit = Specimen(DATED.elements, IMPLICIT)
    assert raw(output(run(implicit, dates(TEN_DAYS))), "StudyDate") == b"20230507"


# --- shift_range ----------------------------------------------------------------------------


def test_a_range_draws_both_amounts_from_the_patient_id() -> None:
    amount = Amount(PROJECT.scale("PAT-1", 100, 200), PROJECT.scale("PAT-1", 10, 1000))
    found = after(DATED, dates(ShiftRange(100, 200, 10, 1000)))
    assert raw(found, "StudyDate") == shift("20230517", "DA", amount).encode()
    assert raw(found, "StudyTime") == shift("101112", "TM", amount).encode() + b" "


def test_patients_move_by_different_amounts_and_all_of_one_by_the_same() -> None:
    effect = dates(ShiftRange(0, 3650, 0, 86400))
    moved = {patient: raw(after(specimen(leaf("StudyDate", "20230517"), patient_id=patient), effect), "StudyDate")
             for patient in ("PAT-1", "PAT-2", "PAT-3")}  # fmt: skip
    assert len(set(moved.values())) == 3
    again = specimen(leaf("StudyDate", "20230517"), leaf("Modality", "MR"), patient_id="PAT-2", sop_class="1.2.3")
    assert raw(after(again, effect), "StudyDate") == moved["PAT-2"]


@pytest.mark.parametrize("padded", [b"PAT-1", b"PAT-1 ", b" PAT-1", b"PAT-1\0", b"PAT-1\\OTHER"])
def test_the_amount_is_that_of_the_first_patient_id_without_padding(padded: bytes) -> None:
    effect = dates(ShiftRange(100, 200, 10, 1000))
    made = specimen(leaf("StudyDate", "20230517"), Leaf(tag_of("PatientID"), "LO", padded))
    assert raw(after(made, effect), "StudyDate") == raw(after(DATED, effect), "StudyDate")


def test_an_amount_of_zero_becomes_one_where_the_range_allows_more() -> None:
    # Of these patients some would get a shift of 0 days in a range of two.
    zeros = [f"P{n}" for n in range(40) if PROJECT.scale(f"P{n}", 0, 2) == 0]
    assert zeros
    for patient in zeros[:3]:
        made = specimen(leaf("StudyDate", "20230517"), leaf("StudyTime", "101112"), patient_id=patient)
        found = after(made, dates(ShiftRange(0, 2, 0, 2)))
        assert raw(found, "StudyDate") == b"20230516"
        assert raw(found, "StudyTime") == b"101111.000000 "


def test_a_range_of_nothing_but_zero_moves_nothing() -> None:
    assert raw(after(DATED, dates(ShiftRange(0, 1, 0, 1))), "StudyDate") == b"20230517"
    assert raw(after(DATED, dates(ShiftRange(0, 0, 5, 6))), "StudyDate") == b"20230517"


# --- shift_by_tag ---------------------------------------------------------------------------


def test_amounts_are_read_from_the_instance() -> None:
    made = Specimen(specimen(*DATED.elements, leaf("SeriesNumber", "10"), leaf("InstanceNumber", "-60")).elements)
    found = after(made, dates(ShiftByTag(SERIES_NUMBER, INSTANCE_NUMBER)))
    assert raw(found, "StudyDate") == b"20230507"
    assert raw(found, "StudyTime") == b"101212.000000 "


def test_an_amount_that_the_rule_does_not_name_is_zero() -> None:
    made = Specimen(specimen(*DATED.elements, leaf("SeriesNumber", "10")).elements)
    found = after(made, dates(ShiftByTag(None, SERIES_NUMBER)))
    assert raw(found, "StudyDate") == b"20230517"
    assert raw(found, "StudyTime") == b"101102.000000 "


def test_amounts_are_read_from_binary_numbers_too() -> None:
    made = Specimen(specimen(*DATED.elements, leaf("Rows", 10)).elements)
    assert raw(after(made, dates(ShiftByTag(tag_of("Rows"), None))), "StudyDate") == b"20230507"


@pytest.mark.parametrize("value", [b"", b"ten ", b"1.5 ", b"1\\2 ", b"1_0 ", b"\xb2 "])
def test_without_a_whole_number_the_instance_is_rejected(value: bytes) -> None:
    made = specimen(*DATED.elements, Leaf(SERIES_NUMBER, "IS", value))
    reason = rejection(run(made, dates(ShiftByTag(SERIES_NUMBER, None))))
    assert "shift_by_tag finds no whole number in (0020,0011)" in reason


def test_without_the_element_the_instance_is_rejected() -> None:
    assert "(0020,0011)" in rejection(run(DATED, dates(ShiftByTag(SERIES_NUMBER, None))))


def test_an_instance_without_dates_needs_no_amount() -> None:
    assert run(specimen(), dates(ShiftByTag(SERIES_NUMBER, None))).status is Status.FORWARDED


def test_the_amount_is_read_from_the_original_root() -> None:
    made = specimen(
        *DATED.elements, leaf("SeriesNumber", "10"), sequence("ReferencedStudySequence", [leaf("SeriesNumber", "99")])
    )
    found = after(made, rule(X, "SeriesNumber"), dates(ShiftByTag(SERIES_NUMBER, None)))
    assert raw(found, "StudyDate") == b"20230507"


# --- date_format ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "date", "moment"),
    [
        (DatePart.DAY, b"20230501", b"20230501101112.5+0100 "),
        (DatePart.MONTH_DAY, b"20230101", b"20230101101112.5+0100 "),
    ],
)
def test_dates_lose_their_parts(part: DatePart, date: bytes, moment: bytes) -> None:
    found = after(DATED, dates(TruncateDate(part)))
    assert raw(found, "StudyDate") == date
    assert raw(found, "AcquisitionDateTime") == moment


def test_times_and_ages_are_left_to_the_rules_after_date_format() -> None:
    found = after(DATED, dates(TruncateDate(DatePart.DAY)), rule(X, vrs=["TM", "AS"]))
    assert raw(found, "StudyTime") is None
    assert raw(found, "PatientAge") is None


# --- what cannot be parsed ------------------------------------------------------------------

# Type 2, 3 and unknown in CT; Type 1 in Enhanced CT.
BROKEN = [
    ("StudyDate", CT, b""),
    ("SeriesDate", CT, None),
    ("DateOfLastCalibration", "1.2.3.99", b"19000101"),
    ("ContentDate", "1.2.840.10008.5.1.4.1.1.2.1", b"19000101"),
]


@pytest.mark.parametrize(("name", "sop_class", "left"), BROKEN)
@pytest.mark.parametrize("effect", [TEN_DAYS, ShiftRange(1, 9, 1, 9), TruncateDate(DatePart.DAY)])
@pytest.mark.parametrize("value", ["20231345", "yesterday", "20230101-20231231", "20230517\\x"])
def test_a_date_that_cannot_be_parsed_is_settled_by_its_type(
    name: str, sop_class: str, left: bytes | None, effect: Shift, value: str
) -> None:
    assert value_after(leaf(name, value), dates(effect), sop_class=sop_class) == left


@pytest.mark.parametrize(
    ("name", "value", "left"),
    [
        ("ContentTime", "noon", b"000000"),
        ("AcquisitionDateTime", "then", b"19000101"),
        ("PatientAge", "old", b"000Y"),
    ],
)
def test_a_dummy_stands_for_what_must_have_a_value(name: str, value: str, left: bytes) -> None:
    assert value_after(leaf(name, value), dates(TEN_DAYS), sop_class="1.2.3.99") == left


def test_what_was_done_instead_is_what_is_noted() -> None:
    outcome = run(specimen(leaf("SeriesDate", "never")), dates(TEN_DAYS))
    assert [(change.path, change.action) for change in outcome.changes] == [("(0008,0021)", "remove")]


def test_a_date_that_leaves_the_calendar_is_settled_by_its_type_too() -> None:
    assert value_after(leaf("StudyDate", "00010105"), dates(TEN_DAYS)) == b""
    assert value_after(leaf("SeriesDate", "00010105"), dates(TEN_DAYS)) is None


def test_an_amount_beyond_the_calendar_leaves_no_real_date() -> None:
    made = specimen(*DATED.elements, leaf("SeriesNumber", "99999999999"))
    found = after(made, dates(ShiftByTag(SERIES_NUMBER, None)))
    assert raw(found, "StudyDate") == b""
    assert not raw(found, "PatientAge")


# --- ShiftDate() in expressions -------------------------------------------------------------


def shifting(days: Expression, seconds: Expression) -> Evaluate:
    return Evaluate(call("ShiftDate", days, seconds))


def test_an_expression_moves_dates() -> None:
    assert value_after(leaf("StudyDate", "20230517"), rule(shifting(number(10), number(0)), "StudyDate")) == b"20230507"


def test_an_expression_that_moves_what_is_no_date_rejects() -> None:
    assert "(0020,0010)" in rejection(
        run(specimen(leaf("StudyID", "7")), rule(shifting(number(1), number(0)), "StudyID"))
    )


def test_a_kept_date_is_kept() -> None:
    assert value_after(leaf("StudyDate", "20230517"), rule(K, "StudyDate"), dates(TEN_DAYS)) == b"20230517"


def test_without_a_patient_id_no_date_moves_and_nothing_leaves() -> None:
    assert "(0010,0020)" in rejection(run(without(DATED, "PatientID"), dates(ShiftRange(1, 9, 1, 9))))
