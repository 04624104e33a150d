"""Where the time goes, line by line: py-spy looks a thousand times a second at a process that does nothing else.

What compiled code does counts for the line that calls it. Needs py-spy, which lives in the rivals' environment.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from benchmarks import corpus
from benchmarks.ours import Karnak
from benchmarks.setting import ROOT, Setting
from benchmarks.small import INPUTS
from benchmarks.tables import Table, rounded
from karnak.runtime.part10 import is_part10
from tests.golden.cases import inputs

SECONDS = 8.0
LINES = 25
CASES = ("ct", "enhanced", "small")


def measure(setting: Setting) -> list[Table]:
    """Sample each case in a process of its own."""
    return [_sampled(setting, case) for case in (CASES[:1] if setting.quick else CASES)]


def work(case: str, long: float) -> None:
    """De-identify the instances of a case over and over, and print microseconds for each.

    Args:
        case: one of CASES.
        long: seconds.
    """
    if case == "small":
        data = [inputs()[name] for name in INPUTS if is_part10(inputs()[name])]
    else:
        data = [corpus.instance(case, number) for number in range(20 if case == "ct" else 2)]
    karnak = Karnak("tables", "five-rules")
    for one in data:
        karnak.memory(one)
    print(f"each: {over_and_over(karnak, data, long) * 1e6}")


def over_and_over(karnak: Karnak, data: Sequence[bytes], long: float) -> float:
    """De-identify instances for so many seconds, in a new project each time around, and give the seconds for each."""
    done = 0
    start = perf_counter()
    while perf_counter() - start < long:
        karnak.begin(done + 1)
        for one in data:
            karnak.memory(one)
        done += len(data)
    return (perf_counter() - start) / done


def _sampled(setting: Setting, case: str) -> Table:
    long = 0.2 if setting.quick else SECONDS
    command = [sys.executable, "-m", "benchmarks.lines", case, str(long)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    counts: Counter[str] = Counter()
    if setting.rivals is not None:
        samples = setting.folder / f"{case}.samples"
        spy = [str(setting.rivals.parent / "py-spy"), "record", "--rate", "1000", "--format", "raw", "-o", str(samples)]
        command = [*spy, "--", *command]
    done = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
    each = next(float(line[6:]) for line in done.stdout.splitlines() if line.startswith("each: "))
    if setting.rivals is not None:
        counts = counted(samples.read_text("utf-8"))
    whole = counts.total() or 1
    rows = [
        (line, f"{count / whole:.1%}", rounded(count / whole * each), _text(line))
        for line, count in counts.most_common(LINES)
    ]
    return Table(f"Lines for {case}, five rules, {rounded(each)} us per instance", ("", "of all", "us", "line"), rows)


def counted(samples: str) -> Counter[str]:
    """Count samples of the work by the innermost line of Karnak that was running.

    Args:
        samples: what py-spy writes: frames from the outermost one, between semicolons, and a count.
    """
    counts: Counter[str] = Counter()
    for line in samples.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        # Neither the start of the process nor its first time around.
        if not any(frame.startswith(f"{over_and_over.__name__} ") for frame in frames):
            continue
        ours = [frame for frame in frames if "(karnak/" in frame]
        if ours:
            counts[ours[-1].rpartition("(")[2].rstrip(")")] += int(count)
    return counts


def _text(place: str) -> str:
    name, _, number = place.rpartition(":")
    path = Path(ROOT, name)
    if not path.is_file() or not number.isdecimal():
        return ""
    return path.read_text("utf-8").splitlines()[int(number) - 1].strip().replace("|", "\\|")[:80]


if __name__ == "__main__":
    work(sys.argv[1], float(sys.argv[2]))
