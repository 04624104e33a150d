"""The manual of the queue lists what there is."""

import re
from pathlib import Path

import click
import pytest

from karnak.cli.doctor import doctor
from karnak.cli.queue import queue
from karnak.gateway.states import State

MANUAL = (Path(__file__).parents[2] / "docs" / "queue.md").read_text(encoding="utf-8")


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
    assert set(re.findall(r"--[a-z]+", line)) == options - {"--config"}
