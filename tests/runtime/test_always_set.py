"""What de-identification always sets, what it claims, and that tag morphing does neither (section 6)."""

from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO

import pydicom
import pytest
from pydicom import FileDataset

from karnak.ir.expression import BOOL, NULL, Conditional, Kind, Literal, Type
from karnak.ir.profile import AddElement, DatePart, Effect, Evaluate, Profile, Rule, Shift, TruncateDate
from karnak.runtime.deidentify import Mode, deidentify
from karnak.runtime.keys import Project
from karnak.runtime.outcome import Outcome
from karnak.runtime.program import Program
from karnak.standard.confidentiality import Option
from karnak.testing.expressions import call
from karnak.testing.specimen import BIG_ENDIAN, IMPLICIT, Leaf, Specimen, leaf, part10, sequence, tag_of
from karnak.version import VERSION
from tests.runtime.making import (
    NOW,
    PROJECT,
    D,
    K,
    U,
    X,
    Z,
    adding,
    basic,
    both_engines,
    leaves,
    output,
    program,
    raw,
    rejection,
    rule,
    run,
    specimen,
    without,
)

ALWAYS = {
    "00080012": b"20260304",
    "00080013": b"050607.000089 ",
    "00100010": b"P-001 ",
    "00120010": b"TRIAL-1 ",
    "00120020": b"Research",
    "00120021": b"",
    "00120030": b"",
    "00120031": b"",
    "00120040": b"P-001 ",
    "00120062": b"YES ",
}


def deidentified(made: Specimen, *rules: Rule) -> FileDataset:
    return output(run(made, *rules, mode="deid"))


def codes(made: Specimen, *rules: Rule) -> list[str]:
    """The code values of DeidentificationMethodCodeSequence."""
    found = deidentified(made, *rules)
    return [item.CodeValue for item in found.get("DeidentificationMethodCodeSequence", [])]


def temporal(made: Specimen, *rules: Rule) -> str:
    return str(deidentified(made, *rules).LongitudinalTemporalInformationModified)


# --- what is set ----------------------------------------------------------------------------


def test_the_attributes_are_set() -> None:
    found = leaves(deidentified(specimen()))
    assert {tag: found[tag] for tag in ALWAYS} == ALWAYS
    assert found["00100020"].decode().strip() == PROJECT.patient_id("P-001")
    assert found["00120063"].decode().strip() == f"Karnak {VERSION}\\Research 1.2\\{program().digest}"


def test_the_attributes_are_set_whatever_the_instance_and_its_rules_say() -> None:
    made = specimen(
        *(Leaf(int(tag, 16), "LO", b"mine") for tag in ALWAYS), leaf("DeidentificationMethod", "mine"),
        leaf("LongitudinalTemporalInformationModified", "MODIFIED"),
    )  # fmt: skip
    rules = [rule(K), rule(X, "0010XXXX"), adding(AddElement(0x00100010, "PN", "ADDED"))]
    found = leaves(deidentified(made, *rules))
    assert {tag: found[tag] for tag in ALWAYS} == ALWAYS
    assert b"mine" not in b"".join(found.values())


def test_even_removed_attributes_are_set() -> None:
    found = leaves(deidentified(specimen(leaf("PatientName", "A")), rule(K, "SOPInstanceUID", "SOPClassUID"), rule(X)))
    assert {tag: found[tag] for tag in ALWAYS} == ALWAYS


def test_the_vrs_are_those_of_the_dictionary() -> None:
    found = deidentified(specimen(Leaf(tag_of("PatientName"), "UN", b"A ")))
    vrs = {name: found.get_item(tag_of(name)).VR for name in ("PatientName", "PatientID", "PatientIdentityRemoved")}
    assert vrs == {"PatientName": "PN", "PatientID": "LO", "PatientIdentityRemoved": "CS"}
    assert found.get_item(tag_of("InstanceCreationTime")).VR == "TM"


@pytest.mark.parametrize("name", ["00120042", "00120081", "00120082"])
@pytest.mark.parametrize("effect", [K, D])
def test_reading_id_and_ethics_committee_are_removed(name: str, effect: Effect) -> None:
    made = specimen(leaf(name, "mine"))
    assert name not in leaves(deidentified(made, rule(effect, name)))


def test_nested_ones_are_left_to_the_rules() -> None:
    made = specimen(sequence("RequestAttributesSequence", [leaf("PatientName", "DOE"), leaf("00120042", "7")]))
    found = leaves(deidentified(made))
    assert found["00400275[0]/00100010"] == b"DOE "
    assert found["00400275[0]/00120042"] == b"7 "


def test_everything_that_was_set_is_noted() -> None:
    outcome = run(specimen(), mode="deid")
    assert {change.path for change in outcome.changes if change.action == "set"} == {
        *(f"({tag[:4]},{tag[4:]})" for tag in ALWAYS), "(0010,0020)", "(0012,0063)", "(0028,0303)"
    }  # fmt: skip
    claimed = run(specimen(), basic(), mode="deid")
    assert "(0012,0064)" in {change.path for change in claimed.changes if change.action == "set"}


def test_the_clock_is_an_argument_and_utc() -> None:
    ahead = datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    found = output(run(specimen(), mode="deid", now=ahead))
    assert raw(found, "InstanceCreationDate") == b"20251231"
    assert raw(found, "InstanceCreationTime") == b"223000.000000 "


def test_a_clock_without_a_zone_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="zone"):
        run(specimen(), now=datetime(2026, 1, 1))


@pytest.mark.parametrize("syntax", [IMPLICIT, BIG_ENDIAN])
def test_the_attributes_are_set_in_every_encoding(syntax: str) -> None:
    found = output(run(Specimen(specimen().elements, syntax), basic(), mode="deid"))
    assert {tag: leaves(found)[tag] for tag in ALWAYS} == ALWAYS
    assert found.DeidentificationMethodCodeSequence[0].CodeValue == "113100"


def test_elements_are_in_order() -> None:
    found = deidentified(specimen(leaf("PixelData", b"\0\0", "OW")))
    assert list(found.keys()) == sorted(found.keys())


# --- the pseudonym --------------------------------------------------------------------------


@pytest.mark.parametrize("pseudonym", [None, "", "  "])
def test_without_a_pseudonym_the_instance_is_rejected(pseudonym: str | None) -> None:
    assert rejection(run(specimen(), mode="deid", pseudonym=pseudonym)) == "there is no pseudonym for this patient"


@pytest.mark.parametrize("pseudonym", ["A\\B", "A\nB", "A\x1b(B", "\x7f", "x" * 65])
def test_a_pseudonym_that_is_no_value_is_refused_and_not_repeated(pseudonym: str) -> None:
    reason = rejection(run(specimen(), mode="deid", pseudonym=pseudonym))
    assert "the pseudonym" in reason
    assert pseudonym not in reason


def test_a_pseudonym_is_written_in_the_character_set_of_the_instance_or_not_at_all() -> None:
    french = specimen(leaf("SpecificCharacterSet", "ISO_IR 100"))
    assert raw(output(run(french, mode="deid", pseudonym="J\u00e9r\u00f4me")), "PatientName") == b"J\xe9r\xf4me"
    reason = rejection(run(specimen(), mode="deid", pseudonym="J\u00e9r\u00f4me"))
    assert "J" not in reason.replace("PatientID", "")
    japanese = rejection(run(french, mode="deid", pseudonym="\u5c71\u7530"))
    assert "cannot write" in japanese


def test_without_the_character_set_that_a_rule_removed_only_ascii_can_be_written() -> None:
    french = specimen(leaf("SpecificCharacterSet", "ISO_IR 100"))
    assert "cannot write" in rejection(run(french, rule(X, "SpecificCharacterSet"), mode="deid", pseudonym="J\u00e9"))


@pytest.mark.parametrize("name", ["A\\B", "x" * 65, "\n"])
def test_a_project_name_that_is_no_value_is_refused(name: str) -> None:
    project = Project(name, bytes(16))
    assert "the project's name" in rejection(run(specimen(), mode="deid", project=project))


def test_patients_of_one_pseudonym_are_one_patient() -> None:
    one, other = (output(run(specimen(patient_id=patient), mode="deid")) for patient in ("PAT-1", "PAT-2"))
    assert raw(one, "PatientID") == raw(other, "PatientID")


# --- no PatientID ---------------------------------------------------------------------------


@pytest.mark.parametrize("value", [b"", b"   ", b"\0\0", b"\\PAT-1 "])
@pytest.mark.parametrize("mode", ["deid", "morph"])
def test_without_a_patient_id_the_instance_is_rejected(value: bytes, mode: Mode) -> None:
    made = specimen(Leaf(tag_of("PatientID"), "LO", value))
    assert rejection(run(made, mode=mode)) == "the instance has no PatientID (0010,0020)"


def test_without_the_element_too() -> None:
    assert "(0010,0020)" in rejection(run(without(specimen(), "PatientID"), mode="deid"))


# --- claims ---------------------------------------------------------------------------------

DATED = leaf("SeriesDate", "20230517")
TRUE, FALSE = Literal(True, BOOL), Literal(False, BOOL)
NO_DECISION, MAYBE = Literal(None, NULL), Type(Kind.ACTION, nullable=True)
SAFE = (leaf(0x00190010, "SIEMENS MR HEADER", "LO"), leaf(0x0019100C, "1000", "IS"))
UNSAFE = leaf(0x0019100F, "x", "LO")


def test_nothing_is_claimed_where_nothing_was_done() -> None:
    assert codes(specimen(), rule(K, "PatientID")) == []
    assert 0x00120064 not in deidentified(specimen())


def test_the_claims_of_others_are_not_passed_on() -> None:
    mine = sequence("DeidentificationMethodCodeSequence", [leaf("CodeValue", "113101")])
    assert codes(specimen(mine), rule(K)) == []
    assert codes(specimen(mine), basic()) == ["113100"]


def test_the_basic_profile_is_claimed_with_its_code() -> None:
    found = deidentified(specimen(), basic())
    (item,) = found.DeidentificationMethodCodeSequence
    assert (item.CodeValue, item.CodingSchemeDesignator) == ("113100", "DCM")
    assert item.CodeMeaning == "Basic Application Confidentiality Profile"


def test_a_basic_profile_that_does_not_apply_is_not_claimed() -> None:
    assert codes(specimen(), basic(when=FALSE)) == []
    assert codes(specimen(), basic(Option.RETAIN_UIDS, when=FALSE)) == []
    assert codes(specimen(), basic(when=TRUE)) == ["113100"]


@pytest.mark.parametrize(
    ("option", "code"),
    [
        (Option.CLEAN_GRAPHICS, "113103"),
        (Option.CLEAN_STRUCTURED_CONTENT, "113104"),
        (Option.CLEAN_DESCRIPTORS, "113105"),
        (Option.RETAIN_FULL_DATES, "113106"),
        (Option.RETAIN_MODIFIED_DATES, "113107"),
        (Option.RETAIN_PATIENT_CHARACTERISTICS, "113108"),
        (Option.RETAIN_DEVICE_IDENTITY, "113109"),
        (Option.RETAIN_UIDS, "113110"),
        (Option.RETAIN_SAFE_PRIVATE, "113111"),
        (Option.RETAIN_INSTITUTION_IDENTITY, "113112"),
    ],
)
def test_options_that_apply_are_claimed(option: Option, code: str) -> None:
    assert codes(specimen(), basic(option)) == ["113100", code]


def test_codes_are_in_ascending_order() -> None:
    assert codes(specimen(), basic(*Option)) == sorted(codes(specimen(), basic(*Option)))


def test_moved_dates_are_claimed_only_where_some_moved() -> None:
    shift = rule(Shift(10, 10))
    assert codes(specimen(DATED), shift) == ["113107"]
    assert codes(specimen(DATED), rule(TruncateDate(DatePart.DAY))) == ["113107"]
    assert codes(specimen(), shift) == []
    assert codes(specimen(DATED), rule(K, "SeriesDate"), shift) == []
    # A date that could not be parsed was removed, not moved.
    assert codes(specimen(leaf("SeriesDate", "never")), shift) == []


def test_nested_dates_count() -> None:
    assert codes(specimen(sequence("ReferencedStudySequence", [DATED])), rule(Shift(10, 10))) == ["113107"]


def test_safe_private_elements_are_claimed_only_where_all_that_stay_are_safe() -> None:
    keep = rule(K, private=True)
    assert codes(specimen(*SAFE), keep) == ["113111"]
    assert codes(specimen(*SAFE, UNSAFE), keep) == []
    assert codes(specimen(), keep) == []
    option = basic(Option.RETAIN_SAFE_PRIVATE)
    assert codes(specimen(*SAFE, UNSAFE), option) == ["113100", "113111"]
    assert codes(specimen(*SAFE, UNSAFE), rule(K, "0019100F"), option) == ["113100"]


def test_unsafe_private_elements_that_no_rule_speaks_of_forbid_the_claim() -> None:
    assert codes(specimen(*SAFE, UNSAFE), rule(K, "0019100C")) == []
    assert codes(specimen(*SAFE, UNSAFE), rule(K, "0019100C"), rule(X, "0019100F")) == ["113111"]
    undecided = rule(Evaluate(Conditional(TRUE, NO_DECISION, call("Remove"), MAYBE)), "0019100F")
    assert codes(specimen(*SAFE, UNSAFE), rule(K, "0019100C"), undecided) == []


# --- LongitudinalTemporalInformationModified ------------------------------------------------


def test_dates_that_moved_make_it_modified() -> None:
    assert (
        temporal(specimen(DATED, leaf("StudyDate", "20230517")), rule(X, "StudyDate"), rule(Shift(1, 1))) == "MODIFIED"
    )


@pytest.mark.parametrize("effect", [X, Z, D])
def test_dates_that_went_make_it_removed(effect: Effect) -> None:
    assert temporal(specimen(DATED), rule(effect, "SeriesDate")) == "REMOVED"


def test_dates_that_stayed_make_it_unmodified() -> None:
    assert temporal(specimen(DATED), rule(K, "SeriesDate")) == "UNMODIFIED"
    assert temporal(specimen(DATED)) == "UNMODIFIED"
    assert temporal(specimen(leaf("StudyID", "7")), rule(X, "StudyID")) == "UNMODIFIED"


# --- tag morphing ---------------------------------------------------------------------------


def test_tag_morphing_sets_nothing_and_needs_no_pseudonym() -> None:
    made = specimen(leaf("StudyID", "7"), leaf("00120042", "mine"))
    outcome = both_engines(part10(made), program(rule(X, "StudyID")), pseudonym=None, mode="morph")
    found = leaves(output(outcome))
    assert found == {path: value for path, value in leaves(output(run(made))).items() if path != "00200010"}
    assert not any(change.action == "set" for change in outcome.changes)
    assert found["00100020"] == b"PAT-1 "
    assert found["00120042"] == b"mine"


def test_tag_morphing_runs_the_same_rules() -> None:
    made = specimen(leaf("StudyID", "7"), DATED)
    rules = [rule(U, "StudyInstanceUID"), rule(Z, "StudyID"), rule(Shift(10, 0))]
    morphed = leaves(output(run(made, *rules)))
    deidentified_ = leaves(output(run(made, *rules, mode="deid")))
    for tag in ("00080021", "0020000D", "00200010"):
        assert morphed[tag] == deidentified_[tag]


def test_both_modes_are_deterministic() -> None:
    made = specimen(DATED)
    outcomes: list[Outcome] = [run(made, basic(), mode="deid") for _ in range(2)]
    assert outcomes[0].data == outcomes[1].data
    later = run(made, basic(), mode="deid", now=datetime(2027, 1, 1, tzinfo=UTC))
    ignored = {"00080012", "00080013"}
    one, other = leaves(output(outcomes[0])), leaves(output(later))
    assert {k: v for k, v in one.items() if k not in ignored} == {k: v for k, v in other.items() if k not in ignored}
    assert NOW.year == 2026


# --- DeidentificationMethod -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Research", "Researches"[:-1]])
def test_the_digest_in_the_method_is_whole_and_never_padded(name: str) -> None:
    chosen = Program(Profile(name, "1", "", "", (basic(),)))
    made = deidentify(part10(specimen()), chosen, PROJECT, pseudonym="P", now=NOW)
    assert made.data is not None
    value = raw(pydicom.dcmread(BytesIO(made.data)), "DeidentificationMethod")
    assert value is not None
    product, profile, digest = value.split(b"\\")
    assert product.rstrip(b" ").startswith(b"Karnak ")
    assert (profile, digest) == (f"{name} 1".encode(), chosen.digest.encode())
