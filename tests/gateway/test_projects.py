"""Secrets are read with care, made once, and never shown."""

import stat
from pathlib import Path

import pytest

from karnak.gateway.projects import keep_secret, read_secret, readable_by_others
from karnak.runtime.keys import SecretError

HEX = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("text", [HEX, HEX + "\n", HEX.upper(), " 01234567-89ab-cdef-0123-456789abcdef \r\n"])
def test_a_secret_is_read_as_people_write_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "s.hex"
    path.write_text(text)
    assert read_secret(path) == bytes.fromhex(HEX)


@pytest.mark.parametrize("data", [b"", b"DEADBEEF", HEX.encode() * 2, b"\xff" * 5000, b"x" * 32])
def test_something_else_is_refused_without_being_repeated(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "s.hex"
    path.write_bytes(data)
    with pytest.raises(SecretError) as caught:
        read_secret(path)
    assert str(caught.value) == f"the secret file {path} does not hold 32 hexadecimal digits"
    assert caught.value.__cause__ is None


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match=r"gone can't be read: No such file or directory"):
        read_secret(tmp_path / "gone")


@pytest.mark.parametrize(("mode", "others"), [(0o600, False), (0o640, False), (0o644, True)])
def test_who_can_read(tmp_path: Path, mode: int, others: bool) -> None:
    path = tmp_path / "s.hex"
    path.touch()
    path.chmod(mode)
    assert readable_by_others(path) is others


def test_a_secret_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secrets" / "default.hex"
    made = keep_secret(path, lambda count: bytes(range(count)))
    assert made == bytes(range(16))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert keep_secret(path, lambda count: b"\xff" * count) == made
    assert [entry.name for entry in path.parent.iterdir()] == ["default.hex"]


def test_the_faster_of_two_makers_wins(tmp_path: Path) -> None:
    path = tmp_path / "default.hex"

    def slow(count: int) -> bytes:
        path.write_text(HEX)
        return bytes(count)

    assert keep_secret(path, slow) == bytes.fromhex(HEX)
    assert [entry.name for entry in tmp_path.iterdir()] == ["default.hex"]


def test_a_secret_that_can_not_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SecretError, match="can't be made"):
        keep_secret(tmp_path / "file" / "default.hex", bytes)
