"""An engine in a process of its own: told to pass over files, it answers with the time that each took.

One line of JSON in, one out. It knows no engine and needs nothing but Python, because engines of other people live in
environments of their own.
"""

import gc
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Literal, Protocol

Way = Literal["file", "memory"]


class Engine(Protocol):
    """What de-identifies, or does less."""

    def begin(self, number: int) -> None:
        """Get ready for a pass, forgetting what was learnt from others."""

    def file(self, source: Path, target: Path) -> None:
        """Read one file, write another."""

    def memory(self, data: bytes) -> object:
        """Turn the bytes of a file into those of another, or into pieces of it."""


def serve(engine: Engine) -> None:
    """Do what standard input asks for, until it ends.

    A line has `way`, `number` of the pass, `files`, and `folder` that outputs of the way "file" go to. The answer has
    `seconds`, one number per file.
    """
    answers = sys.stdout
    # What an engine prints is none of the answers.
    sys.stdout = sys.stderr
    for line in sys.stdin:
        asked = json.loads(line)
        files = [Path(name) for name in asked["files"]]
        engine.begin(asked["number"])
        gc.collect()
        taken = []
        if asked["way"] == "file":
            folder = Path(asked["folder"])
            for source in files:
                target = folder / source.name
                start = perf_counter()
                engine.file(source, target)
                taken.append(perf_counter() - start)
        else:
            for source in files:
                data = source.read_bytes()
                start = perf_counter()
                made = engine.memory(data)
                taken.append(perf_counter() - start)
                del made
        answers.write(json.dumps({"seconds": taken}) + "\n")
        answers.flush()


class Remote:
    """The other end: an engine in another process.

    Args:
        command: starts it.
        environment: its environment variables.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )

    def seconds(self, way: Way, number: int, files: Sequence[Path], folder: Path) -> list[float]:
        """Let it pass over files.

        Args:
            way: from file to file or in memory.
            number: of the pass.
            files: one after the other.
            folder: where outputs go.

        Raises:
            RuntimeError: it has died.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"way": way, "number": number, "files": list(map(str, files)), "folder": str(folder)}
        try:
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self._process.args!r} has ended with exit code {self._process.wait()}")
        taken: list[float] = json.loads(answer)["seconds"]
        return taken

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
