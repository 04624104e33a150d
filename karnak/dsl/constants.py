"""Conditions that give the same answer for every instance: most often a typing error."""

from collections.abc import Iterator

from karnak.ir.expression import (
    Binary,
    BinaryOperator,
    Call,
    Conditional,
    Elvis,
    Expression,
    Index,
    Kind,
    Literal,
    MethodCall,
    Unary,
    UnaryOperator,
)

_LOGIC = (BinaryOperator.AND, BinaryOperator.OR)
_EQUALITY = (BinaryOperator.EQUAL, BinaryOperator.NOT_EQUAL)


def _constant(expression: Expression) -> bool | None:
    """The answer that a condition always gives, or None where it depends on the instance."""
    if isinstance(expression, Literal):
        return expression.value if isinstance(expression.value, bool) else None
    if isinstance(expression, Unary) and expression.operator is UnaryOperator.NOT:
        inner = _constant(expression.operand)
        return None if inner is None else not inner
    if not isinstance(expression, Binary):
        return None
    if expression.operator in _LOGIC:
        decides = expression.operator is BinaryOperator.OR
        sides = (_constant(expression.left), _constant(expression.right))
        if decides in sides:
            return decides
        return None if None in sides else not decides
    if expression.operator in _EQUALITY:
        return _constant_equality(expression)
    return None


def _constant_equality(expression: Binary) -> bool | None:
    left, right = expression.left, expression.right
    wanted = expression.operator is BinaryOperator.EQUAL
    if isinstance(left, Literal) and isinstance(right, Literal):
        return (left.value == right.value) is wanted
    for side, other in ((left, right), (right, left)):
        if side.type.kind is Kind.NULL and not other.type.nullable:
            return not wanted
    return None


def _children(expression: Expression) -> tuple[Expression, ...]:
    match expression:
        case Unary():
            return (expression.operand,)
        case Binary():
            return (expression.left, expression.right)
        case Conditional():
            return (expression.then, expression.otherwise)
        case Elvis():
            return (expression.value, expression.default)
        case Index():
            return (expression.value, expression.index)
        case MethodCall():
            return (expression.receiver, *expression.arguments)
        case Call():
            return expression.arguments
    return ()


def constant_parts(expression: Expression, is_condition: bool) -> Iterator[tuple[Expression, bool]]:
    """Find the largest parts of an expression that are asked and always give the same answer.

    Args:
        expression: a typed tree.
        is_condition: its own answer is asked for, not only that of the tests inside.

    Yields:
        A part and the answer that it always gives.
    """
    if is_condition:
        answer = _constant(expression)
        if answer is not None:
            yield expression, answer
            return
    if isinstance(expression, Conditional):
        yield from constant_parts(expression.test, True)
        for branch in (expression.then, expression.otherwise):
            # `test ? x : false` is a way to write `and`: its plain answers are no accident.
            if not isinstance(branch, Literal):
                yield from constant_parts(branch, is_condition)
        return
    logic = isinstance(expression, Unary) or (isinstance(expression, Binary) and expression.operator in _LOGIC)
    for child in _children(expression):
        yield from constant_parts(child, logic and child.type.kind is Kind.BOOL)
