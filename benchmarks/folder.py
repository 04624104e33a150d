"""How fast `karnak deid` goes through a folder, how soon it begins, and how much memory an instance of gigabytes takes.

Claims: 1,500 CT slices a second with two processes, read from and written to memory's file system; the first instance
after a start in under half a second; less than 200 MiB of its own for a multi-frame object of 4 GiB.
"""

import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks import corpus
from benchmarks.setting import PROFILES, ROOT, Setting, seconds
from benchmarks.tables import Table, rounded, times

SLICES = 500
JOBS = (1, 2)
ROUNDS = 5
STARTS = 7
LARGE_BYTES = 4 << 30
SMALLER_BYTES = 1 << 30
MIB = 1 << 20
# How often the memory of a process is looked at, in seconds.
GLANCE = 0.002

KARNAK = [sys.executable, "-m", "karnak", "deid", "-p", str(PROFILES / "five-rules.yml"), "--project", "Benchmark"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "KARNAK_SECRET": "00" * 16}
# The engine without the command: what a program of somebody else waits for.
FIRST = """
import sys
from datetime import UTC, datetime
from pathlib import Path
import karnak
program = karnak.compile_profile(Path(sys.argv[1]))
data = Path(sys.argv[2]).read_bytes()
outcome = karnak.deidentify(data, program, karnak.Project("B", bytes(16)), pseudonym="P", now=datetime.now(UTC))
assert outcome.data
"""


def measure(setting: Setting) -> list[Table]:
    """Measure a folder, starts and memory."""
    slices = corpus.write(setting.folder / "corpus", {"ct": setting.count(SLICES)})["ct"]
    return [_folders(setting, slices), _starts(setting, slices[0]), _memory(setting)]


def _deid(arguments: Sequence[str | Path]) -> list[str]:
    return [*KARNAK, "--pseudonym-generated", *map(str, arguments)]


def _run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _folders(setting: Setting, slices: Sequence[Path]) -> Table:
    """Time the whole command over one slice and over all; the difference is what the others take."""
    one, output = setting.folder / "one", setting.folder / "output"
    one.mkdir()
    os.link(slices[0], one / slices[0].name)
    cases = {
        (name, jobs): _deid([folder, "-o", output, "--jobs", str(jobs)])
        for name, folder in (("one", one), ("all", slices[0].parent))
        for jobs in JOBS
    }
    taken: dict[tuple[str, int], list[float]] = {case: [] for case in cases}
    copied: list[float] = []
    for number in range(0 if setting.quick else -1, setting.rounds(ROUNDS)):
        for case, command in cases.items():
            took = seconds(partial(_run, command))
            shutil.rmtree(output)
            if number >= 0:
                taken[case].append(took)
        output.mkdir()
        copied.append(seconds(lambda: [shutil.copyfile(path, output / path.name) for path in slices]))
        shutil.rmtree(output)
    middle = {case: median(numbers) for case, numbers in taken.items()}
    copies = len(slices) / median(copied)
    rows = []
    for jobs in JOBS:
        rate = (len(slices) - 1) / max(middle["all", jobs] - middle["one", jobs], 1e-9)
        whole = len(slices) / middle["all", jobs]
        rows.append((f"--jobs {jobs}", f"{rate:,.0f}", f"{whole:,.0f}", times(copies / rate)))
    return Table(
        f"`karnak deid` on a folder of {len(slices)} CT slices, basic profile and 5 rules",
        ("", "instances/s once started", "instances/s with the start", "time of copies in one process"),
        rows,
    )


def _starts(setting: Setting, file: Path) -> Table:
    """Time whole processes that de-identify one slice; the first round warms numba's cache."""
    output = setting.folder / "first.dcm"
    cases = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "karnak.deidentify": [sys.executable, "-c", FIRST, str(PROFILES / "five-rules.yml"), str(file)],
        "karnak deid, one file": _deid([file, "-o", output]),
    }
    taken: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(0 if setting.quick else -1, setting.rounds(STARTS)):
        for name, command in cases.items():
            took = seconds(partial(_run, command))
            if number >= 0:
                taken[name].append(took)
    rows = [(name, rounded(median(numbers) * 1e3)) for name, numbers in taken.items()]
    return Table("The first instance after a start, whole process", ("", "ms"), rows)


@dataclass(frozen=True, slots=True)
class Memory:
    """The most that a process had, in bytes.

    Attributes:
        own: memory of its own (RssAnon).
        mapped: pages of files that it looked at (RssFile and RssShmem).
    """

    own: int
    mapped: int


def _memory(setting: Setting) -> Table:
    """Watch the command while it de-identifies an object of gigabytes, and one of few bytes."""
    with tempfile.TemporaryDirectory(prefix="karnak-benchmark-") as folder:
        room = shutil.disk_usage(folder).free
        wanted = 8 * MIB if setting.quick else LARGE_BYTES if room > LARGE_BYTES * 3 // 2 else SMALLER_BYTES
        rows = []
        for size in (wanted,) if setting.quick else (MIB, wanted):
            source = Path(folder, "large.dcm")
            large(source, size)
            start = time.perf_counter()
            most = _watched(_deid([source, "-o", Path(folder, "output.dcm")]))
            took = time.perf_counter() - start
            assert Path(folder, "output.dcm").stat().st_size > size
            rows.append((f"{size // MIB:,} MiB", rounded(most.own / MIB), rounded(most.mapped / MIB), rounded(took)))
    title = "Memory of `karnak deid` for one multi-frame object, from disk to disk"
    notes = [f"There was no room for {LARGE_BYTES // MIB:,} MiB."] if wanted == SMALLER_BYTES else []
    return Table(title, ("pixel data", "own, MiB", "of files, MiB", "seconds"), rows, notes)


def large(path: Path, size: int) -> None:
    """Write an enhanced object whose frames are zeros that take no room on disk.

    Args:
        path: where.
        size: bytes of its pixel data, in steps of 64 KiB; what the length field can say at most.
    """
    size = min(size, 0xFFFFFFFF >> 16 << 16)
    head = corpus.sized(12_000)
    # The last element is its pixel data, with a few bytes.
    at = head.rindex(struct.pack("<HH2sxx", 0x7FE0, 0x0010, b"OW"))
    path.write_bytes(head[:at] + struct.pack("<HH2sxxI", 0x7FE0, 0x0010, b"OW", size))
    os.truncate(path, at + 12 + size)


def _watched(command: Sequence[str]) -> Memory:
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        status = Path(f"/proc/{process.pid}/status")
        own = mapped = 0
        while process.poll() is None:
            now = _status(status)
            own, mapped = max(own, now.get("RssAnon", 0)), max(mapped, now.get("RssFile", 0) + now.get("RssShmem", 0))
            time.sleep(GLANCE)
    if process.returncode:
        raise RuntimeError(f"karnak deid has ended with exit code {process.returncode}")
    return Memory(own, mapped)


def _status(path: Path) -> dict[str, int]:
    """Sizes of a process in bytes, by their names; none when it has ended."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split(":") for line in lines if line.endswith(" kB"))
    return {name: int(size.split()[0]) * 1024 for name, size in pairs}
