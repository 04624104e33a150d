"""How long a person waits before `karnak` does anything, against Python itself and against `import pydicom`.

Claim: `karnak --version` and `karnak --help` answer in under 150 ms, and what the linter needs of the standard
(the dictionary and Table E.1-1) is loaded in under 50 ms. Prints medians of whole processes, started in turn.
"""

import subprocess
import sys
import time
from statistics import median

RUNS = 15

PYTHON = [sys.executable, "-c"]
KARNAK = [sys.executable, "-m", "karnak"]

WHAT_THE_LINTER_NEEDS = """
from karnak.standard import confidentiality, dictionary
dictionary.by_keyword("PatientName"), dictionary.by_tag(0x60003000), confidentiality.table()
"""

FIRST_ATTRIBUTE_TYPE = """
from karnak.standard import iods
iods.attribute_type("1.2.840.10008.5.1.4.1.1.2", (0x00100010,))
"""

CASES = {
    "python -c pass": [*PYTHON, "pass"],
    "import click": [*PYTHON, "import click"],
    "import pydicom": [*PYTHON, "import pydicom"],
    "import karnak": [*PYTHON, "import karnak"],
    "karnak --version": [*KARNAK, "--version"],
    "karnak --help": [*KARNAK, "--help"],
    "karnak tags PatientName": [*KARNAK, "tags", "PatientName"],
    "dictionary and E.1-1": [*PYTHON, WHAT_THE_LINTER_NEEDS],
    "first attribute type": [*PYTHON, FIRST_ATTRIBUTE_TYPE],
}


def seconds(command: list[str]) -> float:
    """Run a command once and return how long it took, in seconds."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Measure every case and print a table."""
    times: dict[str, list[float]] = {name: [] for name in CASES}
    for command in CASES.values():
        seconds(command)
    # In turn, so that a busy moment of the machine falls on all of them.
    for _ in range(RUNS):
        for name, command in CASES.items():
            times[name].append(seconds(command))
    middle = {name: median(taken) for name, taken in times.items()}
    python, pydicom = middle["python -c pass"], middle["import pydicom"]
    print(f"{'':28}{'median':>10}{'above Python':>15}{'of pydicom':>12}")
    for name, taken in middle.items():
        print(f"{name:28}{taken * 1e3:7.0f} ms{(taken - python) * 1e3:12.0f} ms{taken / pydicom:11.2f}x")


if __name__ == "__main__":
    main()
