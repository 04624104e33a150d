"""An instance as the scanner sees it: an index over bytes that answers questions about the root dataset."""

from collections.abc import Iterator
from copy import copy
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement

from karnak.runtime.encoding import SPECIFIC_CHARACTER_SET, Encoding, effective_vr, leaf
from karnak.runtime.part10 import OUTPUT_UIDS, PATIENT_ID
from karnak.runtime.plan import CREATOR_COLUMNS, CREATORS_PER_GROUP, FRAMES, PLAN_COLUMNS
from karnak.runtime.repertoire import DEFAULT_REPERTOIRE, Repertoire, repertoire_of_value
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
    root_places,
    scan,
    vr_name,
)
from karnak.runtime.text import count_of, text_in

# Rows of an index to begin with; it grows where an instance has more elements.
_ROWS = 1024
_POOL = 1 << 16
_FIRST_OF_DATASETS = 0x00030000
_OFTEN = (*OUTPUT_UIDS, PATIENT_ID, SPECIFIC_CHARACTER_SET)
_OFTEN_ARRAY = np.array(_OFTEN, np.int64)


class Workspace:
    """Arrays that one instance after the other is worked in; fresh memory would cost more than the work.

    Attributes:
        rows: the index and the plan.
        calls: elements whose value is to be made.
        misses: cells that are to be filled.
        creators: private creators of the groups that are open.
        segments: pieces of the output.
        places: where the elements lie that nearly every instance is asked for, those of OUTPUT_UIDS first.
        edits: what becomes of OUTPUT_UIDS.
        pool: values that are made.
        left: values that compiled code does not make.
    """

    def __init__(self) -> None:
        self.rows = np.empty((_ROWS, PLAN_COLUMNS), np.int64)
        self.calls = np.empty((_ROWS, 5), np.int64)
        self.misses = np.empty((_ROWS, 3), np.int64)
        self.creators = np.empty((FRAMES, CREATORS_PER_GROUP, CREATOR_COLUMNS), np.int64)
        self.segments = np.empty((32, 3), np.int64)
        self.places = np.empty((len(_OFTEN), 5), np.int64)
        self.edits = np.empty((len(OUTPUT_UIDS), 5), np.int64)
        self.pool = np.empty(_POOL, np.uint8)
        self.left = np.empty(_ROWS, np.int64)

    def is_small(self) -> bool:
        """Tell whether it is worth keeping for the next instance."""
        return len(self.rows) <= _MAX_SPARE_ROWS and len(self.pool) <= _MAX_SPARE_POOL


# Workspaces that nobody works in. Taking and giving back are single steps, so threads need no lock.
_SPARE: list[Workspace] = []
_MAX_SPARE = 16
_MAX_SPARE_ROWS = 1 << 17
_MAX_SPARE_POOL = 1 << 22


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
        self.array = np.frombuffer(data.toreadonly(), np.uint8)
        try:
            self.space = _SPARE.pop()
        except IndexError:
            self.space = Workspace()
        self.rows, self.size = scan(self.array, start, stop, encoding.implicit, self.space.rows)
        self.space.rows = self.rows
        self.encoding = encoding
        # Where the elements lie that nearly every instance is asked for: tag -> (row, VR code, value, end, kind).
        places = self.space.places
        root_places(self.rows, self.size, _OFTEN_ARRAY, places)
        self._places = dict(zip(_OFTEN, places.tolist(), strict=True))
        self._texts: dict[int, str | None] = {}

    def encoded(self) -> bytes:
        """The encoded dataset."""
        return bytes(self.data[self.start : self.stop])

    def apart(self) -> "ScannedInstance":
        """The same instance with an index of its own, so that two can be rewritten at a time."""
        other = copy(self)
        other.space = Workspace()
        other.rows = other.space.rows = self.rows[: self.size].copy()
        other.space.places[:] = self.space.places
        return other

    def release(self) -> None:
        """Give the workspace back; nothing but the encoded dataset can be asked for afterwards."""
        if len(_SPARE) < _MAX_SPARE and self.space.is_small():
            _SPARE.append(self.space)
        del self.space, self.rows

    def row(self, tag: int) -> int:
        """The row of a root element, or -1."""
        return self._place(tag)[0]

    def prepare(self, tags: NDArray[np.int64]) -> None:
        """Find several root elements at once, so that they are at hand when they are asked for.

        Args:
            tags: their tags.
        """
        places = np.empty((len(tags), 5), np.int64)
        root_places(self.rows, self.size, tags, places)
        self._places.update(zip(tags.tolist(), places.tolist(), strict=True))

    def _place(self, tag: int) -> list[int]:
        place = self._places.get(tag)
        if place is None:
            places = np.empty((1, 5), np.int64)
            root_places(self.rows, self.size, np.array([tag], np.int64), places)
            place = self._places[tag] = places[0].tolist()
        return place

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
        row, _, start, stop, kind = self._place(SPECIFIC_CHARACTER_SET)
        if row < 0 or kind & SEQUENCE:
            return DEFAULT_REPERTOIRE
        return repertoire_of_value(bytes(self.data[start:stop]))

    def text(self, tag: int) -> str | None:
        """As `Instance.text`."""
        texts = self._texts
        if tag in texts:
            return texts[tag]
        row, vr, start, stop, kind = self._places.get(tag) or self._place(tag)
        found = None
        if row >= 0 and not kind & SEQUENCE:
            name = vr_name(vr)
            if name == "UN":
                name = effective_vr(tag, name)
            found = text_in(self.data[start:stop].tobytes(), name, self.encoding, self.repertoire)
        texts[tag] = found
        return found

    def first_tags(self) -> Iterator[int]:
        """The tags of the root dataset up to the first that belongs into one."""
        row = 0
        while row < self.size:
            tag = int(self.rows[row, TAG])
            if tag >= _FIRST_OF_DATASETS:
                return
            yield tag
            row = int(self.rows[row, NEXT])

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
