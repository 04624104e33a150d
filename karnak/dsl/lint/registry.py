"""The register of lint rules: functions that look at a checked profile and yield findings.

A rule is one file; its docstring is its manual page. A rule never changes a profile, and
what it can't be sure of it doesn't say.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from karnak.dsl.codes import Code
from karnak.dsl.diagnostics import Label, Severity
from karnak.ir.profile import Profile
from karnak.ir.span import Span


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found.

    Attributes:
        message: one sentence without a full stop.
        span: where, or None for the profile as a whole.
        hint: what to do.
        labels: other places that belong to it.
    """

    message: str
    span: Span | None = None
    hint: str = ""
    labels: tuple[Label, ...] = ()


Check = Callable[[Profile], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class LintRule:
    """A rule and its code."""

    code: Code
    check: Check


RULES: dict[str, LintRule] = {}


def rule(code: str, name: str, severity: Severity) -> Callable[[Check], Check]:
    """Register a function as a lint rule.

    Args:
        code: its code; never used before.
        name: what people call it.
        severity: how much its findings matter.
    """

    def register(check: Check) -> Check:
        assert code not in RULES, code
        RULES[code] = LintRule(Code(code, name, severity, inspect.getdoc(check) or ""), check)
        return check

    return register
