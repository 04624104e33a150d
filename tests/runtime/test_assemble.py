"""A plan made by hand, and the bytes that come of it."""

from collections.abc import Mapping
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.runtime.assemble import INPUT, LONG_RUN, NEW, measure, write
from karnak.runtime.decode import decode_dataset
from karnak.runtime.encode import encode_dataset
from karnak.runtime.encoding import EXPLICIT, IMPLICIT, ItemSequence, RawDataset, leaf, stored
from karnak.runtime.plan import (
    CONSTANTS,
    DELTA,
    EDIT,
    KEPT,
    MADE,
    NEW_VR,
    OFFSET,
    PLAN_COLUMNS,
    POOL,
    REMOVED,
    REPLACED,
    SIZE,
)
from karnak.runtime.scan import ITEM_ROW, KIND, PARENT, SEQUENCE, TAG, VR, Index, scan, vr_classes, vr_code, vr_name
from karnak.runtime.stamp import NOTHING, Stamp, stamp_of
from karnak.testing import specimen as tree
from karnak.testing.character_sets import DEFAULT
from karnak.testing.specimen import Element, Fragments, Leaf, encoded, sequence, tag_of
from tests.property import dense

NAME, ID = tree.leaf("PatientName", "DOE^JANE"), tree.leaf("PatientID", "1234")
STUDY = tag_of("ReferencedStudySequence")
# New values: two from the constants of a table, one that was made.
POOLS = np.frombuffer(b"..NEW NAME--", np.uint8), np.frombuffer(b"..MADE", np.uint8)
GUARD = 0x5A


class Plan:
    """An index with edits.

    Args:
        data: an encoded dataset.
        implicit: it is in Implicit VR.
    """

    def __init__(self, data: bytes, *, implicit: bool = False) -> None:
        self.data = np.frombuffer(data, np.uint8)
        self.implicit = implicit
        space = np.empty((64, PLAN_COLUMNS), np.int64)
        self.rows, self.size = Index(*scan(self.data, 0, len(data), implicit, space))
        self.rows[: self.size, EDIT], self.rows[: self.size, DELTA] = KEPT, 0

    def remove(self, row: int) -> None:
        self.rows[row, EDIT] = REMOVED

    def replace(self, row: int, pool: int, offset: int, size: int, vr: str = "") -> None:
        code = vr_code(vr) if vr else self.rows[row, VR]
        self.rows[row, [EDIT, NEW_VR, POOL, OFFSET, SIZE]] = REPLACED, code, pool, offset, size

    def written(self, stamp: Stamp = NOTHING, room_for: int = 64) -> list[tuple[int, bytes]]:
        """The pieces of the output, each with where it lies; nothing around the arrays may be touched."""
        room, too_long = measure(self.rows, self.size, self.implicit, vr_classes())
        assert too_long == -1
        size = room + len(stamp.data) + 64
        out = np.full(size + 64, GUARD, np.uint8)
        around = np.full((room_for + 8, 3), -77, np.int64)
        used, written = write(
            self.data,
            0,
            len(self.data),
            self.rows,
            self.size,
            self.implicit,
            vr_classes(),
            *POOLS,
            stamp.tags,
            stamp.places,
            stamp.array,
            out[:size],
            around[:room_for],
        )
        assert (out[size:] == GUARD).all()
        assert (around[room_for:] == -77).all()
        if used < 0:
            return self.written(stamp, 2 * room_for)
        assert written <= size
        found = around[1 : used + 1].tolist()
        return [(kind, bytes((out if kind == NEW else self.data)[begin:end])) for kind, begin, end in found]

    def output(self, stamp: Stamp = NOTHING) -> bytes:
        return b"".join(piece for _, piece in self.written(stamp))


def test_a_plan_without_edits_gives_the_dataset_back() -> None:
    data = encoded([sequence(STUDY, [NAME]), ID])
    assert Plan(data).output() == data


def test_elements_go_and_get_new_values() -> None:
    plan = Plan(encoded([NAME, ID]))
    plan.remove(1)
    plan.replace(0, CONSTANTS, 2, 8)
    assert plan.output() == encoded([Leaf(NAME.tag, "PN", b"NEW NAME")])


def test_a_new_value_may_have_another_vr_and_another_header() -> None:
    plan = Plan(encoded([NAME, ID]))
    plan.replace(0, CONSTANTS, 2, 8, "UT")
    plan.replace(1, MADE, 2, 4, "UI")
    assert plan.output() == encoded([Leaf(NAME.tag, "UT", b"NEW NAME"), Leaf(ID.tag, "UI", b"MADE")])
    empty = Plan(encoded([Leaf(NAME.tag, "UT", b"NEW NAME")]))
    empty.replace(0, CONSTANTS, 0, 0, "LO")
    assert empty.output() == encoded([Leaf(NAME.tag, "LO", b"")])


def test_in_implicit_vr_headers_have_no_vr() -> None:
    plan = Plan(encoded([NAME, ID], tree.IMPLICIT), implicit=True)
    plan.replace(0, CONSTANTS, 2, 8, "UT")
    assert plan.output() == encoded([Leaf(NAME.tag, "PN", b"NEW NAME"), ID], tree.IMPLICIT)


# --- lengths ----------------------------------------------------------------------------------


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("syntax", [tree.EXPLICIT, tree.IMPLICIT])
def test_lengths_are_put_right_from_the_inside_out(undefined: bool, syntax: str) -> None:
    def nested(*elements: Element) -> list[Element]:
        inner = sequence("ReferencedImageSequence", elements, [ID], undefined_length=undefined)
        return [sequence(STUDY, [inner], [ID], undefined_length=undefined), ID]

    plan = Plan(encoded(nested(NAME), syntax), implicit=syntax == tree.IMPLICIT)
    row = next(i for i in range(plan.size) if plan.rows[i, TAG] == NAME.tag)
    plan.remove(row)
    assert plan.output() == encoded(nested(), syntax)
    plan = Plan(encoded(nested(NAME), syntax), implicit=syntax == tree.IMPLICIT)
    plan.replace(row, CONSTANTS, 0, 12)
    assert plan.output() == encoded(nested(Leaf(NAME.tag, "PN", bytes(POOLS[0]))), syntax)


def test_a_sequence_in_an_unknown_value_stays_one() -> None:
    def hidden(*elements: Element) -> list[Element]:
        return [sequence(0x00091001, elements, unknown=True)]

    plan = Plan(encoded(hidden(NAME, ID)))
    plan.remove(2)
    plan.replace(3, MADE, 2, 4)
    assert plan.output() == encoded(hidden(Leaf(ID.tag, "LO", b"MADE")))


def test_a_sequence_may_be_emptied_or_replaced_whole() -> None:
    plan = Plan(encoded([sequence(STUDY, [NAME], [ID]), ID]))
    plan.replace(0, CONSTANTS, 0, 0, "SQ")
    assert plan.output() == encoded([sequence(STUDY), ID])


@pytest.mark.parametrize("vr", ["LO", "UT"])
@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("size", [65535, 65536])
def test_a_value_that_is_too_long_for_its_length_field_is_told(vr: str, implicit: bool, size: int) -> None:
    plan = Plan(encoded([NAME, ID], tree.IMPLICIT if implicit else tree.EXPLICIT), implicit=implicit)
    plan.replace(1, MADE, 0, size, vr)
    too_long = measure(plan.rows, plan.size, implicit, vr_classes())[1]
    assert too_long == (1 if size > 65535 and vr == "LO" and not implicit else -1)


# --- what is copied and what is named -----------------------------------------------------------


def test_long_runs_are_named_and_short_ones_copied() -> None:
    long = Leaf(0x00091001, "OB", bytes(LONG_RUN + 2))
    plan = Plan(encoded([NAME, ID, tree.leaf("TextValue", "", "UT")]))
    assert [kind for kind, _ in plan.written()] == [NEW]
    plan = Plan(encoded([tree.leaf("Modality", "CT"), long, NAME, ID, Leaf(0x00111001, "OB", long.value)]))
    plan.remove(2)
    pieces = plan.written()
    assert [kind for kind, _ in pieces] == [INPUT, INPUT]
    assert [len(piece) for _, piece in pieces] == [10 + 12 + LONG_RUN + 2, 12 + 12 + LONG_RUN + 2]


@pytest.mark.parametrize("size", range(LONG_RUN - 24, LONG_RUN + 4, 2))
def test_runs_about_as_long_as_those_that_are_named(size: int) -> None:
    elements = [Fragments(0x00091000 + i, (bytes(size - 28),)) for i in range(3)]
    data = encoded([*elements, *(Fragments(0x00092000 + i, ()) for i in range(255))])
    plan = Plan(data)
    assert plan.output() == data
    plan.remove(1)
    assert plan.output() == data[: len(encoded(elements[:1]))] + data[len(encoded(elements[:2])) :]


def test_reserved_bytes_that_are_used_are_zeroed() -> None:
    elements: list[Element] = [sequence(STUDY, [tree.leaf("TextValue", "x", "UT")]), Leaf(0x00091001, "OB", b"ab")]
    plan = Plan(encoded(elements, reserved=0x0107))
    assert plan.output() == encoded(elements)


@pytest.mark.parametrize("room_for", range(9, 40))
def test_pieces_never_leave_their_array(room_for: int) -> None:
    elements = [Leaf(0x00091000 + i, "OB", bytes(LONG_RUN + 2)) for i in range(12)]
    stamp = stamp_of({0x00080005: b"first", 0x00091005: b"inside", 0x00280303: b"after", 0x00280304: b"last"})
    plan = Plan(encoded(elements, reserved=1))
    assert b"".join(piece for _, piece in plan.written(stamp, room_for)) == plan.output(stamp)


# --- what is always set -----------------------------------------------------------------------


def test_stamped_elements_stand_in_their_places() -> None:
    new = {tag: encoded([Leaf(tag, "LO", b"new!")]) for tag in (0x00080005, ID.tag, 0x00100021, 0x00280303)}
    plan = Plan(encoded([sequence(STUDY, [NAME, ID]), NAME, ID]))
    assert plan.output(stamp_of(new)) == b"".join(
        (
            new[0x00080005],
            encoded([sequence(STUDY, [NAME, ID]), NAME]),
            new[ID.tag],
            new[0x00100021],
            new[0x00280303],
        )
    )


def test_stamped_elements_take_the_place_of_sequences_and_of_edits() -> None:
    plan = Plan(encoded([sequence(STUDY, [NAME, ID]), NAME, ID]))
    plan.replace(3, MADE, 2, 4)
    plan.remove(4)
    stamp = stamp_of({STUDY: b"", NAME.tag: encoded([NAME]), ID.tag: encoded([ID])})
    assert plan.output(stamp) == encoded([NAME, ID])


def test_an_empty_dataset_is_what_is_stamped() -> None:
    assert Plan(b"").output() == b""
    assert Plan(b"").output(stamp_of({ID.tag: b"new"})) == b"new"


# --- any plan -----------------------------------------------------------------------------------


@given(st.binary(min_size=8, max_size=8), st.booleans())
def test_any_edits_give_what_the_encoder_gives(seed: bytes, implicit: bool) -> None:
    random = Random(seed)
    made = dense.elements(random, dense.Inside(2, DEFAULT, implicit))
    data = encoded(made, tree.IMPLICIT if implicit else tree.EXPLICIT)
    plan = Plan(data, implicit=implicit)
    edits: dict[int, int] = {}
    for row in range(plan.size):
        if not plan.rows[row, KIND] & (ITEM_ROW | SEQUENCE) and random.randrange(3) == 0:
            edits[row] = random.randrange(2)
    for row, empties in edits.items():
        if empties:
            plan.replace(row, CONSTANTS, 0, 0)
        else:
            plan.remove(row)
    dataset = decode_dataset(data, IMPLICIT if implicit else EXPLICIT)
    _edit(dataset, plan, -1, edits)
    assert plan.output() == encode_dataset(dataset, IMPLICIT if implicit else EXPLICIT)


def _edit(dataset: RawDataset, plan: Plan, parent: int, edits: Mapping[int, int]) -> None:
    """Do to a decoded dataset what was planned for its rows."""
    rows = [row for row in range(plan.size) if plan.rows[row, PARENT] == parent]
    for row in rows:
        tag = int(plan.rows[row, TAG])
        if plan.rows[row, KIND] & SEQUENCE:
            items = [item for item in range(plan.size) if plan.rows[item, PARENT] == row]
            held = stored(dataset, tag).value
            assert isinstance(held, ItemSequence)
            for item, inside in zip(items, held, strict=True):
                assert isinstance(inside, RawDataset)
                _edit(inside, plan, item, edits)
        elif edits.get(row) == 0:
            del dataset[tag]
        elif row in edits:
            dataset.put(leaf(tag, vr_name(int(plan.rows[row, VR])), b""))
