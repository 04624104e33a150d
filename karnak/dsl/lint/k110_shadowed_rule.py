"""K110 shadowed-rule."""

from collections.abc import Iterator

from karnak.dsl.diagnostics import Label, Severity
from karnak.dsl.lint.registry import Finding, rule
from karnak.ir.covering import Covering
from karnak.ir.profile import Apply, Profile, Rule, Shift, ShiftByTag, ShiftRange, TruncateDate

_ALWAYS_DECIDE = (Apply, Shift, ShiftRange, ShiftByTag, TruncateDate)
# A profile with more than that is asked no further: linear time comes first.
_MOST_COMPARISONS = 300_000


@rule("K110", "shadowed-rule", Severity.WARNING)
def shadowed_rule(profile: Profile) -> Iterator[Finding]:
    """An earlier element decides everything that this one selects, so it never applies.

    Why it matters: the author believes something happens that doesn't.
    Instead: remove it, or move it above the element that hides it.
    """
    deciding: list[tuple[Rule, Covering]] = []
    comparisons = cost = 0
    for later in profile.rules:
        terms = len(later.selector.include)
        comparisons += terms * cost
        if comparisons > _MOST_COMPARISONS:
            return
        earlier = next((one for one, covering in deciding if terms and covering.covers(later.selector)), None)
        if earlier is not None:
            label = Label(earlier.span, f"{earlier.name} decides all of it before")
            yield Finding("this element never applies", later.span, "remove it, or move it up", (label,))
        elif later.guard is None and isinstance(later.effect, _ALWAYS_DECIDE):
            covering = Covering(later.selector)
            deciding.append((later, covering))
            cost += covering.cost
