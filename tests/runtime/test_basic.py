"""The basic profile: rows, combined actions by Type, private elements, options (section 5)."""

import pytest

from karnak.ir.profile import Action
from karnak.ir.selector import ElementKey
from karnak.runtime.basic import SHIFTED, basic_action, settle
from karnak.runtime.outcome import Status
from karnak.standard.confidentiality import Option, table
from karnak.standard.iods import attribute_type
from karnak.testing.specimen import Leaf, leaf, sequence, tag_of
from tests.runtime.making import (
    CT,
    ENHANCED_CT,
    PROJECT,
    SECONDARY_CAPTURE,
    K,
    X,
    after,
    basic,
    leaves,
    raw,
    rule,
    run,
    specimen,
    value_after,
)

TABLE = table()
NO_OPTIONS: frozenset[Option] = frozenset()


def asked(name: str, vr: str, *options: Option, sop_class: str = CT, around: tuple[str, ...] = ()) -> object:
    path = tuple(ElementKey(tag_of(step)) for step in (*around, name))
    return basic_action(TABLE, frozenset(options), sop_class, path, vr)


# --- single actions and where no row speaks -------------------------------------------------


@pytest.mark.parametrize(
    ("name", "vr", "action"),
    [
        ("PatientName", "PN", Action.EMPTY),
        ("PatientID", "LO", Action.EMPTY),
        ("PatientAddress", "LO", Action.REMOVE),
        ("SOPInstanceUID", "UI", Action.UID),
        ("SeriesInstanceUID", "UI", Action.UID),
        ("PatientBirthDate", "DA", Action.EMPTY),
        ("Modality", "CS", None),
        ("Rows", "US", None),
        ("PixelData", "OW", None),
        ("50103000", "OW", Action.REMOVE),
        ("60003000", "OW", Action.REMOVE),
        ("60024000", "LT", Action.REMOVE),
        ("7776AB01", "UN", None),
    ],
)
def test_the_row_of_the_table_says_what_is_done(name: str, vr: str, action: Action | None) -> None:
    assert asked(name, vr) == action


def test_an_attribute_without_a_row_is_left_to_the_rules_after_it() -> None:
    assert value_after(leaf("Modality", "CT"), basic(), rule(X, "Modality")) is None
    assert value_after(leaf("PatientName", "A"), basic(), rule(X, "PatientName")) == b""


def test_a_rule_before_it_comes_first() -> None:
    assert value_after(leaf("PatientName", "A"), rule(K, "PatientName"), basic()) == b"A "


@pytest.mark.parametrize(
    "element",
    [
        leaf(0x00090010, "ACME", "LO"),
        leaf(0x00091001, "x", "LO"),
        leaf(0x00090001, "x", "LO"),
        leaf(0xFFFD1001, "x", "LO"),
    ],
)
def test_private_elements_go(element: Leaf) -> None:
    assert value_after(element, basic()) is None


# --- combined actions -----------------------------------------------------------------------

# A path in the IOD of CT (Enhanced CT for 1C) with each Type, and one that no IOD has.
TYPES = {
    "1": (CT, "SOPInstanceUID"),
    "1C": (ENHANCED_CT, "AcquisitionDateTime"),
    "2": (CT, "PatientName"),
    "2C": (CT, "Laterality"),
    "3": (CT, "StudyDescription"),
    None: (CT, "PatientAddress"),
}


def test_the_examples_have_the_types_that_they_stand_for() -> None:
    for wanted, (sop_class, name) in TYPES.items():
        found = attribute_type(sop_class, (tag_of(name),))
        assert (None if found is None else found.value) == wanted, name


@pytest.mark.parametrize(
    ("code", "one", "two", "three", "unknown"),
    [
        ("Z/D", "D", "Z", "Z", "D"),
        ("X/D", "D", "D", "X", "D"),
        ("X/Z", "D", "Z", "X", "Z"),
        ("X/Z/D", "D", "Z", "X", "D"),
        ("X/Z/U", "U", "Z", "X", "U"),
    ],
)
def test_combined_actions_are_settled_by_the_type(code: str, one: str, two: str, three: str, unknown: str) -> None:
    wanted = {"1": one, "1C": one, "2": two, "2C": two, "3": three, None: unknown}
    for kind, (sop_class, name) in TYPES.items():
        assert settle(code, sop_class, [ElementKey(tag_of(name))]) == Action(wanted[kind]), kind


@pytest.mark.parametrize("code", ["D", "Z", "X", "K", "U"])
def test_single_actions_are_settled_already(code: str) -> None:
    assert settle(code, None, [ElementKey(0x00100010)]) == Action(code)


@pytest.mark.parametrize("sop_class", [None, "1.2.3", ""])
@pytest.mark.parametrize(
    ("code", "strictest"), [("Z/D", "D"), ("X/D", "D"), ("X/Z", "Z"), ("X/Z/D", "D"), ("X/Z/U", "U"), ("X/Z/U*", "U")]
)
def test_an_unknown_sop_class_gets_the_strictest(sop_class: str | None, code: str, strictest: str) -> None:
    assert settle(code, sop_class, [ElementKey(tag_of("PatientName"))]) == Action(strictest)


def test_the_same_attribute_is_settled_by_the_iod_of_the_instance() -> None:
    # ContentDate has Z/D: Type 1 in Secondary Capture's sisters of multiple frames, Type 2C in CT.
    seen = {sop: attribute_type(sop, (tag_of("AcquisitionDateTime"),)) for sop in (CT, ENHANCED_CT)}
    assert seen[CT] != seen[ENHANCED_CT]
    element = leaf("AcquisitionDateTime", "20230517101112")
    assert value_after(element, basic(), sop_class=CT) is None
    kept = value_after(element, basic(), sop_class=ENHANCED_CT)
    assert kept
    assert kept != element.value


def test_nested_attributes_are_settled_at_their_place() -> None:
    # Z/D: Type 2 at the root, Type 1 in OtherPatientIDsSequence.
    assert asked("PatientID", "LO") == Action.EMPTY
    assert asked("PatientID", "LO", around=("OtherPatientIDsSequence",)) == Action.DUMMY
    made = specimen(sequence("SourceImageSequence", [leaf("PatientID", "OTHER")]), sop_class="1.2.3.99")
    assert leaves(after(made, basic()))["00082112[0]/00100020"] == b"UNKNOWN "


def test_an_attribute_at_a_place_that_the_iod_does_not_have_is_unknown() -> None:
    path = ("SourceImageSequence", "PatientID")
    assert attribute_type(CT, tuple(map(tag_of, path))) is None
    assert asked("PatientID", "LO", around=("SourceImageSequence",)) == Action.DUMMY


def test_a_reference_that_must_stay_has_new_uids_and_keeps_its_class() -> None:
    # ReferencedImageSequence has X/Z/U*; nothing is known of it in a class that the tables do not have.
    reference = [leaf("ReferencedSOPClassUID", CT), leaf("ReferencedSOPInstanceUID", "1.2.9"), leaf("Modality", "CT")]
    found = leaves(after(specimen(sequence("ReferencedImageSequence", reference), sop_class="1.2.3.99"), basic()))
    assert found["00081140[0]/00081150"] == CT.encode() + b"\0"
    assert found["00081140[0]/00081155"].strip(b"\0") == PROJECT.uid("1.2.9").encode()
    # Its items have rows of their own: what has none is not turned into a UID.
    assert found["00081140[0]/00080060"] == b"CT"


def test_rules_after_the_basic_profile_do_not_reach_into_a_reference_that_it_kept() -> None:
    reference = [leaf("ReferencedSOPInstanceUID", "1.2.9"), leaf("Modality", "CT")]
    made = specimen(sequence("ReferencedImageSequence", reference), sop_class="1.2.3.99")
    assert leaves(after(made, basic(), rule(X, "Modality")))["00081140[0]/00080060"] == b"CT"


# --- options --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "vr", "option"),
    [
        ("SOPInstanceUID", "UI", Option.RETAIN_UIDS),
        ("StationName", "SH", Option.RETAIN_DEVICE_IDENTITY),
        ("InstitutionName", "LO", Option.RETAIN_INSTITUTION_IDENTITY),
        ("PatientSex", "CS", Option.RETAIN_PATIENT_CHARACTERISTICS),
        ("StudyDate", "DA", Option.RETAIN_FULL_DATES),
    ],
)
def test_options_that_retain_keep_what_their_column_says(name: str, vr: str, option: Option) -> None:
    assert asked(name, vr) not in (Action.KEEP, None)
    assert asked(name, vr, option) == Action.KEEP
    row = TABLE.row(tag_of(name))
    assert row is not None
    others = [other for other in Option if other not in row.options]
    assert asked(name, vr, *others) == asked(name, vr)


@pytest.mark.parametrize(
    ("name", "vr", "option"),
    [
        ("StudyDescription", "LO", Option.CLEAN_DESCRIPTORS),
        ("ContentSequence", "SQ", Option.CLEAN_STRUCTURED_CONTENT),
        ("GraphicAnnotationSequence", "SQ", Option.CLEAN_GRAPHICS),
        ("AdditionalPatientHistory", "LT", Option.CLEAN_DESCRIPTORS),
    ],
)
def test_what_cannot_be_cleaned_is_treated_as_without_the_option(name: str, vr: str, option: Option) -> None:
    row = TABLE.row(tag_of(name))
    assert row is not None
    assert row.options[option] == "C"
    assert asked(name, vr, option) == asked(name, vr)


def test_modified_dates_move_dates_and_times() -> None:
    option = Option.RETAIN_MODIFIED_DATES
    assert asked("StudyDate", "DA", option) is SHIFTED
    assert asked("StudyTime", "TM", option) is SHIFTED
    assert asked("AcquisitionDateTime", "DT", option) is SHIFTED
    # PatientBirthDate has no mark in that column.
    assert asked("PatientBirthDate", "DA", option) == Action.EMPTY
    made = leaf("StudyDate", "20230517")
    assert value_after(made, basic(option)) not in (None, b"", made.value)


def test_safe_private_elements_are_kept_by_their_option_and_by_their_creator() -> None:
    made = specimen(
        leaf(0x00190010, "SIEMENS MR HEADER", "LO"),
        leaf(0x00190011, "ACME", "LO"),
        leaf(0x0019100C, "1000", "IS"),
        leaf(0x0019100F, "x", "LO"),
        leaf(0x0019110C, "1000", "IS"),
    )
    private = {path for path in leaves(after(made, basic(Option.RETAIN_SAFE_PRIVATE))) if path.startswith("0019")}
    assert private == {"00190010", "0019100C"}
    assert not any(path.startswith("0019") for path in leaves(after(made, basic())))


def test_a_safe_element_is_found_in_whatever_block_its_creator_has() -> None:
    made = specimen(leaf(0x001900E0, "SIEMENS MR HEADER", "LO"), leaf(0x0019E00C, "1000", "IS"))
    assert raw(after(made, basic(Option.RETAIN_SAFE_PRIVATE)), 0x0019E00C) == b"1000"


def test_a_private_element_without_a_creator_is_never_safe() -> None:
    made = specimen(leaf(0x0019100C, "1000", "IS"))
    assert raw(after(made, basic(Option.RETAIN_SAFE_PRIVATE)), 0x0019100C) is None


# --- editions -------------------------------------------------------------------------------


def test_the_edition_of_the_program_is_asked() -> None:
    differing = next(
        row
        for row in table("2026c").rows
        if row.mask == 0xFFFFFFFF and row.basic == "X" and table("2024e").row(row.tag) is None
    )
    made = specimen(Leaf(differing.tag, "UN", b"seen"))
    for edition, present in (("2026c", False), ("2024e", True)):
        outcome = run(made, basic(), edition=edition)
        assert outcome.status is Status.FORWARDED
        assert outcome.data is not None
        assert (b"seen" in outcome.data) is present


def test_nothing_is_asked_without_the_rule() -> None:
    assert value_after(leaf("PatientName", "A"), sop_class=SECONDARY_CAPTURE) == b"A "
