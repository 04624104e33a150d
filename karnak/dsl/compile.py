"""The pipeline: text -> YAML nodes -> shape -> meaning -> passes -> Program, or diagnostics.

Nothing that has an error becomes a Program.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from karnak.dsl.check import Place, check_expression
from karnak.dsl.diagnostics import Diagnostic, ProfileError, has_errors, in_order
from karnak.dsl.findings import Findings, TooManyFindings
from karnak.dsl.nodes import Line, Scalar
from karnak.dsl.rules import read_profile
from karnak.dsl.source import Source, open_source, read_yaml
from karnak.dsl.surface import read_shape
from karnak.ir.expression import Expression
from karnak.ir.profile import Profile
from karnak.ir.span import NOWHERE, Span
from karnak.standard.confidentiality import DEFAULT_EDITION

if TYPE_CHECKING:
    from karnak.runtime.program import Program

__all__ = ["ProfileError", "check_profile", "compile_condition", "compile_profile"]


def check_profile(source: Path | Source) -> tuple[Profile | None, tuple[Diagnostic, ...]]:
    """Check a profile and say everything that is wrong with it.

    Args:
        source: a file, or a text.

    Returns:
        What the profile means, and all findings in the order of the text. The meaning is None
        where there are errors other than K901, not-in-this-build.
    """
    text, found = open_source(source) if isinstance(source, Path) else (source, ())
    if found:
        return None, found
    document = read_yaml(text)
    if document.root is None:
        return None, document.diagnostics
    findings, profile = Findings(), None
    try:
        findings.extend(document.diagnostics)
        shape = read_shape(document.root, findings)
        profile = read_profile(shape, findings) if shape is not None else None
    except TooManyFindings:
        pass
    return profile, findings.all


def compile_profile(source: Path | Source, *, edition: str = DEFAULT_EDITION) -> "Program":
    """Compile a profile.

    Args:
        source: a file, or a text.
        edition: edition of PS3.15 Table E.1-1, "2026c" or "2024e".

    Returns:
        The program that de-identifies instances.

    Raises:
        ProfileError: the profile has errors, or needs what this build can't run; it carries
            all diagnostics, warnings too.
    """
    from karnak.dsl.passes import optimise
    from karnak.runtime.program import Program

    profile, diagnostics = check_profile(source)
    if profile is None or has_errors(diagnostics):
        raise ProfileError(diagnostics)
    return Program(optimise(profile), edition)


def compile_condition(text: str | Scalar, span: Span = NOWHERE) -> tuple[Expression | None, tuple[Diagnostic, ...]]:
    """Check a condition that stands outside of a profile, such as a destination's.

    Args:
        text: the condition; a YAML scalar knows its places itself.
        span: where a plain text stands.

    Returns:
        An expression of type Bool, or None where the diagnostics have an error.
    """
    findings = Findings()
    place = text if isinstance(text, Scalar) else Line(text, span)
    try:
        condition = check_expression(place, findings, Place.CONDITION)
    except TooManyFindings:
        condition = None
    return condition, in_order(findings.all)
