"""The files of the standard room: complete, small, and read without pydicom."""

import subprocess
import sys
from pathlib import Path

import pytest

from karnak.standard import sheet

FILES = sorted(path for path in (Path(sheet.__file__).parent / "data").iterdir())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_says_what_it_is_and_where_it_is_from(path: Path) -> None:
    read = sheet.read(path.stem)
    assert path.suffix == ".tsv"
    assert read.said("title").startswith("PS3.")
    assert read.said("source")
    assert read.rows
    assert not any(row.startswith("#") for row in read.rows)


def test_they_are_small() -> None:
    assert sum(path.stat().st_size for path in FILES) < 1_000_000


def test_nothing_in_the_room_loads_pydicom() -> None:
    program = (
        "import sys, pkgutil, importlib, karnak.standard as room\n"
        "for module in pkgutil.iter_modules(room.__path__): importlib.import_module(f'karnak.standard.{module.name}')\n"
        "from karnak.standard import confidentiality, dictionary, iods\n"
        "assert iods.attribute_type('1.2.840.10008.5.1.4.1.1.2', (0x00100010,)) == '2'\n"
        "assert confidentiality.table().row(0x00100010).basic == 'Z'\n"
        "assert dictionary.search('patient name')\n"
        "names = {name.split('.')[0] for name in sys.modules} - sys.stdlib_module_names\n"
        "print(*sorted(name for name in names if not name.startswith('_')))\n"
    )
    done = subprocess.run([sys.executable, "-S", "-c", program], capture_output=True, text=True, check=True,
                          env={"PYTHONPATH": str(Path(sheet.__file__).parents[2])})  # fmt: skip
    assert done.stdout.split() == ["karnak"]
