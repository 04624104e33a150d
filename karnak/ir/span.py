"""Where in a profile's text something was said, so that every decision can name its line."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a source text.

    Attributes:
        file: name of the file as the author gave it, or "" for text without a file.
        line: first line, counted from 1.
        column: first column, counted from 1, in characters.
        end_line: last line, counted from 1.
        end_column: column after the last character, counted from 1.
    """

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.file else f"{self.line}:{self.column}"


NOWHERE = Span("", 0, 0, 0, 0)
