"""Results as tables that read the same on a terminal and in Markdown, and the page that keeps them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Table:
    """What was measured.

    Attributes:
        title: says what the numbers are, with their unit.
        columns: headings; the first column holds names.
        rows: cells as text, the first of each a name.
        notes: sentences that belong under the table.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def __str__(self) -> str:
        widths = [max(map(len, cells)) for cells in zip(self.columns, *self.rows, strict=True)]
        rule = [width * "-" if i == 0 else (width - 1) * "-" + ":" for i, width in enumerate(widths)]
        lines = [self._line(cells, widths) for cells in (self.columns, rule, *self.rows)]
        return "\n".join([f"{self.title}:", "", *lines, *(f"\n{note}" for note in self.notes)])

    @staticmethod
    def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
        padded = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"


def rounded(number: float) -> str:
    """Three digits that count: "0.0123", "1.23", "12.3", "123", "1,234"."""
    if number >= 100:
        return f"{number:,.0f}"
    digits = 1 if number >= 10 else 2 if number >= 1 else 3
    return f"{number:.{digits}f}"


def times(number: float) -> str:
    """A ratio: "0.98 x", "152 x"."""
    return f"{number:.2f} x" if number < 10 else f"{number:,.0f} x"


def put(page: Path, name: str, text: str) -> None:
    """Put a benchmark's tables between its two marks on a page.

    Args:
        page: a Markdown file with a line `<!-- NAME: made by scripts/bench -->` and one `<!-- end of NAME -->`.
        name: of the benchmark.
        text: what goes between them.

    Raises:
        ValueError: the page lacks the marks.
    """
    begin, end = f"<!-- {name}: made by scripts/bench -->", f"<!-- end of {name} -->"
    old = page.read_text("utf-8")
    new, count = re.subn(
        f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: f"{begin}\n\n{text}\n\n{end}", old, flags=re.DOTALL
    )
    if count != 1:
        raise ValueError(f"{page.name} has no place for {name}")
    page.write_text(new, "utf-8")
