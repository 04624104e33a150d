"""How long a person waits before `karnak` does anything, against Python itself and against `import pydicom`.

Claim: `karnak --version` and `karnak --help` answer in under 150 ms, and what the linter needs of the standard
(the dictionary and Table E.1-1) is loaded in under 50 ms. Prints medians of whole processes, started in turn.
"""

import subprocess
import sys
from functools import partial

from benchmarks.setting import Setting, in_turn, seconds
from benchmarks.tables import Table, rounded

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


def measure(setting: Setting) -> list[Table]:
    """Measure every case, as whole processes."""
    if setting.quick:
        cases = dict(list(CASES.items())[:2])
    else:
        cases = CASES
    middle = in_turn({name: partial(_seconds, command) for name, command in cases.items()}, setting.rounds(RUNS))
    python = middle["python -c pass"]
    rows = [(name, rounded(took * 1e3), rounded((took - python) * 1e3)) for name, took in middle.items()]
    return [Table("From the start of a process to its end, median", ("", "ms", "ms above Python"), rows)]


def _seconds(command: list[str], _number: int) -> list[float]:
    return [seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))]
