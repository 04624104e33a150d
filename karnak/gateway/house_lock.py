"""The lock of the house: one gateway per data folder, and nobody mends an index that one is using.

The system gives the lock back when the process is gone, however it ended.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType

from karnak.errors import KarnakError

_FILE = "gateway.lock"


class HouseTaken(KarnakError):
    """Another process has the data folder."""


class HouseLock:
    """The lock on a data folder; a context manager that holds it.

    Args:
        data_dir: the data folder; made where it is missing.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take the lock.

        Raises:
            HouseTaken: another process has it.
            OSError: the folder can't be written.
        """
        self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._data_dir / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise HouseTaken(f"a gateway runs on {self._data_dir}; stop it first") from None
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def give_back(self) -> None:
        """Give the lock back; without one, nothing happens."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __enter__(self) -> "HouseLock":
        self.take()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.give_back()
