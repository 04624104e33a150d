"""A program that takes another's place knows what that one has met: its tables are filled before they are asked for.

Filling a table takes milliseconds, and the first instance under new rules would wait for it. What is filled is worked
out from the new program alone; only which SOP Classes, outcomes of conditions and elements there are comes from the old
one. What is guessed wrongly is never asked for, and what is missing is filled when it is met, as ever.
"""

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from karnak.runtime.lower import ROOT_CONTEXT, Table, TableFull

if TYPE_CHECKING:
    from karnak.runtime.program import Program

# Where a cell has its context and its creator, as `cell_key` writes them.
_CONTEXT_AT, _CREATOR_AT, _CREATOR_MASK = 50, 38, 0xFFF
_CHILD = 4
# A cell takes 20 us: tables of which there are more than these stand for are left to the instances that need them.
MAXIMUM_CELLS = 10_000


def take_over(old: "Program", new: "Program") -> None:
    """Fill the tables of a program as those of another are.

    Args:
        old: what was asked until now, by other threads too.
        new: what takes its place; nobody asks it yet.
    """
    left = MAXIMUM_CELLS
    # The last ones that were built are the likeliest to be asked for.
    for (sop_class_uid, bits, _), table in reversed(old.tables()):
        left -= table.cells.count
        if left < 0:
            return
        known = old.conditions.outcome(bits)
        with suppress(TableFull):
            _fill(table, new.table(sop_class_uid, new.conditions.guess(known), table.encoding))


def _fill(old: Table, new: Table) -> None:
    arrays, verdicts = old.cells.arrays, old.cells.verdicts
    taken = np.nonzero(arrays.keys)[0]
    cells = sorted((int(arrays.values[slot]), int(arrays.keys[slot])) for slot in taken)
    # What stands for a context of the old table in the new one; sequences come before what is in them.
    contexts: dict[int, set[int]] = {ROOT_CONTEXT: {ROOT_CONTEXT}}
    for number, cell in cells:
        verdict = verdicts[number]
        creator = cell >> _CREATOR_AT & _CREATOR_MASK
        # Items may be in the context that their sequence is in.
        for context in tuple(contexts.get(cell >> _CONTEXT_AT, ())):
            made = new.fill(context, verdict.key, creator, verdict.vr, verdict.role)
            before, now = int(arrays.columns[number, _CHILD]), int(new.cells.arrays.columns[made, _CHILD])
            if before and now:
                contexts.setdefault(before, set()).add(now)
