"""How fast instances are de-identified, against other engines and against a copy of the file.

Claims, for the basic profile with five rules and three conditions, in one process: a CT slice takes at most 1.3 times
what its copy takes, an enhanced object with 12,000 elements 1.6 times; in memory a CT slice takes at most 60 us, which
is 150 times less than with Kitware's dicom-anonymizer. All engines work on the same files, each in a process of its
own, pass by pass in turn. Karnak meets every instance for the first time in each pass: the project is a new one.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydicom.datadict import keyword_for_tag

from benchmarks import corpus
from benchmarks.passes import Remote, Way
from benchmarks.setting import ROOT, Setting, in_turn, seconds
from benchmarks.tables import Table, rounded, times
from karnak.standard import confidentiality

SIZES = {"ct": 100, "mr": 60, "us": 4, "us-jpeg": 8, "enhanced": 6}
# Engines that take long pass over fewer files.
FEWER = {"ct": 12, "mr": 12, "us": 2, "us-jpeg": 4, "enhanced": 2}
ROUNDS = 7

# What files take: given the way, the number of the pass, the files and the output folder.
Passes = Callable[[Way, int, Sequence[Path], Path], Sequence[float]]

FLOOR = "copy of the file"
OURS = "Karnak, basic profile and 5 rules"
KITWARE = "dicom-anonymizer (Kitware)"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An engine that is measured.

    Attributes:
        name: as tables show it.
        seconds: what it takes for each file.
        fast: it passes over all files, not over a few.
        in_memory: it can be measured in memory.
    """

    name: str
    seconds: Passes
    fast: bool = False
    in_memory: bool = True


class Gdcmanon:
    """GDCM's command, over a folder at a time; it wants a certificate, for originals that it encrypts and embeds.

    Args:
        folder: a place for itself.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._certificate, self._inputs = folder / "certificate", folder / "inputs"
        subject = ["-subj", "/CN=benchmark", "-days", "2"]
        keys = ["-newkey", "rsa:2048", "-nodes", "-keyout", str(folder / "key"), "-out", str(self._certificate)]
        subprocess.run(["openssl", "req", "-x509", *keys, *subject], check=True, capture_output=True)

    def seconds(self, way: Way, number: int, files: Sequence[Path], folder: Path) -> list[float]:
        """The time of the command, shared among the files; `way` is always from file to file."""
        self._inputs.mkdir()
        for file in files:
            os.link(file, self._inputs / file.name)
        places = ["-c", str(self._certificate), "-i", str(self._inputs), "-o", str(folder)]
        command = ["gdcmanon", "-e", *places]
        taken = seconds(lambda: subprocess.run(command, check=True, capture_output=True))
        shutil.rmtree(self._inputs)
        return [taken / len(files)] * len(files)


def recipe() -> str:
    """The basic profile as a recipe of deid."""
    lines = ["FORMAT dicom", "", "%header", ""]
    for row in confidentiality.table().rows:
        keyword = keyword_for_tag(row.tag) if row.mask == 0xFFFFFFFF else ""
        action = str(row.basic)
        if not keyword:
            continue
        if action.startswith("U"):
            lines.append(f"REPLACE {keyword} func:new_uid")
        elif action.startswith("X") and "Z" not in action and "D" not in action:
            lines.append(f"REMOVE {keyword}")
        elif action != "K":
            lines.append(f"BLANK {keyword}")
    return "\n".join(lines) + "\n"


def candidates(setting: Setting, stack: ExitStack) -> list[Candidate]:
    """Start every engine."""

    def ours(*arguments: str) -> Passes:
        command = [sys.executable, "-m", "benchmarks.ours", *arguments]
        return stack.enter_context(closing(Remote(command, os.environ | {"PYTHONPATH": str(ROOT)}))).seconds

    found = [
        Candidate(FLOOR, ours("copy"), fast=True),
        Candidate("Karnak, basic profile", ours("tables", "basic"), fast=True),
        Candidate(OURS, ours("tables", "five-rules"), fast=True),
        Candidate("the same, and dates moved", ours("tables", "dates-moved"), fast=True),
        Candidate("Karnak's reference, 5 rules", ours("reference", "five-rules")),
        Candidate("pydicom, read and written", ours("pydicom")),
    ]
    if setting.rivals is None:
        return found[:3] if setting.quick else found
    found.append(Candidate("gdcmanon", Gdcmanon(setting.folder / "gdcmanon").seconds, fast=True, in_memory=False))
    (setting.folder / "recipe").write_text(recipe(), "utf-8")
    for name, title in (("dicom-anonymizer", KITWARE), ("dicognito", "dicognito"), ("deid", "deid, basic recipe")):
        command = [str(setting.rivals), str(ROOT / "benchmarks" / "rivals.py"), name, str(setting.folder / "recipe")]
        remote = Remote(command, os.environ | {"MESSAGELEVEL": "CRITICAL"})
        found.append(Candidate(title, stack.enter_context(closing(remote)).seconds))
    return found


def measure(setting: Setting) -> list[Table]:
    """Measure file to file, in memory, and what is left of whom the instances are of."""
    sizes = {shape: setting.count(count) for shape, count in SIZES.items()}
    if setting.quick:
        sizes = {"mr": sizes["mr"]}
    files = corpus.write(setting.folder / "corpus", sizes)
    outputs = setting.folder / "outputs"
    outputs.mkdir()
    by_file: dict[str, dict[str, float]] = {}
    left: dict[str, dict[str, int]] = {}
    with ExitStack() as stack:
        engines = candidates(setting, stack)

        def chosen(engine: Candidate, shape: str) -> list[Path]:
            return files[shape] if engine.fast else files[shape][: FEWER[shape]]

        def from_file_to_file(engine: Candidate, shape: str, number: int) -> Sequence[float]:
            taken = engine.seconds("file", number, chosen(engine, shape), outputs)
            if number == 0:
                left.setdefault(shape, {})[engine.name] = remaining(shape, outputs / files[shape][0].name)
            for path in outputs.iterdir():
                path.unlink()
            return taken

        def in_memory(engine: Candidate, shape: str, number: int) -> Sequence[float]:
            return engine.seconds("memory", number, chosen(engine, shape), outputs)

        for shape in sizes:
            cases = {engine.name: partial(from_file_to_file, engine, shape) for engine in engines}
            by_file[shape] = in_turn(cases, setting.rounds(ROUNDS))
        slices = "mr" if setting.quick else "ct"
        able = [engine for engine in engines if engine.in_memory]
        joined = [sys.executable, "-m", "benchmarks.ours", "joined", "five-rules"]
        remote = stack.enter_context(closing(Remote(joined, os.environ | {"PYTHONPATH": str(ROOT)})))
        able.append(Candidate("Karnak, 5 rules, output joined to one piece", remote.seconds, fast=True))
        cases = {engine.name: partial(in_memory, engine, slices) for engine in able}
        memory = in_turn(cases, setting.rounds(ROUNDS))
    return [*_from_file_to_file(by_file), _in_memory(slices, memory), _left(left)]


def remaining(shape: str, output: Path) -> int:
    """How many of the identifying values of the first instance of a shape an output still holds, at any place."""
    written = output.read_bytes()
    return sum(value in written for value in corpus.identifying(corpus.specimen(shape, 0)))


def _from_file_to_file(taken: Mapping[str, Mapping[str, float]]) -> list[Table]:
    titles = [corpus.SHAPES[shape].title for shape in taken]

    def table(title: str, cell: Callable[[Mapping[str, float], str], str]) -> Table:
        names = next(iter(taken.values()))
        rows = [(name, *(cell(of_shape, name) for of_shape in taken.values())) for name in names]
        return Table(title, ("", *titles), rows)

    tables = [
        table("From file to file, in memory's file system, median ms per instance", lambda of, n: rounded(of[n] * 1e3)),
        table("The same, as multiples of a copy of the file", lambda of, n: times(of[n] / of[FLOOR])),
    ]
    if any(KITWARE in of_shape for of_shape in taken.values()):
        title = "The same, as multiples of dicom-anonymizer's speed"
        tables.append(table(title, lambda of, n: times(of[KITWARE] / of[n])))
    return tables


def _in_memory(shape: str, taken: Mapping[str, float]) -> Table:
    rows = []
    for name, took in taken.items():
        compared = [times(taken[KITWARE] / took)] if KITWARE in taken else []
        rows.append((name, rounded(took * 1e6), *compared))
    heading = ["of dicom-anonymizer's speed"] if KITWARE in taken else []
    return Table(f"{corpus.SHAPES[shape].title} in memory, median us per instance", ("", "us", *heading), rows)


def _left(left: Mapping[str, Mapping[str, int]]) -> Table:
    there = {shape: len(corpus.identifying(corpus.specimen(shape, 0))) for shape in left}
    titles = [f"{corpus.SHAPES[shape].title}, of {count}" for shape, count in there.items()]
    rows = [(name, *(str(of_shape[name]) for of_shape in left.values())) for name in next(iter(left.values()))]
    title = "Names, dates, identifying UIDs and private texts of one instance that its output still holds"
    return Table(title, ("", *titles), rows)
