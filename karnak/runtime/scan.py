"""Encoded dataset -> index of its elements, by looking at headers only; nothing is decoded or copied.

The scanner gives the same refusals, at the same offsets, as `decode`. It checks every bound before
it reads; no input makes it read outside `data[start:end]`. Source: PS3.5 sections 7.1 to 7.5, A.1, A.2, A.4.
"""

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from karnak.runtime.encoding import BYTE_VRS, LONG_VRS
from karnak.runtime.refusal import MAX_DEPTH, Refusal, refused
from karnak.standard import dictionary

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Rows = NDArray[np.int64]

# Columns of the index. An index has one row per element and one per item, in the order of the bytes.
TAG = 0  # 32-bit tag; ITEM for items
VR = 1  # as written, two characters, the first in the high byte; the dictionary's where it is left out
HEADER = 2  # offset of the header
VALUE = 3  # offset of the value
LENGTH = 4  # bytes of the value, without delimiters
END = 5  # offset after the element and its delimiter
PARENT = 6  # row of the item around it, or of the sequence around an item; -1 at the root
KIND = 7  # LEAF, UNDEFINED_LEAF, SEQUENCE or ITEM_ROW, plus flags
NEXT = 8  # row after the element and everything in it
COLUMNS = 9

LEAF = 0
UNDEFINED = 1  # flag: the length is undefined
SEQUENCE = 2  # flag: the value holds items
ITEM_ROW = 4  # flag: an item
IMPLICIT_INSIDE = 8  # flag: the elements in it are in Implicit VR
RESERVED_USED = 16  # flag: the reserved bytes of its header are not 0

# What numba compiles takes plain numbers.
CUT_SHORT = int(Refusal.CUT_SHORT)
OUT_OF_ORDER = int(Refusal.OUT_OF_ORDER)
TOO_DEEP = int(Refusal.TOO_DEEP)
OPEN_ITEM = int(Refusal.OPEN_ITEM)
UNDEFINED_LENGTH = int(Refusal.UNDEFINED_LENGTH)
UNKNOWN_VR = int(Refusal.UNKNOWN_VR)
SEQUENCE_TOO_LONG = int(Refusal.SEQUENCE_TOO_LONG)
ITEM_TOO_LONG = int(Refusal.ITEM_TOO_LONG)
NO_ITEM = int(Refusal.NO_ITEM)
NO_FRAGMENT = int(Refusal.NO_FRAGMENT)
DELIMITER_WITH_LENGTH = int(Refusal.DELIMITER_WITH_LENGTH)

_FULL = -1
_ITEM = 0xFFFEE000
_ITEM_DELIMITER = 0xFFFEE00D
_SEQUENCE_DELIMITER = 0xFFFEE0DD
_UNDEFINED_LENGTH = 0xFFFFFFFF
_FRAMES = 2 * MAX_DEPTH + 8
_FIRST_CAPACITY = 2048


def vr_code(vr: str) -> int:
    """A VR as the index holds it."""
    return ord(vr[0]) << 8 | ord(vr[1])


_VR_NAMES = {vr_code(vr): vr for vr in dictionary.VRS}


def vr_name(code: int) -> str:
    """The two letters of a VR in the index."""
    return _VR_NAMES.get(code) or chr(code >> 8) + chr(code & 0xFF)


_SQ = vr_code("SQ")
_UN = vr_code("UN")
_LO = vr_code("LO")


class Dictionary(NamedTuple):
    """VRs of the dictionary in arrays, for encodings that leave them out.

    Attributes:
        tags: exact tags, as an open hash; 0 for an empty slot.
        vrs: their VR codes.
        patterns: one row per repeating group: fixed bits, mask, VR code; the most specific first.
    """

    tags: "NDArray[np.uint32]"
    vrs: "NDArray[np.uint16]"
    patterns: "NDArray[np.int64]"


@cache
def dictionary_vrs() -> Dictionary:
    """The dictionary's VRs; for two that are possible the one that `implicit_vr` takes."""
    exact, patterns = [], []
    for attribute in dictionary.attributes():
        if not attribute.vr:
            continue
        code = vr_code("OW" if "OW" in attribute.vr else attribute.vr[0])
        if attribute.mask == dictionary.EXACT:
            exact.append((attribute.tag, code))
        else:
            patterns.append((attribute.tag, attribute.mask, code))
    patterns.sort(key=lambda row: -row[1].bit_count())
    patterns.append((0, 0x0001FFFF, vr_code("UL")))  # group lengths
    size = 1 << (2 * len(exact)).bit_length()
    tags = np.zeros(size, np.uint32)
    vrs = np.zeros(size, np.uint16)
    for tag, code in exact:
        slot = _first_slot(tag, size)
        while tags[slot]:
            slot = (slot + 1) & (size - 1)
        tags[slot], vrs[slot] = tag, code
    return Dictionary(tags, vrs, np.array(patterns, np.int64))


@cache
def vr_classes() -> "NDArray[np.uint8]":
    """By VR code: 0 unknown, 1 short, 2 with a 32-bit length, 3 that too and bytes."""
    classes = np.zeros(0x10000, np.uint8)
    for vr in dictionary.VRS:
        classes[vr_code(vr)] = 3 if vr in BYTE_VRS else 2 if vr in LONG_VRS else 1
    return classes


def _first_slot(tag: int, size: int) -> int:
    return ((tag * 2654435761) >> 12) & (size - 1)


_slot = njit(cache=True, nogil=True, inline="always")(_first_slot)


@njit(cache=True, nogil=True)
def look_up_vr(tag: int, tags: "NDArray[np.uint32]", vrs: "NDArray[np.uint16]", patterns: "Rows") -> int:
    """The VR that the dictionary gives a tag, as `implicit_vr` does."""
    if tag >> 16 & 1:
        return 0x4C4F if 0x10 <= tag & 0xFFFF <= 0xFF else 0x554E  # LO, UN
    size = tags.shape[0]
    slot = _slot(tag, size)
    while tags[slot] != 0:
        if tags[slot] == tag:
            return int(np.int64(vrs[slot]))
        slot = (slot + 1) & (size - 1)
    for i in range(patterns.shape[0]):
        if tag & patterns[i, 1] == patterns[i, 0]:
            return int(patterns[i, 2])
    return 0x554E


@njit(cache=True, nogil=True, inline="always")
def _u16(data: "Bytes", at: int) -> int:
    return int(np.int64(data[at]) | np.int64(data[at + 1]) << 8)


@njit(cache=True, nogil=True, inline="always")
def _u32(data: "Bytes", at: int) -> int:
    return _u16(data, at) | _u16(data, at + 2) << 16


@njit(cache=True, nogil=True)
def _scan(
    data: "Bytes",
    start: int,
    stop: int,
    implicit: bool,
    classes: "Bytes",
    tags: "NDArray[np.uint32]",
    vrs: "NDArray[np.uint16]",
    patterns: "Rows",
    rows: "Rows",
) -> tuple[int, int, int, int, int]:
    """Fill `rows`; give (cause, offset, first, second, rows filled): cause 0 for success, _FULL for too many rows."""
    # One frame per dataset or sequence that is open.
    f_sequence = np.zeros(_FRAMES, np.bool_)
    f_end = np.zeros(_FRAMES, np.int64)
    f_delimited = np.zeros(_FRAMES, np.bool_)
    f_previous = np.zeros(_FRAMES, np.int64)
    f_row = np.zeros(_FRAMES, np.int64)
    f_implicit = np.zeros(_FRAMES, np.bool_)
    f_depth = np.zeros(_FRAMES, np.int64)
    f_trial = np.zeros(_FRAMES, np.bool_)
    f_end[0], f_previous[0], f_row[0], f_implicit[0] = stop, -1, -1, implicit
    top = 0
    n = 0
    at = start
    while True:
        cause = offset = first = second = 0
        end = f_end[top]
        if f_sequence[top]:
            undefined = f_delimited[top]
            if not undefined and at >= end:
                row = f_row[top]
                rows[row, NEXT] = n
                top -= 1
                continue
            if at + 4 > end:
                cause, offset, first, second = CUT_SHORT, at, 4, end - at
            elif at + 8 > end:
                cause, offset, first, second = CUT_SHORT, at + 4, 4, end - at - 4
            else:
                tag = _u16(data, at) << 16 | _u16(data, at + 2)
                size = _u32(data, at + 4)
                if tag == _SEQUENCE_DELIMITER and undefined and size == 0:
                    row = f_row[top]
                    rows[row, LENGTH] = at - rows[row, VALUE]
                    at += 8
                    rows[row, END] = at
                    rows[row, NEXT] = n
                    top -= 1
                    continue
                delimited = size == _UNDEFINED_LENGTH
                if tag == _SEQUENCE_DELIMITER and undefined:
                    cause, offset, first = DELIMITER_WITH_LENGTH, at + 8, size
                elif tag != _ITEM:
                    cause, offset, first = NO_ITEM, at + 8, tag
                elif not delimited and at + 8 + size > end:
                    cause, offset, first, second = ITEM_TOO_LONG, at + 8, size, end - at - 8
                elif f_depth[top] + 1 > MAX_DEPTH:
                    cause, offset = TOO_DEEP, at + 8
                else:
                    if n >= rows.shape[0]:
                        return _FULL, 0, 0, 0, n
                    rows[n, TAG], rows[n, VR], rows[n, HEADER], rows[n, VALUE] = tag, 0, at, at + 8
                    rows[n, LENGTH], rows[n, END] = size, at + 8 + size
                    rows[n, PARENT] = f_row[top]
                    rows[n, KIND] = (
                        ITEM_ROW | (UNDEFINED if delimited else 0) | (IMPLICIT_INSIDE if f_implicit[top] else 0)
                    )
                    top += 1
                    f_sequence[top], f_trial[top] = False, False
                    f_end[top] = end if delimited else at + 8 + size
                    f_delimited[top] = delimited
                    f_previous[top], f_row[top] = -1, n
                    f_implicit[top], f_depth[top] = f_implicit[top - 1], f_depth[top - 1] + 1
                    n += 1
                    at += 8
                    continue
        elif at >= end:
            if f_delimited[top]:
                cause, offset = OPEN_ITEM, at
            else:
                if top == 0:
                    return 0, 0, 0, 0, n
                rows[f_row[top], NEXT] = n
                top -= 1
                continue
        elif at + 4 > end:
            cause, offset, first, second = CUT_SHORT, at, 4, end - at
        else:
            tag = _u16(data, at) << 16 | _u16(data, at + 2)
            p = at + 4
            vr = 0
            length = value = 0
            reserved = np.uint8(0)
            if tag == _ITEM_DELIMITER and f_delimited[top]:
                if p + 4 > end:
                    cause, offset, first, second = CUT_SHORT, p, 4, end - p
                elif _u32(data, p) != 0:
                    cause, offset, first = DELIMITER_WITH_LENGTH, p + 4, _u32(data, p)
                else:
                    row = f_row[top]
                    rows[row, LENGTH] = at - rows[row, VALUE]
                    at += 8
                    rows[row, END] = at
                    rows[row, NEXT] = n
                    top -= 1
                    continue
            elif tag <= f_previous[top] or tag >> 16 == 0xFFFE:
                cause, offset, first = OUT_OF_ORDER, at, tag
            elif f_implicit[top]:
                vr = look_up_vr(tag, tags, vrs, patterns)
                if p + 4 > end:
                    cause, offset, first, second = CUT_SHORT, p, 4, end - p
                else:
                    length, value = _u32(data, p), p + 4
            elif p + 2 > end:
                cause, offset, first, second = CUT_SHORT, p, 2, end - p
            else:
                vr = int(np.int64(data[p]) << 8 | np.int64(data[p + 1]))
                kind = classes[vr]
                if kind == 0:
                    cause, offset, first = UNKNOWN_VR, p + 2, tag
                elif p + 4 > end:
                    cause, offset, first, second = CUT_SHORT, p + 2, 2, end - p - 2
                elif kind == 1:
                    length, value = _u16(data, p + 2), p + 4
                elif p + 8 > end:
                    cause, offset, first, second = CUT_SHORT, p + 4, 4, end - p - 4
                else:
                    length, value = _u32(data, p + 4), p + 8
                    reserved = data[p + 2] | data[p + 3]
            if cause == 0:
                f_previous[top] = tag
                undefined = length == _UNDEFINED_LENGTH
                holds_items = vr == _SQ or (undefined and vr == _UN)
                trial = False
                after = value + length
                if holds_items:
                    if not undefined and after > end:
                        cause, offset, first, second = SEQUENCE_TOO_LONG, value, length, end - value
                elif undefined:
                    if classes[vr] != 3:
                        cause, offset, first = UNDEFINED_LENGTH, value, tag
                    else:
                        q = value
                        while True:
                            if q + 4 > end:
                                cause, offset, first, second = CUT_SHORT, q, 4, end - q
                                break
                            if q + 8 > end:
                                cause, offset, first, second = CUT_SHORT, q + 4, 4, end - q - 4
                                break
                            inner = _u16(data, q) << 16 | _u16(data, q + 2)
                            size = _u32(data, q + 4)
                            if inner == _SEQUENCE_DELIMITER and size != 0:
                                cause, offset, first = DELIMITER_WITH_LENGTH, q + 8, size
                                break
                            if inner == _SEQUENCE_DELIMITER:
                                length = q - value
                                after = q + 8
                                break
                            if inner != _ITEM:
                                cause, offset, first = NO_FRAGMENT, q + 8, inner
                                break
                            if q + 8 + size > end:
                                cause, offset, first, second = CUT_SHORT, q + 8, size, end - q - 8
                                break
                            q += 8 + size
                elif after > end:
                    cause, offset, first, second = CUT_SHORT, value, length, end - value
                elif vr == _UN and length >= 4 and _u32(data, value) == 0xE000FFFE:
                    trial = True
                if cause == 0:
                    if n >= rows.shape[0]:
                        return _FULL, 0, 0, 0, n
                    rows[n, TAG], rows[n, VR], rows[n, HEADER], rows[n, VALUE] = tag, vr, at, value
                    rows[n, LENGTH], rows[n, END], rows[n, PARENT] = length, after, f_row[top]
                    rows[n, KIND], rows[n, NEXT] = (UNDEFINED if undefined else LEAF), n + 1
                    if reserved != 0:
                        rows[n, KIND] |= RESERVED_USED
                    n += 1
                    if holds_items or trial:
                        inside = f_implicit[top] or vr == _UN
                        rows[n - 1, KIND] |= SEQUENCE | (IMPLICIT_INSIDE if inside else 0)
                        top += 1
                        f_sequence[top], f_trial[top] = True, trial
                        f_end[top] = end if undefined else after
                        f_delimited[top] = undefined
                        f_row[top] = n - 1
                        f_implicit[top], f_depth[top] = inside, f_depth[top - 1]
                        at = value
                    else:
                        at = after
                    continue
        # Something is wrong. Inside an unknown value that was tried as items, it is a value and no more; but
        # nothing hides in depths that no rule could reach.
        if cause == TOO_DEEP:
            return cause, offset - start, first, second, n
        while top > 0 and not (f_sequence[top] and f_trial[top]):
            top -= 1
        if top == 0:
            return cause, offset - start, first, second, n
        row = f_row[top]
        n = row + 1
        rows[row, KIND] &= RESERVED_USED
        rows[row, NEXT] = n
        at = rows[row, END]
        top -= 1


@njit(cache=True, nogil=True)
def root_places(rows: "Rows", count: int, tags: "Rows", places: "Rows") -> None:
    """Find root elements: (row, VR code, first byte of the value, byte after it, kind) of each, row -1 for none."""
    for k in range(tags.shape[0]):
        places[k, 0], places[k, 1], places[k, 2], places[k, 3], places[k, 4] = -1, 0, 0, 0, 0
    i = 0
    left = tags.shape[0]
    while i < count and left > 0:
        tag = rows[i, TAG]
        for k in range(tags.shape[0]):
            if tags[k] == tag:
                places[k, 0], places[k, 1], places[k, 2] = i, rows[i, VR], rows[i, VALUE]
                places[k, 3], places[k, 4] = rows[i, VALUE] + rows[i, LENGTH], rows[i, KIND]
                left -= 1
        i = rows[i, NEXT]


class Index(NamedTuple):
    """The elements of one encoded dataset.

    Attributes:
        rows: int64, one row per element or item, columns as named in this module.
        size: how many rows are filled.
    """

    rows: "Rows"
    size: int


def scan(data: "Bytes", start: int, stop: int, implicit: bool, workspace: "Rows | None" = None) -> Index:
    """Index a little endian dataset.

    Args:
        data: uint8, the bytes that hold it.
        start: offset of the dataset in `data`.
        stop: offset after it.
        implicit: it is in Implicit VR.
        workspace: rows to fill, used again from one instance to the next; None makes new ones.

    Raises:
        UnreadableInstance: the bytes are no dataset; the offset counts from `start`.
    """
    rows = np.empty((_FIRST_CAPACITY, COLUMNS), np.int64) if workspace is None else workspace
    vrs = dictionary_vrs()
    classes = vr_classes()
    while True:
        cause, offset, first, second, count = _scan(
            data, start, stop, implicit, classes, vrs.tags, vrs.vrs, vrs.patterns, rows
        )
        if cause == 0:
            return Index(rows, count)
        if cause != _FULL:
            raise refused(Refusal(cause), offset, first, second)
        rows = np.empty((max(2 * rows.shape[0], _FIRST_CAPACITY), rows.shape[1]), np.int64)
