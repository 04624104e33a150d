"""The manuals of the queue and of shadows list what there is."""

import re
from pathlib import Path

import click
import pytest

from karnak.cli.doctor import doctor
from karnak.cli.queue import queue
from karnak.cli.shadow import shadow
from karnak.gateway.states import State

DOCS = Path(__file__).parents[2] / "docs"
MANUAL = (DOCS / "queue.md").read_text(encoding="utf-8")


def test_every_state_is_explained() -> None:
    explained = [
        name for row in re.findall(r"^\| (`.*?) \|", MANUAL, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    ]
    # Nothing is in the index before it is routed.
    assert sorted(explained) == sorted(set(State) - {State.RECEIVED})


@pytest.mark.parametrize("command", [doctor, *queue.commands.values()], ids=lambda command: command.name)
def test_every_option_is_named(command: click.Command) -> None:
    (line,) = re.findall(rf"^karnak (?:queue )?{command.name} .*$", MANUAL, re.MULTILINE)
    options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    assert set(re.findall(r"--[a-z-]+", line)) == options - {"--config"}


def test_every_option_of_shadow_is_named() -> None:
    lines = re.findall(r"^karnak shadow .*$", (DOCS / "shadow.md").read_text(encoding="utf-8"), re.MULTILINE)
    options = {option for parameter in shadow.params for option in parameter.opts if option.startswith("--")}
    assert {option for line in lines for option in re.findall(r"--[a-z-]+", line)} == options - {"--config"}
