"""Findings: the list that a check writes into, with a limit, so that nonsense can't make it endless."""

from collections.abc import Callable, Collection, Iterable

from karnak.dsl.codes import CODES
from karnak.dsl.diagnostics import Diagnostic, Fix, Label, Severity, TextEdit, in_order
from karnak.dsl.nearest import nearest
from karnak.ir.span import Span

MAX_FINDINGS = 1000
_MAX_SUGGESTIONS = 100


class TooManyFindings(Exception):
    """The limit is reached; the check stops and what was found is shown."""


class Findings:
    """Diagnostics in the order in which they are found."""

    def __init__(self) -> None:
        self._found: list[Diagnostic] = []
        self._suggestions = 0
        self.error_count = 0

    def add(
        self,
        code: str,
        message: str,
        span: Span,
        hint: str = "",
        *,
        notes: Iterable[str] = (),
        labels: Iterable[Label] = (),
        fixes: Iterable[Fix] = (),
    ) -> None:
        """Note one finding.

        Args:
            code: a code of the register.
            message: what is wrong, one sentence without a full stop.
            span: where.
            hint: what to write instead.
            notes: further help.
            labels: other places that belong to it.
            fixes: repairs.

        Raises:
            TooManyFindings: this one is the last that fits.
        """
        self.extend([diagnostic(code, message, span, hint, notes=notes, labels=labels, fixes=fixes)])

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Note findings that were made elsewhere.

        Raises:
            TooManyFindings: the limit is reached.
        """
        for found in diagnostics:
            self._found.append(found)
            self.error_count += found.severity is Severity.ERROR
            if len(self._found) >= MAX_FINDINGS:
                self._found.append(
                    diagnostic("K016", "there are more findings than can be shown", found.span, "repair these first")
                )
                raise TooManyFindings

    def unknown(
        self,
        code: str,
        message: str,
        span: Span,
        word: str,
        known: Collection[str],
        *,
        describe: Callable[[str], str] = str,
        notes: Iterable[str] = (),
    ) -> str | None:
        """Note a word that isn't known, with the nearest known one and a fix.

        Args:
            code: a code of the register.
            message: what is wrong.
            span: where the word stands.
            word: the word.
            known: what could have been meant.
            describe: how the nearest one is shown.
            notes: further help.

        Returns:
            The nearest one, or None where nothing is near.
        """
        near = None
        if self._suggestions < _MAX_SUGGESTIONS:
            self._suggestions += 1
            near = nearest(word, known)
        if near is None:
            listed = f"known here: {', '.join(sorted(known))}" if 0 < len(known) <= 12 else ""
            self.add(code, message, span, notes=(*((listed,) if listed else ()), *notes))
            return None
        hint = f"did you mean {describe(near)}?"
        fix = Fix(f"Write {near}", (TextEdit(span, near),))
        self.add(code, message, span, hint, notes=notes, fixes=(fix,))
        return near

    @property
    def all(self) -> tuple[Diagnostic, ...]:
        return in_order(self._found)


def diagnostic(
    code: str,
    message: str,
    span: Span,
    hint: str = "",
    *,
    notes: Iterable[str] = (),
    labels: Iterable[Label] = (),
    fixes: Iterable[Fix] = (),
) -> Diagnostic:
    """Make a finding of the register's name and severity; arguments as for `Findings.add`."""
    entry = CODES[code]
    return Diagnostic(code, entry.name, entry.severity, message, span, hint, tuple(labels), tuple(notes), tuple(fixes))
