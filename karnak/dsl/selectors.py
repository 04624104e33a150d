"""Selectors: from text to terms of the IR, with sentences for every way to get a tag wrong.

Java Karnak takes any text for a tag and reads what digits it finds; here a typing error is
an error, never another tag.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lark import Token, Transformer, v_args

from karnak.dsl.findings import Findings
from karnak.dsl.grammars import Unparsable, parse
from karnak.dsl.nodes import Part, PlacedText
from karnak.ir.selector import FULL_MASK, PrivateElement, SelectorTerm, TagPath, TagPattern, Term, is_private
from karnak.standard import dictionary

KEYWORD_HELP = "keywords are those of DICOM PS3.6; `karnak tags WORD` finds them"
_TAG_HINT = "write (gggg,eeee)"
_MAX_LENGTH = 1000
_MAX_STEPS = 20
_PRIVATE_CREATOR_LENGTH = 64
_CREATOR = re.compile(r"[^\\\x00-\x1f\x7f]+")
_PUNCTUATION = " \t\r\n(),"
_WORD = re.compile(r"\s*([A-Za-z][A-Za-z0-9_ ]*?)\s*")
_HEX_PREFIX = re.compile(r"\s*0[xX][0-9A-Fa-f]{8}\s*")
_QUOTED_OR_SLASH = re.compile(r'"[^"]*"|/')


@dataclass(frozen=True, slots=True)
class PatternStep:
    """Eight digits: fixed bits and mask."""

    value: int
    mask: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class PrivateStep:
    """A private element by its creator."""

    group: int
    group_mask: int
    creator: str
    element: int
    mask: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class KeywordStep:
    """A keyword, not looked up yet."""

    word: str
    start: int
    end: int


Step = PatternStep | PrivateStep | KeywordStep
_Digits = tuple[int, int, int, int]


@v_args(inline=True)
class _SelectorBuilder(Transformer[Token, Any]):
    """Grammar's rules -> steps."""

    def _digits(self, *digits: Token) -> _Digits:
        value = mask = 0
        for digit in digits:
            wild = digit in "Xx"
            value = value << 4 | (0 if wild else int(digit, 16))
            mask = mask << 4 | (0 if wild else 0xF)
        return value, mask, digits[0].start_pos or 0, digits[-1].end_pos or 0

    group = element = low_byte = _digits

    def pattern(self, group: _Digits, element: _Digits) -> PatternStep:
        return PatternStep(group[0] << 16 | element[0], group[1] << 16 | element[1], group[2], element[3])

    def private(self, group: _Digits, creator: Token, low: _Digits) -> PrivateStep:
        return PrivateStep(group[0], group[1], creator[1:-1].strip(" "), low[0], low[1], group[2], low[3])

    def keyword(self, word: Token) -> KeywordStep:
        return KeywordStep(str(word), word.start_pos or 0, word.end_pos or 0)

    def selector(self, *steps: Step) -> tuple[Step, ...]:
        return steps


def _explain(text: PlacedText, findings: Findings, start: int, end: int) -> None:
    """Say what is wrong with one step that can't be read."""
    step = text.text[start:end]
    place = text.at(start, end)
    if not step.strip():
        findings.add("K206" if len(step) < len(text.text) else "K201", "a selector is missing here", place, _TAG_HINT)
        return
    if '"' in step:
        findings.add("K205", "this is no private element", place, 'write (gggg,"CREATOR",ee)')
        return
    word = _WORD.fullmatch(step)
    if word is not None and sum(map(str.isdigit, word[1])) * 2 < len(word[1]):
        span = text.at(start + word.start(1), start + word.end(1))
        unknown_keyword(word[1], findings, span)
        return
    if _HEX_PREFIX.fullmatch(step):
        findings.add("K201", "a tag is written without 0x", place, _TAG_HINT)
        return
    bad = re.search(r"[^0-9A-Fa-fXx]", step.translate(dict.fromkeys(map(ord, _PUNCTUATION), "0")))
    if bad is not None:
        at = text.at(start + bad.start(), start + bad.end())
        hint = "the digit zero?" if bad[0] in "oO" else "the digits are 0 to 9, A to F, and X for any"
        findings.add("K202", f"{bad[0]} is not a digit of a tag", at, hint)
        return
    digits = sum(character not in _PUNCTUATION for character in step)
    if digits != 8:
        notes = []
        if digits == 4:
            notes.append("a comma separates items of a list in [ ]: put 'gggg,eeee' in quotes there")
            notes.append(f"for a whole group write ({''.join(c for c in step if c not in _PUNCTUATION)},XXXX)")
        message = f"a tag has 8 digits, this one has {digits}" if digits else "a tag has 8 digits, there are none"
        findings.add("K201", message, place, _TAG_HINT, notes=notes)
        return
    findings.add("K201", "the brackets or the comma are not where they belong", place, _TAG_HINT)


def unknown_keyword(word: str, findings: Findings, span: Any) -> None:
    """Note a keyword that PS3.6 doesn't have."""
    word, known = word.replace(" ", ""), dictionary.keywords()
    findings.unknown("K203", "unknown tag keyword", span, word, known, describe=_numbered, notes=(KEYWORD_HELP,))


def _numbered(keyword: str) -> str:
    attribute = dictionary.by_keyword(keyword)
    return f"{keyword} {attribute.number}" if attribute else keyword


def _parse(text: PlacedText, findings: Findings) -> Sequence[Step] | None:
    if len(text.text) > _MAX_LENGTH:
        findings.add("K201", f"a selector has at most {_MAX_LENGTH} characters", text.inner, _TAG_HINT)
        return None
    cuts = [m.start() for m in _QUOTED_OR_SLASH.finditer(text.text) if m[0] == "/"]
    if len(cuts) >= _MAX_STEPS:
        findings.add("K206", f"a path has at most {_MAX_STEPS} steps", text.inner)
        return None
    try:
        steps: Sequence[Step] = parse("selector", _SelectorBuilder, text.text)
    except Unparsable:
        starts, ends = [0, *(cut + 1 for cut in cuts)], [*cuts, len(text.text)]
        for start, end in zip(starts, ends, strict=True):
            try:
                (step,) = parse("selector", _SelectorBuilder, text.text[start:end])
                _term(step, Part(text, start, end), findings, warn=False)
            except Unparsable:
                _explain(text, findings, start, end)
        return None
    return steps


def _private(step: PrivateStep, text: PlacedText, findings: Findings) -> PrivateElement | None:
    place = text.at(step.start, step.end)
    if step.group_mask != 0xFFFF or not step.group & 1 or step.group < 0x0009:
        findings.add(
            "K205", "the group of a private element is an odd number above 0008", place, 'as (0029,"CREATOR",10)'
        )
        return None
    if not _CREATOR.fullmatch(step.creator) or len(step.creator) > _PRIVATE_CREATOR_LENGTH:
        findings.add("K205", "a private creator has 1 to 64 characters, without backslash", place)
        return None
    return PrivateElement(step.group, step.creator, step.element, step.mask)


def _term(step: Step, text: PlacedText, findings: Findings, warn: bool) -> Term | None:
    if isinstance(step, PrivateStep):
        return _private(step, text, findings)
    place = text.at(step.start, step.end)
    if isinstance(step, KeywordStep):
        attribute = dictionary.by_keyword(step.word)
        if attribute is None:
            unknown_keyword(step.word, findings, place)
            return None
        return TagPattern(attribute.tag, attribute.mask)
    if warn and step.mask == FULL_MASK and not is_private(step.value) and dictionary.by_tag(step.value) is None:
        findings.add("K204", "the dictionary has no attribute with this number", place, "check the digits")
    return TagPattern(step.value, step.mask)


def read_selector(text: PlacedText, findings: Findings, *, warn: bool = True) -> SelectorTerm | None:
    """Read one selector.

    Args:
        text: what the author wrote.
        findings: where to note what is wrong.
        warn: whether to warn of numbers that the dictionary doesn't have.

    Returns:
        The term, or None where a finding says why there is none.
    """
    steps = _parse(text, findings)
    if steps is None:
        return None
    terms = [_term(step, text, findings, warn) for step in steps]
    if len(terms) == 1:
        return terms[0]
    whole = tuple(term for term in terms if term is not None)
    return TagPath(whole) if len(whole) == len(terms) else None


def read_tag(text: PlacedText, findings: Findings, *, warn: bool = True) -> int | None:
    """Read a selector that must name one exact tag.

    Args:
        text: what the author wrote.
        findings: where to note what is wrong.
        warn: whether to warn of a number that the dictionary doesn't have.

    Returns:
        The tag, or None where a finding says why there is none.
    """
    term = read_selector(text, findings, warn=warn)
    if term is None:
        return None
    if isinstance(term, TagPattern) and term.exact:
        return term.value
    findings.add("K207", "one exact tag is needed here", text.inner, "no X, no path and no private creator")
    return None
