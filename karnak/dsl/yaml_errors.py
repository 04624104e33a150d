"""What a YAML reader complains about, in people's words.

The complaints of the reader are its own business; a person learns what stands there, what
YAML wants, and what to write.
"""

import re
from dataclasses import dataclass

import yaml

from karnak.dsl.diagnostics import Diagnostic
from karnak.dsl.findings import diagnostic
from karnak.dsl.nodes import Source

_LONE_KEY = re.compile(r"[ -]*[\w.]+[ \t]*")
_INDENTED_TAB = re.compile(r"^[ ]*\t", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Complaint:
    """One thing that can be wrong.

    Attributes:
        words: pattern for what the reader says.
        code: our code.
        message: our sentence.
        hint: what to do.
        at_start: show where the broken thing begins, not where the reader gave up.
    """

    words: re.Pattern[str]
    code: str
    message: str
    hint: str = ""
    at_start: bool = False


def _says(words: str) -> re.Pattern[str]:
    return re.compile(words, re.IGNORECASE)


_COLON = _Complaint(
    _says("mapping values are not allowed"),
    "K007",
    "a second `key: value` on one line, or a colon in a text without quotes",
    "start a new line, or put the text in quotes",
)

_COMPLAINTS = (
    _Complaint(
        _says("quoted scalar.*(end of stream|document (indicator|separator))"),
        "K009",
        "this quote is never closed",
        "write the closing quote",
        at_start=True,
    ),
    _Complaint(
        _says("quoted scalar.*(escape|hexdec|unicode character)"),
        "K017",
        "a backslash in double quotes starts an escape, and this is none",
        "write \\\\, or use single quotes",
    ),
    _Complaint(_says(r"tab character|'\\t'"), "K008", "a tab stands where YAML wants spaces", "indent with spaces"),
    _COLON,
    _Complaint(
        _says("block sequence entries are not allowed"),
        "K007",
        "a list item can't start here",
        "start a new line for `- `",
    ),
    _Complaint(
        _says("could not find expected ':'"),
        "K007",
        "a key without its colon",
        "write `key: value`",
        at_start=True,
    ),
    _Complaint(
        _says(r"flow (sequence|node).*(expected ',' or '\]'|but found)"),
        "K007",
        "a list in [ ] is not closed, or a comma is missing",
        "write , between items and ] at the end",
        at_start=True,
    ),
    _Complaint(
        _says(r"flow mapping.*(expected ',' or '\}'|but found)"),
        "K007",
        "a mapping in { } is not closed, or a comma is missing",
        "write , between entries and } at the end",
        at_start=True,
    ),
    _Complaint(
        _says("block collection|block sequence"),
        "K007",
        "this line doesn't fit into the list above it",
        "indent it like the other items, each with `- `",
    ),
    _Complaint(
        _says("block mapping"),
        "K007",
        "this line doesn't fit into the block above it",
        "indent it like the other keys",
    ),
    _Complaint(
        _says("cannot start any token"),
        "K007",
        "a text can't begin with this character",
        "put the text in quotes",
    ),
    _Complaint(_says("anchor|alias"), "K007", "& and * need a name of letters and digits", "or put the text in quotes"),
    _Complaint(_says("block scalar"), "K007", "after | or > comes nothing but + - or a digit", "start a new line"),
    _Complaint(
        _says(r"scanning a (tag|directive)|tag handle|%yaml"),
        "K007",
        "! and % begin YAML commands",
        "put the text in quotes",
    ),
    _Complaint(
        _says("document start"),
        "K007",
        "something is left after the end of the profile",
        "delete it, or indent it like the rest",
    ),
    _Complaint(_says("found unexpected ':'"), "K007", "a colon can't stand here", "put the text in quotes"),
    _Complaint(
        _says("expected node content|but found"), "K007", "a value is missing or can't stand here", "write a value"
    ),
)


def explain_yaml_error(error: yaml.MarkedYAMLError, source: Source) -> Diagnostic:
    """Turn a complaint of the YAML reader into a diagnostic.

    Args:
        error: the complaint.
        source: the text that was read.
    """
    words = f"{error.context or ''} {error.problem or ''}"
    complaint = next((known for known in _COMPLAINTS if known.words.search(words)), None)
    mark = error.problem_mark or error.context_mark
    if complaint is not None and complaint.at_start and error.context_mark is not None:
        mark = error.context_mark
    at = min(mark.index if mark is not None else 0, len(source.text))
    # At the end of the text there is nothing to point to: point to the last thing that is there.
    if at == len(source.text):
        at = max(0, len(source.text.rstrip()) - 1)
    line_start = max(source.text.rfind("\n", 0, at), source.text.rfind("\r", 0, at)) + 1
    tab = _INDENTED_TAB.match(source.text, line_start)
    if tab is not None and (complaint is None or complaint.code == "K007"):
        place = source.span(tab.end() - 1, tab.end())
        return diagnostic("K008", "a tab stands where YAML wants spaces", place, "indent with spaces")
    place = source.span(at, min(at + 1, len(source.text)))
    lone_key = source.text[line_start:at]
    if complaint is _COLON and line_start and _LONE_KEY.fullmatch(lone_key):
        start = line_start + len(lone_key) - len(lone_key.lstrip(" -"))
        message = "this key doesn't fit to the line above, which is a value already"
        return diagnostic("K007", message, source.span(start, at), "indent it like the other keys")
    if complaint is None:
        return diagnostic("K007", "the text is not YAML at this place", place)
    return diagnostic(complaint.code, complaint.message, place, complaint.hint)
