"""A profile's text, read, linted and compiled, with everything that there is to say about it."""

from dataclasses import dataclass

from karnak.dsl.compile import check_profile, compile_profile
from karnak.dsl.diagnostics import Diagnostic, ProfileError, in_order
from karnak.dsl.lint import lint
from karnak.dsl.nodes import Source
from karnak.runtime.program import Program


@dataclass(frozen=True, slots=True)
class Compiled:
    """What came of compiling.

    Attributes:
        program: the program, or None where a finding is an error.
        findings: everything that was found, hints of the linter too, in the order of the text.
    """

    program: Program | None
    findings: tuple[Diagnostic, ...]


def compile_and_lint(source: Source) -> Compiled:
    """Compile a profile, and ask the linter.

    Args:
        source: the text.
    """
    profile, found = check_profile(source)
    if profile is not None:
        found = in_order((*found, *lint(profile, source)))
    try:
        return Compiled(compile_profile(source), found)
    except ProfileError:
        return Compiled(None, found)
