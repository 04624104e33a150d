"""Part 10 files in and out: nothing of the source's preamble and file meta information is passed on (section 6)."""

import struct
import zlib
from io import BytesIO

import pytest
from pydicom import dcmread

from karnak.runtime.encoding import UnreadableInstance
from karnak.runtime.part10 import (
    IMPLEMENTATION_CLASS_UID,
    IMPLEMENTATION_VERSION_NAME,
    Instance,
    is_part10,
    read_instance,
    split_part10,
    wrap_part10,
)
from karnak.testing.specimen import (
    BIG_ENDIAN,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    JPEG_2000,
    JPEG_BASELINE,
    RLE,
    Fragments,
    Leaf,
    Specimen,
    encoded,
    leaf,
    part10,
    sequence,
    tag_of,
)
from tests.runtime.making import (
    CT,
    SECONDARY_CAPTURE,
    X,
    both_engines,
    leaves,
    output,
    program,
    rejection,
    rule,
    run,
    specimen,
    without,
)

META = (
    leaf("00020013", "SCANNER 3"),
    leaf("00020016", "SOURCE_AE"),
    leaf("00020017", "SENDER_AE"),
    leaf("00020018", "RECEIVER_AE"),
    leaf("00020100", "1.2.3.9", "UI"),
    Leaf(0x00020102, "OB", b"PRIVATE DATA"),
)
PREAMBLE = (b"II*\0" + b"JANE DOE").ljust(128, b"\1")


def dressed(syntax: str = EXPLICIT) -> Specimen:
    """An instance with a preamble and file meta information that tell of its source."""
    return Specimen(specimen(leaf("PatientName", "DOE^JANE")).elements, syntax, META, PREAMBLE)


# --- written anew ---------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED])
def test_preamble_and_file_meta_information_are_written_anew(syntax: str) -> None:
    outcome = run(dressed(syntax))
    assert outcome.data is not None
    assert outcome.data[:128] == bytes(128)
    assert outcome.data[128:132] == b"DICM"
    meta = output(outcome).file_meta
    assert {int(element.tag): element.value for element in meta} == {
        0x00020000: meta.FileMetaInformationGroupLength,
        0x00020001: b"\0\1",
        0x00020002: CT,
        0x00020003: "1.2.3.4.5",
        0x00020010: syntax,
        0x00020012: IMPLEMENTATION_CLASS_UID,
        0x00020013: IMPLEMENTATION_VERSION_NAME,
    }
    for told in (b"SOURCE_AE", b"SENDER_AE", b"RECEIVER_AE", b"SCANNER", b"PRIVATE", b"1.2.3.9", b"JANE DOE"):
        assert told not in outcome.data


def test_the_group_length_is_that_of_the_group() -> None:
    data = run(dressed()).data
    assert data is not None
    (length,) = struct.unpack_from("<I", data, 140)
    assert data[144 + length :] == encoded(dressed().elements)


def test_group_lengths_and_trailing_padding_go_everywhere() -> None:
    padded = (
        leaf(0x00080000, 99, "UL"),
        leaf(0x00100000, 99, "UL"),
        Leaf(0xFFFCFFFC, "OB", b"DOE^JANE"),
        leaf(0x00090000, 99, "UL"),
    )
    made = specimen(*padded, sequence("RequestAttributesSequence", [leaf("StudyID", "7"), *padded]))
    found = leaves(output(run(made)))
    assert not any(path.endswith("0000") or "FFFCFFFC" in path for path in found)
    assert found["00400275[0]/00200010"] == b"7 "


# --- groups that are no part of a dataset ---------------------------------------------------


@pytest.mark.parametrize("name", ["00020016", "00020010", "00001030", "00000002"])
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN])
def test_file_meta_information_and_commands_are_refused_inside_a_dataset(name: str, syntax: str) -> None:
    data = encoded([leaf(name, "SOURCE_AE", "AE"), *specimen().elements], syntax)
    outcome = both_engines(data, program(), transfer_syntax_uid=syntax)
    assert "SOURCE_AE" not in rejection(outcome)


# --- encodings ------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED])
def test_a_dataset_alone_is_read_with_its_transfer_syntax(syntax: str) -> None:
    made = specimen(leaf("PatientName", "DOE^JANE"), leaf("Rows", 258))
    alone = both_engines(encoded(made.elements, syntax), program(), transfer_syntax_uid=syntax)
    assert alone.data == run(Specimen(made.elements, syntax)).data
    assert alone.transfer_syntax_uid == syntax


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"])
def test_deflated_datasets_are_inflated_and_deflated_again(syntax: str) -> None:
    deflater = zlib.compressobj(9, wbits=-15)
    body = deflater.compress(encoded(specimen(leaf("PatientName", "DOE^JANE")).elements)) + deflater.flush()
    outcome = both_engines(body, program(rule(X, "PatientName")), transfer_syntax_uid=syntax)
    assert outcome.data is not None
    (length,) = struct.unpack_from("<I", outcome.data, 140)
    inflated = zlib.decompressobj(-15).decompress(outcome.data[144 + length :])
    assert inflated == encoded(specimen().elements)
    assert len(outcome.data) % 2 == 0


@pytest.mark.parametrize("syntax", [JPEG_BASELINE, JPEG_2000, RLE, "1.2.840.10008.1.2.4.100", "1.2.3.4.5.6"])
@pytest.mark.parametrize(
    "fragments", [(b"", b"\xff\xd8JPEG\xff\xd9"), (b"\0\0\0\0\x10\0\0\0", b"ab", b"cd"), (b"",), (b"", b"", b"ab")]
)
def test_encapsulated_pixels_are_passed_on_byte_by_byte(syntax: str, fragments: tuple[bytes, ...]) -> None:
    made = specimen(leaf("PatientName", "DOE^JANE"), Fragments(0x7FE00010, fragments), syntax=syntax)
    outcome = run(made, rule(X, "PatientName"))
    assert outcome.data is not None
    pixels = encoded([Fragments(0x7FE00010, fragments)])
    assert outcome.data.endswith(pixels)
    assert outcome.transfer_syntax_uid == syntax
    assert b"DOE" not in outcome.data


def test_pixels_of_an_icon_are_passed_on_too() -> None:
    icon = sequence("IconImageSequence", [leaf("Rows", 1), Fragments(0x7FE00010, (b"", b"\xff\xd8"))])
    made = specimen(icon, Fragments(0x7FE00010, (b"", b"\xff\xd8")), syntax=JPEG_BASELINE)
    data = run(made, rule(X, "Rows")).data
    assert data is not None
    assert data.count(encoded([Fragments(0x7FE00010, (b"", b"\xff\xd8"))])) == 2


def test_native_pixels_are_passed_on_in_the_byte_order_that_they_have() -> None:
    made = specimen(leaf("PixelData", b"\x01\x02\x03\x04", "OW"), syntax=BIG_ENDIAN)
    data = run(made).data
    assert data is not None
    assert data.endswith(b"\x02\x01\x04\x03")


# --- what is no instance --------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"DICM", bytes(128), bytes(131), bytes(132), b"x" * 500, bytes(128) + b"DICX"])
def test_what_is_no_part_10_file_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableInstance, match="DICM"):
        read_instance(data)
    assert "DICM" in rejection(both_engines(data, program()))
    assert not is_part10(data)


def test_a_file_without_a_transfer_syntax_is_refused() -> None:
    whole = part10(specimen())
    syntax = encoded([leaf("00020010", EXPLICIT)])
    assert "names no transfer syntax" in rejection(both_engines(whole.replace(syntax, b""), program()))
    empty = encoded([leaf("00020010", b"")])
    assert "names no transfer syntax" in rejection(both_engines(whole.replace(syntax, empty), program()))


@pytest.mark.parametrize("body", [b"", b"\0", b"not deflated at all", zlib.compress(b"with a header")])
def test_a_damaged_deflated_dataset_is_refused(body: bytes) -> None:
    assert rejection(both_engines(body, program(), transfer_syntax_uid=DEFLATED))


def test_a_deflated_dataset_cut_anywhere_is_refused() -> None:
    body = encoded(specimen(leaf("PatientName", "DOE^JANE")).elements, DEFLATED).rstrip(b"\0")
    for length in range(len(body)):
        assert rejection(both_engines(body[:length], program(), transfer_syntax_uid=DEFLATED))


def test_the_file_meta_information_follows_the_dataset() -> None:
    lying = part10(specimen()).replace(
        encoded([leaf("00020002", CT)]), encoded([leaf("00020002", SECONDARY_CAPTURE)])
    )  # the length of the group is wrong now, and nobody relies on it
    assert output(both_engines(lying, program())).file_meta.MediaStorageSOPClassUID == CT


@pytest.mark.parametrize("name", ["SOPInstanceUID", "SOPClassUID"])
def test_a_uid_that_cannot_be_written_is_a_reason_in_words(name: str) -> None:
    outcome = run(specimen(Leaf(tag_of(name), "UI", b"1.2.\xe9")))
    assert "internal error" not in rejection(outcome)


# --- the pieces that others use -------------------------------------------------------------


def test_a_file_is_split_into_its_transfer_syntax_and_its_dataset() -> None:
    made = dressed(JPEG_2000)
    assert split_part10(part10(made)) == (JPEG_2000, encoded(made.elements))


def test_a_dataset_is_wrapped_into_a_file() -> None:
    body = encoded(specimen().elements)
    data = wrap_part10(body, EXPLICIT, CT, "1.2.3.4.5")
    assert dcmread(BytesIO(data)).SOPInstanceUID == "1.2.3.4.5"
    assert data == run(specimen()).data


def test_an_instance_tells_what_it_is() -> None:
    instance = read_instance(part10(specimen(leaf("Modality", "CT "), leaf("ImageType", "A\\B"))))
    assert isinstance(instance, Instance)
    assert (instance.sop_class_uid, instance.sop_instance_uid) == (CT, "1.2.3.4.5")
    assert instance.transfer_syntax_uid == EXPLICIT
    assert instance.text(tag_of("Modality")) == "CT"
    assert instance.text(tag_of("ImageType")) == "A\\B"
    assert instance.text(tag_of("PatientName")) is None
    nothing = read_instance(part10(without(specimen(), "SOPClassUID", "SOPInstanceUID")))
    assert (nothing.sop_class_uid, nothing.sop_instance_uid) == (None, None)


def test_an_instance_that_was_read_can_be_used_again_and_again() -> None:
    instance = read_instance(part10(specimen(leaf("PatientName", "DOE^JANE"))))
    assert "DOE" not in repr(instance)
    from karnak.runtime.deidentify import deidentify
    from tests.runtime.making import NOW, PROJECT

    chosen = program(rule(X, "PatientName"))
    first = deidentify(instance, chosen, PROJECT, mode="morph", now=NOW)
    kept = deidentify(instance, program(), PROJECT, mode="morph", now=NOW)
    again = deidentify(instance, chosen, PROJECT, mode="morph", now=NOW)
    assert first.data == again.data
    assert kept.data is not None
    assert b"DOE^JANE" in kept.data
