"""Expressions with what is known put in: the tag, the VR and the guards of one table cell.

What does not depend on the current element's value has one answer per cell; what is left over is asked per
element. Folding itself is `karnak.ir.fold`; what an action means to the engine is known here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from karnak.ir.expression import Call, Expression, Literal
from karnak.ir.fold import Facts, fold
from karnak.ir.tree import DECIDING
from karnak.runtime.encoding import REPERTOIRE_VRS
from karnak.runtime.evaluate import Value, evaluate


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


def specialise(node: Expression, cell: Cell) -> Known | Expression:
    """Put in what is known.

    Args:
        node: a tree without spans.
        cell: what is known.

    Returns:
        The value, or a tree that says what is left to ask.
    """
    left = fold(node, Facts(cell.tag, cell.vr, cell.no_text, cell.vr not in REPERTOIRE_VRS, cell.guards))
    match left:
        case Literal(value):
            return Known(value)
        case Call(function, arguments) if function in DECIDING and all(isinstance(a, Literal) for a in arguments):
            return Known(evaluate(left, _Nothing(), None))
        case _:
            return left


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
