"""The data dictionary of PS3.6: attributes by tag, by keyword, and by what people type.

Private elements are not in it. Repeating groups and the group lengths are attributes with a mask.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

from karnak.standard import sheet
from karnak.standard.pattern import GROUP_LOW_BIT, even_groups, format_pattern, parse_pattern

EXACT = 0xFFFFFFFF

# Source: PS3.5 Table 6.2-1.
VRS = frozenset(
    "AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC UI UL UN UR US UT UV".split()
)


class Attribute(NamedTuple):
    """An attribute of the standard.

    Attributes:
        tag: 32-bit tag 0xGGGGEEEE; of a repeating group, the fixed bits.
        mask: which bits are fixed; 0xFFFFFFFF for one exact tag.
        keyword: as in PS3.6, or "" for the few retired ones without.
        name: as in PS3.6.
        vr: value representations that are allowed; empty for item delimiters.
        vm: value multiplicity, such as "1", "1-n", "2-2n".
        retired: the standard no longer uses it.
    """

    tag: int
    mask: int
    keyword: str
    name: str
    vr: tuple[str, ...]
    vm: str
    retired: bool

    @property
    def number(self) -> str:
        """The tag as people write it: (0010,0010), (60XX,3000)."""
        return format_pattern(self.tag, self.mask)


# Source: PS3.5 section 7.2; every group may have one, private groups too.
GROUP_LENGTH = Attribute(0x00000000, 0x0000FFFF, "", "Generic Group Length", ("UL",), "1", True)


def _parse(line: str) -> Attribute:
    digits, vr, vm, retired, keyword, name = line.split("\t")
    tag, mask = even_groups(*parse_pattern(digits))
    return Attribute(tag, mask, keyword, name, tuple(vr.split(",")) if vr else (), vm, retired == "R")


@cache
def _lines_by_tag() -> Mapping[int, str]:
    return {int(line[:8], 16): line for line in sheet.read("dictionary").rows if "X" not in line[:8]}


@cache
def _repeating() -> tuple[Attribute, ...]:
    # The most specific first: what has fewer wildcards says more.
    found = [_parse(line) for line in sheet.read("dictionary").rows if "X" in line[:8]]
    return tuple(sorted(found, key=lambda attribute: -attribute.mask.bit_count()))


@cache
def _lines_by_keyword() -> Mapping[str, str]:
    return {line.split("\t", 5)[4]: line for line in sheet.read("dictionary").rows}


def by_tag(tag: int) -> Attribute | None:
    """Find what a tag stands for: an exact attribute, then a repeating group, then a group length.

    Args:
        tag: 32-bit tag, 0xGGGGEEEE.

    Returns:
        The attribute, or None for a tag that PS3.6 doesn't have; all private tags but group lengths are such.

    Source: PS3.6 sections 6 to 9, PS3.7 Annex E.
    """
    line = _lines_by_tag().get(tag)
    if line is not None:
        return _parse(line)
    if not tag & GROUP_LOW_BIT:
        for attribute in _repeating():
            if tag & attribute.mask == attribute.tag:
                return attribute
    return GROUP_LENGTH if tag & 0xFFFF == 0 else None


def by_keyword(keyword: str) -> Attribute | None:
    """Find an attribute by its keyword, exactly as PS3.6 writes it."""
    line = _lines_by_keyword().get(keyword) if keyword else None
    return None if line is None else _parse(line)


@cache
def keywords() -> frozenset[str]:
    """All keywords of PS3.6."""
    return frozenset(_lines_by_keyword()) - {""}


def attributes() -> Iterator[Attribute]:
    """All attributes in the order of their tags, repeating groups among them."""
    return map(_parse, sheet.read("dictionary").rows)


def _digits(query: str) -> str | None:
    """The number that a query is, in eight digits with wildcards, or None if it is none.

    (0010,0010), 0010,0010, 00100010, 0x00100010, 60XX,3000, and 0010 for a whole group.
    """
    text = query.strip().upper()
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    text = text.removeprefix("0X").replace(",", "").replace(" ", "")
    if not text or any(character not in "0123456789ABCDEFX" for character in text):
        return None
    # Four letters may be a word as well: DEAD is not meant as a group, 0010 and 60XX are.
    if len(text) == 4 and any(character in "0123456789" for character in text):
        return text + "XXXX"
    return text if len(text) == 8 else None


def is_private_number(query: str) -> bool:
    """Tell whether a query is a number that names private tags only."""
    digits = _digits(query)
    if digits is None:
        return False
    tag, mask = parse_pattern(digits)
    return bool(tag & mask & GROUP_LOW_BIT)


def _search_number(digits: str) -> list[Attribute]:
    tag, mask = parse_pattern(digits)
    if mask == EXACT:
        found = by_tag(tag)
        return [] if found is None else [found]
    return [attribute for attribute in attributes() if _overlap(attribute, tag, mask)]


def _overlap(attribute: Attribute, tag: int, mask: int) -> bool:
    both = attribute.mask & mask
    return attribute.tag & both == tag & both


def search(query: str) -> list[Attribute]:
    """Find attributes by what a person knows of them.

    Args:
        query: a number in any common form, with X for any digit; or a keyword, a name, or words of either,
            in any case.

    Returns:
        Attributes in the order of their tags, but the one whose keyword or name is the query comes first.
    """
    digits = _digits(query)
    if digits is not None:
        return _search_number(digits)
    words = query.casefold().split()
    if not words:
        return []
    whole = " ".join(words)
    # Lines are searched before they are parsed: a dictionary of 5,200 is quick to read but slow to build.
    found = [_parse(line) for line in sheet.read("dictionary").rows if _speaks_of(line, words)]
    return sorted(found, key=lambda attribute: whole not in (attribute.keyword.casefold(), attribute.name.casefold()))


def _speaks_of(line: str, words: list[str]) -> bool:
    text = line.split("\t", 4)[4].casefold()
    return all(word in text for word in words)
