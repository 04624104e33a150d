"""Decision tables: for one SOP Class and one outcome of the conditions, what happens to each kind of element.

A cell is a context, a tag, a VR and a private creator; it is worked out from the rules when the first element
of its kind is met, and never changes. The arrays are what the executor reads; `lower` fills them.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from karnak.ir.expression import Expression
from karnak.ir.profile import Rule
from karnak.ir.selector import ElementKey
from karnak.runtime.decision import Decision
from karnak.runtime.expressions import Question
from karnak.runtime.scan import vr_code
from karnak.standard.dictionary import VRS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integer = int | np.int64

MAX_CONTEXTS = 1 << 14
MAX_CREATORS = 1 << 12
MAX_CELLS = 1 << 18

# VRs by a small number, 1 to 63.
VR_NUMBERS = {vr: number for number, vr in enumerate(sorted(VRS), 1)}
VR_NUMBER_BY_CODE = np.zeros(0x10000, np.uint8)
for _vr, _number in VR_NUMBERS.items():
    VR_NUMBER_BY_CODE[vr_code(_vr)] = _number


class Op(IntEnum):
    """What the executor does with an element."""

    KEEP = 0
    REMOVE = 1
    EMPTY = 2
    CONSTANT = 3
    CALL = 4
    FALL_BACK = 5


class Flag(IntEnum):
    """What a cell adds to the deeds of an instance."""

    DATES_MOVED = 1
    DATES_LOST = 2
    PRIVATE_KEPT = 4
    PRIVATE_UNSAFE = 8
    # A rule other than the basic profile decided: a document's content is not replaced by a dummy.
    SPOKEN = 16


@dataclass(frozen=True, slots=True)
class Context:
    """Which rules may still apply in a dataset, and what holds where none does.

    Attributes:
        limit: position of the last rule that may apply.
        inherited: what holds where none does.
        path: keys of the sequences from the root, of the first place where this context was met.
    """

    limit: int
    inherited: Decision | None
    path: tuple[ElementKey, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """An expression that is asked per element.

    Attributes:
        index: position of its rule.
        rule: its rule.
        expression: what is left of it after specialising.
        question: the same, to be called.
    """

    index: int
    rule: Rule
    expression: Expression
    question: Question


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of a cell.

    Attributes:
        steps: expressions to ask first, in order; the first that decides does.
        decision: what holds where none of them decides, or None to keep.
        index: position of the rule that decided, or None where it is inherited or no rule did.
        key: tag and creator of the cell.
        vr: VR of the cell.
        context: where it is.
    """

    steps: tuple[Step, ...]
    decision: Decision | None
    index: int | None
    key: ElementKey
    vr: str
    context: Context


@njit(cache=True, nogil=True, inline="always")
def hash_slot(key: "Integer", size: int) -> "Integer":
    """Where to look for a key first."""
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    return np.int64(mixed >> np.uint64(40)) & (size - 1)


@njit(cache=True, nogil=True)
def find(keys: "NDArray[np.int64]", values: "NDArray[np.int32]", key: "Integer") -> "Integer":
    """The cell number of a key, or -1."""
    size = keys.shape[0]
    slot = hash_slot(key, size)
    while keys[slot] != 0:
        if keys[slot] == key:
            return np.int64(values[slot])
        slot = (slot + 1) & (size - 1)
    return -1


@njit(cache=True, nogil=True)
def insert(keys: "NDArray[np.int64]", values: "NDArray[np.int32]", key: "Integer", value: "Integer") -> None:
    """Put a key into an open hash that has room."""
    size = keys.shape[0]
    slot = hash_slot(key, size)
    while keys[slot] != 0:
        slot = (slot + 1) & (size - 1)
    # The value first: whoever finds the key finds its value.
    values[slot] = value
    keys[slot] = key


def cell_key(context: int, creator: int, vr_number: int, tag: int) -> int:
    """A cell as one number, never 0: contexts count from 1."""
    return context << 50 | creator << 38 | vr_number << 32 | tag


class Cells:
    """The arrays of a table: an open hash from cells to numbers, and what each number stands for."""

    def __init__(self) -> None:
        self.count = 0
        self.keys = np.zeros(1 << 11, np.int64)
        self.values = np.zeros(1 << 11, np.int32)
        # Columns: op, VR code of the new value, offset and length of a constant, child context, flags.
        self.columns = np.zeros((1 << 10, 6), np.int64)
        self.verdicts: list[Verdict] = []
        self.constants = bytearray()
        self.pool = np.zeros(1, np.uint8)

    def add(self, key: int, verdict: Verdict, op: Op, vr: str, constant: bytes, child: int, flags: int) -> int:
        """Add a cell; give its number."""
        number = self.count
        if number >= self.columns.shape[0]:
            self.columns = np.concatenate([self.columns, np.zeros_like(self.columns)])
        if constant:
            offset = len(self.constants)
            self.constants += constant
            self.pool = np.frombuffer(bytes(self.constants), np.uint8)
        else:
            offset = 0
        self.columns[number] = (op, vr_code(vr), offset, len(constant), child, flags)
        self.verdicts.append(verdict)
        self.count += 1
        if 2 * self.count > self.keys.shape[0]:
            self._grow()
        insert(self.keys, self.values, key, number)
        return number

    def _grow(self) -> None:
        keys, values = np.zeros(2 * self.keys.shape[0], np.int64), np.zeros(2 * self.keys.shape[0], np.int32)
        for slot in np.nonzero(self.keys)[0]:
            insert(keys, values, self.keys[slot], self.values[slot])
        self.keys, self.values = keys, values
