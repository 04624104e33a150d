"""What is settled of an expression for one kind of element, and what is left to ask."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.errors import KarnakError
from karnak.ir.expression import (
    ACTION,
    BOOL,
    NULL,
    STR,
    VR,
    Binary,
    BinaryOperator,
    Call,
    Conditional,
    Current,
    CurrentName,
    Elvis,
    Expression,
    Kind,
    Literal,
    Type,
)
from karnak.ir.tree import conditions_in, without_spans
from karnak.runtime.decision import Decision, Verb
from karnak.runtime.evaluate import CurrentElement, evaluate
from karnak.runtime.expressions import compile_expression
from karnak.runtime.part10 import Instance, decode_instance
from karnak.runtime.specialise import Cell, Known, specialise
from karnak.testing.expressions import call, method, number, tag, text
from karnak.testing.specimen import leaf, part10, tag_of
from tests.property import dense
from tests.runtime.making import specimen

NAME = tag_of("PatientName")
TEXT = Current(CurrentName.STRING_VALUE, Type(Kind.STR, nullable=True))
IS_PN = Binary(BinaryOperator.EQUAL, Current(CurrentName.VR, VR), Literal("PN", VR), BOOL)
HAS_MODALITY = call("tagIsPresent", tag("Modality"))
CUT = method(Binary(BinaryOperator.ADD, TEXT, text(""), STR), "substring", number(9))
FAILS = Binary(BinaryOperator.EQUAL, CUT, text("x"), BOOL)


def cell(vr: str = "PN", *, no_text: bool = False, guards: dict[Expression, bool] | None = None) -> Cell:
    return Cell(NAME, vr, no_text, guards or {})


def choice(test: Expression, then: Expression, otherwise: Expression) -> Conditional:
    return Conditional(test, then, otherwise, ACTION)


def test_actions_are_settled() -> None:
    assert specialise(call("Remove"), cell()) == Known(Decision(Verb.REMOVE))
    assert specialise(call("Replace", text("x")), cell()) == Known(Decision(Verb.REPLACE, text="x"))
    assert specialise(call("Replace", Literal(None, NULL)), cell()) == Known(Decision(Verb.EMPTY))
    assert specialise(Literal(None, NULL), cell()) == Known(None)


def test_the_tag_and_the_vr_are_known() -> None:
    chosen = choice(IS_PN, call("Remove"), call("Keep"))
    assert specialise(chosen, cell("PN")) == Known(Decision(Verb.REMOVE))
    assert specialise(chosen, cell("LO")) == Known(Decision(Verb.KEEP))


def test_conditions_are_known_by_what_they_ask() -> None:
    chosen = choice(HAS_MODALITY, call("Remove"), call("Keep"))
    assert specialise(chosen, cell(guards={HAS_MODALITY: True})) == Known(Decision(Verb.REMOVE))
    assert specialise(chosen, cell(guards={HAS_MODALITY: False})) == Known(Decision(Verb.KEEP))
    assert specialise(chosen, cell()) == chosen


def test_what_reads_the_value_is_left_with_what_is_known_put_in() -> None:
    asked = choice(
        Binary(BinaryOperator.EQUAL, TEXT, text("x"), BOOL), choice(IS_PN, call("Remove"), call("UID")), call("Keep")
    )
    left = specialise(asked, cell("PN"))
    assert left == choice(Binary(BinaryOperator.EQUAL, TEXT, text("x"), BOOL), call("Remove"), call("Keep"))
    assert specialise(asked, cell(no_text=True)) == Known(Decision(Verb.KEEP))


def test_a_part_that_would_fail_fails_when_it_is_asked() -> None:
    # Whether substring() fails depends on the value, so it may not be left out.
    asked = choice(Binary(BinaryOperator.AND, FAILS, Literal(False, BOOL), BOOL), call("Remove"), call("Keep"))
    assert not isinstance(specialise(asked, cell()), Known)
    first = choice(Binary(BinaryOperator.AND, Literal(False, BOOL), FAILS, BOOL), call("Remove"), call("Keep"))
    assert specialise(first, cell()) == Known(Decision(Verb.KEEP))


def test_an_answer_that_is_absent_is_no_condition() -> None:
    absent = method(call("getString", tag("Modality")), "isEmpty")
    assert absent.type.nullable
    assert list(conditions_in(absent)) == []
    whole = Elvis(absent, Literal(True, BOOL), BOOL)
    assert list(conditions_in(whole)) == [whole]
    mixed = Elvis(absent, IS_PN, BOOL)
    assert list(conditions_in(mixed)) == []
    # Also where a guard asks the same question, which counts as no if there is no answer.
    assert specialise(mixed, cell(guards={absent: False})) == Elvis(absent, Literal(True, BOOL), BOOL)


def test_additions_keep_what_they_add() -> None:
    added = call("Add", tag("PatientComments"), Literal("LT", VR), text("x"))
    found = specialise(added, cell())
    assert isinstance(found, Known)
    assert isinstance(found.value, Decision)
    assert (found.value.verb, found.value.text) == (Verb.ADD, "x")


# --- any expression -----------------------------------------------------------------------------


def asked(expression: Expression, root: Instance, vr: str, value: str | None) -> object:
    """What an expression gives, or that it fails."""
    try:
        return evaluate(expression, root, CurrentElement(NAME, vr, lambda: value))
    except KarnakError as error:
        return f"fails: {error}"


@given(st.binary(min_size=8, max_size=8), st.sampled_from(["PN", "DA", "UI", "SQ", "OB", "US"]))
def test_what_is_left_says_what_the_whole_says(seed: bytes, vr: str) -> None:
    random = Random(seed)
    expression = without_spans(dense.Expressions(random, in_element=True).decision(3))
    root = decode_instance(part10(specimen(leaf("Modality", "CT"), leaf("PatientName", "DOE^JANE"))))
    no_text = vr in ("SQ", "OB")
    value = None if no_text else random.choice((None, "", "A", "DOE^JANE", "7"))
    guards: dict[Expression, bool] = {}
    for condition in conditions_in(expression):
        try:
            guards[condition] = evaluate(condition, root, None) is True
        except KarnakError:
            # The executor leaves such an instance to the interpreter.
            return
    left = specialise(expression, Cell(NAME, vr, no_text, guards))
    whole = asked(expression, root, vr, value)
    assert (left.value if isinstance(left, Known) else asked(left, root, vr, value)) == whole
    if not isinstance(left, Known):
        try:
            called: object = compile_expression(left)(root, CurrentElement(NAME, vr, lambda: value))
        except KarnakError as error:
            called = f"fails: {error}"
        assert called == whole


@given(st.binary(min_size=8, max_size=8))
def test_compiled_conditions_give_what_walking_them_gives(seed: bytes) -> None:
    random = Random(seed)
    condition = dense.Expressions(random, in_element=False).boolean(3)
    root = decode_instance(part10(dense.specimen(random, "1.2.840.10008.1.2.1")))
    answers: list[object] = []
    for ask in (lambda: evaluate(condition, root, None), lambda: compile_expression(condition)(root, None)):
        try:
            answers.append(ask())
        except KarnakError as error:
            answers.append(f"fails: {error}")
    assert answers[0] == answers[1]


@pytest.mark.parametrize("name", ["tag", "vr", "stringValue"])
def test_questions_about_the_element_fail_where_there_is_none(name: str) -> None:
    node = Current(CurrentName(name), STR)
    with pytest.raises(KarnakError, match="no current element"):
        compile_expression(node)(decode_instance(part10(specimen())), None)


def test_functions_with_constant_arguments_are_called_once() -> None:
    question = compile_expression(Call("Remove", (), ACTION))
    root = decode_instance(part10(specimen()))
    assert question(root, None) is question(root, None)
