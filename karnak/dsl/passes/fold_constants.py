"""Constant folding: what follows from literals alone is worked out once, not for every instance."""

from dataclasses import replace

from karnak.ir.expression import Expression, Literal, Template
from karnak.ir.fold import fold
from karnak.ir.profile import Effect, Evaluate, Profile, ReplaceFromService, Rule


def fold_constants(profile: Profile) -> Profile:
    """Fold conditions, expressions and placeholders; a condition that always holds is none."""
    return replace(profile, rules=tuple(map(_folded, profile.rules)))


def _folded(rule: Rule) -> Rule:
    return replace(rule, guard=_guard(rule.guard), effect=_effect(rule.effect))


def _guard(condition: Expression | None) -> Expression | None:
    if condition is None:
        return None
    folded = fold(condition)
    return None if isinstance(folded, Literal) and folded.value is True else folded


def _effect(effect: Effect) -> Effect:
    match effect:
        case Evaluate(expression):
            return Evaluate(fold(expression))
        case ReplaceFromService(url=url, body=body):
            return replace(effect, url=_template(url), body=None if body is None else _template(body))
        case _:
            return effect


def _template(template: Template) -> Template:
    return replace(template, parts=tuple(part if isinstance(part, str) else fold(part) for part in template.parts))
