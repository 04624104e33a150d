"""Additions: at the root, if absent, as the IOD and the private blocks allow (sections 2 and 3.4)."""

import pytest

from karnak.ir.expression import VR as VR_TYPE
from karnak.ir.expression import Literal
from karnak.ir.profile import AddElement, AddPrivateElement, Evaluate, Rule
from karnak.runtime.outcome import Change, Outcome
from karnak.testing.expressions import call, tag, text
from karnak.testing.specimen import BIG_ENDIAN, IMPLICIT, Leaf, Specimen, leaf, sequence
from tests.runtime.making import ENHANCED_CT, K, X, adding, after, leaves, output, raw, rejection, rule, run, specimen

COMMENTS = 0x00104000


def standard(value: str = "seen", tag_number: int = COMMENTS, vr: str = "LT") -> Rule:
    return adding(AddElement(tag_number, vr, value))


def private(value: str = "x", number: int = 0x00291105, vr: str = "LO", creator: str | None = "ACME") -> Rule:
    return adding(AddPrivateElement(number, vr, value, creator))


# --- standard elements ----------------------------------------------------------------------


def test_an_element_is_added_and_noted() -> None:
    outcome = run(specimen(), standard())
    assert raw(output(outcome), COMMENTS) == b"seen"
    assert outcome.changes == (Change("(0010,4000)", "add", "the addition", 9),)
    assert outcome.warnings == ()


@pytest.mark.parametrize("value", [b"", b"mine"])
def test_an_element_that_is_there_stays_also_when_empty(value: bytes) -> None:
    outcome = run(specimen(Leaf(COMMENTS, "LT", value)), standard())
    assert raw(output(outcome), COMMENTS) == value
    assert (outcome.changes, outcome.warnings) == ((), ())


def test_an_element_that_a_rule_removed_is_not_absent_from_the_original() -> None:
    assert (
        raw(after(specimen(leaf("PatientComments", "mine")), rule(X, "PatientComments"), standard()), COMMENTS) is None
    )


def test_an_element_inside_a_sequence_does_not_count() -> None:
    made = specimen(sequence("RequestAttributesSequence", [leaf("PatientComments", "mine")]))
    assert raw(after(made, standard()), COMMENTS) == b"seen"


def test_the_first_addition_of_a_tag_wins() -> None:
    outcome = run(specimen(), standard("one"), standard("two"))
    assert raw(output(outcome), COMMENTS) == b"one "
    assert len(outcome.changes) == 1


def test_what_the_iod_does_not_have_is_not_added_and_warned_of() -> None:
    outcome = run(specimen(), standard("1", 0x30020010, "LO"))
    assert 0x30020010 not in output(outcome)
    assert outcome.warnings == (
        "rule 'the addition' (line 9) adds nothing: the IOD of this SOP Class has no (3002,0010)",
    )
    assert outcome.changes == ()


def test_for_an_unknown_sop_class_nobody_can_say() -> None:
    reason = rejection(run(specimen(sop_class="1.2.3.99"), standard()))
    assert reason.startswith("rule 'the addition' (line 9) at (0010,4000): ")


def test_a_guard_that_fails_adds_nothing() -> None:
    guarded = adding(AddElement(COMMENTS, "LT", "seen"), when=call("tagIsPresent", tag("StudyDate")))
    assert raw(after(specimen(), guarded), COMMENTS) is None
    assert raw(after(specimen(leaf("StudyDate", "")), guarded), COMMENTS) == b"seen"


@pytest.mark.parametrize(
    ("tag_number", "vr", "value", "encoded"),
    [
        (0x00280010, "US", "513", b"\x01\x02"),
        (0x00101030, "DS", "1.5", b"1.5 "),
        (0x00080023, "DA", "20230517", b"20230517"),
        (0x00189073, "FD", "0.5", b"\0\0\0\0\0\0\xe0\x3f"),
        # A VR that the attribute does not have is taken as the profile gives it.
        (0x00189073, "AT", "00181063", b"\x18\0\x63\x10"),
        (0x00189073, "SV", "-2", b"\xfe\xff\xff\xff\xff\xff\xff\xff"),
        (0x00200052, "UI", "1.2.3", b"1.2.3\0"),
        (0x00080008, "CS", "ORIGINAL\\PRIMARY", b"ORIGINAL\\PRIMARY"),
        (COMMENTS, "LT", "", b""),
    ],
)
def test_values_are_encoded_by_their_vr(tag_number: int, vr: str, value: str, encoded: bytes) -> None:
    found = after(specimen(sop_class=ENHANCED_CT), standard(value, tag_number, vr))
    assert raw(found, tag_number) == encoded


@pytest.mark.parametrize(("syntax", "encoded"), [(IMPLICIT, b"\x01\x02"), (BIG_ENDIAN, b"\x02\x01")])
def test_values_are_encoded_in_the_byte_order_of_the_instance(syntax: str, encoded: bytes) -> None:
    found = after(Specimen(specimen().elements, syntax), standard("513", 0x00280010, "US"))
    assert raw(found, "Rows") == encoded


@pytest.mark.parametrize(("vr", "value"), [("US", "70000"), ("US", "ten"), ("FD", "x"), ("AT", "GGGG"), ("OB", "00")])
def test_a_value_that_its_vr_does_not_have_rejects(vr: str, value: str) -> None:
    assert "(0010,4000)" in rejection(run(specimen(), standard(value, COMMENTS, vr)))


def test_a_value_that_the_character_set_does_not_have_rejects() -> None:
    assert "cannot write" in rejection(run(specimen(), standard("J\u00e9r\u00f4me")))
    french = specimen(leaf("SpecificCharacterSet", "ISO_IR 100"))
    assert raw(after(french, standard("J\u00e9r\u00f4me")), COMMENTS) == b"J\xe9r\xf4me"


# --- Add() in expressions -------------------------------------------------------------------


def add(tag_number: int = COMMENTS, value: str = "seen", vr: str = "LT") -> Evaluate:
    return Evaluate(call("Add", tag(tag_number), Literal(vr, VR_TYPE), text(value)))


def test_add_adds_and_decides_nothing() -> None:
    outcome = run(specimen(leaf("StudyID", "7")), rule(add(), "StudyID"), rule(X, "StudyID"))
    found = output(outcome)
    assert raw(found, COMMENTS) == b"seen"
    assert raw(found, "StudyID") is None
    assert [change.action for change in outcome.changes] == ["remove", "add"]


def test_add_is_not_asked_where_an_earlier_rule_decides() -> None:
    assert raw(after(specimen(leaf("StudyID", "7")), rule(K, "StudyID"), rule(add(), "StudyID")), COMMENTS) is None


def test_add_is_not_asked_where_no_element_is_selected() -> None:
    assert raw(after(specimen(), rule(add(), "StudyID")), COMMENTS) is None


def test_add_asked_for_twice_adds_once_the_first() -> None:
    made = specimen(leaf("StudyID", "7"), sequence("RequestAttributesSequence", [leaf("StudyID", "8")]))
    outcome = run(made, rule(add(), "StudyID"))
    assert raw(output(outcome), COMMENTS) == b"seen"
    assert len(outcome.changes) == 1


def test_add_inside_an_item_adds_at_the_root() -> None:
    made = specimen(sequence("RequestAttributesSequence", [leaf("StudyID", "8")]))
    found = leaves(after(made, rule(add(), "StudyID")))
    assert found["00104000"] == b"seen"
    assert "00400275[0]/00104000" not in found


def test_add_never_replaces() -> None:
    made = specimen(leaf("StudyID", "7"), leaf("PatientComments", "mine"))
    assert raw(after(made, rule(add(), "StudyID")), COMMENTS) == b"mine"


def test_rules_add_before_expressions_do() -> None:
    made = specimen(leaf("StudyID", "7"))
    assert raw(after(made, rule(add(value="two"), "StudyID"), standard("one")), COMMENTS) == b"one "


# --- private elements -----------------------------------------------------------------------


def privates(outcome: Outcome) -> dict[str, bytes]:
    return {path: value for path, value in leaves(output(outcome)).items() if path.startswith("0029")}


def test_a_private_element_reserves_its_block() -> None:
    outcome = run(specimen(), private())
    assert privates(outcome) == {"00290011": b"ACME", "00291105": b"x "}
    assert outcome.changes == (Change("(0029,1105)", "add", "the addition", 9),)


def test_a_block_that_its_creator_has_reserved_is_used() -> None:
    made = specimen(leaf(0x00290011, "ACME", "LO"), leaf(0x00291101, "a", "LO"))
    assert privates(run(made, private())) == {"00290011": b"ACME", "00291101": b"a ", "00291105": b"x "}


def test_the_creator_comes_back_for_what_is_added_when_its_elements_went() -> None:
    made = specimen(leaf(0x00290011, "ACME", "LO"), leaf(0x00291101, "a", "LO"))
    assert privates(run(made, rule(X, private=True), private())) == {"00290011": b"ACME", "00291105": b"x "}


def test_a_foreign_creator_is_left_alone_and_warned_of() -> None:
    made = specimen(leaf(0x00290011, "OTHER", "LO"), leaf(0x00291101, "a", "LO"))
    outcome = run(made, private())
    assert privates(outcome) == {"00290011": b"OTHER ", "00291101": b"a "}
    assert outcome.warnings == (
        "rule 'the addition' (line 9) adds nothing: the block of (0029,1105) is reserved by another private creator",
    )


def test_a_foreign_creator_holds_its_block_even_where_a_rule_took_its_elements() -> None:
    made = specimen(leaf(0x00290011, "OTHER", "LO"), leaf(0x00291101, "a", "LO"))
    assert privates(run(made, rule(X, private=True), private())) == {}


def test_elements_without_a_creator_are_not_given_one() -> None:
    outcome = run(specimen(leaf(0x00291101, "a", "LO")), private())
    assert privates(outcome) == {"00291101": b"a "}
    assert "holds elements without a private creator" in outcome.warnings[0]


def test_a_private_element_that_is_there_stays() -> None:
    made = specimen(leaf(0x00290011, "ACME", "LO"), leaf(0x00291105, "mine", "LO"))
    outcome = run(made, private())
    assert privates(outcome) == {"00290011": b"ACME", "00291105": b"mine"}
    assert (outcome.changes, outcome.warnings) == ((), ())


def test_without_a_creator_of_its_own_an_element_joins_no_block_of_another() -> None:
    made = specimen(leaf(0x00290011, "OTHER", "LO"), leaf(0x00291101, "a", "LO"))
    assert "00291105" not in privates(run(made, private(creator=None)))
    assert privates(run(specimen(), private(creator=None))) == {"00291105": b"x "}


def test_two_additions_share_the_block_that_the_first_reserves() -> None:
    outcome = run(specimen(), private("x"), private("y", 0x00291106), private("z", 0x00291107, creator="OTHER"))
    assert privates(outcome) == {"00290011": b"ACME", "00291105": b"x ", "00291106": b"y "}
    assert len(outcome.warnings) == 1


def test_a_private_element_needs_no_iod() -> None:
    assert privates(run(specimen(sop_class="1.2.3.99"), private()))["00291105"] == b"x "


def test_a_private_value_is_encoded_by_its_vr() -> None:
    assert privates(run(specimen(), private("258", vr="US")))["00291105"] == b"\x02\x01"
    assert "(0029,1105)" in rejection(run(specimen(), private("x", vr="US")))
