"""Why bytes are refused as a dataset: one sentence per cause, the same from every reader of bytes.

A reader that has lost its way takes text for tags and lengths. So a sentence names a tag only
if the dictionary has it, never a length that was read, and for the rest an offset.
"""

from enum import IntEnum

from karnak.ir.selector import format_tag
from karnak.runtime.encoding import UnreadableInstance
from karnak.standard import dictionary

MAX_DEPTH = 64


class Refusal(IntEnum):
    """Causes; the numbers are those that the scanner returns."""

    CUT_SHORT = 1
    OUT_OF_ORDER = 2
    TOO_DEEP = 3
    OPEN_ITEM = 4
    UNDEFINED_LENGTH = 5
    UNKNOWN_VR = 6
    SEQUENCE_TOO_LONG = 7
    ITEM_TOO_LONG = 8
    NO_ITEM = 9
    NO_FRAGMENT = 10
    DELIMITER_WITH_LENGTH = 11


_SENTENCES = {
    Refusal.CUT_SHORT: "more bytes are announced than the {left} that are left",
    Refusal.OUT_OF_ORDER: "{element} is repeated or out of order",
    Refusal.TOO_DEEP: f"sequences nest deeper than {MAX_DEPTH}",
    Refusal.OPEN_ITEM: "an item has no end",
    Refusal.UNDEFINED_LENGTH: "{element} has an undefined length, which its VR does not allow",
    Refusal.UNKNOWN_VR: "{element} has no value representation that PS3.5 knows",
    Refusal.SEQUENCE_TOO_LONG: "a sequence announces more bytes than the {left} that are left",
    Refusal.ITEM_TOO_LONG: "an item announces more bytes than the {left} that are left",
    Refusal.NO_ITEM: "{element} stands where an item should",
    Refusal.DELIMITER_WITH_LENGTH: "a delimiter announces bytes of its own",
    Refusal.NO_FRAGMENT: "{element} stands where a fragment should",
}


class NestedTooDeep(UnreadableInstance):
    """Sequences nest deeper than they may, also where they hide in an unknown value."""


def refused(cause: Refusal, offset: int, first: int = 0, second: int = 0) -> UnreadableInstance:
    """Make the error for a cause.

    Args:
        cause: why.
        offset: where, in bytes from the beginning of the dataset.
        first: the tag that the sentence is about, or the bytes that were announced.
        second: the bytes that were left.
    """
    sentence = _SENTENCES[cause].format(element=element_name(first), left=second)
    kind = NestedTooDeep if cause is Refusal.TOO_DEEP else UnreadableInstance
    return kind(f"{sentence} at offset {offset} of the dataset")


def element_name(tag: int) -> str:
    """A tag for people, if it is one that the standard has; what was read by mistake is not shown."""
    known = tag & 0xFFFF != 0 and dictionary.by_tag(tag) is not None
    return format_tag(tag) if known else "an element"
