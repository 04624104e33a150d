"""The spool: instances on disk between receipt and delivery.

A file in `spool/ready/` is the only proof that we own an instance; the index can be made
anew from it. Never tell a sender Success before `Receiving.keep` has returned.

Several processes use one spool. What each is receiving carries its name, and the name is
locked while it lives (`half_received.py`): `tidy` removes only what dead ones have left, so
a receiver that is started again may call it while the others receive.

With durability `os` an instance survives a crash of the process, not of the machine: after
one, a file that lacks its end is recognised when it is opened.
"""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from karnak.errors import KarnakError
from karnak.gateway.disk import Disk
from karnak.gateway.folder_sync import FolderSync
from karnak.gateway.half_received import HalfReceived
from karnak.gateway.receiving import Receiving
from karnak.gateway.spool_head import Arrival, DamagedFile, Door, read_head

__all__ = ["Arrival", "DamagedFile", "Door", "Durability", "Held", "NotInSpool", "Receiving", "Spool"]

Durability = Literal["fsync", "os"]

_READY = ".dcm"
# A receipt is part of paths and a key of the index.
_INSTANCE = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}\.dcm")


class NotInSpool(KarnakError):
    """A receipt has no file in the spool: it was removed or quarantined, or was never here."""


class Held:
    """An instance of the spool, open for reading.

    Args:
        receipt: its name.
        path: its file.
        arrival: who sent it, when, and what it is said to be.
        data_set: its encoded data set.

    Attributes:
        receipt: as above.
        path: as above.
        arrival: as above.
        size: bytes of its data set.
    """

    __slots__ = ("_data_set", "arrival", "path", "receipt", "size")

    def __init__(self, receipt: str, path: Path, arrival: Arrival, data_set: memoryview) -> None:
        self.receipt = receipt
        self.path = path
        self.arrival = arrival
        self.size = len(data_set)
        self._data_set: memoryview | None = data_set

    def data_set(self) -> memoryview:
        """The encoded data set, mapped: the system reads what is looked at. The file may go meanwhile."""
        assert self._data_set is not None, "closed"
        return self._data_set

    def close(self) -> None:
        """Let go of the file; views that others still hold stay good."""
        self._data_set = None


class Spool:
    """The folders `spool/`, `quarantine/` and `kept/` of a data folder, which lie on one file system.

    Args:
        data_dir: the data folder; what is missing is made.
        disk: how it is reached.
        durability: `fsync`: what was kept survives a loss of power; `os`: a crash of the process only.
        new_receipt: gives a name that no instance has had; names sort by time.

    Raises:
        OSError: a folder is missing and can't be made.
    """

    def __init__(self, data_dir: Path, disk: Disk, durability: Durability, new_receipt: Callable[[], str]) -> None:
        self._disk = disk
        self._new_receipt = new_receipt
        self._ready = data_dir / "spool" / "ready"
        self._quarantine = data_dir / "quarantine"
        self._kept = data_dir / "kept"
        receiving = data_dir / "spool" / "receiving"
        for folder in (receiving, self._ready):
            disk.make_folder(folder)
        self._ready_sync: FolderSync | None = None
        if durability == "fsync":
            self._ready_sync = FolderSync(disk, self._ready)
            # Folders that were made by a process that did not live to sync them.
            for folder in (self._ready.parent, data_dir):
                disk.sync_folder(folder)
        self._half_received = HalfReceived(disk, receiving, new_receipt)

    def begin(self, arrival: Arrival) -> Receiving:
        """Open a file for an instance that is about to come.

        Args:
            arrival: who sends it, and what it is said to be.

        Raises:
            OSError: it can't be written; nothing is left behind.
        """
        receipt = self._new_receipt()
        part = self._half_received.file(receipt)
        return Receiving(receipt, arrival, self._disk, part, self._path(receipt), self._ready_sync)

    def stored(self) -> list[str]:
        """The receipts of all instances that are owed, in the order in which they came.

        Raises:
            OSError: the folder can't be read.
        """
        return sorted(name.removesuffix(_READY) for name in self._disk.list(self._ready) if _INSTANCE.fullmatch(name))

    def foreign(self) -> list[str]:
        """The names in `spool/ready/` that are no instance's: somebody else put them there.

        Raises:
            OSError: the folder can't be read.
        """
        return sorted(name for name in self._disk.list(self._ready) if not _INSTANCE.fullmatch(name))

    def open(self, receipt: str) -> Held:
        """Open an instance for reading.

        Raises:
            NotInSpool: it is not there.
            DamagedFile: it is torn, no DICOM, or not written by Karnak; it stays where it is.
            OSError: the disk refuses.
        """
        path = self._path(receipt)
        try:
            data = self._disk.map(path)
        except FileNotFoundError:
            raise NotInSpool(f"there is no instance {receipt} in the spool") from None
        arrival, start = read_head(data)
        return Held(receipt, path, arrival, data[start:])

    def remove(self, receipt: str) -> None:
        """Remove an instance that nobody is owed any more; one that is gone already is no error.

        After a loss of power it may be there again: the next start ends the work anew.

        Raises:
            OSError: the disk refuses.
        """
        with suppress(FileNotFoundError):
            self._disk.remove(self._path(receipt))

    def quarantine(self, receipt: str, report: Mapping[str, object], when: datetime) -> Path:
        """Move an instance to where a person will look at it, with a report; may be done again after a crash.

        Args:
            receipt: the instance, readable or not.
            report: what is to be said of it, as JSON data without values of patients.
            when: the day it is filed under, in UTC.

        Returns:
            The folder it lies in.

        Raises:
            NotInSpool: it is neither in the spool nor in that folder.
            OSError: the disk refuses; the instance is in the spool or in that folder.
        """
        ready = self._path(receipt)
        folder = self._quarantine / when.astimezone(UTC).date().isoformat() / receipt
        self._disk.make_folder(folder)
        self._write(folder / "report.json", (json.dumps(report, indent=2) + "\n").encode("ascii"))
        self._move(ready, folder / "instance.dcm")
        return folder

    def archive(self, receipt: str, when: datetime) -> Path:
        """Move an instance that nobody is owed any more to `kept/<day>/`, where the configuration wants originals kept.

        Args:
            receipt: the instance.
            when: the day it is filed under, in UTC.

        Returns:
            Its file.

        Raises:
            NotInSpool: it is neither in the spool nor there.
            OSError: the disk refuses; the instance is in the spool or there.
        """
        file = self._kept / when.astimezone(UTC).date().isoformat() / f"{receipt}{_READY}"
        self._disk.make_folder(file.parent)
        self._move(self._path(receipt), file)
        return file

    def tidy(self) -> int:
        """Remove what processes that are gone had half received; others may be receiving meanwhile.

        Returns:
            How many half-received files were removed.

        Raises:
            OSError: the disk refuses.
        """
        return self._half_received.tidy()

    def half_received(self) -> int:
        """How many files are being received, or were when their process died.

        Raises:
            OSError: the folder can't be read.
        """
        return self._half_received.count()

    def full(self, minimum_free_bytes: int) -> bool:
        """Tell whether nothing more should be taken: there is less room than that, or nobody knows.

        Args:
            minimum_free_bytes: room that must stay free.
        """
        try:
            return self._disk.free_bytes(self._ready) < minimum_free_bytes
        except OSError:
            return True

    def size(self) -> int:
        """Bytes of the files that are owed to destinations.

        Raises:
            OSError: the folder can't be read.
        """
        return self._disk.size(self._ready)

    def free_bytes(self) -> int:
        """Bytes that the disk below has left.

        Raises:
            OSError: nobody knows.
        """
        return self._disk.free_bytes(self._ready)

    def close(self) -> None:
        """Let go of what this process holds of the spool; it must not be receiving."""
        self._half_received.close()

    def _path(self, receipt: str) -> Path:
        name = f"{receipt}{_READY}"
        if not _INSTANCE.fullmatch(name):
            raise NotInSpool("this is no receipt")
        return self._ready / name

    def _write(self, path: Path, data: bytes) -> None:
        """Write a small file, whole or not at all; its folder is not synced."""
        new = path.with_name(f".{path.name}.new")
        with suppress(FileNotFoundError):
            self._disk.remove(new)
        descriptor = self._disk.create(new)
        try:
            while data:
                data = data[self._disk.write(descriptor, data) :]
            if self._ready_sync is not None:
                self._disk.sync(descriptor)
        finally:
            self._disk.close(descriptor)
        self._disk.rename(new, path)

    def _move(self, old: Path, new: Path) -> None:
        try:
            self._disk.rename(old, new)
        except FileNotFoundError:
            # Was it moved before, by a process that did not live to say so?
            if new.name not in self._disk.list(new.parent):
                raise NotInSpool("the instance is no longer in the spool") from None
        if self._ready_sync is not None:
            self._disk.sync_folder(new.parent)
            self._ready_sync.sync()
