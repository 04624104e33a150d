"""Where the files of a destination folder are written before they get their names.

All of them lie in one folder, `.karnak-incoming`, so that what a crash has left there is found without looking through
everything: it goes with the first delivery after a start, whether its instance comes again or not. A file that somebody
writes is locked meanwhile, and stays.
"""

import fcntl
import hashlib
import os
import re
import threading
from contextlib import suppress

FOLDER = ".karnak-incoming"
_FOLDER_MODE = 0o700
_FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC
_NAME = re.compile(r"\.[0-9a-f]{32}-\d+\.incoming\Z")
# Two destinations can be the same folder.
_naming = threading.Lock()
# Device and inode of the folder, and the name.
_being_written: set[tuple[int, int, str]] = set()
# Device and inode of the folders that this process has cleared.
_cleared: set[tuple[int, int]] = set()


def open_incoming(root: int) -> int:
    """Open the folder of unfinished files of a destination; the first time, it is cleared.

    Args:
        root: descriptor of the destination's folder.

    Returns:
        A descriptor.

    Raises:
        OSError: it can't be made, or read.
    """
    with suppress(FileExistsError):
        os.mkdir(FOLDER, _FOLDER_MODE, dir_fd=root)
    descriptor = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY | _FLAGS, dir_fd=root)
    try:
        with _naming:
            place = _place(descriptor)
            if place not in _cleared:
                _clear(descriptor)
                _cleared.add(place)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def take_name(folder: int, sop_instance_uid: str) -> str:
    """Choose a name for a file that is being written.

    It follows from the instance; a number keeps two destinations apart that write the same instance to the same folder
    at the same time.
    """
    device, inode = _place(folder)
    short = hashlib.sha256(sop_instance_uid.encode()).hexdigest()[:32]
    with _naming:
        number = 0
        while (device, inode, f".{short}-{number}.incoming") in _being_written:
            number += 1
        name = f".{short}-{number}.incoming"
        _being_written.add((device, inode, name))
    return name


def give_back_name(folder: int, name: str) -> None:
    """Say that a file has its name, or is gone."""
    device, inode = _place(folder)
    with _naming:
        _being_written.discard((device, inode, name))


def lock(descriptor: int) -> None:
    """Keep other processes from clearing a file away while it is open."""
    with suppress(OSError):
        # Not every file system of a network has locks.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _place(folder: int) -> tuple[int, int]:
    found = os.fstat(folder)
    return found.st_dev, found.st_ino


def _clear(folder: int) -> None:
    """Remove what nobody is writing any more."""
    for name in os.listdir(folder):
        if _NAME.match(name):
            with suppress(OSError):
                _remove_abandoned(folder, name)


def _remove_abandoned(folder: int, name: str) -> None:
    file = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _FLAGS, dir_fd=folder)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(name, dir_fd=folder)
    finally:
        os.close(file)
