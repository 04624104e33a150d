"""`import karnak` offers its names and loads nothing that they don't need."""

import subprocess
import sys

import pytest

import karnak
from karnak.version import VERSION


@pytest.mark.parametrize("name", karnak.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(karnak, name) is not None
    assert name in dir(karnak)


def test_version() -> None:
    assert karnak.__version__ == VERSION


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'karnak' has no attribute 'nonsense'"):
        _ = karnak.nonsense


def test_import_loads_no_room_and_no_dependency() -> None:
    program = (
        "import sys; before = set(sys.modules); import karnak\n"
        "new = set(sys.modules) - before\n"
        "print(*sorted(name for name in new if name.split('.')[0] not in sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["karnak", "karnak.version"]
