"""Plan -> bytes: runs of the input and new values, joined; what is kept is copied once or not at all.

Long runs of the input are named and not copied. Lengths of sequences and items are put right from the inside out.
Source: PS3.5 sections 7.1 and 7.5.
"""

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from karnak.runtime.plan import DELTA, EDIT, KEPT, MADE, NEW_VR, OFFSET, POOL, REMOVED, REPLACED, SIZE
from karnak.runtime.scan import (
    END,
    HEADER,
    IMPLICIT_INSIDE,
    ITEM_ROW,
    KIND,
    LENGTH,
    NEXT,
    PARENT,
    RESERVED_USED,
    SEQUENCE,
    TAG,
    UNDEFINED,
    VALUE,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Bytes = NDArray[np.uint8]

# Runs of the input that are longer than this are named, not copied.
LONG_RUN = 1 << 15

NEW = 0
INPUT = 1
_PIECES_PER_STEP = 8


@njit(cache=True, nogil=True)
def measure(rows: "Ints", count: int, implicit: bool, classes: "Bytes") -> tuple[int, int]:
    """Work out by how much each sequence and item grows.

    Returns:
        (bytes that `write` may copy, row whose new value is too long for its length field or -1).
    """
    room = 0
    i = 0
    while i < count:
        edit = rows[i, EDIT]
        if edit == KEPT:
            if rows[i, KIND] & (SEQUENCE | ITEM_ROW):
                room += 32
                i += 1
                continue
            # A run that holds a longer value is named, whatever else it holds.
            room += 16 + (rows[i, END] - rows[i, HEADER] if rows[i, LENGTH] <= LONG_RUN else 0)
            i += 1
            continue
        before = rows[i, END] - rows[i, HEADER]
        after = 0
        if edit == REPLACED:
            parent = rows[i, PARENT]
            inside = implicit if parent < 0 else rows[parent, KIND] & IMPLICIT_INSIDE != 0
            short = inside or classes[rows[i, NEW_VR]] == 1
            if short and not inside and rows[i, SIZE] > 0xFFFF:
                return 0, i
            after = (8 if short else 12) + rows[i, SIZE]
        room += after
        parent = rows[i, PARENT]
        while parent >= 0:
            rows[parent, DELTA] += after - before
            parent = rows[parent, PARENT]
        i = rows[i, NEXT]
    return room, -1


@njit(cache=True, nogil=True, inline="always")
def _put_u16(out: "Bytes", at: int, value: int) -> None:
    out[at] = value & 0xFF
    out[at + 1] = value >> 8 & 0xFF


@njit(cache=True, nogil=True, inline="always")
def _put_u32(out: "Bytes", at: int, value: int) -> None:
    _put_u16(out, at, value)
    _put_u16(out, at + 2, value >> 16)


@njit(cache=True, nogil=True, inline="always")
def _copy(out: "Bytes", at: int, source: "Bytes", start: int, stop: int) -> int:
    if stop - start < 48:
        for i in range(start, stop):
            out[at + i - start] = source[i]
    else:
        out[at : at + stop - start] = source[start:stop]
    return at + stop - start


@njit(cache=True, nogil=True)
def _run(
    data: "Bytes", start: int, stop: int, out: "Bytes", written: int, segments: "Ints", used: int
) -> tuple[int, int]:
    """Carry over a run of the input: copy a short one, name a long one."""
    if stop - start <= LONG_RUN:
        return _copy(out, written, data, start, stop), used
    # Segment 0 of `segments` says where the copied bytes that are not named yet begin.
    begin = segments[0, 1]
    if written > begin:
        used += 1
        segments[used, 0], segments[used, 1], segments[used, 2] = NEW, begin, written
    used += 1
    segments[used, 0], segments[used, 1], segments[used, 2] = INPUT, start, stop
    segments[0, 1] = written
    return written, used


@njit(cache=True, nogil=True)
def write(
    data: "Bytes",
    start: int,
    stop: int,
    rows: "Ints",
    count: int,
    implicit: bool,
    classes: "Bytes",
    constants: "Bytes",
    made: "Bytes",
    set_tags: "Ints",
    set_places: "Ints",
    set_bytes: "Bytes",
    out: "Bytes",
    segments: "Ints",
) -> tuple[int, int]:
    """Write the new dataset into `out` and `segments`.

    `set_tags` ascends; `set_places` holds (offset, size) in `set_bytes` of encoded elements that stand at the root
    whatever the plan says; size 0 removes.

    Returns:
        (segments used, bytes written); segments from 1 are (NEW or INPUT, first byte, byte after the last), and
        -1 segments for too few rows in `segments`.
    """
    written = used = 0
    segments[0, 1] = 0
    cursor = start
    s = 0
    i = 0
    while i < count:
        # An element can end two runs, and after the last one there may be three pieces more.
        if used + _PIECES_PER_STEP >= segments.shape[0]:
            return -1, 0
        at_root = rows[i, PARENT] < 0
        if at_root:
            tag = rows[i, TAG]
            while s < set_tags.shape[0] and set_tags[s] < tag:
                written, used = _run(data, cursor, rows[i, HEADER], out, written, segments, used)
                cursor = rows[i, HEADER]
                written = _copy(out, written, set_bytes, set_places[s, 0], set_places[s, 0] + set_places[s, 1])
                s += 1
            if s < set_tags.shape[0] and set_tags[s] == tag:
                written, used = _run(data, cursor, rows[i, HEADER], out, written, segments, used)
                written = _copy(out, written, set_bytes, set_places[s, 0], set_places[s, 0] + set_places[s, 1])
                cursor = rows[i, END]
                s += 1
                i = rows[i, NEXT]
                continue
        edit = rows[i, EDIT]
        kind = rows[i, KIND]
        if edit == KEPT:
            header = rows[i, HEADER]
            if kind & RESERVED_USED:
                written, used = _run(data, cursor, header + 6, out, written, segments, used)
                _put_u16(out, written, 0)
                written += 2
                cursor = header + 8
            if kind & (SEQUENCE | ITEM_ROW) and not kind & UNDEFINED and rows[i, DELTA] != 0:
                # The length is the last field of the header, 4 bytes before the value.
                field = rows[i, VALUE] - 4
                written, used = _run(data, cursor, field, out, written, segments, used)
                _put_u32(out, written, rows[i, LENGTH] + rows[i, DELTA])
                written += 4
                cursor = field + 4
            i += 1
            continue
        written, used = _run(data, cursor, rows[i, HEADER], out, written, segments, used)
        cursor = rows[i, END]
        if edit == REPLACED:
            parent = rows[i, PARENT]
            inside = implicit if parent < 0 else rows[parent, KIND] & IMPLICIT_INSIDE != 0
            size = rows[i, SIZE]
            _put_u16(out, written, rows[i, TAG] >> 16)
            _put_u16(out, written + 2, rows[i, TAG])
            if inside:
                _put_u32(out, written + 4, size)
                written += 8
            else:
                vr = rows[i, NEW_VR]
                out[written + 4] = vr >> 8
                out[written + 5] = vr & 0xFF
                if classes[vr] == 1:
                    _put_u16(out, written + 6, size)
                    written += 8
                else:
                    _put_u16(out, written + 6, 0)
                    _put_u32(out, written + 8, size)
                    written += 12
            offset = rows[i, OFFSET]
            if rows[i, POOL] == MADE:
                written = _copy(out, written, made, offset, offset + size)
            else:
                written = _copy(out, written, constants, offset, offset + size)
        i = rows[i, NEXT]
    written, used = _run(data, cursor, stop, out, written, segments, used)
    while s < set_tags.shape[0]:
        written = _copy(out, written, set_bytes, set_places[s, 0], set_places[s, 0] + set_places[s, 1])
        s += 1
    begin = segments[0, 1]
    if written > begin:
        used += 1
        segments[used, 0], segments[used, 1], segments[used, 2] = NEW, begin, written
    return used, written


__all__ = ["INPUT", "NEW", "REMOVED", "measure", "write"]
