"""Conversion changes how values are written, and no value; what can't be written is said, and nothing is guessed."""

import struct
from io import BytesIO

import pytest
from hypothesis import given, settings
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from karnak.gateway.deliver.conversion import ConversionError, convert, forms
from karnak.gateway.deliver.parcel import Parcel
from karnak.testing.instances import specimens
from karnak.testing.specimen import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG_BASELINE,
    Element,
    Item,
    Items,
    Leaf,
    Specimen,
    encoded,
    leaf,
    sequence,
)
from tests.gateway.instances import SECONDARY_CAPTURE

LITTLE = (EXPLICIT, IMPLICIT, DEFLATED)


def parcel(data_set: bytes, transfer_syntax_uid: str) -> Parcel:
    # In two pieces, as the executor leaves it.
    return Parcel((data_set[:7], memoryview(data_set)[7:]), transfer_syntax_uid, SECONDARY_CAPTURE, "1.2.3")


def converted(data_set: bytes, before: str, after: str) -> bytes:
    made = convert(parcel(data_set, before), after)
    assert made.transfer_syntax_uid == after
    return made.data_set


def without_group_lengths(elements: tuple[Element, ...], *, everywhere: bool = False) -> tuple[Element, ...]:
    """Leave out what conversion leaves out; also inside unknown values, where an explicit encoding has them as such."""
    return tuple(_inside(element, everywhere) for element in elements if element.tag & 0xFFFF)


def _inside(element: Element, everywhere: bool) -> Element:
    if not isinstance(element, Items) or (element.unknown and not everywhere):
        return element
    items = [
        Item(without_group_lengths(item.elements, everywhere=everywhere), item.undefined_length)
        for item in element.items
    ]
    return Items(element.tag, tuple(items), element.undefined_length, element.unknown)


def has_unknown(elements: tuple[Element, ...]) -> bool:
    return any(
        (isinstance(element, Leaf) and element.vr == "UN" and element.value != b"")
        or (isinstance(element, Items) and not element.unknown and any(has_unknown(i.elements) for i in element.items))
        for element in elements
    )


@given(specimens(transfer_syntaxes=(EXPLICIT,)))
@settings(max_examples=60)
def test_explicit_becomes_implicit_to_the_byte(made: Specimen) -> None:
    wanted = encoded(without_group_lengths(made.elements), IMPLICIT)
    assert converted(encoded(made.elements), EXPLICIT, IMPLICIT) == wanted
    assert converted(encoded(made.elements, DEFLATED), DEFLATED, IMPLICIT) == wanted


@given(specimens(transfer_syntaxes=(IMPLICIT,)))
@settings(max_examples=60)
def test_there_and_back_again_is_the_same(made: Specimen) -> None:
    data_set = encoded(without_group_lengths(made.elements, everywhere=True), IMPLICIT)
    explicit = converted(data_set, IMPLICIT, EXPLICIT)
    assert converted(explicit, EXPLICIT, IMPLICIT) == data_set
    deflated = converted(data_set, IMPLICIT, DEFLATED)
    assert converted(deflated, DEFLATED, EXPLICIT) == explicit


@given(specimens(transfer_syntaxes=(BIG_ENDIAN,)))
@settings(max_examples=60)
def test_big_endian_is_turned_or_refused(made: Specimen) -> None:
    data_set = encoded(made.elements, BIG_ENDIAN)
    if has_unknown(made.elements):
        with pytest.raises(ConversionError, match="is of unknown VR, so its bytes can't be turned"):
            converted(data_set, BIG_ENDIAN, EXPLICIT)
    else:
        assert converted(data_set, BIG_ENDIAN, EXPLICIT) == encoded(without_group_lengths(made.elements), EXPLICIT)


def _dataset() -> Dataset:
    """Values of every VR, among them those whose VR depends on PixelRepresentation."""
    lut = Dataset()
    lut.LUTDescriptor = [3, -5, 16]
    lut["LUTDescriptor"].VR = "SS"
    lut.LUTData = struct.pack("<3H", 1, 2, 3)
    lut["LUTData"].VR = "OW"
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = SECONDARY_CAPTURE, "1.2.3"
    made.SpecificCharacterSet = "ISO_IR 192"
    made.PatientName, made.PatientAge, made.PatientWeight = "Müller^Jürg", "031Y", "71.5"
    made.add_new(0x00090010, "LO", "ACME 1.0")
    made.add_new(0x00091001, "UN", b"\1\2\3\4")
    made.PixelRepresentation, made.Rows, made.Columns = 1, 1, 2
    made.SmallestImagePixelValue, made.PixelPaddingValue = -7, -2000
    made["SmallestImagePixelValue"].VR = made["PixelPaddingValue"].VR = "SS"
    made.ModalityLUTSequence = Sequence([lut])
    made.RedPaletteColorLookupTableData = struct.pack("<4H", 1, 2, 3, 4)
    made.DiffusionBValue, made.TableOfPixelValues = 800.25, [1, 2]
    made.PixelData = struct.pack("<2h", -1, 2)
    made["PixelData"].VR = "OW"
    return made


def _bytes(made: Dataset, implicit: bool) -> bytes:
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, implicit
    write_dataset(stream, made)
    written = stream.getvalue()
    assert isinstance(written, bytes)
    return written


@pytest.mark.parametrize("before", LITTLE)
@pytest.mark.parametrize("after", LITTLE)
def test_pydicom_reads_the_same_values(before: str, after: str) -> None:
    explicit = _bytes(_dataset(), implicit=False)
    data_set = explicit if before == EXPLICIT else converted(explicit, EXPLICIT, before)
    made = convert(parcel(data_set, before), after)
    read = dcmread(BytesIO(b"".join(made.file())))
    assert read.file_meta.TransferSyntaxUID == after
    assert read == _dataset()


def test_implicit_values_get_the_vr_of_the_dictionary_and_of_their_pixels() -> None:
    for representation, vr in ((1, "SS"), (0, "US")):
        inner = sequence("ModalityLUTSequence", [leaf("LUTDescriptor", (1, 2, 3), "US")])
        own = sequence("VOILUTSequence", [leaf("PixelRepresentation", 1 - representation),
                                          leaf("LUTDescriptor", (1, 2, 3), "US")])  # fmt: skip
        elements = (leaf("PixelRepresentation", representation), leaf("SmallestImagePixelValue", 9, "US"), inner, own)
        other = "US" if vr == "SS" else "SS"
        wanted = (leaf("PixelRepresentation", representation), leaf("SmallestImagePixelValue", 9, vr),
                  sequence("ModalityLUTSequence", [leaf("LUTDescriptor", (1, 2, 3), vr)]),
                  sequence("VOILUTSequence", [leaf("PixelRepresentation", 1 - representation),
                                              leaf("LUTDescriptor", (1, 2, 3), other)]))  # fmt: skip
        assert converted(encoded(elements, IMPLICIT), IMPLICIT, EXPLICIT) == encoded(wanted, EXPLICIT)


def test_what_is_too_long_for_its_vr_is_unknown() -> None:
    long = b"1\\" * 40_000
    made = converted(encoded([Leaf(0x00280009, "AT", long)], IMPLICIT), IMPLICIT, EXPLICIT)
    assert made == encoded([Leaf(0x00280009, "UN", long)], EXPLICIT)


def test_group_lengths_go() -> None:
    inner = [leaf("00080000", 4, "UL"), leaf("ReferencedSOPInstanceUID", "1.2")]
    elements = (leaf("00080000", 99, "UL"), leaf("SOPInstanceUID", "1.2"), sequence("ReferencedImageSequence", inner))
    wanted = (leaf("SOPInstanceUID", "1.2"), sequence("ReferencedImageSequence", inner[1:]))
    assert converted(encoded(elements), EXPLICIT, IMPLICIT) == encoded(wanted, IMPLICIT)


def test_nothing_to_do_is_nothing_done() -> None:
    one = parcel(encoded([leaf("SOPInstanceUID", "1.2")]), EXPLICIT)
    assert convert(one, EXPLICIT) is one


@pytest.mark.parametrize(
    ("data_set", "before", "after", "message"),
    [
        (
            b"\x08\0\x18\0UI\xff\xff1",
            EXPLICIT,
            IMPLICIT,
            "the instance can't be brought into Implicit VR Little Endian",
        ),
        (b"\xff\xff\xff", DEFLATED, EXPLICIT, "the deflated dataset is damaged"),
        (b"", JPEG_BASELINE, EXPLICIT, "JPEG Baseline .* can't be brought into Explicit VR Little Endian"),
        (b"", EXPLICIT, BIG_ENDIAN, "can't be brought into Explicit VR Big Endian"),
        (
            bytes.fromhex("e07f1000 4f420000 ffffffff feff00e0 00000000 feffdde0 00000000"),
            EXPLICIT,
            IMPLICIT,
            r"\(7FE0,0010\) is encapsulated",
        ),
        (bytes.fromhex("00280010") + b"US\0\3\0\1\2", BIG_ENDIAN, EXPLICIT, "no multiple of 2, as VR US asks for"),
    ],
)
def test_what_can_not_be_written_is_said(data_set: bytes, before: str, after: str, message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        converted(data_set, before, after)


@pytest.mark.parametrize(
    ("syntax", "wanted", "found"),
    [
        (EXPLICIT, None, (EXPLICIT, IMPLICIT)),
        (IMPLICIT, None, (IMPLICIT, EXPLICIT)),
        (DEFLATED, None, (DEFLATED, EXPLICIT, IMPLICIT)),
        (BIG_ENDIAN, None, (BIG_ENDIAN, EXPLICIT, IMPLICIT)),
        (JPEG_BASELINE, None, (JPEG_BASELINE,)),
        ("1.2.3.4", None, ("1.2.3.4",)),
        (EXPLICIT, IMPLICIT, (IMPLICIT,)),
        (BIG_ENDIAN, DEFLATED, (DEFLATED,)),
        (JPEG_BASELINE, EXPLICIT, ()),
        ("1.2.3.4", EXPLICIT, ()),
    ],
)
def test_forms_in_which_an_instance_may_leave(syntax: str, wanted: str | None, found: tuple[str, ...]) -> None:
    assert forms(syntax, wanted) == found
