"""The arrays of a table: an open hash that grows, and never loses a cell to who reads it meanwhile."""

from itertools import product

import numpy as np
import pytest

from karnak.ir.selector import ElementKey
from karnak.runtime.scan import vr_code
from karnak.runtime.table import (
    MAX_CONTEXTS,
    MAX_CREATORS,
    VR_NUMBER_BY_CODE,
    VR_NUMBERS,
    Arrays,
    Cells,
    Context,
    Op,
    Verdict,
    cell_key,
    find,
    insert,
)
from karnak.standard.dictionary import VRS

CONTEXT = Context(0, None, ())


def verdict(tag: int) -> Verdict:
    return Verdict((), None, None, ElementKey(tag), "LO", CONTEXT)


def add(cells: Cells, tag: int, op: Op = Op.KEEP, constant: bytes = b"") -> int:
    return cells.add(cell_key(1, 0, VR_NUMBERS["LO"], tag), verdict(tag), op, "LO", constant, tag & 0xFF, tag & 0x1F)


def test_every_cell_has_a_key_of_its_own_that_fits_into_63_bits() -> None:
    contexts, creators = (1, 2, MAX_CONTEXTS - 1), (0, 1, MAX_CREATORS - 1)
    numbers, tags = (1, max(VR_NUMBERS.values())), (0, 0x00100010, 0xFFFFFFFF)
    keys = [cell_key(*parts) for parts in product(contexts, creators, numbers, tags)]
    assert len(set(keys)) == len(keys)
    assert min(keys) > 0
    assert max(keys) < 1 << 63


def test_vrs_have_numbers_from_1_to_63() -> None:
    assert sorted(VR_NUMBERS.values()) == list(range(1, len(VRS) + 1))
    assert max(VR_NUMBERS.values()) < 64
    assert {vr: int(VR_NUMBER_BY_CODE[vr_code(vr)]) for vr in VRS} == VR_NUMBERS
    assert np.count_nonzero(VR_NUMBER_BY_CODE) == len(VRS)


def test_cells_are_found_by_their_keys() -> None:
    cells = Cells()
    numbers = [add(cells, tag) for tag in range(0x00100010, 0x00100050)]
    assert numbers == list(range(64))
    assert [cells.number(cell_key(1, 0, VR_NUMBERS["LO"], tag)) for tag in range(0x00100010, 0x00100050)] == numbers
    assert cells.number(cell_key(2, 0, VR_NUMBERS["LO"], 0x00100010)) == -1
    assert cells.number(cell_key(1, 0, VR_NUMBERS["SH"], 0x00100010)) == -1


def test_cells_hold_what_they_were_given() -> None:
    cells = Cells()
    first, second = add(cells, 0x00100010, Op.CONSTANT, b"UNKNOWN "), add(cells, 0x00100011, Op.CONSTANT, b"0 ")
    assert cells.arrays.columns[first, :6].tolist() == [Op.CONSTANT, vr_code("LO"), 0, 8, 0x10, 0x10]
    assert cells.arrays.columns[second, :6].tolist() == [Op.CONSTANT, vr_code("LO"), 8, 2, 0x11, 0x11]
    assert bytes(cells.pool) == bytes(cells.constants) == b"UNKNOWN 0 "
    assert [found.key.tag for found in cells.verdicts] == [0x00100010, 0x00100011]


@pytest.mark.parametrize("count", [1023, 1024, 1025, 5000])
def test_a_table_grows(count: int) -> None:
    cells = Cells()
    for tag in range(count):
        add(cells, tag, Op.REMOVE)
    keys = [cell_key(1, 0, VR_NUMBERS["LO"], tag) for tag in range(count)]
    assert [cells.number(key) for key in keys] == list(range(count))
    assert (cells.arrays.columns[:count, 0] == Op.REMOVE).all()
    assert len(cells.arrays.keys) == 2 * len(cells.arrays.columns) >= 2 * count


def test_who_reads_an_older_array_finds_all_of_a_cell_or_nothing() -> None:
    cells = Cells()
    before = cells.arrays
    for tag in range(3000):
        add(cells, tag, Op.REMOVE)
    for tag in range(3000):
        number = find(before.keys, before.values, cell_key(1, 0, VR_NUMBERS["LO"], tag))
        assert number < len(before.columns)
        assert number < 0 or before.columns[number, 0] == Op.REMOVE


def test_colliding_keys_stand_one_after_the_other() -> None:
    arrays = Arrays.empty(4)
    for number, key in enumerate((8, 16, 24, 1 << 62)):
        insert(arrays.keys, arrays.values, key, number)
    assert [int(find(arrays.keys, arrays.values, key)) for key in (8, 16, 24, 1 << 62, 32)] == [0, 1, 2, 3, -1]
