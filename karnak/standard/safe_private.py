"""PS3.15 Table E.3.10-1: private attributes that are known to hold nothing that identifies a patient.

A private element is named by its group, its creator and the low byte of its number, never by the block it lies in.
"""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from karnak.standard import sheet


class SafePrivate(NamedTuple):
    """A row of the table.

    Attributes:
        group: odd group number.
        element: low byte of the element number, 0 to 255.
        creator: value of the private creator, without padding.
        vr: value representations, as written.
        vm: value multiplicity; "" where the table has none.
        meaning: what it holds, as in the table.
    """

    group: int
    element: int
    creator: str
    vr: str
    vm: str
    meaning: str


@cache
def _rows() -> Mapping[tuple[int, int, str], SafePrivate]:
    found = {}
    for row in sheet.read("safe_private").rows:
        group, element, creator, vr, vm, meaning = row.split("\t")
        entry = SafePrivate(int(group, 16), int(element, 16), creator, vr, vm, meaning)
        found[entry.group, entry.element, entry.creator] = entry
    return found


def find(creator: str, tag: int) -> SafePrivate | None:
    """Find the row of a private element.

    Args:
        creator: value of the private creator that reserves its block; padding is ignored.
        tag: 32-bit tag, 0xGGGGEEEE, of an element in a block (EEEE above 0x00FF).
    """
    if tag & 0xFFFF <= 0xFF:
        return None
    return _rows().get((tag >> 16, tag & 0xFF, creator.strip(" \0")))


def is_safe(creator: str, tag: int) -> bool:
    """Tell whether a private element is in the table, and so may be kept by Retain Safe Private Option.

    Args:
        creator: value of the private creator that reserves its block; padding is ignored.
        tag: 32-bit tag, 0xGGGGEEEE.

    Source: PS3.15 section E.3.10.
    """
    return find(creator, tag) is not None


def rows() -> tuple[SafePrivate, ...]:
    """All rows of the table."""
    return tuple(_rows().values())


def origin() -> tuple[str, str]:
    """The edition and the source of the table."""
    read = sheet.read("safe_private")
    return read.said("edition"), read.said("source")
