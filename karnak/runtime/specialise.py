"""Expressions with what is known put in: the tag, the VR and the guards of one table cell.

What does not depend on the current element's value has one answer per cell; what is left over is asked per
element. A part that would fail is left as it is, so that it fails when, and only when, it is asked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from karnak.ir.expression import (
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
from karnak.ir.span import NOWHERE
from karnak.runtime.decision import Decision
from karnak.runtime.encoding import REPERTOIRE_VRS
from karnak.runtime.evaluate import Value, evaluate
from karnak.runtime.strings import EvaluationError

# Functions that read nothing of the instance.
_CONSTANT = frozenset({"Keep", "Remove", "Replace", "ReplaceNull", "UID", "ExcludeInstance", "Add", "ShiftDate"})


@dataclass(frozen=True, slots=True)
class Known:
    """A value that is settled."""

    value: Value


@dataclass(frozen=True, slots=True)
class Cell:
    """What is known of the elements that share a table cell.

    Attributes:
        tag: their tag.
        vr: their VR.
        no_text: their stringValue is null.
        guards: what each condition of the instance has come out as, by condition without spans.
    """

    tag: int
    vr: str
    no_text: bool
    guards: Mapping[Expression, bool]


def without_spans(expression: Expression) -> Expression:
    """The same tree with every span left out, so that equal text compares equal wherever it stands."""
    changed: dict[str, Any] = {}
    for item in fields(expression):
        value = getattr(expression, item.name)
        if item.name == "span":
            changed["span"] = NOWHERE
        elif isinstance(value, tuple):
            changed[item.name] = tuple(without_spans(part) for part in value)
        elif is_dataclass(value) and item.name != "type":
            changed[item.name] = without_spans(value)  # type: ignore[arg-type]
    return replace(expression, **changed)


def conditions_in(expression: Expression) -> Iterator[Expression]:
    """The largest parts of type Bool that read the root dataset and nothing of the current element."""
    if expression.type.kind is Kind.BOOL and _reads_root(expression) and not _reads_current(expression):
        yield expression
        return
    for part in _parts(expression):
        yield from conditions_in(part)


def specialise(node: Expression, cell: Cell) -> Known | Expression:
    """Put in what is known.

    Args:
        node: a tree without spans.
        cell: what is known.

    Returns:
        The value, or a tree that says what is left to ask.
    """
    if node.type.kind is Kind.BOOL and node in cell.guards:
        return Known(cell.guards[node])
    match node:
        case Literal(value):
            return Known(value)
        case Current(name):
            return _current(node, name, cell)
        case Conditional(test, then, otherwise):
            answer = specialise(test, cell)
            if isinstance(answer, Known):
                return specialise(then if answer.value else otherwise, cell)
            return replace(node, test=answer, then=_left(then, cell), otherwise=_left(otherwise, cell))
        case Elvis(value, default):
            answer = specialise(value, cell)
            if isinstance(answer, Known):
                empty = answer.value is None or answer.value == ""
                return specialise(default, cell) if empty else answer
            return replace(node, value=answer, default=_left(default, cell))
        case Binary(operator=BinaryOperator.AND | BinaryOperator.OR as operator, left=left, right=right):
            return _junction(node, operator, left, right, cell)
        case Call(function) if function not in _CONSTANT:
            return replace(node, arguments=tuple(_left(part, cell) for part in node.arguments))
        case _:
            return _settled(_with_parts(node, [_left(part, cell) for part in _parts(node)]))


def _current(node: Current, name: CurrentName, cell: Cell) -> Known | Expression:
    if name is CurrentName.TAG:
        return Known(cell.tag)
    if name is CurrentName.VR:
        return Known(cell.vr)
    return Known(None) if cell.no_text else node


def _junction(
    node: Binary, operator: BinaryOperator, left: Expression, right: Expression, cell: Cell
) -> Known | Expression:
    decisive = operator is BinaryOperator.OR
    answer = specialise(left, cell)
    if not isinstance(answer, Known):
        other = specialise(right, cell)
        if isinstance(other, Known) and bool(other.value) is decisive and _cannot_fail(answer, cell):
            return Known(decisive)
        return replace(node, left=answer, right=_left(right, cell))
    return Known(decisive) if bool(answer.value) is decisive else specialise(right, cell)


def _cannot_fail(node: Expression, cell: Cell) -> bool:
    """Tell whether asking a tree can only give a value: what decides without it may then go before it."""
    match node:
        case Literal():
            return True
        case Current():
            return cell.vr not in REPERTOIRE_VRS
        case Unary() | Conditional() | Elvis():
            return all(_cannot_fail(part, cell) for part in _parts(node))
        case Binary(operator=BinaryOperator.DIVIDE | BinaryOperator.REMAINDER | BinaryOperator.MATCHES):
            return False
        case Binary():
            return all(_cannot_fail(part, cell) for part in _parts(node))
        case _:
            return False


def _left(node: Expression, cell: Cell) -> Expression:
    """A part of a tree that is not settled as a whole, as a tree."""
    answer = specialise(node, cell)
    if not isinstance(answer, Known):
        return answer
    if isinstance(answer.value, Decision | list):
        # Such values have no literals; the tree that gives them is as good.
        return node
    return Literal(answer.value, node.type)


def _settled(node: Expression) -> Known | Expression:
    """The value of a node whose parts are all literals, or the node."""
    if not all(isinstance(part, Literal) for part in _parts(node)):
        return node
    try:
        return Known(evaluate(node, _Nothing(), None))
    except EvaluationError:
        return node


class _Nothing:
    """A root that nothing may ask."""

    def text(self, tag: int) -> str | None:
        raise AssertionError(tag)

    def has(self, tag: int) -> bool:
        raise AssertionError(tag)

    def count(self, tag: int) -> int:
        raise AssertionError(tag)

    def has_anywhere(self, tag: int) -> bool:
        raise AssertionError(tag)


def _parts(node: Expression) -> list[Expression]:
    match node:
        case Literal() | Current():
            return []
        case Call(arguments=arguments):
            return list(arguments)
        case MethodCall(receiver=receiver, arguments=arguments):
            return [receiver, *arguments]
        case Unary(operand=operand):
            return [operand]
        case Binary(left=left, right=right):
            return [left, right]
        case Conditional(test, then, otherwise):
            return [test, then, otherwise]
        case Elvis(value, default):
            return [value, default]
        case Index(value, index):
            return [value, index]


def _with_parts(node: Expression, parts: list[Expression]) -> Expression:
    match node:
        case Call():
            return replace(node, arguments=tuple(parts))
        case MethodCall():
            return replace(node, receiver=parts[0], arguments=tuple(parts[1:]))
        case Unary():
            return replace(node, operand=parts[0])
        case Binary():
            return replace(node, left=parts[0], right=parts[1])
        case Index():
            return replace(node, value=parts[0], index=parts[1])
        case _:
            return node


def _reads_root(node: Expression) -> bool:
    reads = isinstance(node, Call) and node.function not in _CONSTANT
    return reads or any(_reads_root(part) for part in _parts(node))


def _reads_current(node: Expression) -> bool:
    return isinstance(node, Current) or any(_reads_current(part) for part in _parts(node))


def calls(node: Expression, function: str) -> bool:
    """Tell whether a tree calls a function."""
    return (isinstance(node, Call) and node.function == function) or any(calls(part, function) for part in _parts(node))
