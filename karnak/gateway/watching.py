"""Watching the files of the configuration, so that new rules come in without a word from anybody.

Editors replace files, write them in pieces or touch them for nothing: folders are watched, changes that come together
count once, and only other contents count.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from watchfiles import watch

# Milliseconds without a change that end a group of changes.
_QUIET = 400
_LOOK_ANYWAY = 5000


def fingerprint(files: Iterable[Path]) -> str:
    """Name the contents of files; one that can't be read counts as empty.

    Args:
        files: which.

    Returns:
        64 hexadecimal digits.
    """
    found = hashlib.sha256()
    for path in files:
        try:
            data = path.read_bytes()
        except OSError:
            data = b""
        found.update(hashlib.sha256(data).digest())
    return found.hexdigest()


class Watch:
    """Watches files until it is stopped.

    Args:
        files: names them anew for each look: a reload may name others.
        changed: is called when their contents are others.
    """

    def __init__(self, files: Callable[[], Sequence[Path]], changed: Callable[[], None]) -> None:
        self._files = files
        self._changed = changed
        self._seen = fingerprint(files())
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def look(self) -> None:
        """Say so if the contents are others than last time."""
        now = fingerprint(self._files())
        if now != self._seen:
            self._seen = now
            self._changed()

    def _work(self) -> None:
        self.look()
        while not self._stopping.is_set():
            folders = {path.parent for path in self._files() if path.parent.is_dir()}
            for _ in watch(
                *folders,
                stop_event=self._stopping,
                debounce=_QUIET,
                rust_timeout=_LOOK_ANYWAY,
                yield_on_timeout=True,
                recursive=False,
            ):
                self.look()
                if {path.parent for path in self._files() if path.parent.is_dir()} != folders:
                    break
