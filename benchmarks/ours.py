"""Karnak as an engine to be measured, and the floors below it: a copy of the file, and pydicom that changes nothing.

python -m benchmarks.ours NAME [PROFILE]
"""

import io
import shutil
import sys
from pathlib import Path

from pydicom import dcmread

from benchmarks.passes import Engine, serve
from benchmarks.setting import NOW, PSEUDONYM, compiled, project
from karnak.gateway.contents import contents, write_pieces
from karnak.runtime.deidentify import Engine as Name
from karnak.runtime.deidentify import deidentify
from karnak.runtime.outcome import Outcome


class Copy:
    """The floor: what the system needs to copy a file, or memory."""

    def begin(self, number: int) -> None:
        pass

    def file(self, source: Path, target: Path) -> None:
        shutil.copyfile(source, target)

    def memory(self, data: bytes) -> object:
        return bytes(bytearray(data))


class Pydicom:
    """Reading and writing with pydicom; values stay as they are and mostly undecoded."""

    def begin(self, number: int) -> None:
        pass

    def file(self, source: Path, target: Path) -> None:
        dcmread(source).save_as(target)

    def memory(self, data: bytes) -> object:
        made = io.BytesIO()
        dcmread(io.BytesIO(data)).save_as(made)
        return made


class Karnak:
    """Karnak with a profile.

    Args:
        engine: "tables" or "reference".
        profile: name of a profile in `benchmarks/profiles`.
        joined: in memory, also join the pieces of the output.
    """

    def __init__(self, engine: Name, profile: str, joined: bool = False) -> None:
        self._engine: Name = engine
        self._program = compiled(profile)
        self._joined = joined
        self.begin(0)

    def begin(self, number: int) -> None:
        self._project = project(number)

    def _outcome(self, data: bytes | memoryview) -> Outcome:
        outcome = deidentify(data, self._program, self._project, pseudonym=PSEUDONYM, now=NOW, engine=self._engine)
        if outcome.segments is None or outcome.fallback is not None:
            raise RuntimeError(outcome.reason or outcome.fallback)
        return outcome

    def file(self, source: Path, target: Path) -> None:
        with source.open("rb", buffering=0) as file:
            data = contents(file)
        outcome = self._outcome(data)
        assert outcome.segments is not None
        write_pieces(target, outcome.segments)

    def memory(self, data: bytes) -> object:
        outcome = self._outcome(data)
        return outcome.data if self._joined else outcome


def engine(name: str, profile: str) -> Engine:
    """Find an engine by its name."""
    match name:
        case "copy":
            return Copy()
        case "pydicom":
            return Pydicom()
        case "tables" | "reference":
            return Karnak(name, profile)
        case "joined":
            return Karnak("tables", profile, joined=True)
    raise ValueError(f"there is no engine {name}")


if __name__ == "__main__":
    serve(engine(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "basic"))
