"""Bytes in: what is well formed is read without loss, what is not is refused with its place and without its values."""

import struct
from collections.abc import Callable

import pytest
from pydicom.dataelem import RawDataElement

from karnak.runtime.decode import decode_dataset
from karnak.runtime.encode import encode_dataset
from karnak.runtime.encoding import (
    BIG_ENDIAN,
    EXPLICIT,
    IMPLICIT,
    Encoding,
    ItemSequence,
    UnreadableInstance,
    UnwritableInstance,
    leaf,
    stored,
)
from karnak.runtime.refusal import MAX_DEPTH
from karnak.testing import specimen as tree
from karnak.testing.specimen import Element, Fragments, Item, Items, Leaf, encoded, sequence
from tests.runtime.making import specimen

SYNTAXES = {tree.EXPLICIT: EXPLICIT, tree.IMPLICIT: IMPLICIT, tree.BIG_ENDIAN: BIG_ENDIAN}
every_syntax = pytest.mark.parametrize("syntax", SYNTAXES)
NAME, ID = tree.leaf("PatientName", "DOE^JANE"), tree.leaf("StudyID", "7")


def read_and_written(data: bytes, encoding: Encoding) -> bytes:
    return encode_dataset(decode_dataset(data, encoding), encoding)


def refusal(data: bytes, encoding: Encoding = EXPLICIT) -> str:
    with pytest.raises(UnreadableInstance) as caught:
        decode_dataset(data, encoding)
    return str(caught.value)


# --- without loss ---------------------------------------------------------------------------

WELL_FORMED: list[tuple[Element, ...]] = [
    (),
    (NAME, ID),
    (Leaf(0x00100010, "PN", b""), Leaf(0x00104000, "LT", b"odd")),
    (Leaf(0x00080000, "UL", b"\0\0\0\0"), NAME, Leaf(0xFFFCFFFC, "OB", bytes(4))),
    (Leaf(0x00080008, "CS", b"A\\\\B"), Leaf(0x00280010, "US", b"\0\2"), Leaf(0x00720069, "OB", bytes(70000))),
    (sequence("RequestAttributesSequence"), sequence("ReferencedImageSequence", undefined_length=True)),
    (sequence("RequestAttributesSequence", [], [NAME], []),),
    (sequence("RequestAttributesSequence", [NAME, ID], [], undefined_length=True),),
    (Items(0x00400275, (Item((NAME,), True), Item((ID,), False)), False),),
    (Items(0x00400275, (Item((NAME,), False), Item((ID,), True)), True),),
    (sequence(0x00091001, [NAME, sequence("ReferencedImageSequence", [ID])], unknown=True),),
    (sequence(0x00091001, [NAME], undefined_length=True, unknown=True),),
    (Leaf(0x00091001, "UN", b"\xfe\xff\x00\xe0"), Leaf(0x00091002, "UN", b"\xfe\xff\x00\xe0\x02\0\0\0ab")),
    (Fragments(0x7FE00010, (b"", b"\xff\xd8\xff\xd9")),),
    (Fragments(0x7FE00010, ()),),
    (sequence("IconImageSequence", [Fragments(0x7FE00010, (b"", b"ab"))]),),
    (Leaf(0x7FE00010, "OW", bytes(8)),),
]


@every_syntax
@pytest.mark.parametrize("elements", WELL_FORMED, ids=str)
def test_what_is_well_formed_is_written_as_it_was_read(elements: tuple[Element, ...], syntax: str) -> None:
    ordered = sorted(elements, key=lambda element: element.tag)
    if syntax == tree.IMPLICIT and any(isinstance(e, Leaf) and e.tag == 0x00280010 for e in ordered):
        ordered = [e for e in ordered if e.tag != 0x00720069]
    data = encoded(ordered, syntax)
    assert read_and_written(data, SYNTAXES[syntax]) == data


@every_syntax
def test_every_vr_is_read(syntax: str) -> None:
    vrs = "AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SS ST SV TM UC UI UL UN UR US UT UV".split()
    elements = [Leaf(0x00090000 + 0x1000 + number, vr, b"12345678") for number, vr in enumerate(vrs)]
    data = encoded(elements, syntax)
    assert read_and_written(data, SYNTAXES[syntax]) == data
    found = decode_dataset(data, SYNTAXES[syntax])
    assert {element.VR for element in (stored(found, tag) for tag in list(found.keys()))} == (
        {"UN"} if syntax == tree.IMPLICIT else set(vrs)
    )


def test_values_are_not_decoded() -> None:
    found = decode_dataset(encoded([Leaf(0x00280010, "US", b"\x01\x02")], tree.BIG_ENDIAN), BIG_ENDIAN)
    element = stored(found, 0x00280010)
    assert isinstance(element, RawDataElement)
    assert element.value == b"\x02\x01"


def test_a_hidden_sequence_is_found_and_remembers_that_it_was_hidden() -> None:
    data = encoded([sequence(0x00091001, [NAME], unknown=True)])
    items = stored(decode_dataset(data, EXPLICIT), 0x00091001).value
    assert isinstance(items, ItemSequence)
    assert (items.vr, items.encoding, items.undefined_length) == ("UN", IMPLICIT, False)


# --- truncation -----------------------------------------------------------------------------

SMALL: dict[str, tuple[Element, ...]] = {
    "flat": (NAME, ID),
    "nested": (sequence("RequestAttributesSequence", [NAME], [ID]),),
    "delimited": (sequence("RequestAttributesSequence", [NAME], undefined_length=True), NAME),
    "hidden": (sequence(0x00091001, [NAME], unknown=True), NAME),
    "encapsulated": (NAME, Fragments(0x7FE00010, (b"", b"abcd"))),
}


@every_syntax
@pytest.mark.parametrize("name", SMALL)
def test_a_dataset_cut_anywhere_but_between_elements_is_refused(name: str, syntax: str) -> None:
    elements = sorted(SMALL[name], key=lambda element: element.tag)
    data = encoded(elements, syntax)
    whole = {len(encoded(elements[:count], syntax)) for count in range(len(elements) + 1)}
    for length in range(len(data)):
        if length in whole:
            assert read_and_written(data[:length], SYNTAXES[syntax]) == data[:length]
        else:
            assert "DOE" not in refusal(data[:length], SYNTAXES[syntax])


# --- lengths that lie, wrong order ----------------------------------------------------------


def patched(data: bytes, offset: int, code: str, number: int) -> bytes:
    """Put another number into encoded bytes."""
    return data[:offset] + struct.pack(code, number) + data[offset + struct.calcsize(code) :]


@pytest.mark.parametrize("length", [0, 1, 7, 9, 100, 0xFFFF])
def test_a_length_that_lies_is_refused(length: int) -> None:
    data = patched(encoded([NAME, ID]), 6, "<H", length)
    refusal(data)


@pytest.mark.parametrize("length", [1, 19, 21, 0x7FFFFFFF, 0xFFFFFFFE])
def test_a_sequence_length_that_lies_is_refused(length: int) -> None:
    data = encoded([sequence("RequestAttributesSequence", [NAME])])
    assert len(data) - 12 not in (1, 19, 21)
    refusal(patched(data, 8, "<I", length))


@pytest.mark.parametrize("length", [1, 15, 17, 0x7FFFFFFF, 0xFFFFFFFF])
def test_an_item_length_that_lies_is_refused(length: int) -> None:
    data = encoded([sequence("RequestAttributesSequence", [NAME])])
    refusal(patched(data, 16, "<I", length))


def test_an_item_may_not_reach_out_of_its_sequence() -> None:
    data = encoded([sequence("RequestAttributesSequence", [NAME]), Leaf(0x0040A040, "CS", b"TEXT")])
    longer = patched(data, 16, "<I", 16 + 12)
    assert "an item" in refusal(longer)


def test_an_element_may_not_reach_out_of_its_item() -> None:
    data = encoded([sequence("RequestAttributesSequence", [ID, NAME][::-1], [ID])])
    refusal(patched(data, 12 + 8 + 6, "<H", 40))


@pytest.mark.parametrize(
    "elements",
    [
        (ID, NAME),
        (NAME, NAME),
        (NAME, Leaf(0x00100010, "PN", b"")),
        (Items(0x00400275, (Item((ID, NAME)),)),),
        (Items(0x00400275, (Item((NAME, NAME)),)),),
        (Leaf(0xFFFEE000, "UN", b""),),
        (Leaf(0xFFFEE00D, "UN", b""),),
        (Leaf(0xFFFEE0DD, "UN", b""),),
    ],
)
@every_syntax
def test_elements_out_of_order_or_repeated_are_refused(elements: tuple[Element, ...], syntax: str) -> None:
    assert "is repeated or out of order" in refusal(encoded(elements, syntax), SYNTAXES[syntax])


def item_end(length: int) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE00D, length)


def sequence_end(length: int) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE0DD, length)


UNDEFINED = struct.pack("<HH2sHI", 0x0040, 0x0275, b"SQ", 0, 0xFFFFFFFF)
OPEN_ITEM = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)


@pytest.mark.parametrize(
    "data",
    [
        UNDEFINED,
        UNDEFINED + OPEN_ITEM,
        UNDEFINED + OPEN_ITEM + encoded([NAME]),
        UNDEFINED + OPEN_ITEM + item_end(0),
        UNDEFINED + encoded([NAME]),
        UNDEFINED + item_end(0) + sequence_end(0),
        UNDEFINED + OPEN_ITEM + sequence_end(0),
        UNDEFINED + OPEN_ITEM + item_end(4) + sequence_end(0),
        UNDEFINED + OPEN_ITEM + item_end(0) + sequence_end(2) + b"ab",
        UNDEFINED + sequence_end(0) + sequence_end(0),
        item_end(0),
        sequence_end(0),
    ],
)
def test_delimiters_that_are_missing_misplaced_or_long_are_refused(data: bytes) -> None:
    refusal(data)


@pytest.mark.parametrize("vr", [b"XX", b"\0\0", b"pn", b"\xff\xff"])
def test_an_unknown_vr_is_refused(vr: bytes) -> None:
    data = encoded([NAME])
    assert "no value representation" in refusal(data[:4] + vr + data[6:])


@pytest.mark.parametrize("vr", ["UT", "UC", "UR", "SV"])
def test_a_text_or_number_of_undefined_length_is_refused(vr: str) -> None:
    data = struct.pack("<HH2sHI", 0x0008, 0x0119, vr.encode(), 0, 0xFFFFFFFF) + sequence_end(0)
    assert "undefined length" in refusal(data)


def test_an_implicit_text_of_undefined_length_is_refused() -> None:
    assert "undefined length" in refusal(struct.pack("<HHI", 0x10, 0x10, 0xFFFFFFFF) + sequence_end(0), IMPLICIT)


@pytest.mark.parametrize(
    "data",
    [
        b"abcd",
        struct.pack("<HHI", 0xFFFE, 0xE000, 100) + b"ab" + sequence_end(0),
        struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + sequence_end(0),
        struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + sequence_end(0),
        struct.pack("<HHI", 0xFFFE, 0xE000, 2) + b"ab",
        sequence_end(2) + b"ab",
    ],
)
def test_fragments_that_are_not_well_formed_are_refused(data: bytes) -> None:
    refusal(struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF) + data)


# --- depth ----------------------------------------------------------------------------------

Nester = Callable[[int], Element]


def nested(depth: int, *, undefined: bool = False, unknown: bool = False) -> Element:
    """An element inside of `depth` sequences."""
    inside: Element = NAME
    for _ in range(depth):
        inside = sequence("RequestAttributesSequence", [inside], undefined_length=undefined, unknown=unknown)
    return inside


@every_syntax
@pytest.mark.parametrize("undefined", [False, True])
def test_sequences_may_nest_64_deep(syntax: str, undefined: bool) -> None:
    data = encoded([nested(MAX_DEPTH, undefined=undefined)], syntax)
    assert read_and_written(data, SYNTAXES[syntax]) == data
    assert "deeper than 64" in refusal(encoded([nested(MAX_DEPTH + 1, undefined=undefined)], syntax), SYNTAXES[syntax])


def test_a_thousand_levels_end_in_a_refusal() -> None:
    assert "deeper than 64" in refusal(UNDEFINED * 1 + (OPEN_ITEM + UNDEFINED) * 1000)


# --- what may not stand in a dataset --------------------------------------------------------


def test_a_refusal_tells_where() -> None:
    data = encoded([tree.leaf("Modality", "CT"), NAME])
    assert refusal(data[:-1]).endswith("at offset 18 of the dataset")


# --- writing --------------------------------------------------------------------------------


def test_a_value_longer_than_its_length_field_is_not_written() -> None:
    found = decode_dataset(encoded([NAME]), EXPLICIT)
    found.put(leaf(0x00100010, "PN", b"x" * 65536))
    with pytest.raises(UnwritableInstance, match=r"\(0010,0010\)"):
        encode_dataset(found, EXPLICIT)
    assert len(encode_dataset(found, IMPLICIT)) == 8 + 65536


def test_the_specimens_of_these_tests_are_read() -> None:
    data = encoded(specimen(NAME, ID).elements)
    assert read_and_written(data, EXPLICIT) == data
