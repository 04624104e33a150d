"""What is read and mapped is the same, and pieces become one whole file however little the system takes at once."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from karnak.gateway.contents import contents, write_pieces


def read(path: Path, read_at_most: int) -> bytes | memoryview:
    with path.open("rb", buffering=0) as file:
        return contents(file, read_at_most=read_at_most)


def test_a_map_holds_what_reading_gives_and_outlives_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(range(256)) * 40)
    mapped = read(path, 10_239)
    assert isinstance(mapped, memoryview)
    assert mapped.readonly
    path.unlink()
    assert mapped.tobytes() == bytes(range(256)) * 40
    assert mapped[-1] == 0xFF


def test_files_up_to_the_limit_are_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for content in (b"", b"1234"):
        path.write_bytes(content)
        data = read(path, 4)
        assert isinstance(data, bytes)
        assert data == content


@pytest.mark.parametrize("count", [0, 1, 1023, 1024, 1025, 5000])
def test_any_number_of_pieces(tmp_path: Path, count: int) -> None:
    pieces = [memoryview(b"%d," % number) if number % 3 else b"%d," % number for number in range(count)]
    write_pieces(tmp_path / "x", pieces)
    assert (tmp_path / "x").read_bytes() == b"".join(pieces)


def test_empty_pieces_are_no_pieces(tmp_path: Path) -> None:
    write_pieces(tmp_path / "x", [b"", b"a", memoryview(b""), b"b", b""])
    assert (tmp_path / "x").read_bytes() == b"ab"


@pytest.mark.parametrize("most", [1, 2, 3, 7, 10])
def test_the_system_may_take_less_than_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    def takes_little(descriptor: int, pieces: Sequence[bytes | memoryview]) -> int:
        return os.write(descriptor, b"".join(pieces)[:most])

    monkeypatch.setattr(os, "writev", takes_little)
    write_pieces(tmp_path / "x", [b"abc", memoryview(b"defgh"), b"i", b"jkl"])
    assert (tmp_path / "x").read_bytes() == b"abcdefghijkl"


def test_an_older_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"something longer")
    write_pieces(tmp_path / "x", [b"new"])
    assert (tmp_path / "x").read_bytes() == b"new"
