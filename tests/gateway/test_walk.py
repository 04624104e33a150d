"""The walk finds every file once, in an order that depends on names only, and says what it leaves out."""

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from karnak.gateway.walk import shown, walk


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def found(*inputs: Path, leave_out: tuple[Path, ...] = ()) -> list[Path]:
    return [entry.path for entry in walk(inputs, leave_out) if entry.skipped is None and entry.failed is None]


def test_folders_are_walked_depth_first_in_the_order_of_names(tmp_path: Path) -> None:
    wanted = [touch(tmp_path / name) for name in ("B", "a/b/1", "a/b/2", "a/c", "b", "é")]
    assert found(tmp_path) == wanted
    assert [entry.number for entry in walk([tmp_path])] == [1, 2, 3, 4, 5, 6]


def test_inputs_are_taken_in_the_order_given(tmp_path: Path) -> None:
    first, second = touch(tmp_path / "z"), touch(tmp_path / "a/x")
    assert found(first, tmp_path / "a") == [first, second]


def test_loops_and_overlaps_are_walked_once(tmp_path: Path) -> None:
    one = touch(tmp_path / "a/one")
    (tmp_path / "a/up").symlink_to(tmp_path)
    (tmp_path / "again").symlink_to(tmp_path / "a")
    assert found(tmp_path, tmp_path / "a", tmp_path) == [one]


def test_a_link_to_a_file_is_that_file(tmp_path: Path) -> None:
    touch(tmp_path / "elsewhere/x")
    (tmp_path / "in").mkdir()
    (tmp_path / "in/x").symlink_to(tmp_path / "elsewhere/x")
    assert found(tmp_path / "in") == [tmp_path / "in/x"]


def test_what_is_no_file_is_skipped_with_the_reason(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "gone").symlink_to(tmp_path / "nothing")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    reasons = {entry.path.name: entry.skipped for entry in walk([tmp_path])}
    assert reasons == {
        "fifo": "neither a file nor a folder",
        "gone": "a link that leads nowhere (no such file or directory)",
        "self": "a link that leads nowhere (too many levels of symbolic links)",
    }


def test_a_file_that_is_gone_is_a_failure_not_a_silence(tmp_path: Path) -> None:
    (entry,) = walk([tmp_path / "gone"])
    assert (entry.skipped, entry.failed) == (None, "cannot be looked at: no such file or directory")


def test_what_the_run_writes_is_no_input(tmp_path: Path) -> None:
    one = touch(tmp_path / "one")
    touch(tmp_path / "out/two")
    report = touch(tmp_path / "report.jsonl")
    assert found(tmp_path, leave_out=(tmp_path / "out", report, tmp_path / "not-there")) == [one]
    assert [entry.number for entry in walk([tmp_path], (tmp_path / "out", report))] == [1]


def test_very_deep_folders(tmp_path: Path) -> None:
    made = [tmp_path / "d"]
    while len(made) < 1500 and len(str(made[-1])) < 3900:
        made.append(made[-1] / "d")
    try:
        for path in made:
            path.mkdir()
        assert found(tmp_path) == []
    finally:
        # pytest cleans up with a recursion that Python does not allow at this depth.
        for path in reversed(made):
            if path.exists():
                path.rmdir()


@given(st.binary(min_size=1, max_size=40).filter(lambda name: b"\0" not in name))
def test_any_name_is_shown_without_control_characters(name: bytes) -> None:
    text = shown(Path(os.fsdecode(name)))
    assert text.isprintable()
    text.encode("utf-8")
