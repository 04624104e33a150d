"""Index + table -> what to do with every element: look-ups over arrays, no values, no Python.

The plan is written into columns of the index. Elements that need a value made are listed; kinds of element that
the table does not know yet are listed too, to be filled in before the plan is made again.
Source: the language page, section 3; PS3.5 section 7.8 for private blocks.
"""

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from karnak.runtime.scan import (
    IMPLICIT_INSIDE,
    ITEM_ROW,
    KIND,
    LENGTH,
    NEXT,
    PARENT,
    SEQUENCE,
    TAG,
    VALUE,
    VR,
    look_up_vr,
)
from karnak.runtime.table import find

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Bytes = NDArray[np.uint8]
    Integer = int | np.int64

# More columns of the index.
EDIT = 9  # KEPT, REMOVED or REPLACED
NEW_VR = 10  # VR code of the new value
POOL = 11  # CONSTANTS, MADE
OFFSET = 12  # where the new value lies in its pool
SIZE = 13  # bytes of the new value
DELTA = 14  # bytes by which what is inside grows
CHILD = 15  # number of the context of the items of a sequence
PLAN_COLUMNS = 16

KEPT = 0
REMOVED = 1
REPLACED = 2

CONSTANTS = 0
MADE = 1

# What a plan can come to.
PLANNED = 0
TOO_MANY = 1

# What stands for the creator number of a miss: the creator is to be numbered, or expressions are to be asked.
UNNUMBERED = -1
ASKED = -2

# Ops and columns of cells, as `table` numbers them.
_OP_REMOVE = 1
_OP_EMPTY = 2
_OP_CONSTANT = 3
_OP_CALL = 4
_OP_ASK = 5
_C_OP = 0
_C_VR = 1
_C_OFFSET = 2
_C_SIZE = 3
_C_CHILD = 4
_C_FLAGS = 5
_C_OTHER_SIZE = 9

# Flags that the plan adds: SpecificCharacterSet stands in an item, or does not stay as it is.
NESTED_CHARSET = 64
CHARSET_EDITED = 128

# The flag of cells that the plan itself looks at, as `table` numbers it.
_SPOKEN = 16

_UN = 0x554E
_SQ = 0x5351
_TRAILING_PADDING = 0xFFFCFFFC
_SPECIFIC_CHARACTER_SET = 0x00080005
FRAMES = 140
CREATORS_PER_GROUP = 240
# Columns of what is known of the private creators of one group.
_K_ELEMENT = 0
_K_ROW = 1
_K_NUMBER = 2
_K_IN_SOURCE = 3
_K_IN_OUTPUT = 4
CREATOR_COLUMNS = 5


@njit(cache=True, nogil=True)
def creator_number(data: "Bytes", start: int, stop: int, slots: "Ints", places: "Ints", texts: "Bytes") -> "Integer":
    """The number of a private creator by its bytes without padding; 0 for no text, -1 for one not seen before."""
    while start < stop and (data[start] == 32 or data[start] == 0):
        start += 1
    while start < stop and (data[stop - 1] == 32 or data[stop - 1] == 0):
        stop -= 1
    if start == stop:
        return 0
    size = stop - start
    hashed = np.uint64(14695981039346656037)
    for i in range(start, stop):
        hashed = (hashed ^ np.uint64(data[i])) * np.uint64(1099511628211)
    slot = np.int64(hashed >> np.uint64(20)) & (slots.shape[0] - 1)
    while slots[slot] != 0:
        number = slots[slot]
        if places[number, 1] == size:
            offset = places[number, 0]
            # A creator that another thread has numbered meanwhile lies beyond these texts: it is asked for again.
            same = offset + size <= texts.shape[0]
            for i in range(size):
                if not same:
                    break
                same = texts[offset + i] == data[start + i]
            if same:
                return int(number)
        slot = (slot + 1) & (slots.shape[0] - 1)
    return -1


@njit(cache=True, nogil=True)
def creator_slot(text: "Bytes", slots: "Ints") -> "Integer":
    """A free slot for a creator that is not in the hash yet."""
    hashed = np.uint64(14695981039346656037)
    for i in range(text.shape[0]):
        hashed = (hashed ^ np.uint64(text[i])) * np.uint64(1099511628211)
    slot = np.int64(hashed >> np.uint64(20)) & (slots.shape[0] - 1)
    while slots[slot] != 0:
        slot = (slot + 1) & (slots.shape[0] - 1)
    return int(slot)


@njit(cache=True, nogil=True, inline="always")
def _is_implicit(rows: "Ints", row: int, root: bool) -> bool:
    """Whether an element lies in a dataset in Implicit VR."""
    parent = rows[row, PARENT]
    return root if parent < 0 else rows[parent, KIND] & IMPLICIT_INSIDE != 0


@njit(cache=True, nogil=True)
def _answer(answers: "Ints", row: int) -> "Integer":
    """The cell that the expressions of a row have led to; -1 where they are not asked yet."""
    low, high = 0, answers.shape[0]
    while low < high:
        middle = (low + high) // 2
        if answers[middle, 0] < row:
            low = middle + 1
        else:
            high = middle
    return np.int64(answers[low, 1]) if low < answers.shape[0] and answers[low, 0] == row else np.int64(-1)


@njit(cache=True, nogil=True, inline="always")
def _list(calls: "Ints", at: int, rows: "Ints", row: int, cell: "Integer") -> None:
    """List an element whose value is to be made; of a sequence no bytes are needed."""
    calls[at, 0], calls[at, 1] = row, cell
    size = 0 if rows[row, KIND] & SEQUENCE else rows[row, LENGTH]
    calls[at, 2], calls[at, 3] = rows[row, VALUE], rows[row, VALUE] + size
    calls[at, 4] = rows[row, PARENT]


@njit(cache=True, nogil=True)
def restore(rows: "Ints", row: int) -> None:
    """Keep the walked items of a document in which a rule has spoken, instead of the dummy."""
    parent = rows[row, PARENT]
    while parent >= 0:
        if rows[parent, EDIT] == REPLACED:
            rows[parent, EDIT] = KEPT
        parent = rows[parent, PARENT]


@njit(cache=True, nogil=True)
def make_plan(
    data: "Bytes",
    rows: "Ints",
    count: int,
    implicit: bool,
    vr_numbers: "Bytes",
    tags: "NDArray[np.uint32]",
    vrs: "NDArray[np.uint16]",
    patterns: "Ints",
    keys: "Ints",
    values: "NDArray[np.int32]",
    cells: "Ints",
    slots: "Ints",
    places: "Ints",
    texts: "Bytes",
    creators: "Ints",
    calls: "Ints",
    misses: "Ints",
    answers: "Ints",
) -> tuple[int, int, int, int, int]:
    """Plan one dataset.

    `calls` gets (row, cell, first byte of the value, byte after it, parent row) of elements whose value is to be
    made, in order; private creators that reserve nothing come after all else in their item. Those of the root are
    left to be settled when additions are known: they stand at the other end of `calls`, the first one last.
    `misses` gets what has to be known before the plan can be made: (row, context, creator number) of cells to be
    filled, (row, 0, UNNUMBERED) of creators to be numbered, (row, cell, ASKED) of elements whose expressions decide
    what becomes of others: of the items of a sequence, or of a private creator. `answers` holds what has been found
    out of these, (row, cell) in ascending order.

    Returns:
        (PLANNED or TOO_MANY, calls, late, misses, flags), `late` being how many stand at the other end.
    """
    f_next = np.zeros(FRAMES, np.int64)
    f_context = np.zeros(FRAMES, np.int64)
    f_group = np.zeros(FRAMES, np.int64)
    f_creators = np.zeros(FRAMES, np.int64)
    f_late = np.empty(FRAMES, np.int64)
    top = 0
    f_next[0], f_context[0] = count, 1
    called = late = missed = flags = 0
    last = calls.shape[0] - 1
    i = 0
    while True:
        # A dataset has ended, or a private group in it.
        ended = i >= f_next[top]
        row_is_item = not ended and rows[i, KIND] & ITEM_ROW != 0
        group = 0 if ended or row_is_item else rows[i, TAG] >> 16
        if f_creators[top] > 0 and (ended or (not row_is_item and group != f_group[top])):
            context = f_context[top]
            for k in range(f_creators[top]):
                r = creators[top, k, _K_ROW]
                if creators[top, k, _K_IN_OUTPUT] != 0:
                    continue
                if creators[top, k, _K_IN_SOURCE] != 0:
                    rows[r, EDIT] = REMOVED
                    continue
                vr = rows[r, VR]
                key = context << 50 | np.int64(vr_numbers[vr]) << 32 | rows[r, TAG]
                cell = find(keys, values, key)
                if cell < 0:
                    if missed >= misses.shape[0]:
                        return TOO_MANY, called, late, missed, flags
                    misses[missed, 0], misses[missed, 1], misses[missed, 2] = r, context, 0
                    missed += 1
                    continue
                op = cells[cell, _C_OP]
                if top == 0 or op == _OP_CALL:
                    if called + late > last:
                        return TOO_MANY, called, late, missed, flags
                    _list(calls, last - late, rows, r, cell)
                    late += 1
                    continue
                flags |= cells[cell, _C_FLAGS]
                if cells[cell, _C_FLAGS] & _SPOKEN:
                    restore(rows, r)
                if op == _OP_REMOVE:
                    rows[r, EDIT] = REMOVED
            f_creators[top] = 0
        if ended:
            if top == 0:
                break
            if late > f_late[top] and called + 2 * late > last + 1:
                return TOO_MANY, called, late, missed, flags
            for k in range(f_late[top], late):
                calls[called] = calls[last - k]
                called += 1
            late = f_late[top]
            top -= 1
            continue
        if row_is_item:
            top += 1
            f_next[top] = rows[i, NEXT]
            f_context[top] = rows[rows[i, PARENT], CHILD]
            f_creators[top] = 0
            f_late[top] = late
            rows[i, EDIT], rows[i, DELTA] = KEPT, 0
            i += 1
            continue
        tag = rows[i, TAG]
        rows[i, EDIT], rows[i, DELTA] = KEPT, 0
        kind = rows[i, KIND]
        element = tag & 0xFFFF
        if element == 0 or tag == _TRAILING_PADDING:
            rows[i, EDIT] = REMOVED
            i = rows[i, NEXT]
            continue
        is_sequence = kind & SEQUENCE != 0
        private = group & 1 == 1
        creator = 0
        block = -1
        if private:
            f_group[top] = group
            if 0x10 <= element <= 0xFF and not is_sequence:
                number = creator_number(data, rows[i, VALUE], rows[i, VALUE] + rows[i, LENGTH], slots, places, texts)
                k = f_creators[top]
                creators[top, k, _K_ELEMENT] = element
                creators[top, k, _K_ROW] = i
                creators[top, k, _K_NUMBER] = number
                creators[top, k, _K_IN_SOURCE] = 0
                creators[top, k, _K_IN_OUTPUT] = 0
                f_creators[top] = k + 1
                if number < 0:
                    if missed >= misses.shape[0]:
                        return TOO_MANY, called, late, missed, flags
                    misses[missed, 0], misses[missed, 1], misses[missed, 2] = i, 0, UNNUMBERED
                    missed += 1
                i = rows[i, NEXT]
                continue
            if element >= 0x1000:
                for k in range(f_creators[top]):
                    if creators[top, k, _K_ELEMENT] == element >> 8:
                        block = k
                        creator = creators[top, k, _K_NUMBER]
                        creators[top, k, _K_IN_SOURCE] = 1
                        break
        vr = rows[i, VR]
        if is_sequence:
            vr = _SQ
        elif vr == _UN and not private:
            vr = look_up_vr(tag, tags, vrs, patterns)
            if vr == _SQ:
                # A sequence that was sent as an unknown value without items has a cell of its own.
                vr = _UN
        cell = -1
        if creator >= 0:
            key = f_context[top] << 50 | creator << 38 | np.int64(vr_numbers[vr]) << 32 | tag
            cell = find(keys, values, key)
        if cell < 0:
            if creator >= 0:
                if missed >= misses.shape[0]:
                    return TOO_MANY, called, late, missed, flags
                misses[missed, 0], misses[missed, 1], misses[missed, 2] = i, f_context[top], creator
                missed += 1
            i = rows[i, NEXT]
            continue
        op = cells[cell, _C_OP]
        if op == _OP_ASK:
            if called + late > last:
                return TOO_MANY, called, late, missed, flags
            _list(calls, called, rows, i, cell)
            called += 1
            asked = cell
            cell = _answer(answers, i)
            if cell < 0:
                if missed >= misses.shape[0]:
                    return TOO_MANY, called, late, missed, flags
                misses[missed, 0], misses[missed, 1], misses[missed, 2] = i, asked, ASKED
                missed += 1
                i = rows[i, NEXT]
                continue
            op = cells[cell, _C_OP]
        flags |= cells[cell, _C_FLAGS]
        if cells[cell, _C_FLAGS] & _SPOKEN:
            restore(rows, i)
        if tag == _SPECIFIC_CHARACTER_SET:
            if rows[i, PARENT] >= 0:
                flags |= NESTED_CHARSET
            if op != 0:
                flags |= CHARSET_EDITED
        if op == _OP_REMOVE:
            rows[i, EDIT] = REMOVED
        else:
            if block >= 0:
                creators[top, block, _K_IN_OUTPUT] = 1
            if op in (_OP_EMPTY, _OP_CONSTANT):
                rows[i, EDIT] = REPLACED
                # A sequence that was found in an unknown value stays one when it is emptied.
                rows[i, NEW_VR] = rows[i, VR] if is_sequence and op == _OP_EMPTY else cells[cell, _C_VR]
                rows[i, POOL], rows[i, OFFSET], rows[i, SIZE] = CONSTANTS, cells[cell, _C_OFFSET], cells[cell, _C_SIZE]
                if is_sequence and op == _OP_CONSTANT and _is_implicit(rows, i, implicit) != implicit:
                    # The same in Implicit VR comes next.
                    rows[i, OFFSET] += rows[i, SIZE]
                    rows[i, SIZE] = cells[cell, _C_OTHER_SIZE]
            elif op == _OP_CALL:
                if called + late > last:
                    return TOO_MANY, called, late, missed, flags
                _list(calls, called, rows, i, cell)
                called += 1
        if is_sequence and (op == 0 or op == _OP_CONSTANT):
            # Its items are walked, also those that a constant replaces: a rule may exclude the instance.
            rows[i, CHILD] = cells[cell, _C_CHILD]
            i += 1
        else:
            i = rows[i, NEXT]
    return PLANNED, called, late, missed, flags


@njit(cache=True, nogil=True)
def put_made(rows: "Ints", made: "Ints") -> None:
    """Put values that were made into the plan: rows of (row, edit, VR code, offset, size)."""
    for i in range(made.shape[0]):
        row = made[i, 0]
        rows[row, EDIT] = made[i, 1]
        rows[row, NEW_VR] = made[i, 2]
        rows[row, POOL] = MADE
        rows[row, OFFSET] = made[i, 3]
        rows[row, SIZE] = made[i, 4]


@njit(cache=True, nogil=True)
def edits_of(rows: "Ints", places: "Ints", edits: "Ints") -> None:
    """What a plan does to the first of some places: (edit, VR code after it, pool, offset, size) of each.

    A place begins with its row; row -1 is removed.
    """
    for k in range(edits.shape[0]):
        row = places[k, 0]
        edits[k, 0], edits[k, 1] = REMOVED, 0
        if row >= 0:
            edits[k, 0] = rows[row, EDIT]
            edits[k, 1] = rows[row, NEW_VR] if rows[row, EDIT] == REPLACED else rows[row, VR]
            edits[k, 2], edits[k, 3], edits[k, 4] = rows[row, POOL], rows[row, OFFSET], rows[row, SIZE]
