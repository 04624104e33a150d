"""Flow narrowing: what is known not to be null once a condition has turned out true or false.

A fact is a function or name and the tag it was asked for. Values come from the original
instance, which doesn't change while a profile runs; so a fact stays true.
"""

from karnak.ir.expression import (
    Binary,
    BinaryOperator,
    Call,
    Conditional,
    Current,
    Expression,
    Index,
    Kind,
    Literal,
    MethodCall,
    Unary,
    UnaryOperator,
)

Fact = tuple[str, int]
Facts = frozenset[Fact]
NO_FACTS: Facts = frozenset()

_GETTERS = frozenset({"getString", "getInt", "getNumber"})
# Each of these is false where the value is null.
_ASK_FOR_VALUE = frozenset(
    {
        "tagHasValue",
        "tagValueIsPresent",
        "tagValueContains",
        "tagValueBeginsWith",
        "tagValueEndsWith",
        "tagValueIn",
        "tagValueMatches",
    }
)
_TRUE_ONLY_WITH_VALUES = frozenset(
    {
        BinaryOperator.EQUAL,
        BinaryOperator.LESS,
        BinaryOperator.LESS_OR_EQUAL,
        BinaryOperator.GREATER,
        BinaryOperator.GREATER_OR_EQUAL,
        BinaryOperator.MATCHES,
    }
)
_EQUALS_METHODS = frozenset({"equals", "equalsIgnoreCase"})


def fact_of(expression: Expression) -> Fact | None:
    """Give the fact that would say of an expression that it isn't null, or None where none could."""
    if isinstance(expression, Current):
        return str(expression.name), 0
    if isinstance(expression, Call) and expression.function in _GETTERS:
        tag = expression.arguments[0]
        if isinstance(tag, Literal) and isinstance(tag.value, int):
            return expression.function, tag.value
    return None


def not_null(expression: Expression) -> Facts:
    """Give what is known once an expression is known not to be null."""
    fact = fact_of(expression)
    if fact is not None:
        # Whatever can be read as a number is there as a text.
        return frozenset({fact, ("getString", fact[1])} if fact[0] in _GETTERS else {fact})
    if isinstance(expression, MethodCall):
        return not_null(expression.receiver)
    if isinstance(expression, Index):
        return not_null(expression.value)
    return NO_FACTS


def _is_null(expression: Expression) -> bool:
    return expression.type.kind is Kind.NULL


def _never(expression: Expression, outcome: bool) -> bool:
    return isinstance(expression, Literal) and expression.value is (not outcome)


def _compared(expression: Binary, outcome: bool) -> Facts:
    left, right, operator = expression.left, expression.right, expression.operator
    if operator in (BinaryOperator.EQUAL, BinaryOperator.NOT_EQUAL) and (_is_null(left) or _is_null(right)):
        there = outcome is (operator is BinaryOperator.NOT_EQUAL)
        return not_null(right if _is_null(left) else left) if there else NO_FACTS
    if operator in _TRUE_ONLY_WITH_VALUES and outcome:
        return not_null(left) | not_null(right)
    return NO_FACTS


def known_when(expression: Expression, outcome: bool) -> Facts:
    """Give what is known not to be null once a condition has an outcome.

    Args:
        expression: an expression of type Bool.
        outcome: what it turned out to be.
    """
    if isinstance(expression, Unary) and expression.operator is UnaryOperator.NOT:
        return known_when(expression.operand, not outcome)
    if isinstance(expression, Binary):
        if expression.operator in (BinaryOperator.AND, BinaryOperator.OR):
            left, right = known_when(expression.left, outcome), known_when(expression.right, outcome)
            # `and` is true, and `or` is false, only if both sides are.
            return left | right if outcome is (expression.operator is BinaryOperator.AND) else left & right
        return _compared(expression, outcome)
    if isinstance(expression, Conditional):
        # A branch that can't have the outcome says nothing about it.
        if _never(expression.otherwise, outcome):
            return known_when(expression.test, True) | known_when(expression.then, outcome)
        if _never(expression.then, outcome):
            return known_when(expression.test, False) | known_when(expression.otherwise, outcome)
        then = known_when(expression.test, True) | known_when(expression.then, outcome)
        otherwise = known_when(expression.test, False) | known_when(expression.otherwise, outcome)
        return then & otherwise
    if isinstance(expression, Call) and outcome and expression.function in _ASK_FOR_VALUE:
        tag = expression.arguments[0]
        return (
            frozenset({("getString", tag.value)})
            if isinstance(tag, Literal) and isinstance(tag.value, int)
            else NO_FACTS
        )
    if isinstance(expression, MethodCall) and outcome:
        arguments = expression.arguments if expression.method in _EQUALS_METHODS else ()
        return not_null(expression.receiver).union(*(not_null(argument) for argument in arguments))
    return NO_FACTS
