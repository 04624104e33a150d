"""Additions to an instance that is not decoded: what they ask of it, and which private creators stay for them."""

from collections.abc import Iterable

import numpy as np

from karnak.ir.selector import is_private, is_private_creator
from karnak.runtime.encoding import ItemSequence, RawDataset, leaf, sequence
from karnak.runtime.private_blocks import creator_tag
from karnak.runtime.scan import KIND, PARENT, SEQUENCE, TAG
from karnak.runtime.scanned import ScannedInstance


class IndexedOriginal:
    """What additions ask of the original instance.

    Args:
        root: the instance.
        sop_class_uid: its SOP Class, or None.
        tags: what is to be added.
    """

    def __init__(self, root: ScannedInstance, sop_class_uid: str | None, tags: Iterable[int]) -> None:
        self._root = root
        self.sop_class_uid = sop_class_uid
        self.dataset = _private_elements(root, {tag >> 16 for tag in tags if is_private(tag)})

    def has(self, tag: int) -> bool:
        """Tell whether the root dataset has an element."""
        return self._root.has(tag)


def creators_that_stay(root: ScannedInstance, added: Iterable[int]) -> dict[int, int]:
    """The private creators of the original in whose blocks elements are added: they stay, as they are.

    Args:
        root: the original.
        added: tags of the elements that are added.

    Returns:
        Their rows by their tags.
    """
    reserved = {creator_tag(tag) for tag in added if is_private(tag) and tag & 0xFFFF >= 0x1000}
    rows = {tag: root.row(tag) for tag in sorted(reserved)}
    return {tag: row for tag, row in rows.items() if row >= 0 and not root.rows[row, KIND] & SEQUENCE}


def _private_elements(root: ScannedInstance, groups: set[int]) -> RawDataset:
    """The root elements of some groups, as far as additions ask: the values of creators, the tags of others."""
    found = RawDataset()
    if not groups:
        return found
    rows = root.rows[: root.size]
    for row in np.flatnonzero((rows[:, PARENT] < 0) & np.isin(rows[:, TAG] >> 16, sorted(groups))).tolist():
        tag = int(rows[row, TAG])
        if rows[row, KIND] & SEQUENCE:
            found.put(sequence(tag, ItemSequence([], "SQ", False, root.encoding)))
        else:
            found.put(root.leaf(row) if is_private_creator(tag) else leaf(tag, "UN", b""))
    return found
