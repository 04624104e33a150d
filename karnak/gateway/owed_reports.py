"""Reports of Storage Commitment that are owed, on disk until their requestors have heard them.

A request is answered with Success when it lies here, by the rules of the spool: `fdatasync` of the file, `rename`,
`fsync` of the folder. What a crash leaves half written was never answered.
"""

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from karnak.errors import KarnakError
from karnak.gateway.disk import Disk
from karnak.gateway.receive.commitment import Transaction
from karnak.gateway.route import Caller
from karnak.gateway.spool import Durability

FOLDER = "commitments"
_WHOLE, _PART = ".json", ".part"


class DamagedReport(KarnakError):
    """A file is none that was written here."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A report that is owed.

    Attributes:
        name: what its file is called; names sort by time.
        transaction: what was asked.
        caller: who asked.
        asked: when, in UTC.
    """

    name: str
    transaction: Transaction
    caller: Caller
    asked: datetime


class OwedReports:
    """The folder of owed reports.

    Args:
        data_dir: the data folder.
        disk: where it lies.
        durability: fsync: what is kept survives a loss of power; os: a crash of the process only.
    """

    def __init__(self, data_dir: Path, disk: Disk, durability: Durability) -> None:
        self._folder = data_dir / FOLDER
        self._disk = disk
        self._durability = durability

    def keep(self, owed: Owed) -> None:
        """Make a report safe.

        Raises:
            OSError: it is not safe, and nothing of it is left.
        """
        self._disk.make_folder(self._folder)
        part, whole = self._folder / f"{owed.name}{_PART}", self._path(owed.name)
        try:
            self._write(part, _encoded(owed))
            self._disk.rename(part, whole)
            if self._durability == "fsync":
                self._disk.sync_folder(self._folder)
        except BaseException:
            for path in (part, whole):
                with suppress(OSError):
                    self._disk.remove(path)
            raise

    def names(self) -> list[str]:
        """The names of all that are owed, the oldest first.

        Raises:
            OSError: the disk refuses.
        """
        return [name.removesuffix(_WHOLE) for name in self._files() if name.endswith(_WHOLE)]

    def tidy(self) -> None:
        """At a start: remove what a crash has left half written; nobody was told that it is owed.

        Raises:
            OSError: the disk refuses.
        """
        for name in self._files():
            if name.endswith(_PART):
                self._disk.remove(self._folder / name)

    def read(self, name: str) -> Owed:
        """Read a report that is owed.

        Raises:
            OSError: it can't be read.
            DamagedReport: the file is not as it was written.
        """
        data = bytes(self._disk.map(self._path(name)))
        try:
            found = json.loads(data)
            references = tuple((str(one), str(other)) for one, other in found["references"])
            caller = Caller(str(found["called_ae"]), str(found["calling_ae"]), str(found["address"]))
            asked = datetime.fromisoformat(found["asked"]).astimezone(UTC)
            return Owed(name, Transaction(str(found["transaction"]), references), caller, asked)
        except (ValueError, KeyError, TypeError):
            raise DamagedReport(f"the file {self._path(name).name} is damaged") from None

    def remove(self, name: str) -> None:
        """Forget a report; one that is gone already is forgotten.

        Raises:
            OSError: the disk refuses.
        """
        with suppress(FileNotFoundError):
            self._disk.remove(self._path(name))

    def _files(self) -> list[str]:
        try:
            return sorted(self._disk.list(self._folder))
        except FileNotFoundError:
            return []

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{_WHOLE}"

    def _write(self, path: Path, data: bytes) -> None:
        descriptor = self._disk.create(path)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._disk.write(descriptor, rest) :]
            if self._durability == "fsync":
                self._disk.sync(descriptor)
        finally:
            self._disk.close(descriptor)


def _encoded(owed: Owed) -> bytes:
    return json.dumps(
        {
            "transaction": owed.transaction.uid,
            "references": owed.transaction.references,
            "called_ae": owed.caller.called_ae,
            "calling_ae": owed.caller.calling_ae,
            "address": owed.caller.address,
            "asked": owed.asked.astimezone(UTC).isoformat(),
        }
    ).encode("ascii")
