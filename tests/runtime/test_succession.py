"""A program that takes another's place has its tables before it is asked; they say what it would have said anyway."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from benchmarks import corpus
from karnak.dsl.compile import compile_profile
from karnak.dsl.nodes import Source
from karnak.runtime import succession
from karnak.runtime.deidentify import deidentify
from karnak.runtime.keys import Project
from karnak.runtime.program import Program

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
PROJECT = Project("TRIAL", bytes(range(16)))
SHAPES = ("ct", "mr", "enhanced")
INSTANCES = [corpus.instance(shape, number) for shape in SHAPES for number in range(2)]
BASIC = "  - { name: basic, codename: basic.dicom.profile }\n"
KEEP = "  - { name: keep, codename: action.on.specific.tags, action: K, tags: [ '(0008,XXXX)' ] }\n"
DROP = "  - { name: drop, codename: action.on.specific.tags, action: X, tags: [ SeriesDescription, '(0040,XXXX)' ] }\n"
CT_ONLY = (
    "  - { name: ct, codename: action.on.specific.tags, condition: \"tagValueIsPresent(#Tag.Modality, 'CT')\",\n"
    "      action: K, tags: [ StationName, ReferencedImageSequence ] }\n"
)
WORDS = (
    "  - { name: words, codename: expression.on.tags, tags: [ StudyDescription, RequestAttributesSequence ],\n"
    "      arguments: { expr: \"stringValue == 'KNEE' ? Keep() : Remove()\" } }\n"
)
PRIVATE = "  - { name: private, codename: action.on.privatetags, action: K }\n"
PROFILES = (BASIC, KEEP + BASIC, DROP + BASIC, CT_ONLY + BASIC, WORDS + BASIC, PRIVATE + CT_ONLY + BASIC, DROP)


def program(rules: str) -> Program:
    return compile_profile(Source("rules.yml", f"name: Rules\nprofileElements:\n{rules}"))


def outputs(made: Program) -> Sequence[bytes | None]:
    return [deidentify(data, made, PROJECT, pseudonym="K-1", now=NOW).data for data in INSTANCES]


def cells(made: Program) -> int:
    return sum(table.cells.count for _, table in made.tables())


@pytest.fixture(scope="module")
def seen() -> dict[str, tuple[Program, Sequence[bytes | None]]]:
    """Programs that have seen the instances, with what they made of them."""
    found = {}
    for rules in PROFILES:
        made = program(rules)
        found[rules] = made, outputs(made)
    return found


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations(PROFILES, 2)))
def test_outputs_are_those_of_a_program_that_begins_anew(
    seen: dict[str, tuple[Program, Sequence[bytes | None]]], before: str, after: str
) -> None:
    made = program(after)
    made.take_over(seen[before][0])
    assert made.table_count
    assert outputs(made) == seen[after][1]
    assert all(seen[after][1])


@pytest.mark.parametrize("rules", [BASIC, KEEP + BASIC, DROP + BASIC, CT_ONLY + BASIC, PRIVATE + CT_ONLY + BASIC])
def test_nothing_is_left_to_be_worked_out_where_little_has_changed(
    seen: dict[str, tuple[Program, Sequence[bytes | None]]], rules: str
) -> None:
    before = seen[rules][0]
    made = program(rules.replace("name: basic,", "name: the rest,"))
    made.take_over(before)
    filled = cells(made)
    assert filled == cells(before)
    assert outputs(made)[0] is not None
    assert (cells(made), made.table_count) == (filled, before.table_count)


def test_the_last_tables_are_taken_over_up_to_a_bound(
    seen: dict[str, tuple[Program, Sequence[bytes | None]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = seen[BASIC][0]
    last, table = before.tables()[-1]
    monkeypatch.setattr(succession, "MAXIMUM_CELLS", table.cells.count)
    made = program(BASIC)
    made.take_over(before)
    assert before.table_count > 1
    assert [key for key, _ in made.tables()] == [last]


def test_a_program_that_has_seen_nothing_leaves_nothing() -> None:
    made = program(BASIC)
    made.take_over(program(KEEP + BASIC))
    assert made.table_count == 0
