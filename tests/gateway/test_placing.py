"""Outputs appear whole or not at all, and never over a source."""

import fcntl
import os
from pathlib import Path

import pytest

from karnak.gateway.placing import BadOutput, Holder, Output, Shelf, Staging, output_at, place
from karnak.gateway.walk import Found


def test_staging_goes_with_the_run(tmp_path: Path) -> None:
    output = tmp_path / "new/out"
    with Staging(output) as staging:
        (staging / "1.dcm").write_bytes(b"whole")
        (staging / "2.dcm").write_bytes(b"hal")
        place(staging / "1.dcm", output / "a/b/1.dcm")
    assert [path for path in sorted(output.rglob("*")) if path.is_file()] == [output / "a/b/1.dcm"]
    assert (output / "a/b/1.dcm").read_bytes() == b"whole"
    assert sorted(path.name for path in output.iterdir()) == ["a"]


def test_what_a_killed_run_left_is_removed_and_a_running_one_is_left_alone(tmp_path: Path) -> None:
    dead, alive = tmp_path / ".karnak-dead", tmp_path / ".karnak-alive"
    for folder in (dead, alive):
        folder.mkdir()
        (folder / "lock").touch()
        (folder / "1.dcm").write_bytes(b"half")
    lock = os.open(alive / "lock", os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with Staging(tmp_path):
            assert not dead.exists()
            assert (alive / "1.dcm").exists()
    finally:
        os.close(lock)


def test_a_later_run_replaces_in_one_step(tmp_path: Path) -> None:
    (tmp_path / "old.dcm").write_bytes(b"old")
    (tmp_path / "new").write_bytes(b"new")
    place(tmp_path / "new", tmp_path / "old.dcm")
    assert (tmp_path / "old.dcm").read_bytes() == b"new"


def test_the_shelf_remembers_who_took_a_name() -> None:
    shelf, holder = Shelf(), Holder(Found(7, Path("x")), b"digest")
    assert shelf.holder(Path("1/2/3.dcm")) is None
    shelf.keep(Path("1/2/3.dcm"), holder)
    assert shelf.holder(Path("1/2/3.dcm")) == holder
    assert shelf.holder(Path("1/2/4.dcm")) is None


def test_one_file_can_go_to_a_named_file(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"")
    assert output_at(tmp_path / "x.dcm", [source]) == Output(tmp_path, Path("x.dcm"))
    assert output_at(tmp_path / "x.DCM", [source]) == Output(tmp_path, Path("x.DCM"))
    assert output_at(tmp_path / "out", [source]) == Output(tmp_path / "out")
    (tmp_path / "folder.dcm").mkdir()
    assert output_at(tmp_path / "folder.dcm", [source]) == Output(tmp_path / "folder.dcm")


@pytest.mark.parametrize(
    ("output", "inputs", "message"),
    [
        ("x.dcm", ["in"], "for more than one input file name a folder"),
        ("x.dcm", ["in/a.dcm", "in/b.dcm"], "for more than one input file name a folder"),
        ("in/a.dcm", ["in/a.dcm"], "is the input"),
        ("in/link.dcm", ["in/a.dcm"], "is the input"),
        ("in/note.txt", ["in"], "exists and is no folder"),
        ("in", ["in"], "lies in the output folder"),
        ("in", ["in/a.dcm", "in/b.dcm"], "lies in the output folder"),
        (".", ["in"], "lies in the output folder"),
        ("link", ["in"], "lies in the output folder"),
    ],
)
def test_outputs_that_can_hurt_are_refused(tmp_path: Path, output: str, inputs: list[str], message: str) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.dcm", "b.dcm", "note.txt"):
        (tmp_path / "in" / name).write_bytes(b"")
    (tmp_path / "in/link.dcm").symlink_to("a.dcm")
    (tmp_path / "link").symlink_to("in")
    with pytest.raises(BadOutput, match=message):
        output_at(tmp_path / output, [tmp_path / name for name in inputs])
