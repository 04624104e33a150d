"""Diagnostics as text for people: the place, the sentence, the line with carets, and the help.

What comes from a file is shown without control characters, so that a profile can't send
commands to a terminal.
"""

import unicodedata

from karnak.dsl.diagnostics import Diagnostic, Severity
from karnak.dsl.source import Source
from karnak.ir.span import Span

_WIDTH = 100
_TAB = "    "
_BOLD, _RESET = "\x1b[1m", "\x1b[0m"
_COLORS = {Severity.ERROR: "\x1b[31m", Severity.WARNING: "\x1b[33m", Severity.INFO: "\x1b[36m"}
_DIM = "\x1b[34m"


def _cell(character: str) -> tuple[str, int]:
    """How one character is shown, and how many columns of a terminal it takes."""
    if character == "\t":
        return _TAB, len(_TAB)
    if not character.isprintable():
        return "\N{REPLACEMENT CHARACTER}", 1
    if unicodedata.combining(character):
        return character, 0
    return character, 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _excerpt(line: str, start: int, end: int) -> tuple[str, int, int]:
    """Cut a line to what fits.

    Args:
        line: the whole line.
        start: first marked character, from 0.
        end: after the last marked character.

    Returns:
        The text to show, the columns before the marks, and the columns that are marked.
    """
    first, last = 0, len(line)
    if last > _WIDTH:
        first = max(0, min(start - _WIDTH // 2, last - _WIDTH))
        last = first + _WIDTH
    shown, before, marked = ["..." if first else ""], 3 if first else 0, 0
    for position in range(first, last):
        text, width = _cell(line[position])
        shown.append(text)
        before += width if position < start else 0
        marked += width if start <= position < end else 0
    shown.append("..." if last < len(line) else "")
    return "".join(shown), before, max(1, marked)


def _clean(text: str) -> str:
    """Words of a file may stand in a sentence; control characters don't."""
    return "".join(_cell(character)[0] for character in text)


class _Painter:
    def __init__(self, color: bool) -> None:
        self._color = color

    def __call__(self, style: str, text: str) -> str:
        return f"{style}{text}{_RESET}" if self._color and text else text


def _block(source: Source, span: Span, mark: str, text: str, gutter: int, paint: _Painter, style: str) -> list[str]:
    line = source.line(span.line)
    end = span.end_column - 1 if span.end_line == span.line else len(line.rstrip())
    shown, before, marked = _excerpt(line, span.column - 1, end)
    bar = paint(_DIM, "|")
    return [
        f"{paint(_DIM, str(span.line).rjust(gutter))} {bar} {shown}".rstrip(),
        f"{' ' * gutter} {bar} {' ' * before}{paint(style, f'{mark * marked} {_clean(text)}'.rstrip())}",
    ]


def render_text(diagnostic: Diagnostic, source: Source | None, *, color: bool = False) -> str:
    """Write a diagnostic as a block of lines with a newline at the end.

    Args:
        diagnostic: what was found.
        source: the text it speaks of, or None where there is none to show.
        color: whether to use ANSI colours.
    """
    paint, style = _Painter(color), _BOLD + _COLORS[diagnostic.severity]
    word = "" if diagnostic.severity is Severity.ERROR else f"{diagnostic.severity}: "
    place = _clean(str(diagnostic.span))
    lines = [f"{paint(_BOLD, f'{place}:')} {paint(style, diagnostic.code)} {word}{_clean(diagnostic.message)}"]
    span = diagnostic.span
    gutter = 0
    if source is not None and 0 < span.line <= source.line_count:
        labels = [label for label in diagnostic.labels if label.span.file == span.file]
        gutter = len(str(max(span.line, *(label.span.line for label in labels)) if labels else span.line))
        lines.append(f"{' ' * gutter} {paint(_DIM, '|')}")
        blocks = [(span, "^", diagnostic.hint, style)] + [(label.span, "-", label.text, _DIM) for label in labels]
        last = 0
        for at, mark, text, shade in sorted(blocks, key=lambda block: block[0]):
            shown = _block(source, at, mark, text, gutter, paint, shade)
            # Two marks on one line stand under it, unless the line is cut, each time elsewhere.
            lines += shown[1:] if at.line == last and len(source.line(last)) <= _WIDTH else shown
            last = at.line
    elif diagnostic.hint:
        lines.append(f"{' ' * gutter} {paint(_DIM, '=')} {_clean(diagnostic.hint)}")
    lines += [f"{' ' * gutter} {paint(_DIM, '=')} help: {_clean(note)}" for note in diagnostic.notes]
    return "\n".join(lines) + "\n"
