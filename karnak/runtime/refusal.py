"""Why bytes are refused as a dataset: one sentence per cause, the same from every reader of bytes."""

from enum import IntEnum

from karnak.ir.selector import format_tag
from karnak.runtime.encoding import UnreadableInstance

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
    Refusal.CUT_SHORT: "{first} bytes are announced and {second} are left",
    Refusal.OUT_OF_ORDER: "{tag} is repeated or out of order",
    Refusal.TOO_DEEP: f"sequences nest deeper than {MAX_DEPTH}",
    Refusal.OPEN_ITEM: "an item has no end",
    Refusal.UNDEFINED_LENGTH: "{tag} has an undefined length, which its VR does not allow",
    Refusal.UNKNOWN_VR: "{tag} has no value representation that PS3.5 knows",
    Refusal.SEQUENCE_TOO_LONG: "a sequence of {first} bytes is announced and {second} are left",
    Refusal.ITEM_TOO_LONG: "an item of {first} bytes is announced and {second} are left",
    Refusal.NO_ITEM: "{tag} stands where an item should",
    Refusal.DELIMITER_WITH_LENGTH: "a delimiter announces {first} bytes of its own",
    Refusal.NO_FRAGMENT: "{tag} stands where a fragment should",
}


def refused(cause: Refusal, offset: int, first: int = 0, second: int = 0) -> UnreadableInstance:
    """Make the error for a cause.

    Args:
        cause: why.
        offset: where, in bytes from the beginning of the dataset or of the unknown value that was tried.
        first: the tag that the sentence names, or the bytes that were announced.
        second: the bytes that were left.
    """
    sentence = _SENTENCES[cause].format(tag=format_tag(first), first=first, second=second)
    return UnreadableInstance(f"{sentence} at offset {offset} of the dataset")
