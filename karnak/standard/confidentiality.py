"""PS3.15 Table E.1-1, the attributes of the confidentiality profiles, as data.

The table says what may be done; karnak.runtime decides what is done. Edition 2026c is
reconstructed, and `Table.notes` says how and what is not certain.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

from karnak.errors import KarnakError
from karnak.standard import sheet
from karnak.standard.pattern import GROUP_LOW_BIT, even_groups, format_pattern, parse_pattern

DEFAULT_EDITION = "2026c"
# 2024e is the one inside Karnak 2.0, the Java gateway; it is kept to compare with that.
EDITIONS = ("2026c", "2024e")


class UnknownEdition(KarnakError):
    """There is no Table E.1-1 of that edition here."""


class Option(StrEnum):
    """The ten options of PS3.15 Annex E that have a column in Table E.1-1."""

    RETAIN_SAFE_PRIVATE = "retain_safe_private"
    RETAIN_UIDS = "retain_uids"
    RETAIN_DEVICE_IDENTITY = "retain_device_identity"
    RETAIN_INSTITUTION_IDENTITY = "retain_institution_identity"
    RETAIN_PATIENT_CHARACTERISTICS = "retain_patient_characteristics"
    RETAIN_FULL_DATES = "retain_full_dates"
    RETAIN_MODIFIED_DATES = "retain_modified_dates"
    CLEAN_DESCRIPTORS = "clean_descriptors"
    CLEAN_STRUCTURED_CONTENT = "clean_structured_content"
    CLEAN_GRAPHICS = "clean_graphics"


class Row(NamedTuple):
    """A row of the table.

    Attributes:
        tag: 32-bit tag; of a repeating group and of the private rule, the fixed bits.
        mask: which bits of the tag are fixed; 0xFFFFFFFF for one exact tag.
        name: of the attribute, as in the table.
        keyword: of the attribute, or None where the row stands for more than one attribute.
        basic: code of the basic profile: "D", "Z", "X", "U", "Z/D", "X/Z", "X/D", "X/Z/D" or "X/Z/U*".
        options: what options do instead: "K" keep, "C" clean; an option that says nothing isn't there.
        edition: of the standard.
        source: where this row was read.
    """

    tag: int
    mask: int
    name: str
    keyword: str | None
    basic: str
    options: Mapping[Option, str]
    edition: str
    source: str

    @property
    def number(self) -> str:
        """The tag as people write it: (0010,0010), (60XX,3000), (50XX,XXXX)."""
        return format_pattern(self.tag, self.mask)


class Table:
    """Table E.1-1 in one edition.

    Attributes:
        edition: "2026c" or "2024e".
        source: where it was read.
        notes: what a reader has to know about it, known gaps among it.
        rows: all rows in the order of their tags, but `private`.
        private: the rule for private attributes, which is the last row of the printed table.
    """

    def __init__(self, edition: str, source: str, notes: tuple[str, ...], rows: tuple[Row, ...], private: Row) -> None:
        self.edition = edition
        self.source = source
        self.notes = notes
        self.rows = rows
        self.private = private
        self._exact = {row.tag: row for row in rows if row.mask == 0xFFFFFFFF}
        repeating = [row for row in rows if row.mask != 0xFFFFFFFF]
        self._repeating = sorted(repeating, key=lambda row: -row.mask.bit_count())

    def row(self, tag: int) -> Row | None:
        """Find the row for a tag: the exact one, then the repeating groups 50XX and 60XX; not the private rule.

        Args:
            tag: 32-bit tag, 0xGGGGEEEE.
        """
        exact = self._exact.get(tag)
        if exact is not None:
            return exact
        return next((row for row in self._repeating if tag & row.mask == row.tag), None)


def _row(line: str, edition: str, sources: Mapping[str, str]) -> Row:
    digits, basic, codes, source, keyword, name = line.split("\t")
    if digits == "private":
        tag = mask = GROUP_LOW_BIT
    else:
        tag, mask = even_groups(*parse_pattern(digits))
    pairs = (code.split("=") for code in codes.split(",") if code)
    options = MappingProxyType({Option(option): code for option, code in pairs})
    return Row(tag, mask, name, keyword or None, basic, options, edition, sources[source])


@cache
def table(edition: str = DEFAULT_EDITION) -> Table:
    """Give Table E.1-1 in one edition.

    Args:
        edition: "2026c" or "2024e".

    Raises:
        UnknownEdition: it is another one.

    Source: PS3.15 Annex E.
    """
    if edition not in EDITIONS:
        raise UnknownEdition(f"no edition {edition!r} of PS3.15 Table E.1-1; there are: {', '.join(EDITIONS)}")
    read = sheet.read(f"confidentiality-{edition}")
    sources = {key.removeprefix("source."): read.said(key) for key in read.head if key.startswith("source.")}
    *rows, private = (_row(line, edition, sources) for line in read.rows)
    return Table(edition, read.said("source"), read.head["note"], tuple(rows), private)
