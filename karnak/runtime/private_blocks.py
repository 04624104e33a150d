"""Private creators and the blocks of elements that they reserve (PS3.5 section 7.8.1)."""

from pydicom import Dataset

from karnak.ir.selector import is_private, is_private_creator
from karnak.runtime.encoding import stored_leaf


def creator_tag(tag: int) -> int:
    """The tag of the private creator that reserves the block of a private element.

    Args:
        tag: 32-bit tag (gggg,xxee) with gggg odd and xx from 10 to FF.
    """
    return tag & 0xFFFF0000 | tag >> 8 & 0xFF


def reserves_block(dataset: Dataset, tag: int) -> bool:
    """Tell whether an element is a private creator; a sequence at such a tag reserves nothing.

    Args:
        dataset: the dataset that holds the element.
        tag: its 32-bit tag.
    """
    return is_private_creator(tag) and stored_leaf(dataset, tag) is not None


def creator_of(dataset: Dataset, tag: int) -> str | None:
    """The value of the private creator that reserves a private element's block, or None.

    Args:
        dataset: the dataset that holds the element.
        tag: 32-bit tag of the element.
    """
    if not is_private(tag) or tag & 0xFFFF < 0x1000:
        return None
    element = stored_leaf(dataset, creator_tag(tag))
    return None if element is None else (element.value or b"").decode("latin-1").strip(" \0") or None


def block_is_used(dataset: Dataset, creator: int) -> bool:
    """Tell whether a dataset has an element in a block.

    Args:
        dataset: where to look.
        creator: tag of the block's private creator, (gggg,00xx).
    """
    first = creator & 0xFFFF0000 | (creator & 0xFF) << 8
    return any(first <= int(tag) <= first + 0xFF for tag in list(dataset.keys()))
