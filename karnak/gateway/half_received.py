"""The folder of half-received files, and whose they are.

Several processes receive into one spool. Each takes a name and holds a lock on
`<name>.lock` while it lives; what it receives lies in `<receipt>.<name>.part`. The system
gives the lock of a dead process back, so it can be told what was abandoned (it goes) from
what somebody still receives (it stays). Names are taken, and abandoned files looked for,
under one more lock: nobody is seen between having a name and having locked it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from karnak.gateway.disk import Disk

_PART = ".part"
_LOCK = ".lock"
_DOOR = "door.lock"


class HalfReceived:
    """The folder `spool/receiving/`.

    Args:
        disk: where it lies.
        folder: the folder; it is there.
        new_name: gives a name that no process has had, without a dot.
    """

    def __init__(self, disk: Disk, folder: Path, new_name: Callable[[], str]) -> None:
        self._disk = disk
        self._folder = folder
        self._new_name = new_name
        self._naming = threading.Lock()
        self._name: str | None = None
        self._name_lock: int | None = None

    def file(self, receipt: str) -> Path:
        """Where an instance is to be received.

        Raises:
            OSError: the disk refuses this process a name.
        """
        with self._naming:
            if self._name is None:
                self._take_name()
            return self._folder / f"{receipt}.{self._name}{_PART}"

    def count(self) -> int:
        """How many files are being received, or were when their process died."""
        return sum(name.endswith(_PART) for name in self._disk.list(self._folder))

    def tidy(self) -> int:
        """Remove what processes that are gone have left; gives the number of half-received files.

        Raises:
            OSError: the disk refuses.
        """
        dead: dict[str, int] = {}
        with self._door():
            try:
                names = self._disk.list(self._folder)
                living = set()
                for name in names:
                    if name.endswith(_LOCK) and name != _DOOR:
                        lock = self._disk.lock(self._folder / name, wait=False)
                        if lock is None:
                            living.add(name.removesuffix(_LOCK))
                        else:
                            dead[name] = lock
                abandoned = [name for name in names if name.endswith(_PART) and _owner(name) not in living]
                for name in (*abandoned, *dead):
                    self._disk.remove(self._folder / name)
            finally:
                for lock in dead.values():
                    self._disk.close(lock)
        return len(abandoned)

    def close(self) -> None:
        """Give the name back; nothing may be half received by this process."""
        with self._naming:
            if self._name_lock is not None:
                with suppress(OSError):
                    self._disk.remove(self._folder / f"{self._name}{_LOCK}")
                self._disk.close(self._name_lock)
            self._name = self._name_lock = None

    def _take_name(self) -> None:
        with self._door():
            name = self._new_name()
            self._name_lock = self._disk.lock(self._folder / f"{name}{_LOCK}", wait=True)
        self._name = name

    @contextmanager
    def _door(self) -> Iterator[None]:
        door = self._disk.lock(self._folder / _DOOR, wait=True)
        assert door is not None
        try:
            yield
        finally:
            self._disk.close(door)


def _owner(name: str) -> str:
    """The name of the process that a half-received file belongs to."""
    return name.removesuffix(_PART).partition(".")[2]
