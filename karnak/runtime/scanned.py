"""An instance as the scanner sees it: an index over bytes that answers questions about the root dataset."""

from copy import copy
from functools import cached_property

import numpy as np
from pydicom.dataelem import RawDataElement

from karnak.runtime.encoding import SPECIFIC_CHARACTER_SET, Encoding, leaf
from karnak.runtime.plan import PLAN_COLUMNS
from karnak.runtime.repertoire import Repertoire, repertoire_of_value
from karnak.runtime.scan import (
    ITEM_ROW,
    KIND,
    LENGTH,
    NEXT,
    PARENT,
    SEQUENCE,
    TAG,
    UNDEFINED,
    VALUE,
    VR,
    root_row,
    scan,
    vr_name,
)
from karnak.runtime.text import count_of, text_of

# Rows of an index to begin with; it grows where an instance has more elements.
_ROWS = 1024


class ScannedInstance:
    """The root dataset of an instance, by its index.

    Args:
        data: what holds the dataset.
        start: offset of the dataset in `data`.
        stop: offset after it.
        encoding: Explicit or Implicit VR Little Endian.

    Raises:
        UnreadableInstance: the bytes are no dataset; the message says where.
    """

    def __init__(self, data: memoryview, start: int, stop: int, encoding: Encoding) -> None:
        self.data, self.start, self.stop = data, start, stop
        self.array = np.frombuffer(data, np.uint8)
        rows = np.empty((_ROWS, PLAN_COLUMNS), np.int64)
        self.rows, self.size = scan(self.array, start, stop, encoding.implicit, rows)
        self.encoding = encoding
        self._texts: dict[int, str | None] = {}

    def encoded(self) -> bytes:
        """The encoded dataset."""
        return bytes(self.data[self.start : self.stop])

    def apart(self) -> "ScannedInstance":
        """The same instance with an index of its own, so that two can be rewritten at a time."""
        other = copy(self)
        other.rows = self.rows[: self.size].copy()
        return other

    def row(self, tag: int) -> int:
        """The row of a root element, or -1."""
        return int(root_row(self.rows, self.size, tag))

    def value(self, row: int) -> bytes:
        """The encoded value of a row."""
        start = int(self.rows[row, VALUE])
        return bytes(self.data[start : start + int(self.rows[row, LENGTH])])

    def leaf(self, row: int) -> RawDataElement:
        """The element of a row, which holds no items."""
        columns = self.rows[row]
        undefined = bool(columns[KIND] & UNDEFINED)
        return leaf(int(columns[TAG]), vr_name(int(columns[VR])), self.value(row), undefined_length=undefined)

    @cached_property
    def repertoire(self) -> Repertoire:
        """The character repertoire of the root dataset."""
        row = self.row(SPECIFIC_CHARACTER_SET)
        if row < 0 or self.rows[row, KIND] & SEQUENCE:
            return Repertoire()
        return repertoire_of_value(self.value(row))

    def text(self, tag: int) -> str | None:
        """As `Instance.text`."""
        if tag in self._texts:
            return self._texts[tag]
        row = self.row(tag)
        found = None
        if row >= 0 and not self.rows[row, KIND] & SEQUENCE:
            found = text_of(self.leaf(row), self.encoding, self.repertoire)
        self._texts[tag] = found
        return found

    def has(self, tag: int) -> bool:
        """As `Instance.has`."""
        return self.row(tag) >= 0

    def count(self, tag: int) -> int:
        """As `Instance.count`."""
        row = self.row(tag)
        if row < 0:
            return 0
        if not self.rows[row, KIND] & SEQUENCE:
            return count_of(self.leaf(row), self.encoding, self.repertoire)
        inside = self.rows[row + 1 : int(self.rows[row, NEXT])]
        return int(np.count_nonzero(inside[:, PARENT] == row))

    def has_anywhere(self, tag: int) -> bool:
        """As `Instance.has_anywhere`."""
        rows = self.rows[: self.size]
        return bool(np.any((rows[:, TAG] == tag) & (rows[:, KIND] & ITEM_ROW == 0)))
