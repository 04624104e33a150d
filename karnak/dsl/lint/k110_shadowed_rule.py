"""K110 shadowed-rule."""

from collections.abc import Iterator

from karnak.dsl.diagnostics import Label, Severity
from karnak.dsl.lint.registry import Finding, rule
from karnak.dsl.shadowing import shadowed_rules
from karnak.ir.profile import Profile


@rule("K110", "shadowed-rule", Severity.WARNING)
def shadowed_rule(profile: Profile) -> Iterator[Finding]:
    """An earlier element decides everything that this one selects, so it never applies.

    Why it matters: the author believes something happens that doesn't.
    Instead: remove it, or move it above the element that hides it.
    """
    for later, earlier in shadowed_rules(profile.rules):
        first = profile.rules[earlier]
        label = Label(first.span, f"{first.name} decides all of it before")
        yield Finding("this element never applies", profile.rules[later].span, "remove it, or move it up", (label,))
