"""Changes of files are noticed once, and only when contents change."""

import threading
from pathlib import Path

from karnak.gateway.watching import Watch, fingerprint


def test_a_fingerprint_is_of_contents_in_their_order(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("ab")
    two.write_text("c")
    first = fingerprint([one, two])
    assert first == fingerprint([one, two]) != fingerprint([two, one])
    one.write_text("a")
    two.write_text("bc")
    assert fingerprint([one, two]) != first
    two.unlink()
    assert len(fingerprint([one, two])) == 64


def test_changes_are_noticed_and_touches_are_not(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_text("one")
    noticed: list[str] = []
    happened = threading.Event()

    def changed() -> None:
        noticed.append(file.read_text())
        happened.set()

    watch = Watch(lambda: [file], changed)
    watch.start()
    try:
        file.touch()
        (tmp_path / "other.yml").write_text("nobody asked")
        # As an editor does it: another file takes the name.
        new = tmp_path / ".rules.yml.new"
        new.write_text("two")
        new.replace(file)
        assert happened.wait(30)
    finally:
        watch.stop()
    assert noticed == ["two"]


def test_a_look_says_nothing_twice(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_text("one")
    count: list[None] = []
    watch = Watch(lambda: [file], lambda: count.append(None))
    watch.look()
    assert count == []
    file.write_text("two")
    watch.look()
    watch.look()
    assert len(count) == 1
