"""Folding: what is known is put in, and nobody can tell from the answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.errors import KarnakError
from karnak.ir.expression import (
    ACTION,
    BOOL,
    INT,
    NULL,
    STR,
    TAG,
    VR,
    Binary,
    BinaryOperator,
    Call,
    Conditional,
    Current,
    CurrentName,
    Elvis,
    Expression,
    Index,
    Kind,
    Literal,
    MethodCall,
    Type,
    Unary,
    UnaryOperator,
)
from karnak.ir.fold import MAX_TEXT, Facts, cannot_fail, fold
from karnak.ir.span import Span
from karnak.ir.strings import EvaluationError
from karnak.ir.tree import conditions_in, without_spans
from karnak.runtime.evaluate import CurrentElement, evaluate
from karnak.testing.strategies import conditions, decisions

MAYBE_STR = Type(Kind.STR, nullable=True)
PRESENT = Call("tagIsPresent", (Literal(0x00280010, TAG),), BOOL)
ROWS = Call("getInt", (Literal(0x00280010, TAG),), INT)
TEXT = Current(CurrentName.STRING_VALUE, MAYBE_STR)
YES, NO = Literal(True, BOOL), Literal(False, BOOL)


def text(value: str) -> Literal:
    return Literal(value, STR)


def number(value: int) -> Literal:
    return Literal(value, INT)


def binary(left: Expression, operator: BinaryOperator, right: Expression, kind: Type = BOOL) -> Binary:
    return Binary(operator, left, right, kind)


def method(receiver: Expression, name: str, *arguments: Expression, kind: Type = STR, safe: bool = False) -> MethodCall:
    return MethodCall(receiver, name, arguments, safe, kind)


MIGHT_FAIL = binary(ROWS, BinaryOperator.EQUAL, number(1))
AND, OR, ADD = BinaryOperator.AND, BinaryOperator.OR, BinaryOperator.ADD


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (binary(number(7), BinaryOperator.DIVIDE, number(-2), INT), number(-3)),
        (binary(text("a"), ADD, number(1), STR), text("a1")),
        (Unary(UnaryOperator.NOT, NO, BOOL), YES),
        (Unary(UnaryOperator.NEGATE, number(3), INT), number(-3)),
        (method(text("ab"), "toUpperCase"), text("AB")),
        (method(Literal(None, MAYBE_STR), "concat", method(TEXT, "trim"), safe=True), Literal(None, STR)),
        (Index(text("ab"), number(1), STR), text("b")),
        (Conditional(YES, TEXT, text("x"), MAYBE_STR), TEXT),
        (Elvis(Literal("", MAYBE_STR), TEXT, MAYBE_STR), TEXT),
        (Elvis(text("x"), TEXT, MAYBE_STR), text("x")),
        (Elvis(Call("Keep", (), ACTION), Call("Remove", (), ACTION), ACTION), Call("Keep", (), ACTION)),
        (binary(YES, AND, MIGHT_FAIL), MIGHT_FAIL),
        (binary(MIGHT_FAIL, AND, YES), MIGHT_FAIL),
        (binary(NO, AND, MIGHT_FAIL), NO),
        (binary(YES, OR, MIGHT_FAIL), YES),
        (binary(PRESENT, AND, NO), NO),
        (binary(PRESENT, OR, YES), YES),
    ],
)
def test_what_is_known_is_worked_out(before: Expression, after: Expression) -> None:
    assert fold(before) == after


@pytest.mark.parametrize(
    "left",
    [
        binary(number(1), BinaryOperator.DIVIDE, number(0), INT),
        binary(Literal(1e308, Type(Kind.NUMBER)), BinaryOperator.ADD, number(10**400), Type(Kind.NUMBER)),
        method(text("abc"), "charAt", number(3)),
        method(Literal(None, MAYBE_STR), "trim"),
        method(text("a,b"), "split", text(","), kind=Type(Kind.LIST)),
        binary(MIGHT_FAIL, AND, NO),
        binary(MIGHT_FAIL, OR, YES),
        method(text("a" * MAX_TEXT), "concat", text("a")),
        method(text("a" * (MAX_TEXT + 1)), "trim"),
        binary(number(1 << 62), BinaryOperator.MULTIPLY, number(4), INT),
        Call("Replace", (text("a"),), ACTION),
    ],
)
def test_what_fails_or_grows_is_left_to_whoever_asks(left: Expression) -> None:
    assert fold(left) == left


def test_null_is_asked_for_only_where_null_is_written() -> None:
    """`(true ? null : 'a') == getString(x)` does not ask whether x is absent."""
    read = Call("getString", (Literal(0x00100010, TAG),), MAYBE_STR)
    for answer in (Literal(None, NULL), Conditional(PRESENT, Literal(None, NULL), Literal(None, NULL), NULL)):
        asked = binary(Conditional(YES, answer, text("a"), MAYBE_STR), BinaryOperator.EQUAL, read)
        folded = fold(asked)
        assert isinstance(folded, Binary)
        assert folded.left.type == MAYBE_STR
        assert evaluate(folded, Root({}), None) is evaluate(asked, Root({}), None) is False


def test_a_value_keeps_the_place_of_what_gave_it() -> None:
    place = Span("p.yml", 4, 5, 4, 9)
    assert fold(Binary(ADD, text("a"), text("b"), STR, place)).span == place


def test_facts_are_put_in() -> None:
    tag, vr = Current(CurrentName.TAG, TAG), Current(CurrentName.VR, VR)
    facts = Facts(0x00100010, "PN", no_text=True, answers={PRESENT: True})
    assert [fold(part, facts) for part in (tag, vr, TEXT, PRESENT)] == [
        Literal(0x00100010, TAG), Literal("PN", VR), Literal(None, MAYBE_STR), YES,
    ]  # fmt: skip
    assert [fold(part) for part in (tag, vr, TEXT, PRESENT)] == [tag, vr, TEXT, PRESENT]


def test_what_cannot_fail() -> None:
    assert cannot_fail(binary(PRESENT, AND, Unary(UnaryOperator.NOT, PRESENT, BOOL)))
    assert cannot_fail(TEXT, Facts(text_is_readable=True))
    assert not cannot_fail(TEXT)
    assert not cannot_fail(MIGHT_FAIL)
    assert not cannot_fail(binary(number(1), BinaryOperator.DIVIDE, number(2), INT))


# The law: an expression and what is left of it give the same answer, or the same error.


@dataclass
class Root:
    """A root dataset of texts; some of them cannot be read."""

    texts: Mapping[int, str | None]
    unreadable: frozenset[int] = field(default_factory=frozenset)

    def text(self, tag: int) -> str | None:
        if tag in self.unreadable:
            raise EvaluationError("bytes that are no characters")
        return self.texts.get(tag)

    def has(self, tag: int) -> bool:
        return tag in self.texts

    def count(self, tag: int) -> int:
        return len((self.text(tag) or "").split("\\")) if self.has(tag) else 0

    def has_anywhere(self, tag: int) -> bool:
        return self.has(tag)


def tags_in(expression: Expression) -> st.SearchStrategy[int]:
    """Tags that an expression may ask for, from its text: the literals of type TAG."""
    found = [literal.value for literal in literals(expression) if literal.type == TAG]
    return st.sampled_from([tag for tag in found if isinstance(tag, int)] or [0])


def literals(node: object) -> list[Literal]:
    if isinstance(node, Literal):
        return [node]
    if isinstance(node, tuple):
        return [literal for part in node for literal in literals(part)]
    slots = getattr(node, "__slots__", ()) if not isinstance(node, str) else ()
    return [literal for name in slots for literal in literals(getattr(node, name))]


def answer(expression: Expression, root: Root, current: CurrentElement | None) -> object:
    try:
        return evaluate(expression, root, current)
    except KarnakError as error:
        return type(error), str(error)


@st.composite
def roots(draw: st.DrawFn, expression: Expression) -> Root:
    values = st.sampled_from([None, "", "CT", "1.5", "7", "DOE^JANE", "A\\B"])
    texts = draw(st.dictionaries(tags_in(expression), values))
    return Root(texts, frozenset(tag for tag in texts if draw(st.integers(0, 7)) == 7))


@given(st.one_of(conditions(), decisions()), st.data())
def test_nobody_can_tell_by_the_answers(expression: Expression, choose: st.DataObject) -> None:
    root = choose.draw(roots(expression))
    value, fails = choose.draw(st.sampled_from([None, "CT", "7"])), choose.draw(st.booleans())

    def read() -> str | None:
        if fails:
            raise EvaluationError("bytes that are no characters")
        return value

    current = CurrentElement(0x00080060, "CS", read)
    before = answer(expression, root, current)
    assert answer(fold(expression), root, current) == before
    bare = without_spans(expression)
    answers = {}
    for condition in conditions_in(bare):
        found = answer(condition, root, None)
        if isinstance(found, bool):
            answers[condition] = found
    facts = Facts(0x00080060, "CS", no_text=value is None and not fails, text_is_readable=not fails, answers=answers)
    assert answer(fold(bare, facts), root, current) == before


@given(st.one_of(conditions(), decisions()))
def test_folding_twice_is_folding_once(expression: Expression) -> None:
    once = fold(expression)
    assert fold(once) == once


@given(conditions(), st.data())
def test_what_cannot_fail_does_not(expression: Expression, choose: st.DataObject) -> None:
    root = choose.draw(roots(expression))
    if cannot_fail(expression):
        assert isinstance(answer(replace(expression), root, None), bool)
