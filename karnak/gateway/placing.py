"""Placing outputs: written under a temporary name, then renamed, so no half file is ever seen.

Temporary files lie in a staging folder inside the output folder (a rename is atomic only
within one file system); it goes with the run, and what a killed run left behind goes with
the next one. A run replaces what an earlier run wrote, never what it wrote itself.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from karnak.errors import KarnakError
from karnak.gateway.walk import Found
from karnak.gateway.workers import interrupts_held

_STAGING_PREFIX = ".karnak-"
_LOCK = "lock"


class Staging:
    """A folder for unfinished outputs; a context manager that removes it with all that is in it."""

    def __init__(self, output: Path) -> None:
        self._output = output

    def __enter__(self) -> Path:
        self._output.mkdir(parents=True, exist_ok=True)
        self._remove_abandoned()
        self.folder = Path(tempfile.mkdtemp(prefix=_STAGING_PREFIX, dir=self._output))
        self._lock = os.open(self.folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self.folder

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with interrupts_held():
            shutil.rmtree(self.folder, ignore_errors=True)
            os.close(self._lock)

    def _remove_abandoned(self) -> None:
        """Remove staging folders whose run is gone: the system gave their lock back."""
        for folder in sorted(self._output.glob(f"{_STAGING_PREFIX}*/")):
            try:
                lock = os.open(folder / _LOCK, os.O_RDWR)
            except OSError:
                continue
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            except BlockingIOError:
                pass
            finally:
                os.close(lock)


@dataclass(frozen=True, slots=True)
class Holder:
    """The file that has a name, and the digest of its output or b"" where it was not worked out."""

    found: Found
    sha256: bytes


class Shelf:
    """Which names are taken in this run, and by whom; about half a kilobyte each."""

    def __init__(self) -> None:
        self._holders: dict[bytes, Holder] = {}

    def holder(self, name: Path) -> Holder | None:
        """Tell who has a name."""
        return self._holders.get(_key(name))

    def keep(self, name: Path, holder: Holder) -> None:
        """Note who has a name."""
        self._holders[_key(name)] = holder


def _key(name: Path) -> bytes:
    return hashlib.sha256(os.fsencode(name)).digest()[:16]


def place(staged: Path, final: Path) -> None:
    """Move a finished output to its place, in one step.

    Raises:
        OSError: the file system refuses.
    """
    try:
        staged.replace(final)
    except FileNotFoundError:
        final.parent.mkdir(parents=True, exist_ok=True)
        staged.replace(final)


class BadOutput(KarnakError):
    """Outputs can't go where they are asked to go."""


@dataclass(frozen=True, slots=True)
class Output:
    """Where the outputs of a run go.

    Attributes:
        folder: the folder that they lie in, directly or further down.
        name: name of the only one, or None where their UIDs name them.
    """

    folder: Path
    name: Path | None = None


def output_at(path: Path, inputs: Sequence[Path]) -> Output:
    """Decide whether a path is a file or a folder for the outputs of some inputs.

    Raises:
        BadOutput: it can be neither, or sources could be overwritten.
    """
    if path.suffix.lower() == ".dcm" and not path.is_dir():
        if len(inputs) > 1 or not inputs[0].is_file():
            raise BadOutput(f"{path} names one file; for more than one input file name a folder")
        if path.exists() and path.samefile(inputs[0]):
            raise BadOutput(f"{path} is the input; Karnak doesn't overwrite sources")
        return Output(path.parent, Path(path.name))
    if path.exists() and not path.is_dir():
        raise BadOutput(f"{path} exists and is no folder; name a folder, or a file that ends in .dcm")
    target = path.resolve()
    for source in inputs:
        if source.resolve().is_relative_to(target):
            raise BadOutput(f"the input {source} lies in the output folder; outputs could overwrite it")
    return Output(path)
