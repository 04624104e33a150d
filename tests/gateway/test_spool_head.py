"""The head of a spooled file gives back what it was given, to Karnak and to any DICOM tool, and shows every tear."""

import struct
from dataclasses import fields
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread

from karnak.gateway.spool_head import Arrival, DamagedFile, make_head, read_head, size_field
from tests.gateway.arrivals import START, arrival, arrivals
from tests.gateway.instances import dataset_bytes, file_bytes
from tests.system import programs

DATA = dataset_bytes(SOPInstanceUID="1.2.3.4", PatientName="A^B")


def whole(made: Arrival, data: bytes) -> bytes:
    """A file as the spool keeps it."""
    head = make_head(made)
    written = bytearray(head.data + data)
    field = size_field(len(data))
    written[head.size_at : head.size_at + len(field)] = field
    assert len(written) == len(head.data) + len(data)
    return bytes(written)


@given(arrivals(), st.binary(max_size=100))
def test_what_is_written_is_read(made: Arrival, data: bytes) -> None:
    # A data set does not begin with group 2.
    data = data and b"\x08" + data
    read, start = read_head(memoryview(whole(made, data)))
    assert read == made
    assert whole(made, data)[start:] == data


def test_pydicom_reads_it() -> None:
    read = dcmread(BytesIO(whole(arrival(), DATA)))
    meta = read.file_meta
    assert meta.MediaStorageSOPClassUID == "1.2.840.10008.5.1.4.1.1.2"
    assert meta.MediaStorageSOPInstanceUID == "1.2.3.4"
    assert meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert (meta.SourceApplicationEntityTitle, meta.SendingApplicationEntityTitle) == ("CT01", "CT01")
    assert meta.ReceivingApplicationEntityTitle == "KARNAK"
    assert meta.PrivateInformationCreatorUID == "2.25.261349696396279481834037889997468514560"
    assert b'"address": "192.0.2.7"' in meta.PrivateInformation
    assert b'"door": "dimse"' in meta.PrivateInformation
    assert b'"received": "2026-01-02T03:04:05.678901+00:00"' in meta.PrivateInformation
    # What has an element is not said twice.
    assert b"CT01" not in meta.PrivateInformation
    assert read.PatientName == "A^B"


@given(arrivals())
def test_every_element_is_as_long_as_the_standard_allows(made: Arrival) -> None:
    head = make_head(made).data
    (group_length,) = struct.unpack_from("<I", head, 132 + 8)
    assert group_length == len(head) - 132 - 12
    at, seen = 132, []
    while at < len(head):
        element, vr, length = struct.unpack_from("<2xH2sH", head, at)
        at += 8
        if vr == b"OB":
            (length,) = struct.unpack_from("<I", head, at)
            at += 4
        assert length % 2 == 0
        assert length <= {b"UI": 64, b"AE": 16, b"SH": 16}.get(vr, length)
        at += length
        seen.append(element)
    assert seen == [0, 1, 2, 3, 0x10, 0x12, 0x13, 0x16, 0x17, 0x18, 0x100, 0x102]


def test_dcmtk_reads_it(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(whole(arrival(), DATA))
    shown = programs.run("dcmdump", "+L", tmp_path / "a.dcm")
    assert shown.returncode == 0
    assert shown.stderr == ""
    assert "(0002,0018) AE [KARNAK]" in shown.stdout
    assert "(0010,0010) PN [A^B]" in shown.stdout


@given(st.integers(0, len(whole(arrival(), DATA)) - 1))
def test_a_file_that_lacks_its_end_is_torn(length: int) -> None:
    with pytest.raises(DamagedFile):
        read_head(memoryview(whole(arrival(), DATA)[:length]))


def test_a_file_that_was_never_finished_says_so() -> None:
    with pytest.raises(DamagedFile, match="never received to its end"):
        read_head(memoryview(make_head(arrival()).data + DATA))


def test_a_tear_is_told_in_bytes() -> None:
    with pytest.raises(DamagedFile, match=rf"data set has {len(DATA) - 3} bytes and had {len(DATA)}"):
        read_head(memoryview(whole(arrival(), DATA)[:-3]))


@given(st.data())
def test_whatever_stands_there_is_read_or_refused(data: st.DataObject) -> None:
    damaged = bytearray(whole(arrival(), DATA))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        read, start = read_head(memoryview(damaged))
    except DamagedFile as error:
        said = str(error)
    else:
        said = ""
        values = [getattr(read, field.name) for field in fields(read)]
        assert all(isinstance(value, str) for value in values[:-1])
        assert values[-1].tzinfo is not None
        assert start <= len(damaged)
    assert "A^B" not in said


@pytest.mark.parametrize(
    "data", [b"", b"text", bytes(4096), b"\0" * 128 + b"DICM"], ids=["empty", "text", "zeros", "magic"]
)
def test_what_is_no_dicom_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedFile):
        read_head(memoryview(data))


def test_a_file_of_somebody_else_is_refused() -> None:
    foreign = file_bytes("1.2.840.10008.1.2.1", SOPClassUID="1.2", SOPInstanceUID="1.2.3")
    with pytest.raises(DamagedFile, match="not written by Karnak"):
        read_head(memoryview(foreign))


def test_times_are_in_utc_to_the_microsecond() -> None:
    read, _ = read_head(memoryview(whole(arrival(), b"")))
    assert read.received == START
    assert read.received.utcoffset() == START.utcoffset()
