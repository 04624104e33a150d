"""Which rules can never decide anything: what lint tells authors and what compiling leaves out.

The answer is yes only where it is certain; no may mean that it is hard to tell. The work is linear in the profile.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from karnak.ir.covering import Covering, term_covers
from karnak.ir.expression import ACTION, Expression, Literal
from karnak.ir.profile import (
    DATE_VRS,
    AddElement,
    AddPrivateElement,
    Apply,
    CleanPixelData,
    CleanRecognizableVisualFeatures,
    Evaluate,
    Rule,
    Shift,
    ShiftByTag,
    ShiftRange,
    TruncateDate,
)
from karnak.ir.selector import Selector, SelectorTerm, TagPath, TagPattern
from karnak.ir.tree import calls, without_spans

# A profile with more than that is asked no further: linear time comes first.
_MOST_COMPARISONS = 300_000
_GROUP_PARITY = 1 << 16
_TRUNCATED_VRS = frozenset({"DA", "DT"})
_WITHOUT_ELEMENTS = (AddElement, AddPrivateElement, CleanPixelData, CleanRecognizableVisualFeatures)


def shadowed_rules(rules: Sequence[Rule]) -> Iterator[tuple[int, int]]:
    """Find rules whose elements are all decided before they are asked.

    Args:
        rules: in profile order.

    Yields:
        Position of such a rule, and of the earlier one that decides all of its elements.
    """
    # By condition: those without one decide for all, those with one for rules with an equal one.
    deciding: dict[Expression | None, list[tuple[int, Covering]]] = defaultdict(list)
    cost: Counter[Expression | None] = Counter()
    comparisons = 0
    for position, rule in enumerate(rules):
        wanted = _narrowed(rule)
        if wanted is None or not wanted.include:
            continue
        guard = None if rule.guard is None else without_spans(rule.guard)
        before = {None, guard}
        comparisons += len(wanted.include) * sum(cost[when] for when in before)
        if comparisons > _MOST_COMPARISONS:
            return
        hiding = (at for when in before for at, all_of in deciding[when] if all_of.covers(wanted))
        earlier = min(hiding, default=None)
        if earlier is not None:
            yield position, earlier
        elif _always_decides(rule):
            covering = Covering(wanted)
            deciding[guard].append((position, covering))
            cost[guard] += covering.cost


def decides_nothing(rule: Rule) -> bool:
    """Tell whether a rule of a kind that decides elements can decide none.

    Args:
        rule: any rule; those that add elements or clean pixels decide none and are not meant.
    """
    if isinstance(rule.effect, _WITHOUT_ELEMENTS):
        return False
    if isinstance(rule.effect, Evaluate) and isinstance(rule.effect.expression, Literal):
        return True
    selector = _narrowed(rule)
    return selector is None or all(_is_taken_out(term, selector) for term in selector.include)


def _narrowed(rule: Rule) -> Selector | None:
    """The elements that a rule can decide, or None where their VRs leave none."""
    selector = rule.selector
    match rule.effect:
        case Shift() | ShiftRange() | ShiftByTag():
            vrs = DATE_VRS
        case TruncateDate():
            vrs = _TRUNCATED_VRS
        case _:
            return selector
    left = vrs & selector.vrs if selector.vrs else vrs
    return replace(selector, vrs=left) if left else None


def _always_decides(rule: Rule) -> bool:
    """Tell whether a rule decides every element that it is asked about, or rejects the instance."""
    match rule.effect:
        case Apply() | Shift() | ShiftRange() | ShiftByTag() | TruncateDate():
            return True
        case Evaluate(expression):
            return expression.type == ACTION and not calls(expression, "Add")
        case _:
            return False


def _is_taken_out(term: SelectorTerm, selector: Selector) -> bool:
    """Tell whether nothing of a term is left: excluded by one as specific, or public where private is asked for."""
    if selector.private_only and _is_public(term):
        return True
    return any(
        excluded.specificity >= term.specificity and term_covers(excluded, term) for excluded in selector.exclude
    )


def _is_public(term: SelectorTerm) -> bool:
    last = term.steps[-1] if isinstance(term, TagPath) else term
    return isinstance(last, TagPattern) and bool(last.mask & _GROUP_PARITY) and not last.value & _GROUP_PARITY
