"""Folding: an expression with what is known put in, and what follows from it worked out.

What is left asks the same questions in the same order, gives the same answers and fails where the whole would
fail: a part that would fail is left as it is, so that it fails when, and only when, it is asked. Nothing of an
instance is read. Nothing that would grow is worked out: the work is linear in the tree.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from karnak.ir import operators, strings
from karnak.ir.expression import (
    BOOL,
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
    Unary,
)
from karnak.ir.strings import EvaluationError
from karnak.ir.tree import parts, with_parts

# Longer texts and larger numbers are not made of constants here; they are made when they are asked for.
MAX_TEXT = 1000
MAX_NUMBER = 1 << 63
_JUNCTIONS = (BinaryOperator.AND, BinaryOperator.OR)
# They may fail on values of the right type.
_RISKY = (BinaryOperator.DIVIDE, BinaryOperator.REMAINDER, BinaryOperator.MATCHES)
# They look at no value.
_SAFE_FUNCTIONS = frozenset({"tagIsPresent", "tagIsPresentAnywhere"})


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known where an expression is asked.

    Attributes:
        tag: tag of the current element, or None where it is not known.
        vr: VR of the current element, or None where it is not known.
        no_text: its stringValue is null.
        text_is_readable: its stringValue can be read without an error.
        answers: what conditions have come out as, by condition without spans.
    """

    tag: int | None = None
    vr: str | None = None
    no_text: bool = False
    text_is_readable: bool = False
    answers: Mapping[Expression, bool] = field(default_factory=dict)


NO_FACTS = Facts()


def fold(node: Expression, facts: Facts = NO_FACTS) -> Expression:
    """Put in what is known.

    Args:
        node: a checked tree; where `facts` has answers, one without spans.
        facts: what is known.

    Returns:
        A Literal of the node's type where its value is settled, else what is left to ask.
    """
    if facts.answers and node.type == BOOL and node in facts.answers:
        return _literal(facts.answers[node], node)
    match node:
        case Literal():
            return node
        case Current(name):
            return _current(node, name, facts)
        case Conditional(test, then, otherwise):
            answer = fold(test, facts)
            if isinstance(answer, Literal):
                return _instead(fold(then if answer.value else otherwise, facts), node)
            return with_parts(node, [answer, fold(then, facts), fold(otherwise, facts)])
        case Elvis(value, default):
            answer = fold(value, facts)
            if isinstance(answer, Literal):
                empty = answer.value is None or answer.value == ""
                return _instead(fold(default, facts) if empty else answer, node)
            if answer.type.kind is Kind.ACTION and not answer.type.nullable:
                return answer
            return with_parts(node, [answer, fold(default, facts)])
        case Binary(operator=operator) if operator in _JUNCTIONS:
            return _junction(node, facts)
        case MethodCall(receiver=receiver, safe=True):
            found = fold(receiver, facts)
            if isinstance(found, Literal) and found.value is None:
                return _literal(None, node)
            return _settled(with_parts(node, [found, *(fold(part, facts) for part in node.arguments)]))
        case _:
            return _settled(with_parts(node, [fold(part, facts) for part in parts(node)]))


def cannot_fail(node: Expression, facts: Facts = NO_FACTS) -> bool:
    """Tell whether asking a tree can only give a value, so that nobody notices when it is not asked.

    Args:
        node: a checked tree.
        facts: what is known.
    """
    match node:
        case Literal():
            return True
        case Current(name):
            return name is not CurrentName.STRING_VALUE or facts.text_is_readable
        case Call(function):
            return function in _SAFE_FUNCTIONS
        case Binary(operator=operator) if operator in _RISKY:
            return False
        case Unary() | Conditional() | Elvis() | Binary():
            return all(cannot_fail(part, facts) for part in parts(node))
        case MethodCall() | Index():
            return False


def _literal(value: bool | int | float | str | None, node: Expression) -> Literal:
    return Literal(value, node.type, node.span)


def _instead(answer: Expression, node: Expression) -> Expression:
    """What takes the place of a choice; == asks whether null is written there, and in a choice it is not."""
    return replace(answer, type=node.type) if answer.type.kind is Kind.NULL else answer


def _current(node: Current, name: CurrentName, facts: Facts) -> Expression:
    match name:
        case CurrentName.TAG:
            return node if facts.tag is None else _literal(facts.tag, node)
        case CurrentName.VR:
            return node if facts.vr is None else _literal(facts.vr, node)
        case CurrentName.STRING_VALUE:
            return _literal(None, node) if facts.no_text else node


def _junction(node: Binary, facts: Facts) -> Expression:
    """AND and OR: a side that decides makes the other one needless, unless that would have failed before."""
    decisive = node.operator is BinaryOperator.OR
    left = fold(node.left, facts)
    if isinstance(left, Literal) and bool(left.value) is decisive:
        return _literal(decisive, node)
    right = fold(node.right, facts)
    if isinstance(left, Literal):
        return right
    if isinstance(right, Literal) and bool(right.value) is not decisive:
        return left
    if isinstance(right, Literal) and cannot_fail(left, facts):
        return _literal(decisive, node)
    return replace(node, left=left, right=right)


def _settled(node: Expression) -> Expression:
    """The value of a node whose parts are all literals, or the node."""
    known: list[Any] = [part.value for part in parts(node) if isinstance(part, Literal) and _is_small(part.value)]
    if len(known) < len(parts(node)):
        return node
    value: Any
    try:
        match node:
            case MethodCall(method=method) if known[0] is not None:
                value = strings.METHODS[method](*known)
            case Unary(operator=symbol):
                value = operators.unary(symbol, known[0])
            case Binary():
                value = operators.binary(node, *known)
            case Index():
                value = strings.item(*known)
            case _:
                return node
    except EvaluationError:
        return node
    # Lists have no literals; the tree that gives them is as good.
    return _literal(value, node) if _is_small(value) else node


def _is_small(value: object) -> bool:
    match value:
        case None | bool():
            return True
        case str():
            return len(value) <= MAX_TEXT
        case int():
            return abs(value) <= MAX_NUMBER
        case float():
            return True
        case _:
            return False
