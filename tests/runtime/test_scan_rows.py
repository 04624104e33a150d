"""The scanner's index, column by column, and its refusals with their offsets."""

import struct

import numpy as np
import pytest

from karnak.runtime.encoding import UnreadableInstance, implicit_vr
from karnak.runtime.refusal import MAX_DEPTH
from karnak.runtime.scan import (
    COLUMNS,
    END,
    HEADER,
    IMPLICIT_INSIDE,
    ITEM_ROW,
    KIND,
    LEAF,
    LENGTH,
    NEXT,
    PARENT,
    RESERVED_USED,
    SEQUENCE,
    TAG,
    UNDEFINED,
    VALUE,
    VR,
    Index,
    dictionary_vrs,
    look_up_vr,
    root_places,
    scan,
    vr_classes,
    vr_code,
    vr_name,
)
from karnak.standard import dictionary
from karnak.testing.specimen import EXPLICIT, IMPLICIT, Element, Fragments, Item, Items, Leaf, encoded, leaf, sequence

NAME = leaf("PatientName", "DOE^JANE")
ID = leaf("PatientID", "1234")


def index(data: bytes, *, implicit: bool = False, start: int = 0) -> Index:
    return scan(np.frombuffer(data, np.uint8), start, len(data), implicit)


def columns(found: Index, *wanted: int) -> list[tuple[int, ...]]:
    return [tuple(int(row[column]) for column in wanted) for row in found.rows[: found.size]]


def refusal(data: bytes, *, implicit: bool = False) -> str:
    with pytest.raises(UnreadableInstance) as caught:
        index(data, implicit=implicit)
    return str(caught.value)


# --- what the columns hold ------------------------------------------------------------------


def test_an_empty_dataset_has_no_rows() -> None:
    assert index(b"").size == 0


def test_leaves_with_short_and_long_headers() -> None:
    data = encoded([NAME, leaf("TextValue", "some text", "UT")])
    assert columns(index(data), TAG, HEADER, VALUE, LENGTH, END, PARENT, KIND, NEXT) == [
        (0x00100010, 0, 8, 8, 16, -1, LEAF, 1),
        (0x0040A160, 16, 28, 10, 38, -1, LEAF, 2),
    ]
    assert [vr_name(vr) for (vr,) in columns(index(data), VR)] == ["PN", "UT"]


def test_implicit_leaves_have_the_dictionarys_vr() -> None:
    elements = [NAME, leaf("PixelData", b"\0\0"), leaf(0x00090010, "ACME", "LO"), leaf(0x00091001, b"\0\0", "UN")]
    data = encoded(sorted(elements, key=lambda element: element.tag), IMPLICIT)
    found = index(data, implicit=True)
    assert [vr_name(vr) for (vr,) in columns(found, VR)] == ["LO", "UN", "PN", "OW"]
    assert columns(found, HEADER, VALUE, END)[0] == (0, 8, 12)


def test_a_dataset_may_lie_anywhere_in_what_holds_it() -> None:
    before, data = b"before it", encoded([NAME])
    found = scan(np.frombuffer(before + data + b"after it", np.uint8), len(before), len(before) + len(data), False)
    assert columns(found, HEADER, VALUE, END) == [(9, 17, 25)]


def test_items_lie_between_their_sequence_and_what_follows() -> None:
    data = encoded([sequence("RequestAttributesSequence", [ID], []), leaf("TextValue", "", "UT")])
    assert columns(index(data), TAG, HEADER, VALUE, LENGTH, END, PARENT, KIND, NEXT) == [
        (0x00400275, 0, 12, 28, 40, -1, SEQUENCE, 4),
        (0xFFFEE000, 12, 20, 12, 32, 0, ITEM_ROW, 3),
        (0x00100020, 20, 28, 4, 32, 1, LEAF, 3),
        (0xFFFEE000, 32, 40, 0, 40, 0, ITEM_ROW, 4),
        (0x0040A160, 40, 52, 0, 52, -1, LEAF, 5),
    ]


def test_an_undefined_length_is_what_lies_before_the_delimiter() -> None:
    data = encoded([sequence("RequestAttributesSequence", [ID], undefined_length=True)])
    assert columns(index(data), VALUE, LENGTH, END, KIND) == [
        (12, 28, 48, SEQUENCE | UNDEFINED),
        (20, 12, 40, ITEM_ROW | UNDEFINED),
        (28, 4, 32, LEAF),
    ]


def test_fragments_are_the_value_of_a_leaf() -> None:
    data = encoded([Fragments(0x7FE00010, (b"", b"ab"))])
    assert columns(index(data), VALUE, LENGTH, END, KIND, NEXT) == [(12, 18, 38, UNDEFINED, 1)]


@pytest.mark.parametrize("undefined", [False, True])
def test_a_sequence_hidden_in_an_unknown_value_is_in_implicit_vr(undefined: bool) -> None:
    data = encoded([sequence(0x00091001, [NAME], undefined_length=undefined, unknown=True)])
    found = index(data)
    flag = UNDEFINED if undefined else 0
    assert columns(found, KIND) == [
        (SEQUENCE | IMPLICIT_INSIDE | flag,),
        (ITEM_ROW | IMPLICIT_INSIDE | flag,),
        (LEAF,),
    ]
    assert [vr_name(vr) for (vr,) in columns(found, VR)[::2]] == ["UN", "PN"]


@pytest.mark.parametrize(
    "value",
    [
        b"\xfe\xff\x00\xe0",
        b"\xfe\xff\x00\xe0\x04\0\0\0AB",
        b"\xfe\xff\x00\xe0\x08\0\0\0\x10\0\x10\0\x02\0\0\0",
        b"\xfe\xff\x00\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0",
        b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
        b"no item at all",
    ],
)
def test_an_unknown_value_that_only_begins_like_a_sequence_is_a_leaf(value: bytes) -> None:
    data = encoded([Leaf(0x00091001, "UN", value), NAME])
    assert columns(index(data), LENGTH, KIND, NEXT) == [(len(value), LEAF, 1), (8, LEAF, 2)]


def test_of_hidden_sequences_only_the_one_that_fails_is_a_leaf() -> None:
    inner = Leaf(0x00091001, "UN", b"\xfe\xff\x00\xe0\x04\0\0\0AB")
    data = encoded([Items(0x00091001, (Item((inner, NAME)),), unknown=True)])
    assert columns(index(data), TAG, KIND)[2:] == [(0x00091001, LEAF), (0x00100010, LEAF)]


def test_reserved_bytes_that_are_used_are_noted() -> None:
    elements: list[Element] = [NAME, sequence("RequestAttributesSequence"), leaf("TextValue", "", "UT")]
    data = encoded(elements, EXPLICIT, 0x0100)
    assert columns(index(data), KIND) == [(LEAF,), (SEQUENCE | RESERVED_USED,), (RESERVED_USED,)]


# --- workspaces -----------------------------------------------------------------------------


@pytest.mark.parametrize("room", [0, 1, 3, 4, 5])
def test_a_workspace_that_is_too_small_is_replaced(room: int) -> None:
    data = encoded([sequence("RequestAttributesSequence", [ID], []), leaf("TextValue", "", "UT")])
    workspace = np.full((room, COLUMNS + 7), 99, np.int64)
    found = scan(np.frombuffer(data, np.uint8), 0, len(data), False, workspace)
    assert found.size == 5
    assert found.rows.shape[1] == COLUMNS + 7
    assert (found.rows is workspace) is (room == 5)
    assert columns(found, TAG) == columns(index(data), TAG)


def test_thousands_of_elements() -> None:
    data = encoded([leaf(0x00091000 + i, "x", "LO") for i in range(10_000)])
    assert columns(index(data), TAG) == [(0x00091000 + i,) for i in range(10_000)]


def test_root_elements_are_found_whatever_lies_in_items() -> None:
    found = index(encoded([leaf("Modality", "CT"), sequence("ReferencedStudySequence", [NAME]), ID]))
    places = np.full((4, 5), 7, np.int64)
    root_places(found.rows, found.size, np.array([0x00100020, 0x00100010, 0x00080060, 0x00081110]), places)
    assert places[:, 0].tolist() == [4, -1, 0, 1]
    assert places[0].tolist() == [4, vr_code("LO"), *columns(found, VALUE)[4], *columns(found, END)[4], LEAF]
    assert places[1].tolist() == [-1, 0, 0, 0, 0]


# --- the dictionary -------------------------------------------------------------------------


def test_every_tag_of_the_dictionary_has_the_vr_that_the_decoder_gives_it() -> None:
    exact, vrs, patterns = dictionary_vrs()
    tags = [attribute.tag for attribute in dictionary.attributes()]
    more = [0x60020010, 0x60FF3000, 0x50043000, 0x00203142, 0x00090010, 0x000900FF, 0x00090100, 0x00280000, 0x7777AB01]
    for tag in [*tags, *more]:
        assert vr_name(look_up_vr(tag, exact, vrs, patterns)) == implicit_vr(tag), f"{tag:08X}"


def test_vrs_by_their_codes() -> None:
    classes = vr_classes()
    known = {vr: int(classes[vr_code(vr)]) for vr in dictionary.VRS}
    assert {vr for vr, kind in known.items() if kind == 3} == {"OB", "OD", "OF", "OL", "OV", "OW"}
    assert {vr for vr, kind in known.items() if kind == 2} == {"SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
    assert np.count_nonzero(classes) == len(dictionary.VRS)
    assert all(vr_name(vr_code(vr)) == vr for vr in dictionary.VRS)


# --- refusals -------------------------------------------------------------------------------


@pytest.mark.parametrize("length", range(1, 12))
def test_a_header_that_is_cut_short(length: int) -> None:
    data = encoded([NAME, leaf("TextValue", "", "UT")])
    assert "are left" in refusal(data[: 16 + length])


def test_a_value_that_is_cut_short_is_refused_where_it_begins() -> None:
    assert (
        refusal(encoded([NAME])[:-1]) == "more bytes are announced than the 7 that are left at offset 8 of the dataset"
    )


@pytest.mark.parametrize("length", [0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF])
@pytest.mark.parametrize("vr", ["UT", "OB", "UN", "SQ"])
def test_lengths_that_lie(length: int, vr: str) -> None:
    header = struct.pack("<HH2sHI", 0x0009, 0x1001, vr.encode(), 0, length)
    assert "at offset 12 of the dataset" in refusal(header) or length == 0xFFFFFFFF
    assert refusal(encoded([sequence("ReferencedStudySequence", [])]) + header)


def test_tags_ascend() -> None:
    assert "at offset 12 " in refusal(encoded([ID, NAME]))
    assert "at offset 16 " in refusal(encoded([NAME, NAME]))


@pytest.mark.parametrize("undefined", [False, True])
@pytest.mark.parametrize("unknown", [False, True])
def test_nesting_has_a_limit(undefined: bool, unknown: bool) -> None:
    def nested(levels: int) -> Items:
        inside: tuple[Element, ...] = (nested(levels - 1),) if levels > 1 else (NAME,)
        return Items(0x00081110, (Item(inside, undefined),), undefined, unknown)

    assert index(encoded([nested(MAX_DEPTH)])).size == 2 * MAX_DEPTH + 1
    assert "deeper than 64" in refusal(encoded([nested(MAX_DEPTH + 1)]))


def test_offsets_count_from_the_beginning_of_the_dataset() -> None:
    data = encoded([ID, NAME])
    with pytest.raises(UnreadableInstance, match="at offset 12 of the dataset"):
        index(b"before it" + data, start=9)


@pytest.mark.parametrize("implicit", [False, True])
def test_every_prefix_of_a_dataset_is_read_or_refused(implicit: bool) -> None:
    elements: list[Element] = [
        sequence("ReferencedStudySequence", [NAME], [ID], undefined_length=True),
        sequence(0x00091001, [NAME], unknown=True, undefined_length=True),
        sequence("RequestAttributesSequence", [ID]),
        Fragments(0x7FE00010, (b"", b"ab")),
    ]
    data = encoded(elements, IMPLICIT if implicit else EXPLICIT)
    whole = {0, len(data)}
    for size in range(len(data) + 1):
        try:
            found = index(data[:size], implicit=implicit)
        except UnreadableInstance:
            assert size not in whole
        else:
            # What was read ends where the bytes do.
            assert [END for row in found.rows[: found.size] if row[END] > size] == []
