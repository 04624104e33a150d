"""Character sets from end to end: what expressions read and what rules write (section 6, PS3.3 C.12.1.1.2)."""

import pytest

from karnak.ir.expression import (
    INT,
    STR,
    Binary,
    BinaryOperator,
    Conditional,
    Current,
    CurrentName,
    Elvis,
    Expression,
    Kind,
    Type,
)
from karnak.ir.profile import Evaluate, Rule
from karnak.testing.character_sets import ALL, CODE_EXTENSIONS, DEFAULT, SINGLE_BYTE, STAND_ALONE, CharacterSet
from karnak.testing.expressions import call, method, number, tag, text
from karnak.testing.specimen import Element, Leaf, Specimen, leaf, padded, sequence, tag_of
from tests.runtime.making import PROJECT, D, U, X, after, leaves, output, raw, rejection, rule, run, specimen

every_set = pytest.mark.parametrize("character_set", ALL, ids=lambda found: "+".join(found.terms) or "default")
FRENCH, GREEK, UTF_8 = SINGLE_BYTE[0], SINGLE_BYTE[6], STAND_ALONE[0]
JAPANESE = CODE_EXTENSIONS[0]
MINE = Current(CurrentName.STRING_VALUE, Type(Kind.STR, nullable=True))


def named(character_set: CharacterSet) -> list[Element]:
    return [Leaf(0x00080005, "CS", character_set.value)] if character_set.terms else []


def instance(character_set: CharacterSet, *more: Element) -> Specimen:
    """An instance whose PatientName is the set's own text."""
    name = Leaf(tag_of("PatientName"), "PN", padded("PN", character_set.encoded))
    return specimen(*named(character_set), name, *more)


def replaced(new: Expression, *names: str) -> Rule:
    return rule(Evaluate(call("Replace", new)), *names)


# --- reading --------------------------------------------------------------------------------


@every_set
def test_a_guard_reads_the_text(character_set: CharacterSet) -> None:
    equal = call("tagValueIsPresent", tag("PatientName"), text(character_set.text))
    assert raw(after(instance(character_set), rule(X, "PatientName", when=equal)), "PatientName") is None


@every_set
def test_a_character_is_one_character(character_set: CharacterSet) -> None:
    counted = Binary(BinaryOperator.ADD, text("n="), Elvis(method(MINE, "length"), number(0), INT), STR)
    found = after(instance(character_set), replaced(counted, "PatientName"))
    assert raw(found, "PatientName") == padded("PN", f"n={len(character_set.text)}".encode())


@every_set
def test_a_text_becomes_the_uid_of_its_characters(character_set: CharacterSet) -> None:
    found = after(instance(character_set), rule(U, "PatientName"))
    uid = PROJECT.uid(character_set.text).encode()
    assert raw(found, "PatientName") == padded("UI", uid)


@every_set
def test_text_that_no_rule_touches_keeps_its_bytes(character_set: CharacterSet) -> None:
    found = after(instance(character_set), rule(D, "PatientComments"))
    assert raw(found, "PatientName") == padded("PN", character_set.encoded)
    assert raw(found, "SpecificCharacterSet") == (character_set.value if character_set.terms else None)


# --- writing --------------------------------------------------------------------------------


@every_set
def test_text_is_copied_from_one_element_to_another(character_set: CharacterSet) -> None:
    copied = replaced(call("getString", tag("PatientName")), "ReferringPhysicianName")
    found = after(instance(character_set, leaf("ReferringPhysicianName", "x")), copied)
    assert raw(found, "ReferringPhysicianName") == padded("PN", character_set.encoded)


@every_set
def test_a_replacement_that_cannot_be_written_rejects_and_never_writes_a_question_mark(
    character_set: CharacterSet,
) -> None:
    outcome = run(instance(character_set), replaced(text(f"A{character_set.foreign}"), "PatientName"))
    assert "cannot write" in rejection(outcome)
    assert character_set.foreign not in rejection(outcome)


@every_set
def test_a_dummy_can_be_written_in_every_set(character_set: CharacterSet) -> None:
    assert raw(after(instance(character_set), rule(D, "PatientName")), "PatientName") == b"UNKNOWN "


@every_set
def test_the_pseudonym_is_written_in_the_set_of_the_instance_or_not_at_all(character_set: CharacterSet) -> None:
    pseudonym = character_set.text.replace("=", "").replace("^", " ")
    copied = replaced(text(pseudonym), "ReferringPhysicianName")
    made = instance(character_set, leaf("ReferringPhysicianName", "x"))
    found = output(run(made, copied, mode="deid", pseudonym=pseudonym))
    assert raw(found, "PatientName") == raw(found, "ReferringPhysicianName")
    if character_set.foreign.isprintable():
        foreign = run(made, mode="deid", pseudonym=f"A{character_set.foreign}")
        assert "cannot be written" in rejection(foreign)


@pytest.mark.parametrize("vr", ["CS", "AE", "UI", "DA", "DS", "IS", "UR", "AS", "TM", "DT"])
def test_other_vrs_hold_the_default_repertoire_whatever_the_set_is(vr: str) -> None:
    made = specimen(*named(FRENCH), Leaf(0x0009AB01, vr, b"x "))
    assert "0009AB01" not in rejection(run(made, replaced(text("\u00e9"), "0009AB01")))


# --- without a set --------------------------------------------------------------------------


def test_without_a_set_ascii_can_be_written_and_nothing_else() -> None:
    assert raw(after(instance(DEFAULT), replaced(text("A"), "PatientName")), "PatientName") == b"A "
    assert "cannot write" in rejection(run(instance(DEFAULT), replaced(text("\u00e9"), "PatientName")))


def test_an_empty_set_is_the_default_repertoire() -> None:
    made = specimen(Leaf(0x00080005, "CS", b""), leaf("PatientName", "A"))
    assert "cannot write" in rejection(run(made, replaced(text("\u00e9"), "PatientName")))


def test_an_unknown_set_is_no_reason_to_reject_what_needs_no_text() -> None:
    made = specimen(leaf("SpecificCharacterSet", "KLINGON"), Leaf(tag_of("PatientName"), "PN", b"\xe9\xe8"))
    assert raw(after(made, rule(X, "StudyID")), "PatientName") == b"\xe9\xe8"
    assert raw(after(made, rule(D, "PatientName")), "PatientName") == b"UNKNOWN "
    asks = rule(X, "StudyID", when=call("tagValueContains", tag("PatientName"), text("x")))
    assert "KLINGON" not in rejection(run(made, asks))


def test_when_a_rule_removes_the_set_only_ascii_can_be_written() -> None:
    gone = rule(X, "SpecificCharacterSet")
    assert "cannot write" in rejection(run(instance(FRENCH), gone, replaced(text("\u00e9"), "PatientName")))
    assert raw(after(instance(FRENCH), gone, replaced(text("A"), "PatientName")), "PatientName") == b"A "


def test_when_a_rule_replaces_the_set_new_text_is_written_in_the_new_one() -> None:
    changed = replaced(text("ISO_IR 192"), "SpecificCharacterSet")
    found = after(instance(FRENCH), changed, replaced(MINE, "PatientName"))
    assert raw(found, "PatientName") == padded("PN", FRENCH.text.encode("utf-8"))


# --- items ----------------------------------------------------------------------------------

SEQUENCE = "RequestAttributesSequence"
UPPER = replaced(method(MINE, "toUpperCase"), f"{SEQUENCE}/PatientName")


def inside(made: Specimen, *rules: Rule) -> bytes:
    return leaves(after(made, *rules))["00400275[0]/00100010"]


def name_of(character_set: CharacterSet) -> Leaf:
    return Leaf(tag_of("PatientName"), "PN", padded("PN", character_set.encoded))


def test_an_item_inherits_the_set_of_the_dataset_around() -> None:
    made = specimen(*named(FRENCH), sequence(SEQUENCE, [name_of(FRENCH)]))
    assert inside(made, UPPER) == padded("PN", FRENCH.text.upper().encode("latin-1"))


def test_an_item_with_a_set_of_its_own_uses_it() -> None:
    made = specimen(*named(FRENCH), sequence(SEQUENCE, [*named(GREEK), name_of(GREEK)]))
    assert inside(made, UPPER) == padded("PN", GREEK.text.upper().encode("iso8859_7"))


def test_a_set_of_an_item_holds_for_the_items_in_it_and_not_for_its_siblings() -> None:
    deeper = sequence("ReferencedStudySequence", [name_of(GREEK)])
    made = specimen(
        *named(FRENCH), sequence(SEQUENCE, [*named(GREEK), deeper], [name_of(FRENCH)], [*named(UTF_8), name_of(UTF_8)])
    )
    shouted = replaced(method(MINE, "toUpperCase"), "PatientName")
    found = leaves(after(made, shouted))
    assert found["00400275[0]/00081110[0]/00100010"] == padded("PN", GREEK.text.upper().encode("iso8859_7"))
    assert found["00400275[1]/00100010"] == padded("PN", FRENCH.text.upper().encode("latin-1"))
    assert found["00400275[2]/00100010"] == padded("PN", UTF_8.text.upper().encode("utf-8"))


def test_what_the_item_cannot_write_rejects_though_the_root_could() -> None:
    made = specimen(*named(UTF_8), sequence(SEQUENCE, [*named(GREEK), name_of(GREEK)]))
    greek = replaced(text(FRENCH.text), f"{SEQUENCE}/PatientName")
    assert rejection(run(made, greek)).startswith("(0040,0275)[0]/(0010,0010): ")
    other = specimen(*named(GREEK), sequence(SEQUENCE, [*named(UTF_8), name_of(UTF_8)]))
    assert inside(other, greek) == padded("PN", FRENCH.text.encode("utf-8"))


def test_an_empty_set_of_an_item_is_the_default_repertoire() -> None:
    made = specimen(*named(FRENCH), sequence(SEQUENCE, [Leaf(0x00080005, "CS", b""), leaf("PatientName", "A")]))
    assert "cannot write" in rejection(run(made, replaced(text("\u00e9"), f"{SEQUENCE}/PatientName")))


def test_an_item_whose_set_a_rule_removes_is_written_in_the_one_around() -> None:
    made = specimen(*named(FRENCH), sequence(SEQUENCE, [*named(GREEK), leaf("PatientName", "A")]))
    gone = rule(X, f"{SEQUENCE}/SpecificCharacterSet")
    assert inside(made, gone, replaced(text("\u00e9"), f"{SEQUENCE}/PatientName")) == b"\xe9 "


def test_guards_read_the_root_in_its_own_set() -> None:
    made = specimen(*named(JAPANESE), name_of(JAPANESE), sequence(SEQUENCE, [*named(GREEK), name_of(GREEK)]))
    found = call("tagValueContains", tag("PatientName"), text("\u5c71\u7530"))
    assert "00400275[0]/00100010" not in leaves(after(made, rule(X, "PatientName", when=found)))


def test_a_choice_between_texts_of_two_sets() -> None:
    made = specimen(*named(GREEK), name_of(GREEK), leaf("PatientComments", "x"))
    test = call("tagValueContains", tag("PatientName"), text("\u0394"))
    chosen = Conditional(test, text("\u0394"), text("D"), STR)
    assert raw(after(made, replaced(chosen, "PatientComments")), "PatientComments") == b"\xc4 "
