"""Deliver to a folder, under names that a layout makes of attributes of what is written.

A file appears whole or not at all, and when `deliver` has answered it survives a loss of
power. Nothing that a sender chooses can name a file outside the folder: folders below it are
opened one inside the other, and links are not followed.
"""

import errno
import os
import stat
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path, PurePosixPath

from karnak.gateway.deliver.incoming import give_back_name, lock, open_incoming, take_name
from karnak.gateway.deliver.layout import DEFAULT_LAYOUT, Layout, LayoutError, suffixed
from karnak.gateway.deliver.parcel import Answer, Buffer, Delivered, Parcel, Refused
from karnak.runtime.part10 import media_storage_sop_instance_uid

_FILE_MODE, _FOLDER_MODE = 0o666, 0o777
_LINK = "a link lies where a folder is needed, and links are not followed"
# Giving names is short, and two files must not get the same one. Two destinations can be the same folder.
_naming = threading.Lock()


class FolderDestination:
    """A folder on this machine.

    Args:
        path: the folder; made with the first delivery.
        layout: how files are named.
    """

    def __init__(self, path: Path, layout: Layout | None = None) -> None:
        self._path = path
        self._layout = layout or _default_layout()

    def __str__(self) -> str:
        return f"folder {self._path}"

    @property
    def at_once(self) -> int:
        """How many parcels one call takes; they share the syncing of folders."""
        return 16

    @property
    def parallel(self) -> int:
        """How many calls may run at once."""
        return 2

    def deliver(self, parcels: Sequence[Parcel]) -> Sequence[Answer]:
        """Write parcels; an instance with the same SOP Instance UID and name is replaced in one step.

        Returns:
            A remark where a file was replaced by another; refused where the disk is full and the like.
        """
        with _Call(self._path) as call:
            told = [_attempt(call, self._layout, parcel) for parcel in parcels]
            return [call.settled(answer, place) for answer, place in told]

    def close(self) -> None:
        """Nothing is open between deliveries."""


def relative_path(parcel: Parcel) -> Path:
    """Name the file of a parcel by its UIDs, below a folder: `<study>/<series>/<instance>.dcm`."""
    return Path(_default_layout().path(parcel))


@cache
def _default_layout() -> Layout:
    return Layout.parse(DEFAULT_LAYOUT)


def _attempt(call: "_Call", layout: Layout, parcel: Parcel) -> tuple[Answer, tuple[str, ...]]:
    """Write one parcel; its answer holds once the folder is on the disk."""
    path = PurePosixPath()
    try:
        path = layout.path(parcel)
        replaced = call.write(path, parcel)
    except LayoutError as error:
        return Refused(str(error)), ()
    except OSError as error:
        return Refused(_reason(error)), ()
    return Delivered("replaced an earlier file of the same instance" if replaced else None), path.parts[:-1]


def _reason(error: OSError) -> str:
    return f"the folder can't be written: {_LINK if error.errno == errno.ELOOP else error.strerror}"


class _Call:
    """The folders that one call has opened; a context manager that closes them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._open: dict[tuple[str, ...], int] = {}
        self._synced: dict[tuple[str, ...], OSError | None] = {}
        self._unfinished: int | None = None

    def __enter__(self) -> "_Call":
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)
        if self._unfinished is not None:
            os.close(self._unfinished)

    def write(self, path: PurePosixPath, parcel: Parcel) -> bool:
        """Write a file; `settled` brings its name to the disk.

        Returns:
            Whether it replaced another one of the same instance.

        Raises:
            OSError: it can't be written; nothing is left behind but folders.
        """
        folder = self._folder(path.parts[:-1])
        pieces = parcel.file()
        incoming = self._incoming(folder)
        new = take_name(incoming, parcel.sop_instance_uid)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        try:
            with os.fdopen(os.open(new, flags, _FILE_MODE, dir_fd=incoming), "wb", buffering=0) as file:
                lock(file.fileno())
                _write_all(file.fileno(), pieces)
                os.fsync(file.fileno())
            with _naming:
                name, before = _place(folder, path, parcel.sop_instance_uid)
                replaced = before is not None and before != b"".join(pieces)
                os.replace(new, name, src_dir_fd=incoming, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(new, dir_fd=incoming)
            raise
        finally:
            give_back_name(incoming, new)
        return replaced

    def settled(self, answer: Answer, place: tuple[str, ...]) -> Answer:
        """Bring the names in a folder to the disk, once for all that was written there."""
        if isinstance(answer, Refused):
            return answer
        if place not in self._synced:
            self._synced[place] = None
            try:
                os.fsync(self._open[place])
            except OSError as error:
                self._synced[place] = error
        failed = self._synced[place]
        return answer if failed is None else Refused(_reason(failed))

    def _incoming(self, folder: int) -> int:
        """Where a file is written that is to lie in a folder: that folder, where it is on another file system."""
        if self._unfinished is None:
            self._unfinished = open_incoming(self._folder(()))
        same = os.fstat(folder).st_dev == os.fstat(self._unfinished).st_dev
        return self._unfinished if same else folder

    def _folder(self, parts: tuple[str, ...]) -> int:
        """Open a folder below the root, and make it where it is missing."""
        if parts in self._open:
            return self._open[parts]
        if not parts:
            _make_root(self._root)
            descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        else:
            around, name = self._folder(parts[:-1]), parts[-1]
            try:
                os.mkdir(name, _FOLDER_MODE, dir_fd=around)
                os.fsync(around)
            except FileExistsError:
                pass
            descriptor = _open_inside(around, name)
        self._open[parts] = descriptor
        return descriptor


def _open_inside(around: int, name: str) -> int:
    try:
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=around)
    except NotADirectoryError:
        # Linux says so of a link, too.
        if stat.S_ISLNK(os.stat(name, dir_fd=around, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None
        raise


def _make_root(root: Path) -> None:
    for folder in reversed([root, *root.parents]):
        if not folder.is_dir():
            folder.mkdir(_FOLDER_MODE, exist_ok=True)
            around = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(around)
            finally:
                os.close(around)


def _write_all(descriptor: int, pieces: Sequence[Buffer]) -> None:
    for piece in pieces:
        left = memoryview(piece)
        while left:
            left = left[os.write(descriptor, left) :]


def _place(folder: int, path: PurePosixPath, uid: str) -> tuple[str, bytes | None]:
    """Choose the name of a file: that of the layout, unless something else has it.

    Returns:
        The name, and what the file of the same instance holds that has it now, or None.
    """
    names = (path.name, suffixed(path, uid).name)
    there = {name: _read(folder, name) for name in names}
    for name, before in there.items():
        if before is not None and media_storage_sop_instance_uid(before) == uid:
            return name, before
    for name, before in there.items():
        if before is None:
            return name, None
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def _read(folder: int, name: str) -> bytes | None:
    """Read a file, or None where there is none; a link is something else that has the name."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return b""
        raise
    with os.fdopen(descriptor, "rb") as file:
        return file.read()
