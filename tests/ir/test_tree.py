"""Walking expression trees."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from karnak.ir.expression import Expression
from karnak.ir.span import NOWHERE, Span
from karnak.ir.tree import calls, conditions_in, is_condition, parts, with_parts, without_spans
from karnak.testing.strategies import conditions, decisions

EXPRESSIONS = st.one_of(conditions(), decisions())


def everything(expression: Expression) -> list[Expression]:
    return [expression, *(inner for part in parts(expression) for inner in everything(part))]


def placed(expression: Expression, line: int = 1) -> Expression:
    """The same tree with a place for every node."""
    inside = [placed(part, line + 1) for part in parts(expression)]
    return replace(with_parts(expression, inside), span=Span("p", line, 1, line, 2))


@given(EXPRESSIONS)
def test_a_node_is_made_of_its_parts(expression: Expression) -> None:
    assert with_parts(expression, parts(expression)) == expression


@given(EXPRESSIONS)
def test_places_are_left_out_and_nothing_else(expression: Expression) -> None:
    assert without_spans(placed(expression)) == without_spans(expression)
    assert all(node.span == NOWHERE for node in everything(without_spans(placed(expression))))


@given(EXPRESSIONS)
def test_conditions_are_the_largest_questions_about_the_root(expression: Expression) -> None:
    found = list(conditions_in(expression))
    assert all(map(is_condition, found))
    inside = [inner for condition in found for inner in everything(condition)]
    assert all(node in inside for node in everything(expression) if is_condition(node))


@given(EXPRESSIONS, st.sampled_from(["Keep", "tagIsPresent", "Add"]))
def test_calls_are_found(expression: Expression, name: str) -> None:
    assert calls(expression, name) == any(getattr(node, "function", "") == name for node in everything(expression))
