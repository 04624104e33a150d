"""Expressions, walked as trees: conditions, `expr` and placeholders on one instance.

Everything is read from the original root dataset, but `tag`, `vr` and `stringValue`, which
are the current element's own. Nothing else can be reached. Source: the language page, section 4.
"""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from karnak.ir import operators, strings
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
    Literal,
    MethodCall,
    Unary,
)
from karnak.ir.selector import format_tag
from karnak.ir.strings import EvaluationError
from karnak.runtime.dates import Amount, DateError, age_between, parse_date
from karnak.runtime.decision import Decision, Verb
from karnak.runtime.numerals import decimal_number, whole_number

_BIRTH_DATE = 0x00100030
# ContentDate, AcquisitionDate, DateOfSecondaryCapture, SeriesDate, StudyDate: the first that is there.
_DATES_OF_IMAGING = (0x00080023, 0x00080022, 0x00181012, 0x00080021, 0x00080020)
# What ComputePatientAge reads.
TAGS_OF_AGE = (_BIRTH_DATE, *_DATES_OF_IMAGING)

Value = bool | int | float | str | list[str] | Decision | None


class Root(Protocol):
    """What expressions can ask of the original root dataset."""

    def text(self, tag: int) -> str | None: ...
    def has(self, tag: int) -> bool: ...
    def count(self, tag: int) -> int: ...
    def has_anywhere(self, tag: int) -> bool: ...


# Not frozen: one is made for each element that an expression is asked about, and a frozen one takes twice as long.
@dataclass(slots=True)
class CurrentElement:
    """The element that an expression is asked about.

    Attributes:
        tag: its tag.
        vr: its value representation.
        read: gives its own value as text, or None; called only where an expression asks for `stringValue`.
    """

    tag: int
    vr: str
    read: Callable[[], str | None]


def condition_holds(condition: Expression, instance: Root) -> bool:
    """Evaluate a condition on the root dataset.

    Args:
        condition: an expression of type Bool.
        instance: the original instance.

    Raises:
        EvaluationError: it cannot be evaluated on this instance; the message holds no value.
    """
    return evaluate(condition, instance, None) is True


def evaluate(expression: Expression, instance: Root, current: CurrentElement | None) -> Value:
    """Evaluate an expression.

    Args:
        expression: a checked tree.
        instance: the original instance.
        current: the element that a rule is deciding, or None in conditions and placeholders.

    Raises:
        EvaluationError: a method was asked for something that a value does not have.
        TextError: a value's bytes are no characters of the instance's character set.
    """
    found: Value = _Walk(instance, current).value(expression)
    return found


class _Walk:
    """One evaluation; each kind of node has its method."""

    def __init__(self, instance: Root, current: CurrentElement | None) -> None:
        self.instance = instance
        self.current = current

    def value(self, node: Expression) -> Any:
        match node:
            case Literal(value):
                return value
            case Current(name):
                return self.current_value(name)
            case Call(function, arguments):
                answer: Value = FUNCTIONS[function](self.instance, *map(self.value, arguments))
                return answer
            case MethodCall():
                return self.method(node)
            case Unary(symbol, operand):
                return operators.unary(symbol, self.value(operand))
            case Binary():
                return self.binary(node)
            case Conditional(test, then, otherwise):
                return self.value(then if self.value(test) else otherwise)
            case Elvis(value, default):
                found = self.value(value)
                return self.value(default) if found is None or found == "" else found
            case Index(value, index):
                return strings.item(self.value(value), self.value(index))

    def current_value(self, name: CurrentName) -> Value:
        if self.current is None:
            raise EvaluationError(f"{name} was asked for where there is no current element")
        match name:
            case CurrentName.TAG:
                return self.current.tag
            case CurrentName.VR:
                return self.current.vr
            case CurrentName.STRING_VALUE:
                return self.current.read()

    def method(self, node: MethodCall) -> Value:
        receiver = self.value(node.receiver)
        if receiver is None:
            if node.safe:
                return None
            raise EvaluationError(f"{node.method}() was called on a value that is absent")
        answer: Value = strings.METHODS[node.method](receiver, *map(self.value, node.arguments))
        return answer

    def binary(self, node: Binary) -> Value:
        if node.operator is BinaryOperator.AND:
            return bool(self.value(node.left) and self.value(node.right))
        if node.operator is BinaryOperator.OR:
            return bool(self.value(node.left) or self.value(node.right))
        answer: Value = operators.binary(node, self.value(node.left), self.value(node.right))
        return answer


def _text(instance: Root, tag: int) -> str | None:
    return instance.text(tag)


def _number(instance: Root, tag: int, read: Callable[[str], Any], what: str) -> Any:
    text = instance.text(tag)
    if text is None:
        return None
    found = read(text)
    if found is None:
        raise EvaluationError(f"the value of {format_tag(tag)} is no {what}")
    return found


def _of_value(test: Callable[[str, str], bool]) -> Callable[..., bool]:
    """A test of an element's text with another text; false where either is null."""

    def ask(instance: Root, tag: int, *wanted: str | None) -> bool:
        text = instance.text(tag)
        return text is not None and any(test(text, other) for other in wanted if other is not None)

    return ask


def _compute_patient_age(instance: Root) -> Decision:
    """Replace by the age at imaging; where it cannot be told, empty."""
    birth = instance.text(_BIRTH_DATE)
    then = next((text for text in map(instance.text, _DATES_OF_IMAGING) if text), None)
    try:
        age = age_between(parse_date(birth), parse_date(then)) if birth and then else None
    except DateError:
        age = None
    return _replace(age)


def _replace(text: str | None) -> Decision:
    """Replacing by null or by an empty text empties, a sequence like a value."""
    return Decision(Verb.REPLACE, text=text) if text else Decision(Verb.EMPTY)


def _decides(verb: Verb) -> Callable[[Root], Decision]:
    return lambda _: Decision(verb)


FUNCTIONS: dict[str, Callable[..., Value]] = {
    "tagValueIsPresent": _of_value(operator.eq),
    "tagValueIn": _of_value(operator.eq),
    "tagValueContains": _of_value(operator.contains),
    "tagValueBeginsWith": _of_value(str.startswith),
    "tagValueEndsWith": _of_value(str.endswith),
    "tagValueMatches": _of_value(strings.matches),
    "tagIsPresent": lambda instance, tag: instance.has(tag),
    "tagHasValue": lambda instance, tag: instance.count(tag) > 0,
    "tagIsPresentAnywhere": lambda instance, tag: instance.has_anywhere(tag),
    "count": lambda instance, tag: instance.count(tag),
    "getString": _text,
    "getInt": lambda instance, tag: _number(instance, tag, whole_number, "whole number"),
    "getNumber": lambda instance, tag: _number(instance, tag, decimal_number, "number"),
    "Keep": _decides(Verb.KEEP),
    "Remove": _decides(Verb.REMOVE),
    "ReplaceNull": _decides(Verb.EMPTY),
    "UID": _decides(Verb.UID),
    "ExcludeInstance": _decides(Verb.EXCLUDE),
    "ComputePatientAge": _compute_patient_age,
    "Replace": lambda _, text: _replace(text),
    "Add": lambda _, tag, vr, text: Decision(Verb.ADD, tag=tag, vr=vr, text=text),
    "ShiftDate": lambda _, days, seconds: Decision(Verb.SHIFT, amount=Amount(days, seconds)),
}
