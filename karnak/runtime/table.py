"""Decision tables: for one SOP Class and one outcome of the conditions, what happens to each kind of element.

A cell is a context, a tag, a VR and a private creator; it is worked out from the rules when the first element
of its kind is met, and never changes. The arrays are what the executor reads; `lower` fills them.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Self

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

# A cell's number is its place in 63 bits: 13 for the context, 12 for the creator, 6 for the VR, 32 for the tag.
MAX_CONTEXTS = 1 << 13
MAX_CREATORS = 1 << 12
MAX_CELLS = 1 << 18
_FIRST_CELLS = 1 << 10
# Spreads keys over the slots of a hash: 2^64 divided by the golden ratio.
_SPREAD = 0x9E3779B97F4A7C15
_64_BITS = 0xFFFFFFFFFFFFFFFF

# Held by the one thread that adds to a table or numbers a private creator; reading needs no lock.
FILLING = Lock()

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
    # Its expressions are asked before the plan is final: what becomes of other elements follows from their answer.
    ASK = 5


class Way(IntEnum):
    """How a value of a cell that is called for is made by compiled code, where it is of the common form."""

    NONE = 0
    UID = 1
    ZEROS = 2
    MOVED = 3
    TRUNCATED = 4


class Making(NamedTuple):
    """How values of a cell are made.

    Attributes:
        way: by what; NONE leaves them to `making`.
        argument: bytes of a number, number of an amount, or digits that stay.
        did: flags of what is done then.
    """

    way: Way = Way.NONE
    argument: int = 0
    did: int = 0


_LEFT_TO_MAKING = Making()


class Role(StrEnum):
    """What an element is to those who carry a verdict out."""

    LEAF = "leaf"
    SEQUENCE = "sequence"
    # A private creator that reserves nothing: it stays or goes, but is never changed.
    CREATOR = "creator"
    # A sequence that was sent as an unknown value without items (PS3.5 6.2.2): emptied, it becomes one.
    UNREAD = "unread"


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
        role: what it is to those who carry the verdict out.
    """

    steps: tuple[Step, ...]
    decision: Decision | None
    index: int | None
    key: ElementKey
    vr: str
    context: Context
    role: Role = Role.LEAF


@njit(cache=True, nogil=True, inline="always")
def hash_slot(key: "Integer", size: int) -> "Integer":
    """Where to look for a key first."""
    mixed = np.uint64(key) * np.uint64(_SPREAD)
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


def insert(keys: "NDArray[np.int64]", values: "NDArray[np.int32]", key: int, value: int) -> None:
    """Put a key into an open hash that has room."""
    slot = slot_of(keys, key)
    # The value first: whoever finds the key finds its value.
    values[slot] = value
    keys[slot] = key


def slot_of(keys: "NDArray[np.int64]", key: int) -> int:
    """The slot that a key has or would get; not compiled, for it is asked for when cells are filled only."""
    size = len(keys)
    slot = (key * _SPREAD & _64_BITS) >> 40 & (size - 1)
    while keys[slot] not in (0, key):
        slot = (slot + 1) & (size - 1)
    return slot


def cell_key(context: int, creator: int, vr_number: int, tag: int) -> int:
    """A cell as one number, never 0: contexts count from 1."""
    return context << 50 | creator << 38 | vr_number << 32 | tag


class Arrays(NamedTuple):
    """The cells as the plan reads them: an open hash from cells to numbers, and what each number stands for.

    Attributes:
        keys: cells as `cell_key` writes them, 0 for an empty slot.
        values: their numbers.
        columns: by number: op, VR code of the new value, offset and length of a constant, child context, flags; way,
            argument and flags of what is made; length of the same constant in Implicit VR, which comes after it.
    """

    keys: "NDArray[np.int64]"
    values: "NDArray[np.int32]"
    columns: "NDArray[np.int64]"

    @classmethod
    def empty(cls, cells: int) -> Self:
        """Arrays with room for so many cells, a power of two."""
        return cls(np.zeros(2 * cells, np.int64), np.zeros(2 * cells, np.int32), np.zeros((cells, 10), np.int64))


class Cells:
    """All cells of a table. One thread at a time adds, holding FILLING, while others read.

    Whoever reads takes `arrays` once: they have room for each other's cells as long as they live, and are never
    emptied. They lack what is added after they were full; then the plan misses a cell and comes again.
    """

    def __init__(self) -> None:
        self.count = 0
        self.arrays = Arrays.empty(_FIRST_CELLS)
        self.verdicts: list[Verdict] = []
        self.constants = bytearray()
        # Read-only like all that follow: compiled code is made once for such arrays and once for others.
        self.pool = np.frombuffer(b"\0", np.uint8)

    def number(self, key: int) -> int:
        """The number of a cell, or -1."""
        slot = slot_of(self.arrays.keys, key)
        return int(self.arrays.values[slot]) if self.arrays.keys[slot] else -1

    def add(
        self,
        key: int | None,
        verdict: Verdict,
        op: Op,
        vr: str,
        constant: bytes,
        child: int,
        flags: int,
        making: Making = _LEFT_TO_MAKING,
        implicit: bytes = b"",
    ) -> int:
        """Add a cell that is not there yet; give its number.

        Args:
            key: what it is found by; None for one that only answers lead to.
            verdict: what the rules say of it.
            op: what the executor does.
            vr: VR of the new value.
            constant: the new value, or b"".
            child: context of its items, or 0.
            flags: what it notes.
            making: how its values are made.
            implicit: the new value in Implicit VR, where that is not the encoding of the dataset.
        """
        number = self.count
        if number >= len(self.arrays.columns):
            self._grow()
        offset = len(self.constants) if constant else 0
        if constant:
            self.constants += constant + implicit
            self.pool = np.frombuffer(bytes(self.constants), np.uint8)
        self.arrays.columns[number] = (
            op,
            vr_code(vr),
            offset,
            len(constant),
            child,
            flags,
            *making,
            len(implicit),
        )
        self.verdicts.append(verdict)
        self.count += 1
        # Last, so that who finds the cell finds all of it.
        if key is not None:
            insert(self.arrays.keys, self.arrays.values, key, number)
        return number

    def _grow(self) -> None:
        old = self.arrays
        new = Arrays.empty(2 * len(old.columns))
        new.columns[: len(old.columns)] = old.columns
        for slot in np.nonzero(old.keys)[0]:
            insert(new.keys, new.values, int(old.keys[slot]), old.values[slot])
        self.arrays = new
