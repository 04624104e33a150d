"""Datasets are known by their first bytes, and nothing else passes for one."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.gateway.sniff import HEAD_BYTES, Guess, Kind, sniff

INSTANCES = Path(__file__).parent.parent / "data" / "instances"


def guess(data: bytes) -> Guess:
    return sniff(data[:HEAD_BYTES], len(data))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ct_small.dcm", Guess(Kind.PART10)),
        ("mr_small_implicit.dcm", Guess(Kind.PART10)),
        ("dicomdir_empty.dcm", Guess(Kind.DICOMDIR)),
        ("rtstruct_bare_implicit.dcm", Guess(Kind.BARE, "1.2.840.10008.1.2")),
        ("rtplan_bare_big_endian.dcm", Guess(Kind.BARE, "1.2.840.10008.1.2.2")),
    ],
)
def test_instances_are_known(name: str, expected: Guess) -> None:
    assert guess((INSTANCES / name).read_bytes()) == expected


def test_a_part_10_file_whose_preamble_was_cut_off_is_known() -> None:
    assert guess((INSTANCES / "ct_small.dcm").read_bytes()[132:]) == Guess(Kind.HEADLESS)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 4096,
        b"\xff" * 4096,
        b"PatientName,PatientID\nDoe^Jane,42\n" * 200,
        b"\x89PNG\r\n\x1a\n" + b"\0" * 500,
        b"\xff\xd8\xff\xe0\0\x10JFIF" + b"\0" * 500,
        b"%PDF-1.7\n" * 100,
        b"\x08\x00",
        b"\x08\x00\x05\x00",
        b"\x08\x00\x05\x00\xff\xff\xff\xff",
    ],
)
def test_other_files_are_not(data: bytes) -> None:
    assert guess(data) == Guess(Kind.OTHER)


@given(st.binary(max_size=300))
def test_any_bytes_get_a_guess(data: bytes) -> None:
    assert guess(data).kind in Kind
    assert guess(b"\x08\x00" + data).kind in Kind
    assert guess(b"\0" * 128 + b"DICM" + data).kind in (Kind.PART10, Kind.DICOMDIR)


@given(st.text(max_size=300))
def test_no_text_passes_for_a_dataset(text: str) -> None:
    assert guess(text.encode("utf-8").lstrip(b"\x02\x08\0")).kind is Kind.OTHER
