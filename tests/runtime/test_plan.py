"""What the plan says of every element, before a byte is written."""

from dataclasses import dataclass

import numpy as np
import pytest

from karnak.ir.expression import (
    ACTION,
    BOOL,
    NULL,
    Conditional,
    Current,
    CurrentName,
    Kind,
    Literal,
    Type,
    Unary,
    UnaryOperator,
)
from karnak.ir.expression import TAG as TAG_TYPE
from karnak.ir.profile import Apply, Evaluate, Rule, Shift
from karnak.ir.selector import format_tag
from karnak.runtime import scanned
from karnak.runtime.creators import Creators
from karnak.runtime.encoding import encoding_of
from karnak.runtime.plan import (
    CHARSET_EDITED,
    CONSTANTS,
    EDIT,
    KEPT,
    MADE,
    NESTED_CHARSET,
    NEW_VR,
    POOL,
    REMOVED,
    REPLACED,
    SIZE,
    creator_number,
    put_made,
)
from karnak.runtime.rewrite import _Rewrite
from karnak.runtime.scan import ITEM_ROW, KIND, TAG, vr_code, vr_name
from karnak.runtime.scanned import ScannedInstance
from karnak.runtime.table import Flag
from karnak.testing.expressions import call, tag
from karnak.testing.specimen import Leaf, Specimen, encoded, leaf, sequence, tag_of
from tests.runtime.making import PROJECT, SR, D, K, U, X, Z, basic, program, rule, specimen

NAME, BIRTH = leaf("PatientName", "DOE^JANE"), leaf("PatientBirthDate", "19700101")
EDITS = {KEPT: "kept", REMOVED: "removed", REPLACED: "replaced"}


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, its elements in the order of the dataset.

    Attributes:
        edits: (tag, edit) of each element that is no item.
        rows: the whole index with its plan.
        calls: tags of elements whose value is to be made.
        flags: what the cells note.
    """

    edits: list[tuple[str, str]]
    rows: "np.ndarray[tuple[int, int], np.dtype[np.int64]]"
    calls: list[str]
    flags: int

    def of(self, tag: int | str) -> str:
        """The edit of the first element with a tag."""
        number = tag if isinstance(tag, int) else tag_of(tag)
        return dict(reversed(self.edits))[format_tag(number)]


def planned(made: Specimen, *rules: Rule) -> Planned:
    data = encoded(made.elements, made.transfer_syntax_uid)
    root = ScannedInstance(memoryview(data), 0, len(data), encoding_of(made.transfer_syntax_uid))
    run = _Rewrite(root, program(*rules), PROJECT)
    calls, late, flags = run.plan()
    if late:
        run.maker.settle_creators(late, ())
    rows = root.rows[: root.size]
    elements = [row for row in rows if not row[KIND] & ITEM_ROW]
    return Planned(
        [(format_tag(int(row[TAG])), EDITS[int(row[EDIT])]) for row in elements],
        rows,
        [format_tag(int(rows[row, TAG])) for row in root.space.calls[:calls, 0]],
        flags,
    )


def test_what_no_rule_names_is_kept() -> None:
    assert {edit for _, edit in planned(specimen(NAME)).edits} == {"kept"}


def test_actions_that_need_no_value_are_settled() -> None:
    found = planned(specimen(NAME, BIRTH), rule(X, "PatientName"), rule(Z, "PatientBirthDate"), rule(K, "PatientID"))
    assert (found.of("PatientName"), found.of("PatientBirthDate"), found.of("PatientID")) == (
        "removed",
        "replaced",
        "kept",
    )
    assert found.calls == []


def test_a_dummy_of_text_is_a_constant_and_a_dummy_of_a_date_is_made() -> None:
    found = planned(specimen(NAME, BIRTH), rule(D, "PatientName", "PatientBirthDate"))
    row = found.rows[next(i for i, r in enumerate(found.rows) if r[TAG] == NAME.tag)]
    assert (row[EDIT], vr_name(int(row[NEW_VR])), row[POOL], row[SIZE]) == (REPLACED, "PN", CONSTANTS, 8)
    assert found.calls == ["(0010,0030)"]


def test_values_are_made_in_the_order_of_the_dataset() -> None:
    item = [leaf("ReferencedSOPInstanceUID", "1.2.3")]
    made = specimen(sequence("ReferencedStudySequence", item, item), leaf("FrameOfReferenceUID", "1.2"))
    found = planned(made, rule(U, "0008,1155", "0020,0052", "0008,0018"))
    assert found.calls == ["(0008,0018)", "(0008,1155)", "(0008,1155)", "(0020,0052)"]


def test_group_lengths_and_trailing_padding_go_everywhere() -> None:
    inside = [leaf(0x00100000, 8, "UL"), NAME]
    made = specimen(
        leaf(0x00080000, 8, "UL"), sequence("ReferencedStudySequence", inside), Leaf(0xFFFCFFFC, "OB", b"\0\0")
    )
    found = planned(made)
    assert [edit for tag, edit in found.edits if tag.endswith(",0000)") or tag == "(FFFC,FFFC)"] == ["removed"] * 3


@pytest.mark.parametrize("action", [K, D, U])
def test_items_are_walked_where_their_sequence_stays(action: Apply) -> None:
    made = specimen(sequence("ReferencedStudySequence", [NAME]))
    found = planned(made, rule(X, "PatientName"), rule(action, "ReferencedStudySequence"))
    assert (found.of("ReferencedStudySequence"), found.of("PatientName")) == ("kept", "removed")


@pytest.mark.parametrize(("action", "edit"), [(X, "removed"), (Z, "replaced")])
def test_a_sequence_that_goes_goes_whole(action: Apply, edit: str) -> None:
    made = specimen(sequence("ReferencedStudySequence", [leaf("ReferencedSOPInstanceUID", "1.2")]))
    found = planned(made, rule(action, "ReferencedStudySequence"), rule(U, "0008,1155"))
    assert found.of("ReferencedStudySequence") == edit
    assert found.calls == []


# --- private blocks -------------------------------------------------------------------------


def block(*elements: Leaf) -> Specimen:
    return specimen(leaf(0x00090010, "ACME", "LO"), leaf(0x00090011, "OTHER", "LO"), *elements)


def test_a_creator_stays_as_long_as_its_block() -> None:
    made = block(leaf(0x00091001, "a", "LO"), leaf(0x00091002, "b", "LO"), leaf(0x00091101, "c", "LO"))
    one_gone = planned(made, rule(X, '(0009,"ACME",01)', '(0009,"OTHER",01)'))
    assert (one_gone.of(0x00090010), one_gone.of(0x00090011)) == ("kept", "removed")
    assert (one_gone.of(0x00091001), one_gone.of(0x00091002)) == ("removed", "kept")
    all_gone = planned(made, rule(X, "0009,XXXX"))
    assert {all_gone.of(tag) for tag in (0x00090010, 0x00090011)} == {"removed"}


def test_a_creator_that_reserves_nothing_is_an_element_that_is_never_changed() -> None:
    found = planned(block(), rule(K, "0009,0010"), rule(D, "0009,0011"))
    assert (found.of(0x00090010), found.of(0x00090011)) == ("kept", "removed")


def test_an_emptied_element_keeps_its_creator() -> None:
    found = planned(block(leaf(0x00091001, "a", "LO")), rule(Z, "0009,1001"), rule(X, private=True))
    assert (found.of(0x00090010), found.of(0x00091001), found.of(0x00090011)) == ("kept", "replaced", "removed")


# --- flags ----------------------------------------------------------------------------------


def test_flags_say_what_was_done_to_dates_and_private_elements() -> None:
    assert planned(specimen(BIRTH), rule(X, "PatientBirthDate")).flags & Flag.DATES_LOST
    assert not planned(specimen(NAME), rule(X, "PatientName")).flags & Flag.DATES_LOST
    kept = planned(block(leaf(0x00091001, "a", "LO")), rule(K, private=True)).flags
    assert kept & Flag.PRIVATE_KEPT
    assert kept & Flag.PRIVATE_UNSAFE


def test_flags_say_what_becomes_of_the_character_set() -> None:
    latin = leaf("SpecificCharacterSet", "ISO_IR 100")
    both = NESTED_CHARSET | CHARSET_EDITED
    assert planned(specimen(latin)).flags & both == 0
    assert planned(specimen(latin), rule(X, "SpecificCharacterSet")).flags & both == CHARSET_EDITED
    nested = specimen(latin, sequence("ReferencedStudySequence", [latin, NAME]))
    assert planned(nested).flags & both == NESTED_CHARSET
    assert planned(nested, rule(X, "ReferencedStudySequence")).flags & both == 0


# --- documents ------------------------------------------------------------------------------


def test_a_documents_content_is_one_dummy_unless_a_rule_has_spoken_in_it() -> None:
    made = specimen(sequence("ContentSequence", [leaf("TextValue", "secret")]), sop_class=SR)
    assert planned(made, basic()).of("ContentSequence") == "replaced"
    assert planned(made, rule(K, "TextValue"), basic()).of("ContentSequence") == "kept"


# --- what is asked before the plan is final ---------------------------------------------------

PRESENT = call("tagIsPresent", Current(CurrentName.TAG, TAG_TYPE))
STAYS = Evaluate(Conditional(PRESENT, call("Keep"), call("Remove"), ACTION))
ABSENT = Unary(UnaryOperator.NOT, PRESENT, BOOL)
GOES = Evaluate(Conditional(ABSENT, call("Keep"), call("Remove"), ACTION))
AS_PATIENT_ID = Evaluate(call("Replace", call("getString", tag("PatientID"))))
REFERENCED = sequence("ReferencedStudySequence", [NAME, sequence("ReferencedStudySequence", [BIRTH])])


def test_what_becomes_of_items_follows_from_the_answer_for_their_sequence() -> None:
    after = rule(X, "PatientName", "PatientBirthDate")
    kept = planned(specimen(REFERENCED), rule(STAYS, "ReferencedStudySequence"), after)
    # Rules behind the one that has decided the sequence have no say in its items.
    assert {kept.of(tag) for tag in ("ReferencedStudySequence", "PatientName", "PatientBirthDate")} == {"kept"}
    gone = planned(specimen(REFERENCED), rule(GOES, "ReferencedStudySequence"), after)
    assert gone.of("ReferencedStudySequence") == "removed"
    assert gone.calls == ["(0008,1110)"]


def test_items_inherit_what_an_instance_has_of_its_own() -> None:
    found = planned(specimen(REFERENCED), rule(AS_PATIENT_ID, "ReferencedStudySequence"))
    assert found.calls == ["(0008,1110)", "(0008,1110)", "(0010,0030)", "(0010,0010)"]


def test_a_sequence_that_expressions_leave_alone_is_decided_by_the_next_rule() -> None:
    undecided = Conditional(ABSENT, call("Remove"), Literal(None, NULL), Type(Kind.ACTION, nullable=True))
    asked = rule(Evaluate(undecided), "ReferencedStudySequence")
    found = planned(specimen(REFERENCED), asked, rule(Z, "ReferencedStudySequence"))
    assert (found.of("ReferencedStudySequence"), found.calls) == ("replaced", ["(0008,1110)"])
    found = planned(specimen(REFERENCED), asked, rule(X, "PatientName"))
    assert (found.of("ReferencedStudySequence"), found.of("PatientName")) == ("kept", "removed")


@pytest.mark.parametrize(("asked", "creator"), [(STAYS, "kept"), (GOES, "removed")])
def test_a_private_creator_stays_or_goes_by_what_expressions_say_of_its_block(asked: Evaluate, creator: str) -> None:
    made = specimen(leaf(0x00090010, "ACME", "LO"), leaf(0x00091001, "x", "LO"))
    assert planned(made, rule(asked, "0009,1001")).of(0x00090010) == creator


@pytest.mark.parametrize(("asked", "edit"), [(STAYS, "kept"), (GOES, "removed")])
def test_a_creator_that_reserves_nothing_is_asked_about_in_the_end(asked: Evaluate, edit: str) -> None:
    found = planned(specimen(leaf(0x00090010, "ACME", "LO")), rule(asked, "0009,0010"))
    assert (found.of(0x00090010), found.calls) == (edit, [])


def test_creators_in_an_item_come_after_what_is_in_it() -> None:
    item = [leaf(0x00090010, "ACME", "LO"), NAME]
    made = specimen(sequence("ReferencedStudySequence", item, item), BIRTH)
    found = planned(made, rule(STAYS, "0009,0010", "PatientName", "PatientBirthDate"))
    assert found.calls == ["(0010,0010)", "(0009,0010)", "(0010,0010)", "(0009,0010)", "(0010,0030)"]


@pytest.mark.parametrize(("action", "edit"), [(K, "kept"), (X, "removed"), (D, "replaced"), (U, "replaced")])
def test_a_sequence_that_was_sent_as_an_unknown_value_without_items(action: Apply, edit: str) -> None:
    made = specimen(Leaf(tag_of("ReferencedStudySequence"), "UN", b"no items"))
    found = planned(made, rule(action, "ReferencedStudySequence"))
    assert found.of("ReferencedStudySequence") == edit


def test_the_room_for_calls_grows_from_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanned, "_SPARE", [])
    monkeypatch.setattr(scanned, "_ROWS", 4)
    creators = [leaf(0x00090010 + i, f"ACME {i}", "LO") for i in range(7)]
    made = specimen(*creators, sequence("ReferencedStudySequence", [*creators, NAME], [NAME]), BIRTH)
    found = planned(made, rule(GOES, private=True), rule(STAYS, "PatientName", "PatientBirthDate"))
    inside = [format_tag(one.tag) for one in creators]
    assert found.calls == ["(0010,0010)", *inside, "(0010,0010)", "(0010,0030)"]
    assert [edit for shown, edit in found.edits if shown in inside[:1]] == ["kept", "removed"]


# --- creators by number -----------------------------------------------------------------------


def number_of(creators: Creators, value: bytes) -> int:
    data = np.frombuffer(b"<" + value + b">", np.uint8)
    return int(creator_number(data, 1, 1 + len(value), creators.slots, creators.places, creators.texts))


def test_creators_are_found_by_their_bytes_without_padding() -> None:
    creators = Creators()
    creators.add(b"ACME ")
    creators.add(b"  OTHER\0")
    assert [number_of(creators, value) for value in (b"ACME", b" ACME\0", b"OTHER", b"ACM", b"ACMEE", b"acme")] == [
        1,
        1,
        2,
        -1,
        -1,
        -1,
    ]
    assert [creators.text(number) for number in range(3)] == [None, "ACME", "OTHER"]


@pytest.mark.parametrize("value", [b"", b"  ", b"\0", b" \0 "])
def test_a_creator_without_text_is_none(value: bytes) -> None:
    assert number_of(Creators(), value) == 0


def test_a_creator_keeps_its_number() -> None:
    creators = Creators()
    for _ in range(2):
        for number in range(1000):
            creators.add(b"ACME %d" % number)
    assert [number_of(creators, b"ACME %d " % number) for number in range(1000)] == list(range(1, 1001))


def test_a_creator_that_another_thread_has_just_numbered_is_not_looked_up_past_the_texts() -> None:
    creators = Creators()
    creators.add(b"ACME")
    before = creators.texts
    creators.add(b"OTHER")
    data = np.frombuffer(b"OTHER", np.uint8)
    assert creator_number(data, 0, 5, creators.slots, creators.places, before) == -1


# --- values that were made --------------------------------------------------------------------


def test_made_values_are_put_into_their_rows() -> None:
    rows = np.zeros((3, 16), np.int64)
    put_made(rows, np.array([(2, REPLACED, vr_code("UI"), 10, 4), (0, REMOVED, 0, 0, 0)], np.int64))
    assert [int(rows[2, column]) for column in (EDIT, NEW_VR, POOL, 12, SIZE)] == [
        REPLACED,
        vr_code("UI"),
        MADE,
        10,
        4,
    ]
    assert rows[0, EDIT] == REMOVED
    assert not rows[1].any()


def test_shifted_dates_are_made() -> None:
    assert planned(specimen(BIRTH), rule(Shift(1, 0), vrs=("DA",))).calls == ["(0010,0030)"]
