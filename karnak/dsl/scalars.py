"""Where each character of a YAML scalar stands in the text it was read from.

The reader of YAML gives the text of a scalar with escapes undone and lines folded, and the
place of the whole. This file walks over the written form again and notes for each character
of the text where it came from. The result is believed only if it spells the same text.
"""

import re
from collections.abc import Iterator

_PROPERTIES = re.compile(r"(?:[&!][^\s]*\s+)*")
_BLANKS = re.compile(r"[ \t]*")
_BREAKS = re.compile(r"(?:(?:\r\n|\n|\r)[ \t]*)+")
_ONE_BREAK = re.compile(r"\r\n|\n|\r")
_ESCAPED_BREAK = re.compile(r"\\(?:\r\n|\n|\r)(?:[ \t]*(?:\r\n|\n|\r))*[ \t]*")
_LINE = re.compile(r"([^\r\n]*)(\r\n|\n|\r|\Z)")
_SHORT = dict(zip('0abt\tnvfre "/\\N_LP', '\0\a\b\t\t\n\v\f\r\x1b "/\\\x85\xa0\u2028\u2029', strict=True))
_LONG = {"x": 2, "u": 4, "U": 8}

# A character of the scalar's text and where it stands in the written form.
_Piece = tuple[str, int]


def _blanks(raw: str, at: int) -> tuple[list[_Piece], int]:
    """Read blanks inside a flow scalar; with line breaks among them, one break is a space, more are all but one."""
    run = _BLANKS.match(raw, at)
    assert run is not None
    breaks = _BREAKS.match(raw, run.end())
    if breaks is None:
        return [(character, at + i) for i, character in enumerate(run[0])], run.end()
    more = len(_ONE_BREAK.findall(breaks[0])) - 1
    return [("\n", breaks.start())] * more if more else [(" ", breaks.start())], breaks.end()


def _flow(raw: str, start: int, end: int, quote: str) -> Iterator[_Piece]:
    """Walk over a plain, single-quoted or double-quoted scalar."""
    at = start
    while at < end:
        if raw[at] in " \t\r\n":
            pieces, at = _blanks(raw, at)
            yield from pieces
        elif quote == "'" and raw[at] == "'":
            yield "'", at
            at += 2
        elif quote == '"' and raw[at] == "\\":
            if (skipped := _ESCAPED_BREAK.match(raw, at)) is not None:
                at = skipped.end()
                continue
            letter = raw[at + 1]
            if letter in _LONG:
                stop = at + 2 + _LONG[letter]
                yield chr(int(raw[at + 2 : stop], 16)), at
                at = stop
            else:
                yield _SHORT[letter], at
                at += 2
        else:
            yield raw[at], at
            at += 1


def _block(raw: str, start: int, folded: bool, indentation: int) -> Iterator[_Piece]:
    """Walk over the lines of a block scalar, line breaks at the end included."""
    before = ""  # the kind of the last line with text: "", "flush" or "more" (indented)
    waiting: list[int] = []  # breaks since then
    for match in _LINE.finditer(raw, start):
        line, at = match[1], match.start()
        text = line[indentation:]
        if line[:indentation].strip(" "):
            break
        if text:
            kind = "more" if text[0] in " \t" else "flush"
            if folded and before == kind == "flush":
                yield from [("\n", offset) for offset in waiting[1:]] if len(waiting) > 1 else [(" ", waiting[0])]
            else:
                yield from (("\n", offset) for offset in waiting)
            yield from ((character, at + indentation + i) for i, character in enumerate(text))
            before, waiting = kind, []
        if not match[2]:
            break
        waiting.append(match.start(2))
    yield from (("\n", offset) for offset in waiting)


def _indentations(raw: str, start: int) -> list[int]:
    """Guess how far a block scalar is indented: as its first line with text, or less where a digit says so."""
    for match in _LINE.finditer(raw, start):
        if match[1].strip(" "):
            width = len(match[1]) - len(match[1].lstrip(" "))
            return list(range(width, max(-1, width - 10), -1))
        if not match[2]:
            break
    return [0]


def _spell(pieces: Iterator[_Piece], text: str) -> list[int] | None:
    """Give the offsets if the pieces spell the text; line breaks at the end may be more than the text has."""
    offsets: list[int] = []
    last = -1
    for character, offset in pieces:
        if len(offsets) == len(text):
            return None if character != "\n" else [*offsets, last + 1]
        if character != text[len(offsets)]:
            return None
        offsets.append(offset)
        last = offset
    return [*offsets, last + 1] if len(offsets) == len(text) else None


def character_offsets(raw: str, style: str, text: str) -> list[int] | None:
    """Find where each character of a scalar's text stands in its written form.

    Args:
        raw: the written form, with quotes, block header, anchors and tags.
        style: "" for plain, or one of ' " | >.
        text: what the scalar says.

    Returns:
        Offsets into `raw`, one per character and one for the end; None where the written form
        is one that this reader doesn't follow.
    """
    prefix = _PROPERTIES.match(raw)
    start = prefix.end() if prefix else 0
    try:
        if style in ("'", '"'):
            end = len(raw) - 1
            offsets = _spell(_flow(raw, start + 1, end, style), text)
            # An escape at the end is longer than one character.
            return [*offsets[:-1], end] if offsets else None
        if style in ("|", ">"):
            header = _ONE_BREAK.search(raw, start)
            if header is None:
                return None
            candidates = _indentations(raw, header.end())
            spelled = (_spell(_block(raw, header.end(), style == ">", width), text) for width in candidates)
            return next((offsets for offsets in spelled if offsets is not None), None)
        return _spell(_flow(raw, start, len(raw), ""), text)
    except (IndexError, KeyError, ValueError, OverflowError):
        # Written in a way that the grammar of YAML allows and this reader doesn't know.
        return None
