"""Deliver to a folder: `<study>/<series>/<instance>.dcm`, named by the UIDs of the parcel.

A file appears whole or not at all, and when `deliver` returns it survives a loss of power.
Nothing that a sender chooses can name a file outside the folder.
"""

import hashlib
import os
import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from karnak.gateway.deliver.parcel import Answer, Buffer, Delivered, Parcel, Refused

# PS3.5 section 9.1: up to 64 digits and dots.
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_UID_LENGTH = 64


@dataclass(frozen=True, slots=True)
class FolderDestination:
    """A folder on this machine.

    Attributes:
        path: the folder; made with the first delivery.
    """

    path: Path

    def __str__(self) -> str:
        return f"folder {self.path}"

    @property
    def at_once(self) -> int:
        """How many parcels one call takes."""
        return 16

    @property
    def parallel(self) -> int:
        """How many calls may run at once."""
        return 2

    def deliver(self, parcels: Sequence[Parcel]) -> Sequence[Answer]:
        """Write parcels; an instance with the same UIDs is replaced in one step.

        Returns:
            A remark where a file was replaced by another; refused where the disk is full and the like.
        """
        return [self._write(parcel) for parcel in parcels]

    def _write(self, parcel: Parcel) -> Answer:
        path = self.path / relative_path(parcel)
        pieces = parcel.file()
        try:
            replaced = path.exists() and path.read_bytes() != b"".join(pieces)
            write_whole(path, *pieces)
        except OSError as error:
            return Refused(f"the folder can't be written: {error.strerror}")
        return Delivered("replaced an earlier file of the same instance" if replaced else None)

    def close(self) -> None:
        """Nothing is open between deliveries."""


def relative_path(parcel: Parcel) -> Path:
    """Name the file of a parcel, below the destination's folder."""
    study = _safe(parcel.study_instance_uid, "without-study")
    series = _safe(parcel.series_instance_uid, "without-series")
    return Path(study, series, _safe(parcel.sop_instance_uid, "without-uid") + ".dcm")


def _safe(uid: str | None, default: str) -> str:
    if not uid:
        return default
    if len(uid) <= _UID_LENGTH and _UID.fullmatch(uid):
        return uid
    # Something that is no UID could be a path; its hash can't, and keeps different ones apart.
    return "not-a-uid-" + hashlib.sha256(uid.encode("utf-8", "surrogatepass")).hexdigest()[:32]


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
