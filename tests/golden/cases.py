"""The recorded cases of the reference engine, unpacked once per process and only when asked for."""

import io
import json
import lzma
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.golden.dataset_form import Form, from_part10

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Case:
    """One run of the reference engine.

    Attributes:
        name: name of the run.
        input: file name of the input.
        profile: folder and name of the profile, as "own/own05_shift".
        secret: the project's secret in hexadecimal digits.
        pseudonym: what stood for the patient.
        mode: "deid" or "morph".
        project: the project's name.
        result: "dataset", "aborted", "error" or "parse_error".
        output: what the engine answered.
    """

    name: str
    input: str
    profile: str
    secret: str
    pseudonym: str
    mode: str
    project: str
    result: str
    output: Mapping[str, Any]

    @property
    def null_repaired(self) -> bool:
        """Run with one defect repaired: an expression that gives null makes no decision."""
        return self.name.endswith("__nullfix")

    @property
    def run(self) -> tuple[str, str, str, str, str]:
        """What our engine is given: equal for a case and its repaired twin."""
        return self.input, self.profile, self.secret, self.pseudonym, self.mode

    @property
    def error_class(self) -> str:
        """Simple name of the reference engine's exception, or ""."""
        return str(self.output.get("error", {}).get("class", "")).rpartition(".")[2]


@cache
def _packed() -> Mapping[str, Any]:
    with lzma.open(DATA / "cases.json.xz") as stream:
        packed: Mapping[str, Any] = json.load(stream)
    return packed


@cache
def cases() -> tuple[Case, ...]:
    return tuple(Case(**case) for case in _packed()["cases"])


@cache
def cases_by_profile() -> Mapping[str, tuple[Case, ...]]:
    grouped: dict[str, list[Case]] = {}
    for case in cases():
        grouped.setdefault(case.profile, []).append(case)
    return {profile: tuple(group) for profile, group in sorted(grouped.items())}


def profile_texts() -> Mapping[str, str]:
    """The profiles' YAML by folder and name, "bad/" being those that import must look at twice."""
    texts: Mapping[str, str] = _packed()["profiles"]
    return texts


def verdicts() -> Mapping[str, Mapping[str, Any]]:
    """What the reference engine's import validation said of each profile."""
    said: Mapping[str, Mapping[str, Any]] = _packed()["verdicts"]
    return said


@cache
def inputs() -> Mapping[str, bytes]:
    """The input files by name."""
    with tarfile.open(fileobj=io.BytesIO(lzma.decompress((DATA / "inputs.tar.xz").read_bytes()))) as tar:
        return {
            Path(member.name).name: stream.read() for member in tar if (stream := tar.extractfile(member)) is not None
        }


@cache
def input_form(name: str) -> Form:
    return from_part10(inputs()[name])
