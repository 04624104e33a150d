"""The profiles that ship: nothing is wrong with them, and their examples of what they do are true."""

import io
import re
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest

from karnak.dsl.compile import check_profile, compile_profile
from karnak.dsl.lint import lint
from karnak.dsl.source import open_source
from karnak.runtime.deidentify import deidentify
from karnak.runtime.keys import Project
from karnak.runtime.outcome import Status

ROOT = Path(__file__).parents[2]
PROFILES = sorted((ROOT / "profiles").glob("*.yml"))
IMAGE = ROOT / "tests" / "data" / "instances" / "ct_small.dcm"
PROJECT = Project("TRIAL", bytes(range(16)))
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EXAMPLE = re.compile(r"^#   (\w+) +(.+?) +-> (.+)$", re.MULTILINE)
EXAMPLES = [(path, *groups) for path in PROFILES for groups in EXAMPLE.findall(path.read_text(encoding="utf-8"))]


def after(profile: Path, values: dict[str, str]) -> pydicom.Dataset | None:
    """De-identify a CT image with some values, and give what becomes of it; None for an excluded one."""
    dataset = pydicom.dcmread(IMAGE)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    for keyword, value in values.items():
        setattr(dataset, keyword, value.split("\\") if "\\" in value else value)
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    outcome = deidentify(buffer.getvalue(), compile_profile(profile), PROJECT, pseudonym="P-001", now=WHEN)
    if outcome.status is Status.EXCLUDED:
        return None
    assert outcome.data is not None, outcome.reason
    return pydicom.dcmread(io.BytesIO(outcome.data))


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_nothing_is_wrong(path: Path) -> None:
    source, _ = open_source(path)
    profile, found = check_profile(path)
    assert profile is not None
    assert not found
    assert not lint(profile, source)
    assert len([example for example in EXAMPLES if example[0] == path]) >= 10


@pytest.mark.parametrize(("path", "keyword", "before", "becomes"), EXAMPLES)
def test_examples_are_true(path: Path, keyword: str, before: str, becomes: str) -> None:
    dataset = after(path, {keyword: before})
    assert dataset is not None
    found = dataset.get(keyword)
    text = None if found is None else str(found)
    if becomes == "(gone)":
        assert keyword not in dataset
    elif becomes == "(empty)":
        assert keyword in dataset
        assert not text
    elif becomes == "(kept)":
        assert text == before
    elif becomes == "(the pseudonym)":
        assert text == "P-001"
    elif becomes == "(a new UID)":
        assert text == PROJECT.uid(before)
    elif becomes == "(another day)":
        assert text is not None
        assert re.fullmatch(r"\d{8}", text)
        assert text != before
    else:
        assert text == becomes


@pytest.mark.parametrize(
    "values",
    [{"Modality": "MR"}, {"ImageType": "DERIVED\\SECONDARY"}, {"BurnedInAnnotation": "YES"}],
)
def test_research_leaves_out_what_may_show_names(values: dict[str, str]) -> None:
    assert after(ROOT / "profiles" / "research-ct.yml", values) is None
