"""What a decoder and a scanner have found, in one form."""

import numpy as np
from pydicom import Dataset
from pydicom.dataelem import RawDataElement

from karnak.runtime.encoding import UNDEFINED_LENGTH, Encoding, stored
from karnak.runtime.scan import (
    END,
    HEADER,
    IMPLICIT_INSIDE,
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
    Index,
    scan,
    vr_name,
)

Found = list[tuple[object, ...]]


def flattened(dataset: Dataset) -> Found:
    """The elements of a decoded dataset, items and what is in them after their sequence."""
    found: Found = []
    for tag in sorted(map(int, dataset.keys())):
        element = stored(dataset, tag)
        if isinstance(element, RawDataElement):
            found.append((tag, element.VR, element.value, element.length == UNDEFINED_LENGTH))
            continue
        items = element.value
        found.append((tag, items.vr, "items", items.undefined_length, items.encoding.implicit))
        for item in items:
            found.append(("item", item.is_undefined_length_sequence_item))
            found += flattened(item)
    return found


def scanned(data: bytes, encoding: Encoding) -> Found:
    """What a scanner finds, in the same form."""
    index = scan(np.frombuffer(data, np.uint8), 0, len(data), encoding.implicit)
    return rows_of(index, data, 0, len(data))


def rows_of(index: Index, data: bytes, start: int, stop: int) -> Found:
    """The rows of an index in the same form, once they are found sound."""
    sound(index, start, stop)
    found: Found = []
    for row in index.rows[: index.size]:
        kind, vr = row[KIND], vr_name(int(row[VR]))
        undefined = bool(kind & UNDEFINED)
        if kind & ITEM_ROW:
            found.append(("item", undefined))
        elif kind & SEQUENCE:
            found.append((int(row[TAG]), vr, "items", undefined, bool(kind & IMPLICIT_INSIDE)))
        else:
            found.append((int(row[TAG]), vr, data[row[VALUE] : row[VALUE] + row[LENGTH]], undefined))
    return found


def sound(index: Index, start: int, stop: int) -> None:
    """Rows nest: each lies within the one around it, and nothing lies outside of the dataset."""
    rows = index.rows[: index.size]
    for i, row in enumerate(rows):
        parent = int(row[PARENT])
        first, last = (start, stop) if parent < 0 else (int(rows[parent, VALUE]), int(rows[parent, END]))
        assert first <= row[HEADER] < row[VALUE] <= row[VALUE] + row[LENGTH] <= row[END] <= last
        assert i < row[NEXT] <= index.size
        assert parent < i
        if row[KIND] & (SEQUENCE | ITEM_ROW):
            inside = [int(rows[j, PARENT]) for j in range(i + 1, int(row[NEXT]))]
            assert all(j >= i for j in inside)
        else:
            assert row[NEXT] == i + 1
