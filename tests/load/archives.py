"""Archives that take what the gateway delivers: dcmtk's storescp, one that stands and one that falls again and again.

What arrives is counted and removed, so that a long run fills no disk.
"""

import os
import re
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from tests.load.senders import END
from tests.system.programs import free_port, server, tool

# What stands in originals and must not arrive: PatientName and PatientID as storescu invents them.
_IDENTIFYING = re.compile(rb"OFFIS\^TEST_PN_|PID_[0-9]{8}")
_NAP = 0.2
Act = Literal["up", "stall", "cut"]
# What becomes of the one that falls, and for how long, in seconds of a long run. While it is cut, its port refuses.
FALLS: Sequence[tuple[Act, float]] = (("up", 12), ("cut", 6), ("up", 8), ("stall", 4), ("cut", 3))


class Counting:
    """Counts the instances in a folder, and removes those of which all has arrived.

    Args:
        folder: where storescp writes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.arrivals: Counter[str] = Counter()
        self.identified: list[str] = []
        folder.mkdir(parents=True)
        self._lock = threading.Lock()

    def look(self) -> None:
        """Count what is there; a file that a cut has left unfinished stays until its instance is sent again."""
        with self._lock:
            for entry in list(os.scandir(self.folder)):
                path = Path(entry.path)
                data = path.read_bytes()
                if not data.endswith(END):
                    continue
                path.unlink()
                # storescp names a file by modality and SOP Instance UID.
                uid = path.name.partition(".")[2]
                self.arrivals[uid] += 1
                if _IDENTIFYING.search(data):
                    self.identified.append(uid)

    @property
    def delivered(self) -> int:
        """How many instances have arrived, each counted once."""
        return len(self.arrivals)

    @property
    def again(self) -> int:
        """How many arrived that had been there before: where a line is cut, nobody can know."""
        return self.arrivals.total() - len(self.arrivals)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Look now and then, from a thread, until the block ends."""
        ended = threading.Event()

        def work() -> None:
            while not ended.wait(_NAP):
                self.look()

        thread = threading.Thread(target=work, name=f"counting {self.folder.name}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _command(folder: Path, port: int) -> list[str]:
    return [tool("storescp"), "--fork", "-aet", "STORESCP", "+xa", "+B", "-od", str(folder), str(port)]


@contextmanager
def steady(counting: Counting) -> Iterator[int]:
    """Run an archive that stands; gives its port."""
    port = free_port()
    with server(_command(counting.folder, port), port, counting.folder.parent / f"{counting.folder.name}.log"):
        yield port


class Flapping:
    """An archive that stands, falls, stalls and stands again.

    Args:
        counting: counts what it gets.
        scale: how long an act lasts, as a part of what FALLS says.
    """

    def __init__(self, counting: Counting, scale: float) -> None:
        self.port = free_port()
        self.falls = 0
        self.act: Act = "up"
        self._counting = counting
        self._scale = scale
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="flapping", daemon=True)

    def stand(self) -> None:
        """From now on it stands."""
        self._ended.set()
        self._thread.join()
        self._up()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let it stand and fall until `stand` is called; it is gone when the block ends."""
        self._up()
        self._thread.start()
        try:
            yield
        finally:
            self._ended.set()
            self._thread.join()
            self._signal(signal.SIGKILL)

    def _work(self) -> None:
        while True:
            for self.act, seconds in FALLS:
                if self.act == "up":
                    self._up()
                elif self.act == "stall":
                    self._signal(signal.SIGSTOP)
                else:
                    self.falls += 1
                    self._signal(signal.SIGKILL)
                if self._ended.wait(seconds * self._scale):
                    self.act = "up"
                    return

    def _up(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._signal(signal.SIGCONT)
            return
        command = _command(self._counting.folder, self.port)
        with (self._counting.folder.parent / f"{self._counting.folder.name}.log").open("ab") as log:
            # Its associations are processes of their own, which fall with it.
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            if number == signal.SIGKILL:
                self._process.wait(60)
