"""Reading: bytes to text, and text to YAML nodes that know their places.

YAML is read event by event with an explicit stack, so that nothing a file says can exhaust
memory or the interpreter's stack: size, depth, number of nodes and what aliases repeat are
bounded. No object is ever built from a YAML tag.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from karnak.dsl.diagnostics import Diagnostic, Label
from karnak.dsl.findings import Findings, TooManyFindings
from karnak.dsl.nodes import Mapping, Node, Scalar, Sequence, Source, Style
from karnak.dsl.yaml_errors import explain_yaml_error

__all__ = ["Document", "Source", "open_source", "read_yaml"]

MAX_CHARACTERS = 1024 * 1024
MAX_DEPTH = 50
MAX_NODES = 50_000

_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_STRING_TAGS = frozenset({"!", "tag:yaml.org,2002:str"})
_LOADER: type[yaml.CSafeLoader | yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Document:
    """What was read.

    Attributes:
        root: the tree, or None where the text can't be read.
        diagnostics: what is wrong with the text as YAML.
    """

    root: Node | None
    diagnostics: tuple[Diagnostic, ...]


def open_source(path: Path) -> tuple[Source, tuple[Diagnostic, ...]]:
    """Read a file as UTF-8 text.

    Args:
        path: the file; its name as given goes into every place that is reported.

    Returns:
        The text, empty or with replacement characters where diagnostics say why.
    """
    findings, name = Findings(), str(path)
    try:
        with path.open("rb") as file:
            data = file.read(4 * MAX_CHARACTERS + 1)
    except OSError as error:
        empty = Source(name, "")
        findings.add(
            "K001", f"the file can't be read: {(error.strerror or 'unknown reason').lower()}", empty.span(0, 0)
        )
        return empty, findings.all
    return decode(name, data)


def decode(name: str, data: bytes) -> tuple[Source, tuple[Diagnostic, ...]]:
    """Read bytes as UTF-8 text; a byte order mark is dropped.

    Args:
        name: name for the text in diagnostics.
        data: the bytes.

    Returns:
        As `open_source`.
    """
    findings = Findings()
    try:
        return Source(name, data.decode("utf-8").removeprefix("\ufeff")), ()
    except UnicodeDecodeError as error:
        source = Source(name, data.decode("utf-8", errors="replace"))
        at = len(data[: error.start].decode("utf-8"))
        wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
        what = "this file is UTF-16, not UTF-8" if wide else "this is not UTF-8 text"
        findings.add("K002", what, source.span(at, at + 1), "save the file as UTF-8")
        return source, findings.all


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet."""

    start: int
    flow: bool
    anchor: str | None
    is_mapping: bool
    items: list[Node] = field(default_factory=list)
    entries: dict[str, tuple[Scalar, Node]] = field(default_factory=dict)
    merged: list[Mapping] = field(default_factory=list)
    key: Scalar | None = None
    key_is_bad: bool = False
    waits_for_value: bool = False
    size: int = 1
    end: int = 0


class _Stop(Exception):
    """The text can't be read further; a finding says why."""


class _Composer:
    """Builds the tree of one document from YAML events."""

    def __init__(self, source: Source, findings: Findings) -> None:
        self._source = source
        self._findings = findings
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Node, int] | None] = {}
        self._nodes = 0
        self._documents = 0
        self.root: Node | None = None

    def take(self, event: yaml.Event) -> None:
        assert event.start_mark is not None
        assert event.end_mark is not None
        start, end = event.start_mark.index, event.end_mark.index
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                self._stop("K015", "a second document starts here", start, end, "one file holds one document")
        elif isinstance(event, yaml.ScalarEvent):
            self._refuse_tag(event.tag, start, end)
            style = Style.SINGLE if event.tag in _STRING_TAGS and not event.style else Style(event.style or "")
            self._complete(Scalar(event.value, style, self._source, start, end), 1, event.anchor)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._refuse_tag(event.tag, start, start + 1)
            if len(self._stack) >= MAX_DEPTH:
                self._stop("K005", f"nested more than {MAX_DEPTH} levels deep", start, start + 1)
            if event.anchor is not None:
                self._anchors[event.anchor] = None
            mapping = isinstance(event, yaml.MappingStartEvent)
            self._stack.append(_Open(start, bool(event.flow_style), event.anchor, mapping, end=end))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close(end)
        elif isinstance(event, yaml.AliasEvent):
            self._repeat(event.anchor or "", start, end)

    def _stop(self, code: str, message: str, start: int, end: int, hint: str = "") -> None:
        self._findings.add(code, message, self._source.span(start, end), hint)
        raise _Stop

    def _refuse_tag(self, tag: str | None, start: int, end: int) -> None:
        if tag is not None and tag not in _STRING_TAGS:
            self._findings.add("K014", "YAML tags are not allowed", self._source.span(start, end), "delete the tag")

    def _repeat(self, anchor: str, start: int, end: int) -> None:
        known = self._anchors.get(anchor)
        if known is None:
            what = "repeats itself without end" if anchor in self._anchors else "is not marked by &" + anchor
            self._stop("K012", f"*{anchor} {what}", start, end)
        else:
            self._complete(known[0], known[1], None, (start, end))

    def _close(self, end: int) -> None:
        done = self._stack.pop()
        # The end event of a block stands where the next thing begins; the last child tells the real end.
        stop = end if done.flow else done.end
        node: Node
        if done.is_mapping:
            entries = dict(done.entries)
            for mapping in done.merged:
                for key, value in mapping.entries:
                    entries.setdefault(key.text, (key, value))
            node = Mapping(tuple(entries.values()), self._source, done.start, stop)
        else:
            node = Sequence(tuple(done.items), self._source, done.start, stop)
        self._complete(node, done.size, done.anchor)

    def _complete(self, node: Node, size: int, anchor: str | None, place: tuple[int, int] | None = None) -> None:
        """Put a finished node where it belongs; `place` is where an alias repeats it."""
        self._nodes += size if place else 1
        start, end = place or (node.start, node.end)
        if self._nodes > MAX_NODES:
            self._stop("K013", f"more than {MAX_NODES} parts, aliases written out", start, end)
        if anchor is not None:
            self._anchors[anchor] = (node, size)
        if not self._stack:
            self.root = node
            return
        parent = self._stack[-1]
        parent.size += size
        parent.end = max(parent.end, end)
        if not parent.is_mapping:
            parent.items.append(node)
        elif not parent.waits_for_value:
            self._take_key(parent, node, start, end)
        else:
            self._take_value(parent, node)

    def _take_key(self, parent: _Open, node: Node, start: int, end: int) -> None:
        parent.waits_for_value = True
        parent.key = node if isinstance(node, Scalar) else None
        if parent.key is None:
            self._findings.add("K011", "a list or a mapping can't be a key", self._source.span(start, end))

    def _take_value(self, parent: _Open, node: Node) -> None:
        parent.waits_for_value = False
        key = parent.key
        if key is None:
            return
        if key.text == "<<" and not key.quoted:
            self._merge(parent, key, node)
        elif key.text in parent.entries:
            first = parent.entries[key.text][0]
            self._findings.add(
                "K010",
                f'the key "{key.text[:80]}" stands here a second time',
                key.span,
                "delete one of the two",
                labels=(Label(first.span, "the first one"),),
            )
        else:
            parent.entries[key.text] = (key, node)

    def _merge(self, parent: _Open, key: Scalar, node: Node) -> None:
        """`<<: *name` takes over the entries of a mapping, or of several in a list, that the author doesn't write."""
        nodes = node.items if isinstance(node, Sequence) else (node,)
        mappings = [item for item in nodes if isinstance(item, Mapping)]
        if len(mappings) < len(nodes):
            self._findings.add("K011", "<< takes over mappings only", key.span)
        parent.merged += mappings


def _events(text: str) -> Iterator[yaml.Event]:
    yield from yaml.parse(text, Loader=_LOADER)


def read_yaml(source: Source) -> Document:
    """Read a text as one YAML document.

    Args:
        source: the text, at most MAX_CHARACTERS long.

    Returns:
        The tree of nodes, or None for a text that isn't YAML, with what is wrong. The time it
        takes is linear in the length of the text.
    """
    findings = Findings()
    text = source.text
    if len(text) > MAX_CHARACTERS:
        message = f"the text has {len(text)} characters; at most {MAX_CHARACTERS} are read"
        findings.add("K004", message, source.span(0, 0))
        return Document(None, findings.all)
    forbidden = _FORBIDDEN.search(text)
    if forbidden is not None:
        what = f"the character U+{ord(forbidden[0]):04X} is not allowed in YAML"
        findings.add("K003", what, source.span(forbidden.start(), forbidden.end()), "delete it")
        return Document(None, findings.all)
    composer = _Composer(source, findings)
    try:
        for event in _events(text):
            composer.take(event)
    except yaml.MarkedYAMLError as error:
        findings.extend([explain_yaml_error(error, source)])
    except yaml.YAMLError:
        findings.add("K007", "the text is not YAML", source.span(0, 0))
    except (_Stop, TooManyFindings):
        pass
    else:
        if composer.root is None:
            findings.add("K006", "there is nothing in the file", source.span(0, 0))
        return Document(composer.root, findings.all)
    return Document(None, findings.all)
