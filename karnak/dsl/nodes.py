"""A source text, and the tree of YAML nodes that knows for each character where it stands in that text.

Scalars are text: nobody turns `0010,0010`, `NO` or `1.10` into something else behind the
author's back. A reader that wants a number or a truth value asks for it.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Protocol

from karnak.dsl.scalars import character_offsets
from karnak.ir.span import Span

_LINE_BREAK = re.compile(r"\r\n|\n|\r")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


@dataclass(frozen=True)
class Source:
    """A text to read.

    Attributes:
        name: name of the file as the author gave it, or another name for the text.
        text: the text, without byte order mark.
    """

    name: str
    text: str

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(match.end() for match in _LINE_BREAK.finditer(self.text))]

    @property
    def line_count(self) -> int:
        return len(self._starts)

    def line(self, number: int) -> str:
        """Give a line without its line break; lines count from 1."""
        start = self._starts[number - 1]
        end = self._starts[number] if number < len(self._starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")

    def span(self, start: int, end: int) -> Span:
        """Give the lines and columns of the characters from offset `start` up to `end`."""
        line, last = bisect_right(self._starts, start), bisect_right(self._starts, end)
        return Span(self.name, line, start - self._starts[line - 1] + 1, last, end - self._starts[last - 1] + 1)

    def at(self, span: Span) -> str:
        """Give the text of a span of this source, on one line."""
        start = self._starts[span.line - 1] + span.column - 1
        end = self._starts[span.end_line - 1] + span.end_column - 1
        return " ".join(self.text[start:end].split())


class PlacedText(Protocol):
    """A text that knows where its characters stand."""

    @property
    def text(self) -> str: ...

    @property
    def inner(self) -> Span: ...

    def at(self, start: int, end: int) -> Span: ...


@dataclass(frozen=True, slots=True)
class Line:
    """A text at a place that somebody else knows, such as a condition of the gateway's configuration.

    Attributes:
        text: the text.
        inner: where it stands; columns inside are told apart where it fills one line exactly.
    """

    text: str
    inner: Span

    def at(self, start: int, end: int) -> Span:
        """Give the place of the characters `text[start:end]`."""
        span = self.inner
        if span.line != span.end_line or span.end_column - span.column != len(self.text):
            return span
        return Span(span.file, span.line, span.column + start, span.line, span.column + end)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a placed text that is a text itself, such as what stands between {{ and }}."""

    whole: PlacedText
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.whole.text[self.start : self.end]

    @property
    def inner(self) -> Span:
        return self.whole.at(self.start, self.end)

    def at(self, start: int, end: int) -> Span:
        """Give the place of the characters `text[start:end]`."""
        return self.whole.at(self.start + start, self.start + end)


class Style(StrEnum):
    """How a scalar is written in YAML."""

    PLAIN = ""
    SINGLE = "'"
    DOUBLE = '"'
    LITERAL = "|"
    FOLDED = ">"


@dataclass(frozen=True, eq=False)
class Scalar:
    """One piece of text.

    Attributes:
        text: what it says, escapes and folding undone.
        style: how it is written.
        source: the text it stands in.
        start: offset of its first character, quotes included.
        end: offset after its last character.
    """

    text: str
    style: Style
    source: Source = field(repr=False)
    start: int
    end: int

    @property
    def span(self) -> Span:
        return self.source.span(self.start, self.end)

    @property
    def quoted(self) -> bool:
        return self.style is not Style.PLAIN

    @property
    def is_null(self) -> bool:
        return not self.quoted and self.text in _NULLS

    @property
    def boolean(self) -> bool | None:
        """True or false as YAML 1.2 writes them, quoted or not; None for anything else."""
        return True if self.text in _TRUE else False if self.text in _FALSE else None

    @property
    def integer(self) -> int | None:
        """A decimal whole number of at most 18 digits, quoted or not; None for anything else."""
        text = self.text.strip()
        return int(text) if len(text) <= 18 and _INTEGER.fullmatch(text) else None

    @cached_property
    def _offsets(self) -> list[int] | None:
        return character_offsets(self.source.text[self.start : self.end], str(self.style), self.text)

    def at(self, start: int, end: int) -> Span:
        """Give the place of the characters `text[start:end]` in the source.

        Where that can't be told, the place of the whole scalar.
        """
        offsets = self._offsets
        if offsets is None:
            return self.span
        return self.source.span(self.start + offsets[start], self.start + offsets[end])

    @property
    def inner(self) -> Span:
        """The place of the text without its quotes; of the whole scalar where it is empty."""
        return self.at(0, len(self.text)) if self.text else self.span


@dataclass(frozen=True, eq=False)
class Sequence:
    """A list of nodes; offsets as for Scalar."""

    items: tuple["Node", ...]
    source: Source = field(repr=False)
    start: int
    end: int

    @property
    def span(self) -> Span:
        return self.source.span(self.start, self.end)


@dataclass(frozen=True, eq=False)
class Mapping:
    """Keys and their nodes, in the author's order, without duplicates; offsets as for Scalar."""

    entries: tuple[tuple[Scalar, "Node"], ...]
    source: Source = field(repr=False)
    start: int
    end: int

    @property
    def span(self) -> Span:
        return self.source.span(self.start, self.end)

    @cached_property
    def _by_key(self) -> dict[str, tuple[Scalar, "Node"]]:
        return {key.text: (key, value) for key, value in self.entries}

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_key)

    def get(self, key: str) -> "Node | None":
        """Give the node of a key, or None."""
        entry = self._by_key.get(key)
        return entry[1] if entry else None

    def key(self, key: str) -> Scalar | None:
        """Give the node that a key itself is, or None."""
        entry = self._by_key.get(key)
        return entry[0] if entry else None


Node = Scalar | Sequence | Mapping


def data_of(node: Node) -> object:
    """Turn nodes into plain data with the types of YAML 1.2's core schema.

    Returns:
        dict, list, str, int, float, bool or None; quoted scalars are always str.
    """
    if isinstance(node, Mapping):
        return {key.text: data_of(value) for key, value in node.entries}
    if isinstance(node, Sequence):
        return [data_of(item) for item in node.items]
    if node.quoted:
        return node.text
    if node.is_null:
        return None
    if node.boolean is not None:
        return node.boolean
    if node.integer is not None:
        return node.integer
    return float(node.text) if _FLOAT.fullmatch(node.text) else node.text


def find(root: Node, path: tuple[str | int, ...]) -> Node:
    """Follow keys and positions from a root as far as they lead.

    Args:
        root: where to start.
        path: keys of mappings and positions in lists, as pydantic's error locations give them.

    Returns:
        The node at the end of the path, or the last one on the way that exists.
    """
    node = root
    for step in path:
        after: Node | None = None
        if isinstance(node, Mapping) and isinstance(step, str):
            after = node.get(step)
        elif isinstance(node, Sequence) and isinstance(step, int) and 0 <= step < len(node.items):
            after = node.items[step]
        if after is None:
            break
        node = after
    return node
