"""NOTICE names every source of the data that ships or that tests use, with its licence."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTICE = (ROOT / "NOTICE").read_text(encoding="utf-8")
TABLES = sorted((ROOT / "karnak" / "standard" / "data").iterdir())
# Folders of data that others made; each says in a README where it comes from.
TEST_DATA = sorted([*(ROOT / "tests" / "data").iterdir(), ROOT / "tests" / "golden"])
# A project with its version or commit, as the heads of tables name it.
PROJECT = re.compile(r"(?:\w+/)?[A-Za-z][\w-]+(?= (?:\d+\.\d+\.\d+|[0-9a-f]{7})\b)")


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.name)
def test_the_sources_of_a_table(table: Path) -> None:
    head = [line for line in table.read_text(encoding="utf-8").splitlines() if line.startswith("# source")]
    sources = {source for line in head for source in PROJECT.findall(line)}
    assert sources, "the table names no source"
    assert {source for source in sources if source not in NOTICE} == set()


@pytest.mark.parametrize("folder", TEST_DATA, ids=lambda path: path.name)
def test_test_data_says_where_it_comes_from(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert re.search(r"MIT|Apache-2\.0|CC BY", text)
    files = [path for path in (ROOT / "tests" / "data" / folder.name).glob("*") if path.name != "README.md"]
    assert [path.name for path in files if f"`{path.name}`" not in text] == []


def test_the_licences_are_those_that_are_named() -> None:
    named = set(re.findall(r"licences/[\w.-]+\.txt", NOTICE))
    assert named == {str(path.relative_to(ROOT)) for path in (ROOT / "licences").iterdir()}
