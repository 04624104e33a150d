"""What a table says of each kind of element: ops, constants, contexts and flags."""

import pytest

from karnak.ir.expression import (
    ACTION,
    BOOL,
    NULL,
    VR,
    Binary,
    BinaryOperator,
    Conditional,
    Current,
    CurrentName,
    Expression,
    Kind,
    Literal,
    Type,
)
from karnak.ir.profile import DatePart, Evaluate, Rule, Shift, TruncateDate
from karnak.ir.selector import ElementKey
from karnak.runtime import lower
from karnak.runtime.decision import Decision, Verb
from karnak.runtime.encoding import EXPLICIT, IMPLICIT
from karnak.runtime.lower import ROOT_CONTEXT, Table, TableFull
from karnak.runtime.table import Flag, Op, Role, Verdict, Way
from karnak.standard.confidentiality import Option
from karnak.testing.expressions import call, tag, text
from karnak.testing.specimen import tag_of
from tests.runtime.making import CT, SR, D, K, U, X, Z, basic, program, rule

NULLABLE_ACTION = Type(Kind.ACTION, nullable=True)
IS_DATE = Binary(BinaryOperator.EQUAL, Current(CurrentName.VR, VR), Literal("DA", VR), BOOL)
MODALITY_IS_CT = call("tagValueIsPresent", tag("Modality"), text("CT"))
THIS_IS_CT = Binary(
    BinaryOperator.EQUAL, Current(CurrentName.STRING_VALUE, Type(Kind.STR, nullable=True)), text("CT"), BOOL
)


def table(*rules: Rule, sop_class: str | None = CT, bits: tuple[bool, ...] = (), implicit: bool = False) -> Table:
    return Table(program(*rules), sop_class, bits, IMPLICIT if implicit else EXPLICIT)


def filled(made: Table, name: int | str, vr: str, context: int = ROOT_CONTEXT, creator: str | None = None) -> int:
    """The number of a cell."""
    number = name if isinstance(name, int) else tag_of(name)
    return made.fill(context, ElementKey(number, creator), 1 if creator else 0, vr)


def op(made: Table, name: int | str, vr: str, context: int = ROOT_CONTEXT) -> Op:
    return Op(int(made.cells.arrays.columns[filled(made, name, vr, context), 0]))


def verdict(made: Table, name: int | str, vr: str, creator: str | None = None) -> Verdict:
    return made.cells.verdicts[filled(made, name, vr, creator=creator)]


def says(test: Expression) -> Evaluate:
    return Evaluate(Conditional(test, call("Remove"), Literal(None, NULL), NULLABLE_ACTION))


# --- ops --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effect", "vr", "wanted"),
    [
        (K, "PN", Op.KEEP),
        (X, "PN", Op.REMOVE),
        (Z, "PN", Op.EMPTY),
        (D, "PN", Op.CONSTANT),
        (D, "IS", Op.CONSTANT),
        (U, "UI", Op.CALL),
        (D, "UI", Op.CALL),
        (D, "DA", Op.CALL),
        (D, "US", Op.CALL),
        (D, "OB", Op.CALL),
        (Shift(1, 0), "DA", Op.CALL),
        (Shift(1, 0), "PN", Op.KEEP),
        (TruncateDate(DatePart.DAY), "DA", Op.CALL),
        (TruncateDate(DatePart.DAY), "TM", Op.KEEP),
        (X, "SQ", Op.REMOVE),
        (Z, "SQ", Op.EMPTY),
        (K, "SQ", Op.KEEP),
        (D, "SQ", Op.KEEP),
        (U, "SQ", Op.KEEP),
    ],
)
def test_ops(effect: object, vr: str, wanted: Op) -> None:
    chosen = rule(K, "PatientName")
    made = table(Rule("r", "test", chosen.selector, effect))  # type: ignore[arg-type]
    assert op(made, "PatientName", vr) is wanted


def test_constants_lie_in_the_pool() -> None:
    made = table(rule(D, "PatientName", "SeriesNumber", "TemporalRangeType"))
    found = []
    for name, vr in (("PatientName", "PN"), ("SeriesNumber", "IS"), ("TemporalRangeType", "CS")):
        _, code, offset, size, *_ = made.cells.arrays.columns[filled(made, name, vr)].tolist()
        found.append((chr(code >> 8) + chr(code & 0xFF), bytes(made.cells.pool[offset : offset + size])))
    assert found == [("PN", b"UNKNOWN "), ("IS", b"0 "), ("CS", b"POINT ")]


def test_the_first_rule_whose_guard_holds_decides() -> None:
    rules = rule(X, "PatientName", when=MODALITY_IS_CT), rule(Z, "PatientName")
    assert op(table(*rules, bits=(True,)), "PatientName", "PN") is Op.REMOVE
    assert op(table(*rules, bits=(False,)), "PatientName", "PN") is Op.EMPTY


@pytest.mark.parametrize(("sop_class", "wanted"), [(CT, Verb.EMPTY), (SR, Verb.EMPTY), (None, Verb.EMPTY)])
def test_combined_actions_are_settled_by_the_iod(sop_class: str | None, wanted: Verb) -> None:
    found = verdict(table(basic(), sop_class=sop_class), "PatientName", "PN").decision
    assert found is not None
    assert found.verb is wanted


def test_a_table_is_filled_once_per_kind_of_element() -> None:
    made = table(basic())
    assert filled(made, "PatientName", "PN") == filled(made, "PatientName", "PN")
    assert filled(made, "PatientName", "PN") != filled(made, "PatientName", "LO")
    assert made.cells.count == 2


# --- contexts ---------------------------------------------------------------------------------


def child(made: Table, name: str, context: int = ROOT_CONTEXT) -> int:
    return int(made.cells.arrays.columns[filled(made, name, "SQ", context), 4])


def test_items_of_a_sequence_that_no_rule_decides_have_all_rules() -> None:
    made = table(rule(X, "PatientName"))
    inside = made.contexts[child(made, "ReferencedStudySequence") - 1]
    assert (inside.limit, inside.inherited) == (0, None)
    assert op(made, "PatientName", "PN", child(made, "ReferencedStudySequence")) is Op.REMOVE


def test_items_of_a_sequence_that_a_rule_decides_have_the_rules_up_to_it_and_inherit() -> None:
    made = table(rule(Z, "PatientID"), rule(D, "ReferencedStudySequence"), rule(X, "PatientName"))
    inside = child(made, "ReferencedStudySequence")
    assert made.contexts[inside - 1].limit == 1
    assert [op(made, name, vr, inside) for name, vr in (("PatientID", "LO"), ("PatientName", "PN"))] == [
        Op.EMPTY,
        Op.CONSTANT,
    ]
    # What is inherited goes on, level by level.
    deeper = child(made, "ReferencedImageSequence", inside)
    assert op(made, "PatientName", "PN", deeper) is Op.CONSTANT


def test_contexts_that_decide_alike_are_one() -> None:
    made = table(rule(X, "PatientName"), sop_class=None)
    assert child(made, "ReferencedStudySequence") == child(made, "ReferencedImageSequence") == ROOT_CONTEXT
    # In an IOD they are places of their own, with types of their own.
    made = table(rule(X, "PatientName"), sop_class=CT)
    assert child(made, "ReferencedStudySequence") != child(made, "ReferencedImageSequence")


def test_where_a_selector_names_a_place_every_place_is_a_context() -> None:
    made = table(rule(X, "ReferencedStudySequence/PatientName"))
    inside, other = child(made, "ReferencedStudySequence"), child(made, "ReferencedImageSequence")
    assert inside != other
    assert [op(made, "PatientName", "PN", context) for context in (ROOT_CONTEXT, inside, other)] == [
        Op.KEEP,
        Op.REMOVE,
        Op.KEEP,
    ]


def test_items_of_a_sequence_kept_for_its_uids_have_rows_of_their_own() -> None:
    made = table(basic(), sop_class=None)
    found = verdict(made, "ReferencedImageSequence", "SQ").decision
    assert found is not None
    assert (found.verb, found.own_rows) == (Verb.UID, True)
    assert made.contexts[child(made, "ReferencedImageSequence") - 1].inherited is None


# --- expressions ------------------------------------------------------------------------------


def test_an_expression_that_reads_no_value_is_settled() -> None:
    made = table(rule(says(IS_DATE)))
    assert [op(made, 0x00091001, vr) for vr in ("DA", "PN")] == [Op.REMOVE, Op.KEEP]
    assert verdict(made, 0x00091001, "DA").steps == ()


def test_an_expression_that_reads_the_root_is_settled_by_the_conditions() -> None:
    for holds, wanted in ((True, Op.REMOVE), (False, Op.KEEP)):
        made = table(rule(says(MODALITY_IS_CT), "PatientName"), bits=(holds,))
        assert op(made, "PatientName", "PN") is wanted


def test_an_expression_that_reads_the_value_is_asked_per_element() -> None:
    made = table(rule(says(THIS_IS_CT), "Modality"), rule(Z, "Modality"))
    found = verdict(made, "Modality", "CS")
    assert [step.index for step in found.steps] == [0]
    assert found.decision is not None
    assert found.decision.verb is Verb.EMPTY
    assert op(made, "Modality", "CS") is Op.CALL
    # A sequence has no text.
    assert op(made, "Modality", "SQ") is Op.EMPTY


@pytest.mark.parametrize(
    ("name", "vr", "wanted"),
    [
        ("PatientName", "PN", Op.CALL),
        ("ReferencedStudySequence", "SQ", Op.ASK),
        (0x00091001, "LO", Op.ASK),
    ],
)
def test_what_must_be_known_before_is_asked_before(name: int | str, vr: str, wanted: Op) -> None:
    present = call("tagIsPresent", tag("Modality"))
    asked = Conditional(
        Binary(BinaryOperator.EQUAL, call("count", Current(CurrentName.TAG, VR)), call("count", tag("Rows")), BOOL),
        call("Remove"),
        call("Keep"),
        ACTION,
    )
    made = table(rule(Evaluate(asked)), rule(X, "Modality", when=present), bits=(True,))
    assert op(made, name, vr) is wanted


AS_PATIENT_ID = Evaluate(call("Replace", call("getString", tag("PatientID"))))


def test_the_items_of_a_sequence_whose_expression_has_answered_inherit_the_kind_of_answer() -> None:
    made = table(rule(AS_PATIENT_ID, "ReferencedStudySequence"), rule(X, "PatientName"))
    cell = filled(made, "ReferencedStudySequence", "SQ")
    step = made.cells.verdicts[cell].steps[0]
    replaced, alone = made.answered(cell, step, Verb.REPLACE), made.answered(cell, None, None)
    columns = made.cells.arrays.columns
    assert columns[[replaced, alone], 0].tolist() == [Op.KEEP, Op.KEEP]
    inside, undecided = (made.contexts[int(columns[number, 4]) - 1] for number in (replaced, alone))
    assert (inside.limit, inside.inherited) == (0, Decision(Verb.REPLACE, step.rule))
    assert (undecided.limit, undecided.inherited) == (1, None)
    # The value is the instance's: whatever it is, it is the same cell.
    assert made.answered(cell, step, Verb.REPLACE) == replaced
    assert op(made, "PatientName", "PN", int(columns[replaced, 4])) is Op.CALL
    # What fails goes no further.
    assert columns[made.answered(cell, step, None), 0] == Op.REMOVE


def test_a_table_has_no_room_for_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    made = table(rule(AS_PATIENT_ID, "ReferencedStudySequence"))
    cell = filled(made, "ReferencedStudySequence", "SQ")
    monkeypatch.setattr(lower, "MAX_CELLS", 1)
    with pytest.raises(TableFull):
        made.answered(cell, made.cells.verdicts[cell].steps[0], Verb.REPLACE)


# --- creators and flags -----------------------------------------------------------------------


@pytest.mark.parametrize(("effect", "wanted"), [(K, Op.KEEP), (X, Op.REMOVE), (Z, Op.REMOVE), (D, Op.REMOVE)])
def test_a_creator_that_reserves_nothing_stays_or_goes(effect: object, wanted: Op) -> None:
    chosen = rule(K, "0009,0010")
    made = table(Rule("r", "test", chosen.selector, effect))  # type: ignore[arg-type]
    number = made.fill(ROOT_CONTEXT, ElementKey(0x00090010), 0, "LO", Role.CREATOR)
    assert made.cells.arrays.columns[number, 0] == wanted


def test_elements_are_known_by_their_creator() -> None:
    made = table(rule(X, '(0009,"ACME",01)'))
    ours = made.fill(ROOT_CONTEXT, ElementKey(0x00091001, "ACME"), 1, "LO")
    theirs = made.fill(ROOT_CONTEXT, ElementKey(0x00091001, "OTHER"), 2, "LO")
    assert made.cells.arrays.columns[[ours, theirs], 0].tolist() == [Op.REMOVE, Op.KEEP]


@pytest.mark.parametrize(
    ("effect", "name", "vr", "wanted"),
    [
        (X, "PatientBirthDate", "DA", Flag.DATES_LOST | Flag.SPOKEN),
        (K, "PatientBirthDate", "DA", Flag.SPOKEN),
        (X, "PatientName", "PN", Flag.SPOKEN),
        (K, 0x00091001, "LO", Flag.PRIVATE_KEPT | Flag.PRIVATE_UNSAFE | Flag.SPOKEN),
    ],
)
def test_flags(effect: object, name: int | str, vr: str, wanted: int) -> None:
    made = table(Rule("r", "test", rule(K).selector, effect))  # type: ignore[arg-type]
    assert made.cells.arrays.columns[filled(made, name, vr), 5] == wanted


def test_the_basic_profile_does_not_speak() -> None:
    made = table(basic(Option.RETAIN_SAFE_PRIVATE))
    assert made.cells.arrays.columns[filled(made, "PatientName", "PN"), 5] == 0


def test_the_content_of_a_document_is_a_constant_of_the_encoding() -> None:
    sizes = []
    for implicit in (False, True):
        made = table(basic(), sop_class=SR, implicit=implicit)
        assert op(made, "ContentSequence", "SQ") is Op.CONSTANT
        sizes.append(made.cells.arrays.columns[filled(made, "ContentSequence", "SQ"), [3, 9]].tolist())
    # What lies within Implicit VR in an Explicit VR dataset has a constant of its own.
    assert sizes[0][0] > sizes[0][1] == sizes[1][0]
    assert sizes[1][1] == 0


@pytest.mark.parametrize(
    ("effect", "name", "vr", "wanted"),
    [
        (U, "StudyInstanceUID", "UI", (Way.UID, 0, 0)),
        (D, "StudyInstanceUID", "UI", (Way.UID, 0, 0)),
        (D, "Rows", "US", (Way.ZEROS, 2, 0)),
        (D, 0x00189073, "FD", (Way.ZEROS, 8, 0)),
        (D, "PatientBirthDate", "DA", (Way.MOVED, 0, Flag.DATES_LOST | Flag.SPOKEN)),
        (Shift(1, 2), "PatientBirthDate", "DA", (Way.MOVED, 0, Flag.DATES_MOVED | Flag.SPOKEN)),
        (Shift(1, 2), "PatientAge", "AS", (Way.MOVED, 0, Flag.SPOKEN)),
        (TruncateDate(DatePart.DAY), "PatientBirthDate", "DA", (Way.TRUNCATED, 6, Flag.DATES_MOVED | Flag.SPOKEN)),
        (TruncateDate(DatePart.MONTH_DAY), "StudyDate", "DA", (Way.TRUNCATED, 4, Flag.DATES_MOVED | Flag.SPOKEN)),
        (D, "PixelData", "OW", (Way.NONE, 0, 0)),
        (U, "PatientName", "PN", (Way.NONE, 0, 0)),
        (X, "PatientBirthDate", "DA", (Way.NONE, 0, 0)),
    ],
)
def test_compiled_code_makes_what_has_a_common_form(
    effect: object, name: int | str, vr: str, wanted: tuple[int, ...]
) -> None:
    made = table(Rule("r", "test", rule(K).selector, effect))  # type: ignore[arg-type]
    assert tuple(made.cells.arrays.columns[filled(made, name, vr), 6:9].tolist()) == wanted


def test_equal_amounts_are_one() -> None:
    made = table(rule(Shift(1, 2), "StudyDate"), rule(Shift(1, 2), "SeriesDate"), rule(Shift(2, 1), "AcquisitionDate"))
    numbers = [filled(made, name, "DA") for name in ("StudyDate", "SeriesDate", "AcquisitionDate")]
    assert made.cells.arrays.columns[numbers, 7].tolist() == [0, 0, 1]
    assert made.amounts == [Shift(1, 2), Shift(2, 1)]
