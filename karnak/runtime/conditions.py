"""The conditions of a program: every question about the root dataset, asked once per instance.

Equal conditions share one answer, wherever they stand. The first ones are guards of rules; the others stand
inside expressions, where a condition that cannot be evaluated fails only if the expression is asked: it has no answer.
"""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from karnak.errors import KarnakError
from karnak.ir.expression import Call, Expression, Kind, Literal
from karnak.ir.profile import Evaluate, Rule
from karnak.ir.tree import conditions_in, parts, without_spans
from karnak.runtime.evaluate import TAGS_OF_AGE, Root
from karnak.runtime.expressions import compile_expression
from karnak.runtime.rejection import Rejected, named

# How conditions have come out, None for one inside an expression that cannot be evaluated.
Bits = tuple[bool | None, ...]
# More are looked up when they are asked for.
_MAX_TAGS = 64


class Conditions:
    """All conditions of some rules.

    Args:
        rules: in profile order.
    """

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._rules = rules
        self._numbers: dict[Expression, int] = {}
        self._first_rule: list[Rule] = []
        # As the first rule that asks has them, with their places.
        self.asked: list[Expression] = []
        self._guard_of_rule = [None if rule.guard is None else self._number(rule.guard, rule) for rule in rules]
        self._guards = len(self._numbers)
        for rule in rules:
            if isinstance(rule.effect, Evaluate):
                for condition in conditions_in(rule.effect.expression):
                    self._number(condition, rule)
        self._all = tuple(self._numbers)
        # The root elements that they read, and those that expressions of rules may read.
        asking = [*self._all, *(rule.effect.expression for rule in rules if isinstance(rule.effect, Evaluate))]
        self.tags = np.array(sorted({tag for asked in asking for tag in _tags_in(asked)})[:_MAX_TAGS], np.int64)
        self._questions = [compile_expression(condition) for condition in self._all]

    def _number(self, condition: Expression, rule: Rule) -> int:
        key = without_spans(condition)
        if key not in self._numbers:
            self._numbers[key] = len(self._numbers)
            self._first_rule.append(rule)
            self.asked.append(condition)
        return self._numbers[key]

    def __len__(self) -> int:
        return len(self._all)

    def evaluate(self, root: Root) -> Bits:
        """Evaluate every condition on an instance.

        Args:
            root: the original root dataset.

        Raises:
            Rejected: a guard cannot be evaluated.
        """
        bits: list[bool | None] = []
        for number, question in enumerate(self._questions):
            try:
                bits.append(question(root, None) is True)
            except KarnakError as error:
                if number >= self._guards:
                    bits.append(None)
                    continue
                raise Rejected(
                    f"the condition of {named(self._first_rule[number])} cannot be evaluated: {error}"
                ) from None
        return tuple(bits)

    def guards(self, bits: Bits) -> tuple[bool, ...]:
        """Per rule, whether it may apply."""
        return tuple(number is None or bits[number] is True for number in self._guard_of_rule)

    def outcome(self, bits: Bits) -> Mapping[Expression, bool | None]:
        """By condition without spans, how it has come out."""
        return dict(zip(self._all, bits, strict=True))

    def guess(self, known: Mapping[Expression, bool | None]) -> Bits:
        """How the conditions come out where some are known; of the others it is guessed that they don't hold."""
        return tuple(known.get(condition, False) for condition in self._all)

    def inside(self, bits: Bits) -> Mapping[Expression, bool]:
        """By condition without spans, how it has come out; what has no answer is left to be asked where it stands."""
        return {condition: bit for condition, bit in zip(self._all, bits, strict=True) if bit is not None}


def holding(rules: Iterable[Rule], guards: Iterable[bool]) -> list[Rule]:
    """The rules whose guard holds."""
    return [rule for rule, holds in zip(rules, guards, strict=True) if holds]


def _tags_in(expression: Expression) -> Iterator[int]:
    if isinstance(expression, Literal) and expression.type.kind is Kind.TAG and isinstance(expression.value, int):
        yield expression.value
    if isinstance(expression, Call) and expression.function == "ComputePatientAge":
        yield from TAGS_OF_AGE
    for part in parts(expression):
        yield from _tags_in(part)
