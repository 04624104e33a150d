"""Places where the table engine once differed from the reference engine, or could; each stays a case.

`run` gives every instance to both engines and compares everything that they answer.
"""

import pytest

from karnak.ir.expression import (
    ACTION,
    BOOL,
    INT,
    NULL,
    VR,
    Binary,
    BinaryOperator,
    Conditional,
    Current,
    CurrentName,
    Elvis,
    Expression,
    Kind,
    Literal,
    Type,
)
from karnak.ir.profile import Action, AddElement, AddPrivateElement, Apply, Effect, Evaluate, Rule
from karnak.runtime import creators, lower, rewrite, scanned
from karnak.runtime.assemble import LONG_RUN
from karnak.runtime.creators import Creators
from karnak.runtime.deidentify import Mode, deidentify
from karnak.runtime.encoding import EXPLICIT as EXPLICIT_ENCODING
from karnak.runtime.outcome import Outcome, Status
from karnak.runtime.part10 import read_instance
from karnak.runtime.table import MAX_CONTEXTS
from karnak.testing.expressions import call, method, number, tag, text
from karnak.testing.specimen import EXPLICIT, Fragments, Items, Leaf, Specimen, leaf, padded, part10, sequence, tag_of
from tests.runtime.making import (
    CT,
    NOW,
    PROJECT,
    SR,
    D,
    K,
    U,
    X,
    Z,
    adding,
    basic,
    both_engines,
    output,
    program,
    raw,
    rejection,
    rule,
    run,
    specimen,
    without,
)

NAME = leaf("PatientName", "DOE^JANE")
BIRTH = leaf("PatientBirthDate", "19700101")
CHARACTER_SET = tag_of("SpecificCharacterSet")
MODES: tuple[Mode, Mode] = ("deid", "morph")
MAYBE_TEXT = Type(Kind.STR, nullable=True)


def replaced_by(new: Expression) -> Evaluate:
    return Evaluate(call("Replace", new))


def removed_if(test: Expression) -> Evaluate:
    return Evaluate(Conditional(test, call("Remove"), call("Keep"), ACTION))


def stays_with_the_tables(made: Specimen | bytes, *rules: Rule, mode: Mode = "morph") -> Outcome:
    """Both engines answer the same, and the tables did it without help."""
    run(made, *rules, mode=mode)
    data = part10(made) if isinstance(made, Specimen) else made
    outcome = deidentify(data, program(*rules), PROJECT, pseudonym="P-001", mode=mode, now=NOW)
    assert outcome.fallback is None
    return outcome


# --- private blocks -------------------------------------------------------------------------


def test_a_second_block_of_a_group_keeps_its_creator_after_a_sequence_in_the_first() -> None:
    made = specimen(
        leaf(0x00090010, "ACME", "LO"),
        leaf(0x00090011, "OTHER", "LO"),
        sequence(0x00091001, [NAME]),
        leaf(0x00091101, "secret", "LO"),
    )
    found = output(run(made, rule(X, '(0009,"OTHER",01)')))
    assert 0x00091101 not in found
    assert 0x00090011 not in found
    assert raw(found, 0x00090010) == b"ACME"


def test_blocks_of_items_are_not_those_of_the_dataset_around() -> None:
    inside = [leaf(0x00090010, "OTHER", "LO"), leaf(0x00091001, "mine", "LO")]
    made = specimen(
        leaf(0x00090010, "ACME", "LO"), sequence(0x00091001, inside, inside), leaf(0x00091002, "secret", "LO")
    )
    found = output(run(made, rule(X, '(0009,"ACME",02)'), rule(X, '(0009,"OTHER",01)')))
    assert 0x00091002 not in found
    assert [len(item) for item in found[0x00091001].value] == [0, 0]


def adds(where: int, value: str = "new") -> Evaluate:
    return Evaluate(call("Add", tag(where), Literal("LO", VR), text(value)))


def test_what_an_expression_adds_to_a_block_keeps_its_creator() -> None:
    made = specimen(leaf(0x00090010, "ACME", "LO"), leaf(0x00091001, "old", "LO"))
    found = output(stays_with_the_tables(made, rule(X, "0009,1001"), rule(adds(0x00091002), "PatientID")))
    assert raw(found, 0x00090010) == b"ACME"


@pytest.mark.parametrize("creator", ["", "ACME", "OTHER"])
@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("effect", [K, X])
def test_a_private_element_is_added_to_a_block_of_the_original(creator: str, used: bool, effect: Effect) -> None:
    elements = [leaf(0x00090010, creator, "LO"), *([leaf(0x00091001, "old", "LO")] if used else [])]
    new = adding(AddPrivateElement(0x00091002, "LO", "new", "ACME"))
    outcome = stays_with_the_tables(specimen(*elements), rule(effect, private=True), new, mode="deid")
    added = creator == "ACME" or (creator == "" and not used)
    found = output(outcome)
    assert (0x00091002 in found) is added
    if added:
        # The creator of the original, not another one that says the same.
        assert raw(found, 0x00090010) == creator.encode()
    assert (raw(found, 0x00091001) == b"old ") is (used and effect == K)


@pytest.mark.parametrize("mode", MODES)
def test_a_creator_that_reserves_nothing_is_not_asked_about_when_its_block_is_added_to(mode: Mode) -> None:
    made = specimen(leaf(0x00090010, "ACME", "LO"))
    asked = rule(removed_if(FAILS), "0009,0010")
    outcome = stays_with_the_tables(specimen(*made.elements, STUDY_ID), asked, mode=mode)
    assert rejection(outcome) == "the value of (0020,0010) is no whole number"
    found = output(
        stays_with_the_tables(specimen(*made.elements, STUDY_ID), asked, rule(adds(0x00091002), "PatientID"), mode=mode)
    )
    assert raw(found, 0x00090010) == b"ACME"


def test_creators_are_settled_when_their_dataset_is_done() -> None:
    # The second element of the item fails before the creator, which comes first, is asked.
    item = [leaf(0x00090010, "ACME", "LO"), leaf("PatientName", "DOE")]
    made = specimen(STUDY_ID, sequence("ReferencedStudySequence", item))
    creator, name = rule(removed_if(FAILS), "0009,0010"), rule(removed_if(FAILS), "PatientName")
    assert rejection(stays_with_the_tables(made, creator)).startswith("(0008,1110): ")
    assert rejection(stays_with_the_tables(made, creator, name)).startswith("(0008,1110)[0]/(0010,0010): ")


def test_a_creator_with_the_vr_of_a_date_is_no_date() -> None:
    made = specimen(Leaf(0x00090010, "DA", b"20200101"))
    found = output(run(made, rule(X, "0009,0010"), mode="deid"))
    assert raw(found, "LongitudinalTemporalInformationModified") == b"UNMODIFIED"


# --- expressions ----------------------------------------------------------------------------

ABSENT_IS_EMPTY = method(call("getString", tag("StudyDescription")), "isEmpty")
THIS_IS_EMPTY = method(Current(CurrentName.STRING_VALUE, MAYBE_TEXT), "isEmpty")
IS_LO = Binary(BinaryOperator.EQUAL, Current(CurrentName.VR, VR), Literal("LO", VR), BOOL)


@pytest.mark.parametrize(
    ("test", "removed"),
    [
        # null ?: true
        (Elvis(ABSENT_IS_EMPTY, IS_LO, BOOL), True),
        # null == false
        (Binary(BinaryOperator.EQUAL, ABSENT_IS_EMPTY, THIS_IS_EMPTY, BOOL), False),
        # null != false
        (Binary(BinaryOperator.NOT_EQUAL, ABSENT_IS_EMPTY, THIS_IS_EMPTY, BOOL), False),
    ],
)
def test_a_question_without_an_answer_is_not_answered_no(test: Expression, removed: bool) -> None:
    found = output(run(specimen(leaf("Manufacturer", "ACME")), rule(removed_if(test), "Manufacturer")))
    assert ("Manufacturer" in found) is not removed


def test_a_question_is_not_answered_no_where_a_guard_asks_it_too() -> None:
    asked = rule(removed_if(Elvis(ABSENT_IS_EMPTY, IS_LO, BOOL)), "Manufacturer")
    guarded = rule(X, "Modality", when=ABSENT_IS_EMPTY)
    found = output(run(specimen(leaf("Manufacturer", "ACME"), leaf("Modality", "CT")), guarded, asked))
    assert "Manufacturer" not in found
    assert "Modality" in found


FAILS = Binary(BinaryOperator.EQUAL, call("getInt", tag("StudyID")), number(1), BOOL)
STUDY_ID = leaf("StudyID", "no number")


@pytest.mark.parametrize("inside", [False, True])
def test_a_condition_that_cannot_be_evaluated_fails_where_it_is_asked(inside: bool) -> None:
    asked = rule(removed_if(FAILS), "Manufacturer")
    maker = leaf("Manufacturer", "ACME")
    elements = [sequence("ReferencedStudySequence", [maker])] if inside else [maker]
    place = "(0008,1110)[0]/" if inside else ""
    reason = rejection(stays_with_the_tables(specimen(STUDY_ID, *elements), asked))
    assert reason == f"{place}(0008,0070): the value of (0020,0010) is no whole number"
    # Nobody asks it.
    found = output(stays_with_the_tables(specimen(STUDY_ID, *elements), rule(K, "0008,XXXX"), asked))
    assert raw(found, "StudyID") == b"no number "


AS_NUMBER = replaced_by(call("getString", tag("AccessionNumber")))
INSIDE = sequence("ReferencedStudySequence", [sequence("ReferencedSeriesSequence", [BIRTH]), NAME])


def inside_of(outcome: Outcome) -> tuple[str, str]:
    item = output(outcome).ReferencedStudySequence[0]
    return str(item.PatientName), str(item.ReferencedSeriesSequence[0].PatientBirthDate)


def test_items_inherit_the_text_that_their_instance_has() -> None:
    chosen = program(rule(AS_NUMBER, "ReferencedStudySequence"))
    cells = []
    for number_of in ("1999", "2001", "2003"):
        data = part10(specimen(leaf("AccessionNumber", number_of), INSIDE))
        outcome = both_engines(data, chosen)
        assert inside_of(outcome) == (number_of, number_of)
        assert deidentify(data, chosen, PROJECT, mode="morph", now=NOW).fallback is None
        cells.append(chosen.table(CT, (), EXPLICIT_ENCODING).cells.count)
    # A table holds nothing of an instance.
    assert cells[0] == cells[1] == cells[2]


def test_items_inherit_the_shift_that_their_instance_asks_for() -> None:
    shift = Evaluate(call("ShiftDate", Elvis(call("getInt", tag("AccessionNumber")), number(0), INT), number(0)))
    chosen = program(rule(shift, "ReferencedStudySequence"))
    study = sequence("ReferencedStudySequence", [sequence("ReferencedSeriesSequence", [BIRTH])])
    for _ in range(2):
        for days, wanted in (("1", "19691231"), ("2", "19691230"), ("3", "19691229")):
            data = part10(specimen(leaf("AccessionNumber", days), study))
            found = output(both_engines(data, chosen)).ReferencedStudySequence[0].ReferencedSeriesSequence[0]
            assert found.PatientBirthDate == wanted


def test_the_inner_sequence_that_answers_is_the_one_that_is_inherited_from() -> None:
    inner = rule(replaced_by(call("getString", tag("Modality"))), "ReferencedSeriesSequence")
    made = specimen(leaf("AccessionNumber", "1999"), leaf("Modality", "2001"), INSIDE)
    outer = rule(AS_NUMBER, "ReferencedStudySequence")
    assert inside_of(stays_with_the_tables(made, inner, outer)) == ("1999", "2001")
    # A rule behind the one that decided the outer sequence has no say in it.
    assert inside_of(stays_with_the_tables(made, outer, inner)) == ("1999", "1999")


@pytest.mark.parametrize("kept", [True, False])
def test_a_private_block_whose_elements_an_expression_removes_by_their_values(kept: bool) -> None:
    values = ["secret", "public" if kept else "secret"]
    made = specimen(
        leaf(0x00090010, "ACME", "LO"), *(leaf(0x00091001 + i, value, "LO") for i, value in enumerate(values))
    )
    this = Current(CurrentName.STRING_VALUE, MAYBE_TEXT)
    asked = rule(removed_if(Binary(BinaryOperator.EQUAL, this, text("secret"), BOOL)), "0009,10XX")
    found = output(stays_with_the_tables(made, asked, mode="deid"))
    assert (raw(found, 0x00090010), raw(found, 0x00091002)) == ((b"ACME", b"public") if kept else (None, None))


def test_an_expression_about_a_sequence_fails_when_it_is_its_turn() -> None:
    asked = rule(AS_NUMBER, "ReferencedStudySequence")
    sends_away = rule(Evaluate(call("ExcludeInstance")), "PatientName")
    broken = Leaf(tag_of("AccessionNumber"), "SH", b"\xff")
    made = specimen(Leaf(CHARACTER_SET, "CS", b"ISO_IR 192"), broken, INSIDE)
    assert rejection(stays_with_the_tables(made, asked, sends_away)).startswith("(0008,1110): ")
    # The instance is excluded before.
    before = specimen(*made.elements, leaf("StudyDate", "20200101"))
    sends_away_before = rule(Evaluate(call("ExcludeInstance")), "StudyDate")
    assert stays_with_the_tables(before, asked, sends_away_before).status is Status.EXCLUDED


def test_what_is_added_on_the_way_to_an_answer_about_a_sequence_is_added() -> None:
    added = rule(adds(tag_of("PatientComments")), "ReferencedStudySequence")
    made = specimen(leaf("AccessionNumber", "1999"), INSIDE)
    outcome = stays_with_the_tables(made, added, rule(AS_NUMBER, "ReferencedStudySequence"))
    assert raw(output(outcome), "PatientComments") == b"new "
    assert inside_of(outcome) == ("1999", "1999")


@pytest.mark.parametrize("new", ["ISO_IR 192", "ISO_IR 100", ""])
@pytest.mark.parametrize("mode", MODES)
def test_values_are_written_in_the_character_set_that_an_expression_gives(new: str, mode: Mode) -> None:
    made = specimen(Leaf(CHARACTER_SET, "CS", b"ISO_IR 144"), leaf("AccessionNumber", new), leaf("Manufacturer", "A"))
    rules = rule(AS_NUMBER, "SpecificCharacterSet"), rule(replaced_by(text("B\u00e9")), "Manufacturer")
    outcome = stays_with_the_tables(made, *rules, mode=mode)
    if not new:
        assert "character set" in rejection(outcome)
    else:
        encoded = "B\u00e9".encode("utf-8" if new == "ISO_IR 192" else "latin-1")
        assert raw(output(outcome), "Manufacturer") == padded("LO", encoded)


THIS_IS_PUBLIC = Binary(BinaryOperator.EQUAL, Current(CurrentName.STRING_VALUE, MAYBE_TEXT), text("public"), BOOL)
KEPT_IF_PUBLIC = Evaluate(
    Conditional(THIS_IS_PUBLIC, call("Keep"), Literal(None, NULL), Type(Kind.ACTION, nullable=True))
)


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("kept", [False, True])
def test_a_documents_content_stays_where_an_expression_keeps_some_of_it(kept: bool, wrapped: bool) -> None:
    inside = [sequence("ContentSequence", [leaf("TextValue", "public" if kept else "secret")])]
    content = sequence("ContentSequence", inside) if wrapped else inside[0]
    found = output(run(specimen(content, sop_class=SR), rule(KEPT_IF_PUBLIC, "TextValue"), basic()))
    item = found.ContentSequence[0]
    if kept and wrapped:
        item = item.ContentSequence[0]
    assert item.TextValue == ("public" if kept else "UNKNOWN")
    assert ("ValueType" in item) is not kept


# --- character repertoires ------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_what_comes_before_specific_character_set_is_written_without_it(mode: Mode) -> None:
    made = specimen(
        leaf("SpecificCharacterSet", "ISO_IR 100"), leaf(0x00070010, "ACME", "LO"), leaf(0x00071001, "x", "LO")
    )
    assert "character set" in rejection(run(made, rule(replaced_by(text("B\u00e9")), "0007,1001"), mode=mode))


# --- UIDs that the outcome names ------------------------------------------------------------


def test_an_added_study_is_named() -> None:
    made = without(specimen(), "StudyInstanceUID")
    outcome = stays_with_the_tables(made, adding(AddElement(tag_of("StudyInstanceUID"), "UI", "1.2.3")))
    assert outcome.study_instance_uid == "1.2.3"


@pytest.mark.parametrize("name", ["SOPInstanceUID", "SOPClassUID"])
def test_an_instance_may_get_its_uids_from_an_expression(name: str) -> None:
    added = call("Add", tag(name), Literal("UI", VR), text("1.2.3"))
    outcome = stays_with_the_tables(without(specimen(), name), rule(Evaluate(added), "PatientID"))
    assert outcome.status is Status.FORWARDED
    assert raw(output(outcome), name) == b"1.2.3\0"


@pytest.mark.parametrize("effect", [K, X, replaced_by(text("\u5c71"))])
@pytest.mark.parametrize(
    "character_set", [Leaf(CHARACTER_SET, "CS", b"ISO_IR 192"), Leaf(CHARACTER_SET, "CS", b"GB18030 ")]
)
def test_a_uid_that_is_written_as_text_is_named_as_the_output_has_it(effect: Effect, character_set: Leaf) -> None:
    study = Leaf(tag_of("StudyInstanceUID"), "LO", "\u00e9".encode())
    run(specimen(character_set, study), rule(effect, "SpecificCharacterSet"))
    stays_with_the_tables(specimen(character_set, study), rule(effect, "StudyInstanceUID"))
    seen = b"\xc3\xa9".decode("gb18030" if b"GB" in character_set.value else "utf-8")
    assert run(specimen(character_set, study)).study_instance_uid == seen


# --- values that don't fit ------------------------------------------------------------------

LONG = leaf("TextValue", "A" * 70_000, "UT")
BY_LONG = replaced_by(call("getString", tag("TextValue")))
ADDED = AddElement(tag_of("PatientName"), "PN", "A" * 70_000)


def test_a_value_that_is_too_long_is_refused() -> None:
    assert "(0010,0010) is too long for VR PN" in rejection(run(specimen(LONG, NAME), rule(BY_LONG, "PatientName")))
    assert "(0010,0010) is too long for VR PN" in rejection(run(specimen(), adding(ADDED)))


def test_what_is_always_set_may_stand_for_a_value_that_is_too_long() -> None:
    assert raw(output(run(specimen(LONG, NAME), rule(BY_LONG, "PatientName"), mode="deid")), "PatientName") == b"P-001 "
    assert raw(output(run(specimen(LONG), adding(ADDED), mode="deid")), "PatientName") == b"P-001 "


def test_of_two_values_that_are_too_long_the_first_is_named() -> None:
    made = specimen(LONG, leaf("AccessionNumber", "1"))
    assert "(0008,0050)" in rejection(run(made, rule(BY_LONG, "AccessionNumber"), adding(ADDED)))


def test_who_has_no_pseudonym_hears_of_that_first() -> None:
    assert "pseudonym" in rejection(run(specimen(), adding(ADDED), mode="deid", pseudonym=None))


# --- what is remembered from one instance to the next ---------------------------------------


@pytest.mark.parametrize("effect", [U, D, Z, X, replaced_by(text("20200102")), replaced_by(text(""))])
@pytest.mark.parametrize("vr", ["DA", "TM", "DT", "AS", "UI", "US"])
def test_a_second_instance_is_treated_as_the_first(effect: Effect, vr: str) -> None:
    values: dict[str, str | int] = {
        "DA": "20230517",
        "TM": "101112",
        "DT": "20230517101112",
        "AS": "045Y",
        "UI": "1.2.3",
        "US": 7,
    }
    made = part10(specimen(leaf(0x00091001, values[vr], vr)))
    chosen = program(rule(effect, "0009,1001"))
    first, second = (both_engines(made, chosen) for _ in range(2))
    assert first.data == second.data


# --- unknown values ---------------------------------------------------------------------------


@pytest.mark.parametrize("value", [b"", b"secret", b"\xfe\xff\x00\xe0\x04\x00\x00\x00"])
@pytest.mark.parametrize("action", list(Action))
def test_an_unknown_value_for_a_sequence(value: bytes, action: Action) -> None:
    made = specimen(Leaf(tag_of("ReferencedStudySequence"), "UN", value))
    found = output(run(made, rule(Apply(action), "ReferencedStudySequence")))
    kept = raw(found, "ReferencedStudySequence")
    assert kept == {Action.KEEP: value, Action.REMOVE: None}.get(action, b"")


def test_an_unknown_value_for_the_content_of_a_document() -> None:
    stays_with_the_tables(specimen(Leaf(tag_of("ContentSequence"), "UN", b"secret"), sop_class=SR), basic())


def test_the_content_of_a_document_within_an_unknown_value_is_replaced_in_implicit_vr() -> None:
    content = sequence("ContentSequence", [leaf("TextValue", "secret")])
    around = sequence("ReferencedStudySequence", [content])
    hidden = Items(around.tag, around.items, around.undefined_length, unknown=True)
    outcome = stays_with_the_tables(specimen(hidden, sop_class=SR), basic())
    assert b"secret" not in (outcome.data or b"")


# --- room for the output ----------------------------------------------------------------------


def forwarded(made: Specimen | bytes, *rules: Rule, mode: Mode = "morph") -> None:
    """Both engines forward the same, and the tables did it without help."""
    assert stays_with_the_tables(made, *rules, mode=mode).status is Status.FORWARDED


@pytest.mark.parametrize("count", [1, 17, 255])
def test_many_elements_that_end_with_a_delimiter(count: int) -> None:
    forwarded(specimen(*(Fragments(0x00091000 + i, ()) for i in range(count))))


@pytest.mark.parametrize("size", [LONG_RUN - 1, LONG_RUN, LONG_RUN + 1, LONG_RUN + 40])
@pytest.mark.parametrize("vr", ["OB", "UT", "UN"])
@pytest.mark.parametrize("every", [1, 2, 3])
def test_runs_about_as_long_as_those_that_are_named(size: int, vr: str, every: int) -> None:
    made = specimen(*(Leaf(0x00091000 + i, vr, bytes(size)) for i in range(40)))
    for mode in MODES:
        forwarded(made, rule(X, *(f"0009,10{i:02X}" for i in range(0, 40, every))), mode=mode)


@pytest.mark.parametrize("count", range(8, 24))
@pytest.mark.parametrize("first", [[], [Leaf(0x00071000, "OB", bytes(LONG_RUN + 2))]])
def test_long_values_after_reserved_bytes_that_are_used(
    count: int, first: list[Leaf], monkeypatch: pytest.MonkeyPatch
) -> None:
    # No workspace that an earlier instance has made larger.
    monkeypatch.setattr(scanned, "_SPARE", [])
    # Each ends a run in its header; what is always set comes after the last one.
    long = (Leaf(0x00210000 + i, "UT", bytes(LONG_RUN + 2)) for i in range(0x1000, 0x1000 + count))
    data = part10(specimen(*first, *long))
    assert data.count(b"UT\0\0") == count
    for mode in MODES:
        forwarded(data.replace(b"UT\0\0", b"UT\1\2"), mode=mode)


# --- bounds of a table ------------------------------------------------------------------------


def test_more_contexts_than_a_table_has_room_for() -> None:
    # Where a selector names a place, every sequence is a context of its own.
    many = (sequence(0x00091000 + i, []) for i in range(MAX_CONTEXTS))
    chosen = program(rule(X, "ReferencedStudySequence/PatientName"))
    data = part10(specimen(*many))
    both_engines(data, chosen)
    assert deidentify(data, chosen, PROJECT, mode="morph", now=NOW).fallback == "a table has grown to its bound"
    # The table still serves what it knows.
    forwarded(specimen(sequence(0x00091000, [NAME])), rule(X, "ReferencedStudySequence/PatientName"))


def test_more_kinds_of_elements_than_a_table_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lower, "MAX_CELLS", 8)
    chosen = program(rule(X, "PatientName"))
    data = part10(specimen(*(leaf(0x00091000 + i, "x", "LO") for i in range(8))))
    both_engines(data, chosen)
    assert deidentify(data, chosen, PROJECT, mode="morph", now=NOW).fallback == "a table has grown to its bound"


def test_more_private_creators_than_have_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(creators, "MAX_CREATORS", 3)
    monkeypatch.setattr(rewrite, "_CREATORS", Creators())
    chosen = program(rule(X, '(0009,"ACME 2",01)'))
    blocks = range(0x10, 0x14)
    data = part10(
        specimen(
            *(leaf(0x00090000 | block, f"ACME {block & 0xF}", "LO") for block in blocks),
            *(leaf(0x00090001 | block << 8, "x", "LO") for block in blocks),
        )
    )
    both_engines(data, chosen)
    assert deidentify(data, chosen, PROJECT, mode="morph", now=NOW).fallback == "a table has grown to its bound"


def test_a_parsed_instance_without_elements_leaves_the_next_one_room() -> None:
    empty = read_instance(b"", EXPLICIT)
    assert "PatientID" in rejection(deidentify(empty, program(), PROJECT, mode="morph", now=NOW))
    forwarded(specimen(NAME))
