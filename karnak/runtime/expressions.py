"""Expression trees -> closures: what `evaluate` finds by walking, found by calling; the same answers and errors.

The shape of a tree is looked at once, when a table or a program is made, and not per instance.
"""

import operator
from collections.abc import Callable
from typing import Any

from karnak.ir import operators, strings
from karnak.ir.expression import (
    NULL,
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
from karnak.runtime.decision import Decision
from karnak.runtime.evaluate import FUNCTIONS, CurrentElement, Root

# Asks an instance's root dataset, and the current element where there is one.
Question = Callable[[Root, "CurrentElement | None"], Any]

_NULL = Literal(None, NULL)
# Tests of an element's text with one text that is known.
_TESTS: dict[str, Callable[[str, str], bool]] = {
    "tagValueIsPresent": operator.eq,
    "tagValueContains": operator.contains,
    "tagValueBeginsWith": str.startswith,
    "tagValueEndsWith": str.endswith,
}


def compile_expression(node: Expression) -> Question:
    """Make a closure of a checked tree.

    Args:
        node: the tree.
    """
    match node:
        case Literal(value):
            return lambda root, current: value
        case Current(name):
            return _current(name)
        case Call():
            return _call(node)
        case MethodCall():
            return _method(node)
        case Unary(symbol, operand):
            inner = compile_expression(operand)
            return lambda root, current: operators.unary(symbol, inner(root, current))
        case Binary():
            return _binary(node)
        case Conditional(test, then, otherwise):
            ask, yes, no = map(compile_expression, (test, then, otherwise))
            return lambda root, current: yes(root, current) if ask(root, current) else no(root, current)
        case Elvis(value, default):
            return _elvis(compile_expression(value), compile_expression(default))
        case Index(value, index):
            text, place = compile_expression(value), compile_expression(index)
            return lambda root, current: strings.item(text(root, current), place(root, current))


def _current(name: CurrentName) -> Question:
    def element(current: CurrentElement | None) -> CurrentElement:
        if current is None:
            raise EvaluationError(f"{name} was asked for where there is no current element")
        return current

    match name:
        case CurrentName.TAG:
            return lambda root, current: element(current).tag
        case CurrentName.VR:
            return lambda root, current: element(current).vr
        case CurrentName.STRING_VALUE:
            return lambda root, current: element(current).read()


def _call(node: Call) -> Question:
    function = FUNCTIONS[node.function]
    known = [part.value for part in node.arguments if isinstance(part, Literal)]
    if len(known) < len(node.arguments):
        parts = [compile_expression(part) for part in node.arguments]
        return lambda root, current: function(root, *[part(root, current) for part in parts])
    match node.function, known:
        case "getString", [int(tag)]:
            return lambda root, current: root.text(tag)
        case "tagIsPresent", [int(tag)]:
            return lambda root, current: root.has(tag)
        case name, [int(tag), str(wanted)] if name in _TESTS:
            return _value_test(_TESTS[name], tag, wanted)
        case "Keep" | "Remove" | "ReplaceNull" | "UID" | "ExcludeInstance" | "Replace" | "Add" | "ShiftDate", _:
            decision = function(_NOBODY, *known)
            assert isinstance(decision, Decision)
            return lambda root, current: decision
        case _:
            return lambda root, current: function(root, *known)


def _value_test(test: Callable[[str, str], bool], tag: int, wanted: str) -> Question:
    def ask(root: Root, _: CurrentElement | None) -> bool:
        text = root.text(tag)
        return text is not None and test(text, wanted)

    return ask


def _method(node: MethodCall) -> Question:
    receiver = compile_expression(node.receiver)
    arguments = [compile_expression(part) for part in node.arguments]
    method, safe, name = strings.METHODS[node.method], node.safe, node.method
    if not arguments:

        def alone(root: Root, current: CurrentElement | None) -> Any:
            text = receiver(root, current)
            if text is not None:
                return method(text)
            if safe:
                return None
            raise EvaluationError(f"{name}() was called on a value that is absent")

        return alone

    def call(root: Root, current: CurrentElement | None) -> Any:
        text = receiver(root, current)
        if text is None:
            if safe:
                return None
            raise EvaluationError(f"{name}() was called on a value that is absent")
        return method(text, *[argument(root, current) for argument in arguments])

    return call


def _binary(node: Binary) -> Question:
    left, right = compile_expression(node.left), compile_expression(node.right)
    match node.operator:
        case BinaryOperator.AND:
            return lambda root, current: bool(left(root, current) and right(root, current))
        case BinaryOperator.OR:
            return lambda root, current: bool(left(root, current) or right(root, current))
        case BinaryOperator.EQUAL if node.right == _NULL:
            return lambda root, current: left(root, current) is None
        case BinaryOperator.NOT_EQUAL if node.right == _NULL:
            return lambda root, current: left(root, current) is not None
        case BinaryOperator.EQUAL | BinaryOperator.NOT_EQUAL if node.right.type.kind is Kind.NULL:
            wanted = node.operator is BinaryOperator.EQUAL
            return lambda root, current: (left(root, current) is None and right(root, current) is None) is wanted
        case BinaryOperator.ADD if node.type.kind is Kind.STR:
            text = strings.as_text
            return lambda root, current: text(left(root, current)) + text(right(root, current))
        case symbol if symbol in operators.COMPARISONS:
            return _comparison(operators.COMPARISONS[symbol], left, right)
        case _:
            return lambda root, current: operators.binary(node, left(root, current), right(root, current))


def _comparison(holds: Callable[[Any, Any], bool], left: Question, right: Question) -> Question:
    def compare(root: Root, current: CurrentElement | None) -> bool:
        first, second = left(root, current), right(root, current)
        return first is not None and second is not None and holds(first, second)

    return compare


def _elvis(value: Question, default: Question) -> Question:
    def choose(root: Root, current: CurrentElement | None) -> Any:
        found = value(root, current)
        return default(root, current) if found is None or found == "" else found

    return choose


class _Nobody:
    """A root that constant functions are given and never ask."""

    def text(self, tag: int) -> str | None:
        raise AssertionError(tag)

    def has(self, tag: int) -> bool:
        raise AssertionError(tag)

    def count(self, tag: int) -> int:
        raise AssertionError(tag)

    def has_anywhere(self, tag: int) -> bool:
        raise AssertionError(tag)


_NOBODY = _Nobody()
