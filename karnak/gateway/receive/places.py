"""How many associations there are, in all processes that listen on one port, and whose.

A board in memory that the processes share has a row of places for each of them. Who wants to count or take holds the
board's lock, which the system gives back when its holder dies; the row of a dead process is wiped by whoever starts
another in its stead.
"""

import fcntl
import mmap
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# A place holds an AE title (PS3.5 section 6.2, VR AE).
_TITLE_LENGTH = 16
_FREE = bytes(_TITLE_LENGTH)
# Connected, and nothing asked yet; no AE title has such characters.
_UNNAMED = b"\x01" * _TITLE_LENGTH


def make_board(processes: int, maximum: int) -> int:
    """Make an empty board; gives a descriptor to hand on to the processes."""
    board = os.memfd_create("associations", os.MFD_CLOEXEC)
    os.ftruncate(board, processes * maximum * _TITLE_LENGTH)
    return board


class Places:
    """One process's row of the board, and its view of all rows.

    Args:
        board: descriptor from `make_board`; stays the caller's.
        process: whose row, from 0.
        maximum: associations at once, in all processes together; as the board was made with.
        maximum_per_ae: associations at once of one calling AE title, 0 for any number.
    """

    def __init__(self, board: int, process: int, maximum: int, maximum_per_ae: int) -> None:
        self._board = board
        self._view = mmap.mmap(board, 0)
        self._row = range(process * maximum, (process + 1) * maximum)
        self._maximum = maximum
        self._maximum_per_ae = maximum_per_ae
        self._threads = threading.Lock()

    def take(self) -> int | None:
        """Take a place for a connection; None when all are taken."""
        with self._locked():
            if sum(self._at(place) != _FREE for place in range(len(self._view) // _TITLE_LENGTH)) >= self._maximum:
                return None
            place = next(place for place in self._row if self._at(place) == _FREE)
            self._put(place, _UNNAMED)
            return place

    def name(self, place: int, calling_ae: str) -> bool:
        """Say whose association a place has; False when that AE has as many as it may."""
        title = calling_ae.encode("latin-1", "replace")[:_TITLE_LENGTH].ljust(_TITLE_LENGTH)
        with self._locked():
            taken = sum(self._at(other) == title for other in range(len(self._view) // _TITLE_LENGTH))
            if self._maximum_per_ae and taken >= self._maximum_per_ae:
                return False
            self._put(place, title)
            return True

    def give_back(self, place: int) -> None:
        """Free a place."""
        with self._locked():
            self._put(place, _FREE)

    def wipe(self) -> None:
        """Free all places of the row: its process is gone."""
        with self._locked():
            for place in self._row:
                self._put(place, _FREE)

    def count(self) -> int:
        """How many associations there are in all processes."""
        with self._locked():
            return sum(self._at(place) != _FREE for place in range(len(self._view) // _TITLE_LENGTH))

    def close(self) -> None:
        """Let go of the board."""
        self._view.close()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # The system's lock is between processes, the other one between this one's threads.
        with self._threads:
            fcntl.lockf(self._board, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.lockf(self._board, fcntl.LOCK_UN)

    def _at(self, place: int) -> bytes:
        return self._view[place * _TITLE_LENGTH : (place + 1) * _TITLE_LENGTH]

    def _put(self, place: int, title: bytes) -> None:
        self._view[place * _TITLE_LENGTH : (place + 1) * _TITLE_LENGTH] = title
