"""Values derived in compiled code: new UIDs, dates that move, zeros; written into one pool, without an object each.

What is written here is what `transform` would give. A value of any other kind or form is left to it: nothing is
decided here, and nothing guessed.
"""

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from karnak.runtime.date_bytes import MOST_BYTES, UNKNOWN, moved, truncated
from karnak.runtime.plan import EDIT, KEPT, MADE, NEW_VR, OFFSET, POOL, REPLACED, SIZE
from karnak.runtime.sha256 import WORK_WORDS, digest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Bytes = NDArray[np.uint8]
    Words = NDArray[np.uint32]

# How a cell's values are derived, as `table` numbers it.
_UID = 1
_ZEROS = 2
_MOVED = 3
_TRUNCATED = 4
# Columns of cells, as `table` numbers them.
_C_VR = 1
_C_WAY = 6
_C_ARGUMENT = 7
_C_DID = 8

# Columns of amounts.
DAYS = 0
SECONDS = 1
KNOWN = 2

# A known UID and what stands for it, in a row: the length of each, then both.
_FROM = 2
_TO = 66
UID_COLUMNS = 128
KNOWN_UIDS = 1024
_PLACES = 4
MOST_UID_BYTES = 64
# "2.25." and the decimal digits of 128 bits, padded.
_MOST_NEW_UID_BYTES = 44
_BILLION = np.uint64(1_000_000_000)
_STATE = WORK_WORDS - 8
_REGISTERED = np.frombuffer(b"1.2.840.10008.", np.uint8)
_ROOT = np.frombuffer(b"2.25.", np.uint8)


@njit(cache=True)
def _is_registered(data: "Bytes", start: int, stop: int) -> bool:
    """As `is_registered`: under 1.2.840.10008, or just that."""
    size = _REGISTERED.shape[0]
    length = stop - start
    if length < size - 1:
        return False
    same = 0
    while same < min(size, length) and data[start + same] == _REGISTERED[same]:
        same += 1
    return bool(same == min(size, length))


@njit(cache=True)
def _put_new_uid(work: "Words", out: "Bytes", at: int) -> int:
    """Write the UID of a digest as `Project.uid` does; give the byte after it."""
    # A UUID of version 4 and variant 1.
    limbs = (
        np.uint64(work[_STATE]),
        np.uint64(work[_STATE + 1]) & np.uint64(0xFFFF0FFF) | np.uint64(0x4000),
        np.uint64(work[_STATE + 2]) & np.uint64(0x3FFFFFFF) | np.uint64(0x80000000),
        np.uint64(work[_STATE + 3]),
    )
    for i in range(_ROOT.shape[0]):
        out[at + i] = _ROOT[i]
    at += _ROOT.shape[0]
    # 39 digits at most, the last nine first; leading zeros are dropped afterwards.
    a, b, c, d = limbs
    end = at + 39
    place = end
    for _ in range(5):
        a, rest = a // _BILLION, a % _BILLION
        b, rest = (rest << np.uint64(32) | b) // _BILLION, (rest << np.uint64(32) | b) % _BILLION
        c, rest = (rest << np.uint64(32) | c) // _BILLION, (rest << np.uint64(32) | c) % _BILLION
        d, rest = (rest << np.uint64(32) | d) // _BILLION, (rest << np.uint64(32) | d) % _BILLION
        for _ in range(9):
            if place > at:
                place -= 1
                out[place] = 48 + rest % np.uint64(10)
                rest //= np.uint64(10)
    zeros = 0
    while zeros < 38 and out[at + zeros] == 48:
        zeros += 1
    if zeros > 0:
        for i in range(at, end - zeros):
            out[i] = out[i + zeros]
    return end - zeros


@njit(cache=True)
def new_uid(
    data: "Bytes", start: int, stop: int, states: "Words", known: "Bytes", out: "Bytes", at: int, work: "Words"
) -> int:
    """Write the UID that stands for one, padded; give the byte after it.

    Args:
        data: uint8.
        start: first byte of the UID, without padding.
        stop: the byte after it; at most MOST_UID_BYTES on.
        states: of the project's key.
        known: UIDs that the project has derived: rows of UID_COLUMNS, a power of two of them.
        out: what it is written into, with room for MOST_UID_BYTES.
        at: where.
        work: WORK_WORDS words.
    """
    size = stop - start
    if _is_registered(data, start, stop):
        for i in range(size):
            out[at + i] = data[start + i]
        at += size
        if size % 2:
            out[at] = 0
            at += 1
        return at
    hashed = np.uint64(14695981039346656037)
    for i in range(start, stop):
        hashed = (hashed ^ np.uint64(data[i])) * np.uint64(1099511628211)
    first = np.int64(hashed >> np.uint64(40))
    row = -1
    for k in range(_PLACES):
        place = (first + k) & (known.shape[0] - 1)
        if known[place, 0] == 0:
            row = place
            break
        same = known[place, 0] == size
        i = 0
        while same and i < size:
            same = known[place, _FROM + i] == data[start + i]
            i += 1
        if same:
            length = int(np.int64(known[place, 1]))
            for i in range(length):
                out[at + i] = known[place, _TO + i]
            return at + length
    if row < 0:
        # All its places are taken: one of them goes, and is derived again when it is needed.
        row = (first + np.int64(hashed & np.uint64(_PLACES - 1))) & (known.shape[0] - 1)
    digest(states, data, start, stop, work)
    after = _put_new_uid(work, out, at)
    if (after - at) % 2:
        out[after] = 0
        after += 1
    known[row, 0], known[row, 1] = size, after - at
    for i in range(size):
        known[row, _FROM + i] = data[start + i]
    for i in range(after - at):
        known[row, _TO + i] = out[at + i]
    return after


@njit(cache=True)
def derive(
    data: "Bytes",
    rows: "Ints",
    calls: "Ints",
    count: int,
    cells: "Ints",
    states: "Words",
    known: "Bytes",
    amounts: "Ints",
    pool: "Bytes",
    left: "Ints",
) -> tuple[int, int, int]:
    """Derive the values of the listed elements that are of a common kind and form, and put them into the plan.

    The lock of the interpreter is held meanwhile: threads of one project share `known`.

    Args:
        data: uint8, the input.
        rows: index and plan.
        calls: what `make_plan` has listed.
        count: how many.
        cells: columns of the table's cells.
        states: of the project's key, as `key_states` gives them.
        known: UIDs that the project has derived, as `new_uid` has them.
        amounts: by number, DAYS, SECONDS, and KNOWN: 0 where the amount is not known.
        pool: what values are written into.
        left: gets the numbers of calls that are left to others; as long as `calls`.

    Returns:
        (bytes written, calls left, flags of what was done); -1 bytes where the pool has no room for the number of
        bytes that stands in the second place.
    """
    work = np.empty(WORK_WORDS, np.uint32)
    room = np.empty(24, np.uint8)
    used = rest = flags = 0
    for i in range(count):
        row, cell, start, stop = calls[i, 0], calls[i, 1], calls[i, 2], calls[i, 3]
        way = cells[cell, _C_WAY]
        argument = cells[cell, _C_ARGUMENT]
        wanted = stop - start + 8 if way == _ZEROS else MOST_UID_BYTES
        if used + wanted > pool.shape[0]:
            return -1, used + wanted, 0
        after = UNKNOWN
        if way == _ZEROS:
            after = used + max((stop - start) // argument, 1) * argument
            pool[used:after] = 0
        elif way != 0:
            while stop > start and (data[stop - 1] == 0 or data[stop - 1] == 32):
                stop -= 1
            if way == _UID:
                if calls[i, 3] == start:
                    rows[row, EDIT] = KEPT
                    continue
                plain = start < stop <= start + MOST_UID_BYTES
                k = start
                while plain and k < stop:
                    plain = data[k] == 46 or 48 <= data[k] <= 57
                    k += 1
                if plain:
                    after = new_uid(data, start, stop, states, known, pool, used, work)
            else:
                while start < stop and (data[start] == 0 or data[start] == 32):
                    start += 1
                known_amount = way != _MOVED or amounts[argument, KNOWN] != 0
                if stop == start and known_amount:
                    after = used
                elif stop - start < MOST_BYTES and way == _TRUNCATED:
                    after = truncated(data, start, stop, cells[cell, _C_VR], argument, pool, used)
                elif stop - start < MOST_BYTES and known_amount:
                    days, seconds = amounts[argument, DAYS], amounts[argument, SECONDS]
                    after = moved(data, start, stop, cells[cell, _C_VR], days, seconds, pool, used, room)
                if after > used and (after - used) % 2:
                    pool[after] = 32
                    after += 1
        if after == UNKNOWN:
            left[rest] = i
            rest += 1
            continue
        flags |= cells[cell, _C_DID]
        rows[row, EDIT], rows[row, NEW_VR] = REPLACED, cells[cell, _C_VR]
        rows[row, POOL], rows[row, OFFSET], rows[row, SIZE] = MADE, used, after - used
        used = after
    return used, rest, flags
