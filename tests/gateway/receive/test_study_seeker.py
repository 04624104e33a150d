"""Study Instance UID is found wherever it stands in a data set, in every encoding and however the bytes are split."""

import zlib
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from karnak.gateway.receive.study_seeker import StudySeeker
from karnak.runtime.part10 import split_part10

IMPLICIT, EXPLICIT, BIG, DEFLATED = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
)
INSTANCES = Path(__file__).resolve().parents[2] / "data" / "instances"


def encode(data_set: Dataset, transfer_syntax_uid: str) -> bytes:
    stream = DicomBytesIO()
    stream.is_little_endian = transfer_syntax_uid != BIG
    stream.is_implicit_VR = transfer_syntax_uid == IMPLICIT
    write_dataset(stream, data_set)
    data: bytes = stream.getvalue()
    if transfer_syntax_uid == DEFLATED:
        deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        data = deflater.compress(data) + deflater.flush()
    return data


def nested(depth: int, undefined: bool) -> Dataset:
    """A data set with sequences in sequences, and a study in its items that is not its own."""
    item = Dataset()
    item.StudyInstanceUID = "9.9.9"
    if depth:
        item.ReferencedImageSequence = Sequence([nested(depth - 1, undefined), Dataset()])
        item["ReferencedImageSequence"].is_undefined_length = undefined
    item.is_undefined_length_sequence_item = undefined
    return item


def whole(depth: int = 3, undefined: bool = True) -> Dataset:
    made = Dataset()
    made.SOPInstanceUID = "1.2.3"
    made.ReferencedStudySequence = Sequence([nested(depth, undefined), nested(0, undefined)])
    made["ReferencedStudySequence"].is_undefined_length = undefined
    made.add_new(0x00091010, "UN", b"\0" * 1000)
    made.PatientName = "DOE^JANE"
    made.StudyInstanceUID = "1.2.840.77"
    made.SeriesInstanceUID = "1.2.840.78"
    made.add_new(0x7FE00010, "OW", bytes(4000))
    return made


def seek(data: bytes, transfer_syntax_uid: str, sizes: list[int]) -> StudySeeker:
    seeker = StudySeeker(transfer_syntax_uid)
    for size in [*sizes, len(data)]:
        seeker.feed(memoryview(data[:size]))
        data = data[size:]
    return seeker


@pytest.mark.parametrize("transfer_syntax_uid", [IMPLICIT, EXPLICIT, BIG, DEFLATED])
@pytest.mark.parametrize("undefined", [True, False])
@given(sizes=st.lists(st.integers(0, 300), max_size=10), depth=st.integers(0, 5))
def test_it_is_found_however_the_bytes_are_split(
    transfer_syntax_uid: str, undefined: bool, sizes: list[int], depth: int
) -> None:
    seeker = seek(encode(whole(depth, undefined), transfer_syntax_uid), transfer_syntax_uid, sizes)
    assert (seeker.done, seeker.study_instance_uid) == (True, "1.2.840.77")


@pytest.mark.parametrize("name", ["ct_small", "mr_small_implicit", "nm_jpeg2000", "rtplan", "sc_rle_2frame"])
def test_it_is_found_in_real_instances(name: str) -> None:
    data = (INSTANCES / f"{name}.dcm").read_bytes()
    expected = pydicom.dcmread(BytesIO(data)).StudyInstanceUID
    transfer_syntax_uid, data_set = split_part10(data)
    assert seek(data_set, transfer_syntax_uid, [7] * 400).study_instance_uid == expected


@pytest.mark.parametrize("transfer_syntax_uid", [IMPLICIT, EXPLICIT, BIG, DEFLATED])
def test_where_there_is_none_the_search_ends_at_its_place(transfer_syntax_uid: str) -> None:
    data_set = whole()
    del data_set.StudyInstanceUID
    seeker = seek(encode(data_set, transfer_syntax_uid), transfer_syntax_uid, [])
    assert (seeker.done, seeker.study_instance_uid) == (True, None)


def test_fragments_of_pixel_data_in_an_icon_are_passed_over() -> None:
    icon = b"\xfe\xff\x00\xe0\x00\x00\x00\x00" + b"\xfe\xff\x00\xe0\x04\x00\x00\x00abcd" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    item = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + icon
    sequence = (
        b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
        + item
        + b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    )
    study = b"\x20\x00\x0d\x00UI\x04\x001.2\0"
    assert seek(sequence + study, EXPLICIT, [3] * 50).study_instance_uid == "1.2"


def test_an_unknown_sequence_is_implicit_inside() -> None:
    inner = b"\x20\x00\x0d\x00\x04\0\0\0" + b"9.9\0"
    unknown = b"\x09\x00\x10\x10UN\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" + inner
    unknown += b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    assert seek(unknown + b"\x20\x00\x0d\x00UI\x04\x001.2\0", EXPLICIT, [5] * 40).study_instance_uid == "1.2"


@given(st.binary(max_size=400), st.sampled_from([IMPLICIT, EXPLICIT, BIG, DEFLATED]), st.lists(st.integers(0, 99)))
def test_nonsense_ends_the_search_or_finds_nothing_wrong(data: bytes, uid: str, sizes: list[int]) -> None:
    assert seek(data, uid, sizes).study_instance_uid == seek(data, uid, [1] * len(data)).study_instance_uid


def test_sequences_without_end_do_not_use_up_the_stack() -> None:
    level = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    seeker = seek(level * 10_000, EXPLICIT, [1000] * 100)
    assert (seeker.done, seeker.study_instance_uid) == (True, None)


def test_a_bomb_is_inflated_piece_by_piece_and_not_further_than_needed() -> None:
    deflater = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    study = b"\x20\x00\x0d\x00UI\x04\x001.2\0"
    seeker = seek(deflater.compress(study + bytes(50 << 20)) + deflater.flush(), DEFLATED, [])
    assert seeker.study_instance_uid == "1.2"
