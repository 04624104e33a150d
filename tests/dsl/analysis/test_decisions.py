"""What tables say to people is what instances meet."""

import re
from collections import defaultdict
from collections.abc import Iterable

from hypothesis import assume, given, settings

from karnak.dsl.analysis.decisions import ALWAYS, EXPRESSION, Answer, Row, decisions
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
from karnak.ir.profile import AddElement, AddPrivateElement, DatePart, Evaluate, Rule, Shift, TruncateDate
from karnak.runtime.deidentify import Mode, deidentify
from karnak.runtime.part10 import read_instance
from karnak.runtime.program import Program
from karnak.runtime.rejection import Rejected
from karnak.standard.confidentiality import Option
from karnak.testing.expressions import call, tag, text
from karnak.testing.specimen import Specimen, part10
from karnak.testing.strategies import programs, specimens
from tests.runtime.making import CT, ENHANCED_CT, NOW, PROJECT, SR, D, K, U, X, Z, adding, basic, program, rule

PRESENT = call("tagIsPresent", tag("Rows"))
SPEAKS = Conditional(
    Binary(BinaryOperator.EQUAL, Current(CurrentName.STRING_VALUE, Type(Kind.STR, nullable=True)), text("a"), BOOL),
    call("Keep"),
    Literal(None, NULL),
    Type(ACTION.kind, nullable=True),
)


def shown(
    *rules: Rule, sop_class: str = CT, holds: Iterable[bool] = (), mode: Mode = "morph", nested: bool = False
) -> dict[str, list[Row]]:
    made = program(*rules)
    bits = tuple(holds) or (False,) * len(made.conditions)
    found: dict[str, list[Row]] = defaultdict(list)
    for row in decisions(made, sop_class, bits, mode=mode, nested=nested):
        found[row.place.tag].append(row)
    return found


def words(rows: list[Row]) -> list[str]:
    """Everything that is said, in a few words."""
    return [_words(answer) for row in rows for answer in row.answers]


def _words(answer: Answer) -> str:
    note = f" ({answer.note})" if answer.note else ""
    return f"{answer.case} {answer.decision}{note}".strip()


# Which rows there are.


def test_attributes_of_the_iod_of_the_table_and_of_rules_have_rows() -> None:
    rows = shown(rule(X, "0040,A07X", "ZoomFactor", '(0029,"A",10)', "7777AB01"), basic())
    for listed in ("(0008,0060)", "(0010,0010)", "(0040,A078)", "(0040,A07X)", "(0028,0031)", '(0029,"A",10)'):
        assert listed in rows
    assert words(rows["(7777,AB01)"]) == ["remove"]
    (name,) = rows["(0010,0010)"]
    assert (name.place.name, name.vrs, name.kind) == ("Patient's Name", ("PN",), "2")
    (private,) = rows['(0029,"A",10)']
    assert (private.place.name, private.vrs, private.kind) == ("private, of A", (), None)
    assert not any(listed.startswith(("(0000,", "(0002,")) for listed in rows)


def test_what_is_left_over_has_two_rows_at_the_end() -> None:
    rows = shown(basic())
    assert list(rows)[-1] == "(XXXX,XXXX)"
    others = rows["(XXXX,XXXX)"]
    assert [row.place.name for row in others] == ["every other attribute", "every other private element"]
    assert [words([row]) for row in others] == [["keep"], ["remove"]]
    assert [row.answers[0].rule for row in others] == [None, "basic"]


def test_a_pattern_stands_for_what_no_other_row_is_about() -> None:
    rows = shown(rule(K, "0010,00XX", exclude=["0010,0021"]), rule(X, "0010,XXXX"), rule(Z, "0011,10XX"))
    assert words(rows["(0010,0010)"]) == ["keep"]
    assert words(rows["(0010,00XX)"]) == ["keep"]
    assert words(rows["(0010,0021)"]) == ["remove"]
    assert words(rows["(0010,XXXX)"]) == ["remove"]
    assert words(rows["(0011,10XX)"]) == ["empty"]
    assert rows["(0010,00XX)"][0].place.name == "every other of these"
    assert list(rows).index("(0010,0010)") < list(rows).index("(0010,00XX)") < list(rows).index("(0010,XXXX)")


def test_a_pattern_over_public_and_private_groups_has_a_row_for_each() -> None:
    rows = shown(rule(X, "0XXX,1234", private=True))["(0XXX,1234)"]
    assert [(row.place.name, words([row])) for row in rows] == [
        ("every other of these", ["keep"]),
        ("every other private element of these", ["remove"]),
    ]


def test_overlays_have_one_row_for_all_groups() -> None:
    rows = shown(basic())
    assert words(rows["(60XX,3000)"]) == words(rows["(60XX,0010)"]) == words(rows["(60XX,XXXX)"]) == ["remove"]
    assert rows["(60XX,3000)"][0].kind == "1"


def test_safe_private_elements_have_rows_where_they_are_retained() -> None:
    rows = shown(basic(Option.RETAIN_SAFE_PRIVATE))
    assert words(rows['(0019,"SIEMENS MR HEADER",0C)']) == ["keep"]
    assert rows['(0019,"SIEMENS MR HEADER",0C)'][0].place.name
    assert not any("SIEMENS" in listed for listed in shown(basic()))


def test_value_representations_that_are_treated_differently_have_rows_of_their_own() -> None:
    rows = shown(rule(Shift(1, 0), vrs=["AS", "DA", "DT", "TM"]), rule(TruncateDate(DatePart.DAY), "0010,XXXX"))
    found = [(row.vrs, words([row])) for row in rows["(0010,XXXX)"]]
    assert found == [((), ["keep"]), (("AS", "DA", "DT", "TM"), ["shift"])]


# What rows say.


def test_conditions_choose() -> None:
    guarded = rule(X, "PatientSex", when=PRESENT, line=5)
    assert words(shown(guarded, holds=[False])["(0010,0040)"]) == ["keep"]
    (row,) = shown(guarded, holds=[True])["(0010,0040)"]
    assert row.answers == (Answer("remove", "the rule", 5),)


def test_expressions_are_asked_before_what_holds_otherwise() -> None:
    asking = rule(Evaluate(SPEAKS), "PatientSex", "Rows", name="asks", line=3)
    rows = shown(asking, basic())
    (row,) = rows["(0010,0040)"]
    assert row.answers == (
        Answer(EXPRESSION, "asks", 3, asks=SPEAKS),
        Answer("empty", "basic", 99, case="otherwise"),
    )
    # The value of Rows is never "a" in text; but only an instance can tell.
    assert words(rows["(0028,0010)"]) == [EXPRESSION, "otherwise keep"]


def test_nothing_is_left_behind_an_expression_that_always_decides() -> None:
    decided: Expression = Conditional(SPEAKS.test, call("Keep"), call("Remove"), ACTION)
    assert words(shown(rule(Evaluate(decided), "PatientSex"), basic())["(0010,0040)"]) == [EXPRESSION]


def test_types_settle_combined_actions() -> None:
    device = "(0018,1000)"
    assert words(shown(basic())[device]) == ["remove"]
    assert words(shown(basic(), sop_class=ENHANCED_CT)[device]) == ["dummy"]
    assert words(shown(basic(), sop_class="1.2.3.4")[device]) == ["dummy"]


def test_what_is_always_set_is_set_where_instances_are_de_identified() -> None:
    rows = shown(basic(), mode="deid")
    assert rows["(0010,0010)"][0].answers == rows["(0028,0303)"][0].answers == (Answer("set", ALWAYS),)
    assert rows["(0012,0081)"][0].answers == (Answer("remove", ALWAYS),)
    assert words(shown(basic())["(0010,0010)"]) == ["empty"]


def test_additions_stand_behind_what_is_decided() -> None:
    added = AddElement(0x00104000, "LT", "x")
    rows = shown(adding(added), adding(AddElement(0x00400275, "SQ", "")), rule(X, "PatientComments"))
    assert words(rows["(0010,4000)"]) == ["remove", "if absent add"]
    assert "if absent reject" in words(shown(adding(added), sop_class="1.2.3")["(0010,4000)"])[1]
    assert words(shown(adding(AddElement(0x00180060, "DS", "1")), sop_class=SR)["(0018,0060)"]) == ["keep"]
    asking = call("Add", tag("PatientComments"), Literal("LT", VR), text("x"))
    by_expression = shown(rule(Evaluate(asking), "PatientID"))["(0010,4000)"]
    assert words(by_expression) == ["keep", "if absent add (where its expression asks for it)"]
    private = shown(adding(AddPrivateElement(0x00291010, "LO", "x", "A")))
    assert words(private["(0029,1010)"]) == ["keep", "if absent add"]


def test_private_creators_follow_their_blocks() -> None:
    assert words(shown(rule(X, "0029,0010"))["(0029,0010)"]) == ["keep (as long as its block)"]


# Sequences.


def test_items_of_sequences_that_stay() -> None:
    rows = shown(rule(D, "ReferencedStudySequence"), basic(), nested=True)
    assert words(rows["(0008,1110)"]) == ["dummy (what is inside)"]
    inside = rows["(0008,1110)/(0008,1150)"]
    assert words(inside) == ["dummy (as the sequence around it)"]
    assert inside[0].kind == "1"
    assert "(0008,1110)/(0008,1150)" not in shown(rule(D, "ReferencedStudySequence"), basic())


def test_items_of_sequences_that_go_have_no_rows() -> None:
    rows = shown(rule(X, "ReferencedStudySequence"), rule(K, "ReferencedStudySequence/PatientID"), nested=True)
    assert words(rows["(0008,1110)"]) == ["remove"]
    assert not any(listed.startswith("(0008,1110)/") for listed in rows)


def test_paths_of_rules_have_rows_also_by_patterns() -> None:
    rows = shown(rule(U, "ReferencedStudySequence/PatientID", "ReferencedStudySequence/0011,10XX"))
    assert words(rows["(0008,1110)/(0010,0020)"]) == ["uid"]
    assert words(rows["(0008,1110)/(0011,10XX)"]) == ["uid"]
    assert words(rows["(0010,0020)"]) == ["keep"]


def test_a_sequence_that_keeps_its_place_for_its_uids() -> None:
    rows = shown(basic(), nested=True)
    assert words(rows["(0008,1110)"]) == ["remove"]
    needed = shown(basic(), nested=True, sop_class=ENHANCED_CT)
    assert words(needed["(0008,1140)"])[0].startswith(("keep (for the UIDs in it)", "remove", "empty"))


def test_content_is_replaced_as_a_whole() -> None:
    rows = shown(basic(), sop_class=SR, nested=True)
    assert words(rows["(0040,A730)"]) == ["dummy (unless a rule speaks of what is inside)"]
    assert not any(listed.startswith("(0040,A730)/") for listed in rows)
    kept = shown(rule(K, "ContentSequence"), basic(), sop_class=SR, nested=True)
    assert words(kept["(0040,A730)/(0040,A160)"]) == ["keep (as the sequence around it)"]
    assert not any(listed.count("(0040,A730)") > 2 for listed in kept)


# The law: what the report of an instance says stands in the table.


@settings(max_examples=25)
@given(specimens(), programs())
def test_the_report_of_an_instance_stands_in_the_table(made: Specimen, chosen: Program) -> None:
    data = part10(made)
    instance = read_instance(data)
    try:
        holds = chosen.conditions.evaluate(instance)
    except Rejected:
        assume(False)
    outcome = deidentify(data, chosen, PROJECT, mode="morph", now=NOW, engine="reference")
    if not outcome.changes:
        return
    said: dict[str, set[tuple[str | None, int]]] = defaultdict(set)
    for row in decisions(chosen, instance.sop_class_uid or "", holds, mode="morph", nested=True):
        said[row.place.tag] |= {(answer.rule, answer.line) for answer in row.answers}
    for change in outcome.changes:
        place = re.sub(r"\[\d+\]", "", change.path)
        if place in said and not re.search(r"\(...[13579BDF],", place):
            assert (change.rule, change.line) in said[place], change
