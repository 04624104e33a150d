"""Diagnostics: what is wrong with a text, where, and what to do about it.

A diagnostic is data: it is collected, not raised, so that a person sees everything at once.
It speaks of what the author wrote and never of how the text was parsed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from karnak.errors import KarnakError
from karnak.ir.span import Span


class Severity(StrEnum):
    """How much a finding matters: errors and warnings make `karnak lint` fail, information doesn't."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class TextEdit:
    """Replace what stands at `span` by `text`."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A repair that an editor can offer.

    Attributes:
        title: what it does, as a short imperative sentence.
        edits: edits that don't overlap.
        safe: whether it can be applied without a look.
    """

    title: str
    edits: tuple[TextEdit, ...]
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """A second place that belongs to a finding, and what it has to do with it."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding.

    Attributes:
        code: stable code, such as "K203".
        name: stable name of the kind of finding, such as "unknown-tag-keyword".
        severity: how much it matters.
        message: what is wrong, in one sentence without a full stop.
        span: where.
        hint: what to write instead, shown beside the caret; "" for nothing.
        labels: other places that belong to it.
        notes: further help, one sentence each.
        fixes: repairs that can be offered.
    """

    code: str
    name: str
    severity: Severity
    message: str
    span: Span
    hint: str = ""
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    fixes: tuple[Fix, ...] = ()

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.span}: {self.code} {self.message}{hint}"


class ProfileError(KarnakError):
    """A profile that can't be used.

    Attributes:
        diagnostics: every finding, warnings too; at least one is an error.
    """

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        errors = [d for d in self.diagnostics if d.severity is Severity.ERROR]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(f"{errors[0]}{more}" if errors else "the profile can't be used")


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Tell whether some finding is an error."""
    return any(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics)


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sort findings as a reader meets them: by file, line and column, then by code."""
    return tuple(sorted(diagnostics, key=lambda d: (d.span, d.code, d.message)))
