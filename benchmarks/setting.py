"""What all benchmarks share: where they work, how long they may take, and what machine this is."""

import os
import platform
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TypeVar

from karnak.runtime.keys import Project
from karnak.runtime.program import Program

Name = TypeVar("Name")

ROOT = Path(__file__).parent.parent
PROFILES = Path(__file__).parent / "profiles"
# The time of all runs; what is measured doesn't depend on it.
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
PSEUDONYM = "K-0001"


@dataclass(frozen=True, slots=True)
class Setting:
    """How to measure.

    Attributes:
        folder: an empty folder for this run, in memory where there is one.
        quick: one round over very little, to see that it works; the numbers mean nothing then.
        rivals: Python of the environment with other people's engines, or None to leave them out.
    """

    folder: Path
    quick: bool = False
    rivals: Path | None = None

    def rounds(self, wanted: int) -> int:
        """How often to repeat."""
        return 1 if self.quick else wanted

    def count(self, wanted: int) -> int:
        """How many instances to take."""
        return min(wanted, 2) if self.quick else wanted


def project(number: int) -> Project:
    """A project of its own per round: nothing that was derived for another one is remembered for it."""
    return Project("Benchmark", number.to_bytes(16, "big"))


def compiled(profile: Path | str) -> Program:
    """Compile a profile: a path, or a name in `benchmarks/profiles`."""
    from karnak.dsl.compile import compile_profile

    return compile_profile(PROFILES / f"{profile}.yml" if isinstance(profile, str) else profile)


def seconds(work: Callable[[], object]) -> float:
    """How long something takes once."""
    start = perf_counter()
    work()
    return perf_counter() - start


def in_turn(cases: Mapping[Name, Callable[[int], Sequence[float]]], rounds: int) -> dict[Name, float]:
    """Measure cases in turn, so that a busy moment of the machine falls on all of them.

    Args:
        cases: by name, what gives the seconds of each instance in a round, given the round's number from 1.
        rounds: how many; round 0 comes before them and does not count.

    Returns:
        By name, the median over rounds of the median over instances, in seconds.
    """
    taken: dict[Name, list[float]] = {name: [] for name in cases}
    for number in range(rounds + 1):
        for name, case in cases.items():
            middle = median(case(number))
            if number:
                taken[name].append(middle)
    return {name: median(numbers) for name, numbers in taken.items()}


def working_folder() -> Path | None:
    """The file system in memory, or None where there is none with a gigabyte of room."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() and shutil.disk_usage(shared).free > 2 << 30 else None


def machine() -> str:
    """The class of this machine, in a line."""
    model = "processor unknown"
    info = Path("/proc/cpuinfo")
    if info.exists():
        named = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        model = named[0] if named else model
    cores = len(os.sched_getaffinity(0))
    python = f"{platform.python_implementation()} {platform.python_version()}"
    load = os.getloadavg()[0]
    return f"{datetime.now(UTC):%Y-%m-%d}, {cores} cores ({model}), {python}, {sys.platform}, load {load:.1f}"
