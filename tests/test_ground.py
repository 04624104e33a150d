"""The ground the project stands on: what is installed is named, hashed, explained and free of addresses."""

import os
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCKS = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "requirements").glob("*.lock")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def locked(name: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", LOCKS[name], flags=re.MULTILINE))


def name_of(requirement: str) -> str:
    return re.split(r"[<>=!~ \[;]", requirement, maxsplit=1)[0].lower().replace("_", "-")


@pytest.mark.parametrize("name", ["karnak", "rivals"])
def test_a_lock_names_versions_and_hashes_and_no_address(name: str) -> None:
    entries = re.split(r"^(?=[a-z0-9])", LOCKS[name], flags=re.MULTILINE)[1:]
    assert len(entries) > 12
    for entry in entries:
        assert re.match(r"[a-z0-9-]+==[0-9][^ ]* \\\n    --hash=sha256:[0-9a-f]{64}", entry), entry[:80]
    assert "://" not in LOCKS[name]
    assert not re.search(r"^-", LOCKS[name], flags=re.MULTILINE)


def test_every_dependency_is_locked() -> None:
    wanted = {name_of(text) for text in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]}
    assert wanted <= locked("karnak")


def test_every_rival_is_locked() -> None:
    text = (ROOT / "requirements" / "rivals.in").read_text(encoding="utf-8")
    assert {line for line in text.splitlines() if not line.startswith("#")} <= locked("rivals")


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for requirement in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]:
        assert re.search(rf'^    "{re.escape(requirement)}", +# \w', text, flags=re.MULTILINE), requirement


@pytest.mark.parametrize("script", ["scripts/test", "scripts/run", "scripts/bench", "scripts/lock", ".ci/run"])
def test_scripts_can_be_run(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    assert (ROOT / script).read_text(encoding="utf-8").startswith("#!/usr/bin/env bash\n")


def test_data_that_is_copied_has_its_licence() -> None:
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    named = set(re.findall(r"licences/[\w.-]+\.txt", notice))
    assert named == {f"licences/{path.name}" for path in (ROOT / "licences").iterdir()}
