"""What the operators of expressions mean, on values that are known. `and`, `or` and the choices ask their own parts.

Null is a value: arithmetic with it gives null, comparisons are false. Whole numbers stay whole.
Source: the language page, section 4.
"""

import operator
from collections.abc import Callable
from typing import Any

from karnak.ir import strings
from karnak.ir.expression import Binary, BinaryOperator, Kind, UnaryOperator
from karnak.ir.strings import EvaluationError

COMPARISONS: dict[BinaryOperator, Callable[[Any, Any], bool]] = {
    BinaryOperator.LESS: operator.lt,
    BinaryOperator.LESS_OR_EQUAL: operator.le,
    BinaryOperator.GREATER: operator.gt,
    BinaryOperator.GREATER_OR_EQUAL: operator.ge,
}


def unary(symbol: UnaryOperator, value: Any) -> Any:
    """Apply an operator to its one operand."""
    if symbol is UnaryOperator.NOT:
        return not value
    return None if value is None else -value


def binary(node: Binary, left: Any, right: Any) -> Any:
    """Apply any operator but AND and OR, which may leave an operand alone.

    Args:
        node: says which operator, and the types of its operands.
        left: value of the left operand.
        right: value of the right operand.

    Raises:
        EvaluationError: there is no such value: a division by zero, a number beyond all bounds.
    """
    if node.operator in (BinaryOperator.EQUAL, BinaryOperator.NOT_EQUAL):
        return _equal(node, left, right)
    if node.operator is BinaryOperator.ADD and node.type.kind is Kind.STR:
        return strings.as_text(left) + strings.as_text(right)
    if node.operator is BinaryOperator.MATCHES:
        return left is not None and strings.matches(left, right)
    if node.operator in COMPARISONS:
        return left is not None and right is not None and COMPARISONS[node.operator](left, right)
    if left is None or right is None:
        return None
    try:
        return _arithmetic(node.operator, left, right)
    except (OverflowError, ValueError):
        raise EvaluationError("a number is too large to calculate with") from None


def _equal(node: Binary, left: Any, right: Any) -> bool:
    """== and !=: with null they are false, unless null is what is asked for."""
    wanted = node.operator is BinaryOperator.EQUAL
    if Kind.NULL in (node.left.type.kind, node.right.type.kind):
        return (left is None and right is None) is wanted
    if left is None or right is None:
        return False
    return bool(left == right) is wanted


def _arithmetic(symbol: BinaryOperator, left: int | float, right: int | float) -> int | float:
    """+ - * / %: whole numbers stay whole and are divided towards zero."""
    match symbol:
        case BinaryOperator.ADD:
            return left + right
        case BinaryOperator.SUBTRACT:
            return left - right
        case BinaryOperator.MULTIPLY:
            return left * right
    if right == 0:
        raise EvaluationError("division by zero")
    if not (isinstance(left, int) and isinstance(right, int)):
        return left / right if symbol is BinaryOperator.DIVIDE else left - right * int(left / right)
    quotient = abs(left) // abs(right)
    quotient = quotient if (left < 0) == (right < 0) else -quotient
    return quotient if symbol is BinaryOperator.DIVIDE else left - right * quotient
