"""Tables line up, numbers say no more than they know, and a page keeps what stands around its tables."""

from pathlib import Path

import pytest

from benchmarks.__main__ import NAMES, PAGE
from benchmarks.tables import Table, put, rounded, times


def test_a_table_is_markdown_that_lines_up() -> None:
    table = Table("Speed", ("", "us"), [("slow", "1,000"), ("very fast", "1")], ["A note."])
    assert str(table).splitlines() == [
        "Speed:",
        "",
        "|           |    us |",
        "| --------- | ----: |",
        "| slow      | 1,000 |",
        "| very fast |     1 |",
        "",
        "A note.",
    ]


@pytest.mark.parametrize(
    ("number", "text"), [(0.01234, "0.012"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12,346")]
)
def test_three_digits_count(number: float, text: str) -> None:
    assert rounded(number) == text


def test_ratios() -> None:
    assert (times(0.984), times(152.3), times(12345)) == ("0.98 x", "152 x", "12,345 x")


def test_a_page_changes_between_its_marks_only(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n<!-- a: made by scripts/bench -->\nold \\1\n<!-- end of a -->\n\nText.\n")
    put(page, "a", "new \\1")
    assert page.read_text() == (
        "# Title\n\n<!-- a: made by scripts/bench -->\n\nnew \\1\n\n<!-- end of a -->\n\nText.\n"
    )
    with pytest.raises(ValueError, match="no place for b"):
        put(page, "b", "new")


def test_every_benchmark_has_its_place_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    for name in NAMES:
        assert text.count(f"<!-- {name}: made by scripts/bench -->") == 1
        assert text.count(f"<!-- end of {name} -->") == 1
