"""Finding the files of a batch: inputs in the order given, folders in sorted order, each folder once.

The order depends on names only, so two runs over the same files number them alike. Nothing
that was named or found is dropped silently, but what the run itself writes: what is not
read is yielded with the reason. Files are not opened here.
"""

import os
import stat
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# A file or folder, whatever name or link it was reached by: its device and its inode.
Identity = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Found:
    """Something that was named or found.

    Attributes:
        number: its place in the walk, from 1.
        path: where it is.
        skipped: why it is not to be read although nothing is wrong, or None.
        failed: why it could not even be looked at, or None.
    """

    number: int
    path: Path
    skipped: str | None = None
    failed: str | None = None


def shown(path: Path) -> str:
    """Write a path so that it is safe on a terminal and in JSON, whatever bytes its name has."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def says(error: OSError) -> str:
    """Say what the operating system says, without the name of the file."""
    return (error.strerror or type(error).__name__).lower()


def identity(path: Path) -> Identity | None:
    """Tell which file or folder a path leads to, or None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_link(path: Path) -> bool:
    try:
        return path.is_symlink()
    except OSError:
        return False


def walk(inputs: Sequence[Path], leave_out: Collection[Path] = ()) -> Iterator[Found]:
    """Yield every file of the inputs, folders walked depth first, names sorted by their bytes.

    A folder that is reached twice (overlapping inputs, links in a loop) is walked once.

    Args:
        inputs: files and folders.
        leave_out: files and folders of this run that are not input even when they lie in a folder of it.
    """
    ours = {identity(path) for path in leave_out} - {None}
    visited: set[Identity] = set()
    number = 0
    for start in inputs:
        stack = [start]
        while stack:
            path = stack.pop()
            skipped = failed = None
            try:
                status = path.stat()
                if (status.st_dev, status.st_ino) in ours:
                    continue
                if stat.S_ISDIR(status.st_mode):
                    if (status.st_dev, status.st_ino) not in visited:
                        visited.add((status.st_dev, status.st_ino))
                        stack.extend(sorted(path.iterdir(), key=os.fsencode, reverse=True))
                    continue
                elif not stat.S_ISREG(status.st_mode):
                    skipped = "neither a file nor a folder"
            except OSError as error:
                if _is_link(path):
                    skipped = f"a link that leads nowhere ({says(error)})"
                else:
                    failed = f"cannot be looked at: {says(error)}"
            number += 1
            yield Found(number, path, skipped, failed)
