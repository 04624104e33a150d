"""An instance on its way into the spool: written as it comes, then made safe in three steps.

The steps are `fdatasync` of the file, `rename` into `ready/`, `fsync` of that folder.
Whatever fails, no half of an instance stays.
"""

from contextlib import suppress
from pathlib import Path

from karnak.gateway.disk import Disk
from karnak.gateway.folder_sync import FolderSync
from karnak.gateway.spool_head import Arrival, make_head, size_field


class Receiving:
    """An instance that is coming in; made by `Spool.begin`, used by one thread.

    Args:
        receipt: what it is called from now on.
        arrival: who sends it, and what it is said to be.
        disk: where it is written.
        part: the file while it is not whole.
        ready: the file when it is.
        ready_sync: makes the names beside `ready` safe; None where a crash of the machine need not be survived.

    Attributes:
        receipt: as above.
        size: bytes of the data set so far.

    Raises:
        OSError: the file can't be written; nothing is left behind.
    """

    __slots__ = ("_descriptor", "_disk", "_part", "_ready", "_ready_sync", "_size_at", "receipt", "size")

    def __init__(
        self, receipt: str, arrival: Arrival, disk: Disk, part: Path, ready: Path, ready_sync: FolderSync | None
    ) -> None:
        self.receipt = receipt
        self._disk = disk
        self._part = part
        self._ready = ready
        self._ready_sync = ready_sync
        head = make_head(arrival)
        self._size_at = head.size_at
        self._descriptor: int | None = disk.create(part)
        self.size = -len(head.data)
        self.write(head.data)

    def write(self, piece: bytes | bytearray | memoryview) -> None:
        """Add bytes of the data set; nothing is copied here, and the piece may be used anew afterwards.

        Args:
            piece: the bytes, in one dimension of single bytes.

        Raises:
            OSError: the disk refuses; what there was is dropped.
        """
        assert self._descriptor is not None, "dropped or kept"
        length = len(piece)
        try:
            taken = self._disk.write(self._descriptor, piece)
            while taken < length:
                taken += self._disk.write(self._descriptor, memoryview(piece)[taken:])
        except BaseException:
            self.drop()
            raise
        self.size += length

    def keep(self) -> str:
        """Make the instance safe; only when this has returned may its sender hear Success.

        Returns:
            The receipt.

        Raises:
            OSError: it is not safe. What there was is dropped; where only the last step failed, the whole instance
                stays and is delivered, although its sender has to send it again.
        """
        assert self._descriptor is not None, "dropped or kept"
        try:
            self._write_size()
            if self._ready_sync is not None:
                self._disk.sync(self._descriptor)
            self._disk.rename(self._part, self._ready)
        except BaseException:
            self.drop()
            raise
        self._close()
        if self._ready_sync is not None:
            self._ready_sync.sync()
        return self.receipt

    def drop(self) -> None:
        """Forget the instance; its file goes. After `keep`, or a second time, it does nothing."""
        if self._descriptor is None:
            return
        self._close()
        # What can't be removed now is removed by `Spool.tidy`.
        with suppress(OSError):
            self._disk.remove(self._part)

    def _write_size(self) -> None:
        assert self._descriptor is not None
        field, at = size_field(self.size), self._size_at
        while field:
            taken = self._disk.write_at(self._descriptor, field, at)
            field, at = field[taken:], at + taken

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            self._disk.close(descriptor)
