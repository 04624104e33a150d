"""The journal: one line of JSON per event, made only of keys that can't hold a patient's value.

A log is copied, mailed and kept for years. So no text of an instance, no UID of one and no
message of an unforeseen exception goes in: an instance is named by its receipt, a random
number that the quarantine uses too.
"""

import json
import logging
import threading
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

Value = str | int | float | bool | None

# Every key that a line may have. Think before adding one: could a value of it come out of an instance?
KEYS = frozenset(
    {
        "address",
        "called_ae",
        "calling_ae",
        "count",
        "destination",
        "error",
        "host",
        "place",
        "port",
        "profile",
        "reason",
        "receipt",
        "status",
        "tables",
    }
)


class Journal:
    """Writes events, from any thread.

    Args:
        stream: where lines go.
        clock: tells the time, in UTC.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], datetime]) -> None:
        self._stream = stream
        self._clock = clock
        self._lock = threading.Lock()

    def write(self, event: str, **values: Value) -> None:
        """Write one line; where the stream refuses, on a full disk for one, the line is lost and the caller goes on.

        Args:
            event: what happened, in a few words.
            values: facts about it, by known key.

        Raises:
            KeyError: a key that is not known to be safe.
        """
        unknown = values.keys() - KEYS
        if unknown:
            raise KeyError(f"keys that the journal does not know to be safe: {sorted(unknown)}")
        time = self._clock().astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"time": time, "event": event} | values)
        with self._lock, suppress(OSError):
            self._stream.write(line + "\n")
            self._stream.flush()

    def write_error(self, event: str, error: BaseException, **values: Value) -> None:
        """Write an unforeseen exception: its type and place, not its message, which may quote an instance."""
        self.write(event, error=type(error).__name__, place=place_of(error), **values)


def place_of(error: BaseException) -> str:
    """Tell where an exception was raised: file and line, or "" where nobody knows."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def quieten_libraries(write_error: Callable[[str, BaseException], None]) -> None:
    """Keep what libraries say about instances out of this process's output; for the whole process.

    Their warnings and log lines may quote values, and so may the text of an exception that ends a thread.

    Args:
        write_error: writes the type and place of such an exception.
    """
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")

    def note(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_value is not None:
            write_error("thread failed", failed.exc_value)

    threading.excepthook = note
