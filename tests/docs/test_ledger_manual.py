"""The manual of the ledger lists what there is, and its examples are understood."""

import re
import shlex
from pathlib import Path

import click
import pytest

from karnak.cli.ledger import ledger

MANUAL = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"\| `karnak ledger (.*)` \|", MANUAL)


def test_every_option_is_named() -> None:
    (line,) = re.findall(r"^karnak ledger .*$", MANUAL, re.MULTILINE)
    options = {option for parameter in ledger.params for option in parameter.opts if option.startswith("--")}
    assert set(re.findall(r"--[a-z]+", line)) == options - {"--config"}
    (by,) = (parameter for parameter in ledger.params if parameter.name == "by")
    assert isinstance(by.type, click.Choice)
    assert set(by.type.choices) == set(re.findall(r"--by ([a-z|]+)", line)[0].split("|"))


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_are_understood(example: str) -> None:
    assert ledger.make_context("ledger", shlex.split(example)).params["limit"] == 100


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 3
