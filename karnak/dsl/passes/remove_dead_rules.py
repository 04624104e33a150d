"""Dead-rule removal: rules that can never have a say are left out.

A rule is dead when its condition never holds, when it selects nothing that it could decide, when its expression
never decides, or when earlier rules decide everything that it selects. Two things keep a dead rule alive: that the
basic profile is named in every output where its condition holds, and that a condition which cannot be evaluated
rejects the instance, whatever its rule would have done.
"""

from dataclasses import replace

from karnak.dsl.shadowing import decides_nothing, shadowed_rules
from karnak.ir.expression import Expression, Literal
from karnak.ir.fold import cannot_fail
from karnak.ir.profile import (
    AddElement,
    AddPrivateElement,
    BasicProfile,
    CleanPixelData,
    CleanRecognizableVisualFeatures,
    Profile,
    Rule,
)
from karnak.ir.tree import without_spans

# What they do is not about the elements that they select.
_ACT_ON_THE_INSTANCE = (AddElement, AddPrivateElement, BasicProfile, CleanPixelData, CleanRecognizableVisualFeatures)


def remove_dead_rules(profile: Profile) -> Profile:
    """Leave out the rules that can never have a say."""
    shadowed = {later for later, _ in shadowed_rules(profile.rules)}
    kept: list[Rule] = []
    asked: set[Expression] = set()
    for position, rule in enumerate(profile.rules):
        if isinstance(rule.guard, Literal) and rule.guard.value is not True:
            continue
        silent = position in shadowed or decides_nothing(rule)
        if silent and not isinstance(rule.effect, _ACT_ON_THE_INSTANCE) and _nobody_notices(rule.guard, asked):
            continue
        kept.append(rule)
        if rule.guard is not None:
            asked.add(without_spans(rule.guard))
    return replace(profile, rules=tuple(kept))


def _nobody_notices(guard: Expression | None, asked: set[Expression]) -> bool:
    """Tell whether a condition may go: it cannot fail, or an earlier rule asks it as well."""
    return guard is None or cannot_fail(guard) or without_spans(guard) in asked
