"""Modalities that never stop: dcmtk's storescu over and over, each instance under UIDs that nobody has had."""

import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import corpus
from tests.system.programs import tool

# Every instance ends with this, in its pixels, which the basic profile leaves alone: where it is, all of it came.
END = b"THE LAST PIXELS\0"
# CT slices of about 525 kB, and MR slices of about 43 kB.
_SHAPES = ("ct", "ct", "mr", "mr")
_REPEATS = 6
_SERIES_OF, _STUDIES_OF = "8", "2"
_SENT = re.compile(r"SOPInstanceUID=([0-9.]+)")
_SUCCESS = "Received Store Response (Success)"
_NAP = 0.2


def write_templates(folder: Path) -> list[Path]:
    """Write the instances that all senders send; gives their files."""
    folder.mkdir(parents=True)
    files = []
    for number, shape in enumerate(_SHAPES):
        data = corpus.instance(shape, number)
        files.append(folder / f"{shape}-{number}.dcm")
        files[-1].write_bytes(data[: -len(END)] + END)
    return files


class Sender:
    """One modality: an association for each batch, the next when that is over.

    Args:
        number: from 1; every other one sends with Nagle's algorithm on, as storescu does where nobody tells it.
        port: of the gateway.
        files: what to send.
        may_send: asked before each batch; while it says no, the sender waits.
    """

    def __init__(self, number: int, port: int, files: Sequence[Path], may_send: Callable[[], bool]) -> None:
        self.sent = 0
        self.acknowledged: list[str] = []
        self.failures: list[str] = []
        self._calling = f"CT{number:02}"
        self._no_delay = number % 2 == 0
        self._port = port
        self._files = files
        self._may_send = may_send
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name=self._calling, daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def stop(self) -> None:
        """Send what has begun to its end, and no more."""
        self._stopping.set()

    def join(self, seconds: float) -> None:
        """Wait until it has ended."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), f"the sender {self._calling} does not end"

    def _work(self) -> None:
        while not self._stopping.is_set():
            if self._may_send():
                self._batch()
            else:
                time.sleep(_NAP)

    def _batch(self) -> None:
        invent = ("+IR", _SERIES_OF, "+IS", _STUDIES_OF, "--repeat", str(_REPEATS))
        command = [tool("storescu"), "-v", "-R", "-aet", self._calling, "-aec", "KARNAK", *invent]
        environment = {name: value for name, value in os.environ.items() if name != "TCP_NODELAY"}
        environment |= {"TCP_NODELAY": "1"} if self._no_delay else {}
        address = ("127.0.0.1", str(self._port))
        with subprocess.Popen(
            [*command, *address, *map(str, self._files)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        ) as process:
            assert process.stderr is not None
            uid = None
            for line in process.stderr:
                if found := _SENT.search(line):
                    uid = found[1]
                    self.sent += 1
                elif _SUCCESS in line and uid is not None:
                    self.acknowledged.append(uid)
                    uid = None
                elif line.startswith(("E:", "F:")):
                    self.failures.append(line.strip())
        if process.returncode != 0:
            self.failures.append(f"storescu ended with {process.returncode}")
