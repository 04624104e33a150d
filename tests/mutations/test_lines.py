"""The lines that `scripts/mutate` breaks are those of the executor as it is."""

import ast
from pathlib import Path

import pytest

from tests.mutations.lines import MUTATIONS, Mutation
from tests.mutations.run import QUICK, TREE, broken


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.breaks)
def test_a_mutation_breaks_one_line_and_leaves_a_program(mutation: Mutation) -> None:
    source = (TREE / "karnak" / mutation.file).read_text()
    changed = broken(source, mutation)
    assert sum(one != other for one, other in zip(source.splitlines(), changed.splitlines(), strict=True)) == 1
    ast.parse(changed)


def test_what_has_to_notice_is_there() -> None:
    assert [name for name in QUICK if not Path(TREE, name).is_file()] == []
    assert len(MUTATIONS) >= 10
