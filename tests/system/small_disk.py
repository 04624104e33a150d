"""A small disk of memory that programs under test can really fill, as root or as anybody.

It is mounted in a mount namespace of its own: nothing of it is seen elsewhere, and nothing stays. Who is not root
gets a user namespace around it. Programs enter it; the test looks in from outside.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.system.programs import tool

_AS_ROOT: tuple[str, ...] = ()
_AS_ANYBODY = ("--user", "--map-root-user")
# Mounts, says so, and holds the namespace until its input ends.
_HOLD = 'mount -t tmpfs -o "size=$1,mode=700" tmpfs "$2" && echo mounted && exec cat'
_ENTER = 'cd "$0" && exec "$@"'


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A disk that is mounted on a folder, for who enters its namespace.

    Attributes:
        folder: where programs inside see it.
        seen: where the test sees it.
        enter: the command that a program is started by, before its own.
    """

    folder: Path
    seen: Path
    enter: Sequence[str]

    @property
    def free_bytes(self) -> int:
        """What is left."""
        found = os.statvfs(self.seen)
        return found.f_bavail * found.f_frsize

    def fill(self, name: str, leave: int = 0) -> Path:
        """Let a file of somebody else take all but so many bytes; gives the file."""
        path = self.seen / name
        with path.open("ab", buffering=0) as file, suppress(OSError):
            while (wanted := self.free_bytes - leave) > 0:
                file.write(bytes(min(wanted, 1 << 16)))
        return path


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[SmallDisk]:
    """Mount a disk of so many bytes on a folder, which is made; a system that forbids it fails the test.

    Args:
        folder: where.
        size: bytes, in whole pages.
    """
    folder.mkdir(parents=True)
    said = []
    for namespaces in (_AS_ROOT, _AS_ANYBODY):
        command = [tool("unshare"), *namespaces, "--mount", "sh", "-c", _HOLD, "sh", str(size), str(folder)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as holder:
            assert holder.stdin is not None
            assert holder.stdout is not None
            assert holder.stderr is not None
            if holder.stdout.readline() != "mounted\n":
                said.append(holder.stderr.read().strip())
                continue
            entry = [f"--target={holder.pid}", *(["--user", "--preserve-credentials"] if namespaces else []), "--mount"]
            enter = [tool("nsenter"), *entry, "sh", "-c", _ENTER, str(folder.parent)]
            try:
                yield SmallDisk(folder, Path(f"/proc/{holder.pid}/root{folder}"), enter)
            finally:
                holder.stdin.close()
                holder.wait()
            return
    raise AssertionError(
        "this test mounts a small disk: run it as root, or let users have namespaces "
        f"(sysctl kernel.unprivileged_userns_clone=1). The system says: {'; '.join(said)}"
    )
