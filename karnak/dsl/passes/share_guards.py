"""Guard extraction: conditions that say the same become one object, wherever they stand.

The engine asks one question per object. What was written twice keeps the place where it was written first; each
rule keeps its own line.
"""

from dataclasses import replace

from karnak.ir.expression import Expression
from karnak.ir.profile import Effect, Evaluate, Profile
from karnak.ir.tree import is_condition, parts, with_parts, without_spans


def share_guards(profile: Profile) -> Profile:
    """Give equal conditions one object: those of rules first, then those inside expressions."""
    shared = _Shared()
    guarded = [replace(rule, guard=None if rule.guard is None else shared.one(rule.guard)) for rule in profile.rules]
    return replace(profile, rules=tuple(replace(rule, effect=shared.effect(rule.effect)) for rule in guarded))


class _Shared:
    """The conditions met so far."""

    def __init__(self) -> None:
        self._first: dict[Expression, Expression] = {}

    def one(self, condition: Expression) -> Expression:
        """The object that stands for a condition."""
        return self._first.setdefault(without_spans(condition), condition)

    def effect(self, effect: Effect) -> Effect:
        return Evaluate(self.inside(effect.expression)) if isinstance(effect, Evaluate) else effect

    def inside(self, expression: Expression) -> Expression:
        """The same tree with the conditions in it shared, the largest ones."""
        if is_condition(expression):
            return self.one(expression)
        return with_parts(expression, [self.inside(part) for part in parts(expression)])
