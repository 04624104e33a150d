"""The head of a Part 10 file is read the same however its bytes are split, and a wrong one is refused."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.gateway.receive.part10_stream import FileMeta, HeadReader, NotPart10
from karnak.runtime.part10 import file_head
from tests.gateway.instances import SECONDARY_CAPTURE

EXPLICIT, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"
DATA_SET = struct.pack("<HH2sH", 8, 0x16, b"UI", 4) + b"1.2\0"


def file(transfer_syntax_uid: str = EXPLICIT, data_set: bytes = DATA_SET) -> bytes:
    return file_head(transfer_syntax_uid, SECONDARY_CAPTURE, "1.2.3") + data_set


def element(number: int, vr: bytes, value: bytes) -> bytes:
    if vr in (b"OB", b"UN"):
        return struct.pack("<HH2sHI", 2, number, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", 2, number, vr, len(value)) + value


def head_of(*elements: bytes) -> bytes:
    return bytes(128) + b"DICM" + b"".join(elements)


UIDS = (
    element(2, b"UI", b"1.2.840.10008.5.1.4.1.1.7\0"),
    element(3, b"UI", b"1.2.3\0"),
    element(0x10, b"UI", b"1.2.840.10008.1.2.1\0"),
)


def read(data: bytes, sizes: list[int], maximum: int = 1 << 16) -> tuple[FileMeta | None, bytes]:
    """Read a head from pieces of these sizes, the last of which takes the rest."""
    reader = HeadReader(maximum)
    rest = b""
    for size in [*sizes, len(data)]:
        piece, data = bytearray(data[:size]), data[size:]
        if reader.meta is None:
            rest += b"".join(reader.feed(memoryview(piece)))
        else:
            rest += piece
        # The caller may use its buffer anew.
        piece[:] = b"\xff" * len(piece)
    return reader.meta, rest


@given(st.lists(st.integers(0, 500), max_size=12), st.binary(max_size=300))
def test_splits_make_no_difference(sizes: list[int], more: bytes) -> None:
    meta, rest = read(file(data_set=DATA_SET + more), sizes)
    assert meta == FileMeta(SECONDARY_CAPTURE, "1.2.3", EXPLICIT)
    assert rest == DATA_SET + more


def test_every_byte_may_come_alone() -> None:
    assert read(file(), [1] * len(file())) == (FileMeta(SECONDARY_CAPTURE, "1.2.3", EXPLICIT), DATA_SET)


@given(st.binary(min_size=8, max_size=60), st.lists(st.integers(0, 400), max_size=4))
def test_deflated_bytes_that_look_like_file_meta_are_the_data_set(deflated: bytes, sizes: list[int]) -> None:
    data_set = element(0x10, b"UI", b"9.9\0")[: 8 + len(deflated) % 4] + deflated
    assert read(file(DEFLATED, data_set), sizes) == (FileMeta(SECONDARY_CAPTURE, "1.2.3", DEFLATED), data_set)


@pytest.mark.parametrize("length", [None, 0, 5, 10_000])
def test_a_group_length_that_is_wrong_or_missing_does_no_harm(length: int | None) -> None:
    first = () if length is None else (element(0, b"UL", struct.pack("<I", length)),)
    data = head_of(*first, element(1, b"OB", b"\0\1"), *UIDS, element(0x102, b"UN", b"x" * 70)) + DATA_SET
    assert read(data, [140]) == (FileMeta(SECONDARY_CAPTURE, "1.2.3", EXPLICIT), DATA_SET)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x89PNG" * 100, "DICM is missing"),
        (bytes(128) + b"DICOM" + DATA_SET, "DICM is missing"),
        (head_of(*UIDS[:2]) + DATA_SET, "lacks SOP Class"),
        (head_of(*UIDS[1:]) + DATA_SET, "lacks SOP Class"),
        (head_of(UIDS[0], element(3, b"UI", b"DOE^JANE"), UIDS[2]) + DATA_SET, "has no UID"),
        (head_of(UIDS[0], element(3, b"UI", b"1" * 66), UIDS[2]) + DATA_SET, "has no UID"),
        (head_of(UIDS[0], element(3, b"UI", b"1.2\\1.3 "), UIDS[2]) + DATA_SET, "has no UID"),
        (head_of(*UIDS, element(0x102, b"OB", b"x" * 70_000)) + DATA_SET, "longer than 65536"),
        (head_of(*UIDS, element(0x100, b"UI", b"1.2.3\0") * 5000) + DATA_SET, "longer than 65536"),
        (head_of(*UIDS, struct.pack("<HH2sHI", 2, 0x102, b"OB", 0, 0xFFFFFFFF)) + DATA_SET, "longer than 65536"),
        (DATA_SET * 20, "DICM is missing"),
    ],
)
def test_what_is_no_part_10_file_is_refused(data: bytes, what: str) -> None:
    for sizes in ([], [1] * 300, [133], [4000] * 30):
        with pytest.raises(NotPart10, match=what) as caught:
            read(data, sizes)
        assert "DOE" not in str(caught.value)


@given(st.integers(0, len(file()) - len(DATA_SET) + 7))
def test_a_head_that_is_cut_short_is_not_taken_for_whole(size: int) -> None:
    assert read(file()[:size], [50]) == (None, b"")


def test_a_head_may_be_as_long_as_the_limit() -> None:
    size = len(file()) - len(DATA_SET)
    for sizes in ([], [1] * len(file())):
        assert read(file(), sizes, size) == (FileMeta(SECONDARY_CAPTURE, "1.2.3", EXPLICIT), DATA_SET)
        with pytest.raises(NotPart10, match=f"longer than {size - 1} bytes"):
            read(file(), sizes, size - 1)


def test_memory_is_bounded_where_the_head_never_ends() -> None:
    endless = head_of(*UIDS, element(0x102, b"OB", b"x" * 1000) * 500)
    reader = HeadReader(60_000)
    assert reader.feed(memoryview(endless[:50_000])) == []
    with pytest.raises(NotPart10):
        reader.feed(memoryview(endless[50_000:]))
    assert len(reader._held) <= 60_008
