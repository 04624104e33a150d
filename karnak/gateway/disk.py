"""The disk: the few system calls that the spool makes, in one place, so that a test can put a model there.

Every method is one call of the system or a fixed few; none tries again, none hides an error.
Patients' data lie in these files: only the owner of the process may look.
"""

import fcntl
import mmap
import os
from contextlib import suppress
from pathlib import Path

_FILE_MODE, _FOLDER_MODE = 0o600, 0o700
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Disk:
    """A disk of this machine. All methods raise OSError."""

    def make_folder(self, path: Path) -> None:
        """Make a folder and those above it, where they are missing, and bring their names to the disk."""
        missing = []
        while not path.is_dir():
            missing.append(path)
            path = path.parent
        for folder in reversed(missing):
            folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
            self.sync_folder(folder.parent)

    def create(self, path: Path) -> int:
        """Make a file that is not there yet, and open it for writing; gives a descriptor."""
        return os.open(path, _CREATE, _FILE_MODE)

    def write(self, descriptor: int, piece: bytes | bytearray | memoryview) -> int:
        """Write at the end; gives how many bytes were taken, which may be fewer than there are."""
        return os.write(descriptor, piece)

    def write_at(self, descriptor: int, piece: bytes, offset: int) -> int:
        """Write over what is there; gives how many bytes were taken."""
        return os.pwrite(descriptor, piece, offset)

    def sync(self, descriptor: int) -> None:
        """Bring what was written, and the length of the file, to the disk."""
        os.fdatasync(descriptor)

    def close(self, descriptor: int) -> None:
        """Close a file; its lock goes with it."""
        os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name, in one step; a file that had it is gone."""
        old.rename(new)

    def sync_folder(self, path: Path) -> None:
        """Bring the names in a folder to the disk."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()

    def list(self, path: Path) -> list[str]:
        """The names in a folder, in no order."""
        # Names, not paths: there may be a million.
        with os.scandir(path) as entries:
            return [entry.name for entry in entries]

    def size(self, path: Path) -> int:
        """Bytes of the files in a folder; one that goes meanwhile counts nothing."""
        total = 0
        with os.scandir(path) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    total += entry.stat(follow_symlinks=False).st_size
        return total

    def map(self, path: Path) -> memoryview:
        """The bytes of a file, which the system reads when they are asked for; unmapped with the last view of them."""
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size
            # A map of nothing is an error to the system.
            return memoryview(mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) if size else b"")
        finally:
            os.close(descriptor)

    def free_bytes(self, path: Path) -> int:
        """How many bytes the file system of a path still takes from us."""
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize

    def lock(self, path: Path, *, wait: bool) -> int | None:
        """Make a lock file where it is missing, and lock it until it is closed or its processes are gone.

        Args:
            path: the lock file.
            wait: wait for the lock.

        Returns:
            A descriptor, or None where another has the lock.
        """
        descriptor = os.open(path, _LOCK, _FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor
