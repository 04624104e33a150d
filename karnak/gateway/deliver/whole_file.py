"""Files that appear whole or not at all, and survive a loss of power."""

import os
import threading
from contextlib import suppress
from pathlib import Path

from karnak.gateway.deliver.parcel import Buffer


def write_whole(path: Path, *pieces: Buffer, file_mode: int = 0o666, folder_mode: int = 0o777) -> None:
    """Write a file under a temporary name, bring it to the disk, and give it its name.

    Args:
        path: the file; missing folders are made.
        pieces: what it shall hold, in order.
        file_mode: permissions of the file, less the process's umask.
        folder_mode: permissions of folders that are made, less the process's umask.

    Raises:
        OSError: it could not be written; nothing is left behind but folders.
    """
    _make_folder(path.parent, folder_mode)
    # One writer per thread: nobody else alive has this name, and a dead one's file is written over.
    new = path.parent / f".{path.name}.{os.getpid()}-{threading.get_ident()}.incoming"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    try:
        with os.fdopen(os.open(new, flags, file_mode), "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise
    _sync_folder(path.parent)


def _make_folder(folder: Path, mode: int) -> None:
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(mode=mode, exist_ok=True)
        _sync_folder(new.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
