"""Karnak, a DICOM de-identification gateway: the names that programs import.

`import karnak` is cheap: a name loads the room it comes from when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from karnak.version import VERSION

if TYPE_CHECKING:
    from karnak.dsl.compile import ProfileError, compile_profile
    from karnak.errors import KarnakError
    from karnak.runtime.deidentify import deidentify
    from karnak.runtime.keys import Project
    from karnak.runtime.outcome import Outcome
    from karnak.runtime.part10 import read_instance

__version__ = VERSION

__all__ = [
    "KarnakError",
    "Outcome",
    "ProfileError",
    "Project",
    "__version__",
    "compile_profile",
    "deidentify",
    "read_instance",
]

_HOMES = {
    "KarnakError": "karnak.errors",
    "Outcome": "karnak.runtime.outcome",
    "ProfileError": "karnak.dsl.compile",
    "Project": "karnak.runtime.keys",
    "compile_profile": "karnak.dsl.compile",
    "deidentify": "karnak.runtime.deidentify",
    "read_instance": "karnak.runtime.part10",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
