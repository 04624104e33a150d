"""A disk in memory that forgets what was not synced, fails when it is told to, and dies between any two calls.

What a crash of the machine leaves is chosen by the test: of the changes of names, all up to some moment that is not
before the last sync of a folder (file systems with a journal keep their order); of a file that was not synced, what
was synced of it or any beginning of it. A crash of the process alone loses nothing but locks.
"""

import errno
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from karnak.gateway.disk import Disk


class Crash(BaseException):
    """The process is gone; nobody catches this but the test."""


@dataclass(eq=False)
class Inode:
    """A file: what programs see of it, and what is on the disk of it."""

    content: bytearray = field(default_factory=bytearray)
    durable: bytes = b""


Names = dict[Path, Inode]


class ModelDisk(Disk):
    """The disk.

    Attributes:
        calls: names of the calls that were made.
        fail: raises what the call of that name, about to be made, is to end with; None to let all succeed.
        most: bytes that one write takes at most.
        free: free bytes.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fail: Callable[[str], None] | None = None
        self.most = 1 << 30
        self.free = 1 << 40
        self.folders: set[Path] = set()
        # All that the folders held after each change since the last sync of one; the first is certainly on the disk.
        self.history: list[Names] = [{}]
        self._open: dict[int, Inode] = {}
        self._locks: dict[int, Path] = {}
        self._next = count(3)
        self._lock = threading.Lock()

    @property
    def names(self) -> Names:
        return self.history[-1]

    def _call(self, name: str) -> None:
        if self.fail is not None:
            self.fail(name)
        self.calls.append(name)

    def _change(self, path: Path, inode: Inode | None, moved: Path | None = None) -> None:
        """Note a change of names: a file is at a path now, or nothing is, and nothing at the path it was moved from."""
        with self._lock:
            names = {name: other for name, other in self.names.items() if name not in (path, moved)}
            self.history.append(names if inode is None else names | {path: inode})

    def make_folder(self, path: Path) -> None:
        self._call("make_folder")
        self.folders |= {path, *path.parents}

    def create(self, path: Path) -> int:
        self._call("create")
        if path in self.names:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        if path.parent not in self.folders:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        descriptor = next(self._next)
        self._open[descriptor] = Inode()
        self._change(path, self._open[descriptor])
        return descriptor

    def write(self, descriptor: int, piece: bytes | bytearray | memoryview) -> int:
        self._call("write")
        taken = bytes(piece[: self.most])
        self._open[descriptor].content += taken
        return len(taken)

    def write_at(self, descriptor: int, piece: bytes, offset: int) -> int:
        self._call("write_at")
        taken = piece[: self.most]
        self._open[descriptor].content[offset : offset + len(taken)] = taken
        return len(taken)

    def sync(self, descriptor: int) -> None:
        self._call("sync")
        inode = self._open[descriptor]
        inode.durable = bytes(inode.content)

    def close(self, descriptor: int) -> None:
        # A crash here is a crash at the next call, since closing changes nothing that lasts.
        self._open.pop(descriptor, None)
        self._locks.pop(descriptor, None)

    def rename(self, old: Path, new: Path) -> None:
        self._call("rename")
        if old not in self.names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        self._change(new, self.names[old], old)

    def sync_folder(self, path: Path) -> None:
        self._call("sync_folder")
        with self._lock:
            self.history = [self.names]

    def remove(self, path: Path) -> None:
        self._call("remove")
        if path not in self.names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        self._change(path, None)

    def list(self, path: Path) -> list[str]:
        self._call("list")
        return [name.name for name in self.names if name.parent == path]

    def map(self, path: Path) -> memoryview:
        self._call("map")
        if path not in self.names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return memoryview(bytes(self.names[path].content))

    def free_bytes(self, path: Path) -> int:
        self._call("free_bytes")
        return self.free

    def lock(self, path: Path, *, wait: bool) -> int | None:
        self._call("lock")
        if path in self._locks.values():
            # In one thread nobody will ever give it back.
            assert not wait
            return None
        if path not in self.names:
            self._change(path, Inode())
        descriptor = next(self._next)
        self._locks[descriptor] = path
        return descriptor

    def end_process(self) -> None:
        """What a crash of the process does."""
        self._open.clear()
        self._locks.clear()
        self.fail = None

    def lose_power(self, choose: Callable[[int], int]) -> None:
        """What a crash of the machine does.

        Args:
            choose: gives a number from 0 to its argument.
        """
        self.end_process()
        names = self.history[choose(len(self.history) - 1)]
        after = {}
        for path, inode in names.items():
            kept = inode.durable
            if inode.content != inode.durable and choose(1):
                kept = bytes(inode.content[: choose(len(inode.content))])
            after[path] = Inode(bytearray(kept), kept)
        self.history = [after]
