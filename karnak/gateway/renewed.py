"""Rules of TLS as their files have them now, for who listens and for who calls.

Certificates, keys and authorities are renewed while the gateway runs: each new connection gets what the files say then.
Files that can't be used (half written, a key that doesn't fit) leave the last good ones in force.
"""

import ssl
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from karnak.errors import KarnakError

# Gives the rules for the next connection.
Rules: TypeAlias = Callable[[], ssl.SSLContext]


class RenewedContext:
    """Reads files anew when they have changed; call it for each connection, from any thread.

    Args:
        make: reads them; raises KarnakError where they can't be used.
        files: the files.
        failed: is told once about each state of the files that can't be used.

    Raises:
        KarnakError: they can't be used, and there is nothing before them.
    """

    def __init__(
        self, make: Callable[[], ssl.SSLContext], files: Sequence[Path], failed: Callable[[KarnakError], None]
    ) -> None:
        self._make = make
        self._files = files
        self._failed = failed
        self._lock = threading.Lock()
        # Looked at before they are read: what changes meanwhile is read again.
        self._seen = self._look()
        self._context = make()

    def __call__(self) -> ssl.SSLContext:
        """The rules for the next connection."""
        with self._lock:
            seen = self._look()
            if seen != self._seen:
                self._seen = seen
                try:
                    self._context = self._make()
                except KarnakError as error:
                    self._failed(error)
            return self._context

    def _look(self) -> tuple[tuple[int, int, int] | None, ...]:
        return tuple(_state_of(file) for file in self._files)


def _state_of(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
