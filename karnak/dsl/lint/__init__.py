"""Lint: what is allowed and most likely not meant. One rule, one file, one manual page."""

from karnak.dsl.codes import CODES, Code
from karnak.dsl.diagnostics import Diagnostic
from karnak.dsl.lint import (
    k110_shadowed_rule,
    k111_unnamed_profile,
    k112_unversioned_profile,
    k113_unlisted_kept,
)
from karnak.dsl.lint.registry import RULES
from karnak.dsl.nodes import Source
from karnak.ir.profile import Profile

__all__ = ["ALL_CODES", "MODULES", "lint"]

MODULES = (k110_shadowed_rule, k111_unnamed_profile, k112_unversioned_profile, k113_unlisted_kept)

# Every code of the front end, of the checks and of the rules.
ALL_CODES: dict[str, Code] = CODES | {code: entry.code for code, entry in RULES.items()}


def lint(profile: Profile, source: Source) -> tuple[Diagnostic, ...]:
    """Ask every rule about a checked profile.

    Args:
        profile: what the profile means.
        source: the text it came from.

    Returns:
        Findings, by rule.
    """
    top = source.span(0, 0)
    return tuple(
        Diagnostic(
            entry.code.code,
            entry.code.name,
            entry.code.severity,
            found.message,
            found.span or top,
            found.hint,
            found.labels,
        )
        for entry in RULES.values()
        for found in entry.check(profile)
    )
