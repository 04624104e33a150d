"""The manual for authors of profiles: every snippet is checked, and names everything there is."""

import re
from pathlib import Path

import pytest

from karnak.dsl.check import Place
from karnak.dsl.compile import check_profile
from karnak.dsl.elements.reader import ACTIONS
from karnak.dsl.elements.registry import ELEMENT_TYPES
from karnak.dsl.nodes import Source
from karnak.dsl.rules import LANGUAGE_VERSION, MAX_EXPRESSION_CHARACTERS
from karnak.dsl.source import MAX_CHARACTERS, MAX_DEPTH, MAX_NODES
from karnak.dsl.surface import ProfileShape
from karnak.dsl.syntax import MAX_DEPTH as MAX_EXPRESSION_DEPTH
from karnak.dsl.syntax import MAX_LENGTH
from karnak.ir.functions import FUNCTIONS, STRING_METHODS
from karnak.standard.confidentiality import Option
from tests.dsl.checking import codes

MANUAL = (Path(__file__).parents[2] / "docs" / "language.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(yaml|condition|expr)(?: finds ([^\n]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(kind, finds.split(", ") if finds else [], text) for kind, finds, text in BLOCK.findall(MANUAL)]


@pytest.mark.parametrize(("finds", "text"), [(finds, text) for kind, finds, text in BLOCKS if kind == "yaml"])
def test_profiles(finds: list[str], text: str) -> None:
    source = Source("manual", text if "profileElements:" in text else f"profileElements:\n{text}")
    profile, found = check_profile(source)
    assert [one.code for one in found] == finds
    assert profile is not None


@pytest.mark.parametrize(
    ("place", "finds", "line"),
    [
        (Place.CONDITION if kind == "condition" else Place.ELEMENT, finds, line)
        for kind, finds, text in BLOCKS
        if kind != "yaml"
        for line in text.splitlines()
    ],
)
def test_expressions(place: Place, finds: list[str], line: str) -> None:
    assert codes(line, place) == finds


def test_there_are_snippets() -> None:
    assert len(BLOCKS) == MANUAL.count("```") / 2
    assert {kind for kind, _, _ in BLOCKS} == {"yaml", "condition", "expr"}


@pytest.mark.parametrize(
    "name",
    [
        *ELEMENT_TYPES,
        *FUNCTIONS,
        *STRING_METHODS,
        *Option,
        *ACTIONS,
        *(field.alias or name for name, field in ProfileShape.model_fields.items()),
    ],
)
def test_everything_is_named(name: str) -> None:
    assert re.search(rf"\b{re.escape(name)}\b", MANUAL)


@pytest.mark.parametrize(
    "limit", [MAX_CHARACTERS, MAX_DEPTH, MAX_NODES, MAX_EXPRESSION_CHARACTERS, MAX_LENGTH, MAX_EXPRESSION_DEPTH]
)
def test_limits_are_true(limit: int) -> None:
    assert re.search(rf"(?<![\d,]){limit:,}(?![\d,])", MANUAL.partition("## Limits")[2])


def test_the_version_is_true() -> None:
    assert f"up to {'.'.join(map(str, LANGUAGE_VERSION))} " in MANUAL
