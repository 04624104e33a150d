"""The clinical audit log: who did what to which instance, in lines that can't be changed unseen.

One file per day of UTC lies below `data_dir/audit`. Lines are appended and made safe, never rewritten; each
holds the hash of the one before it (`audit_chain.py`). Instances are named by receipt, or by the UIDs
that Karnak has given to its output: nothing of an original goes in.

The chain shows that something inside was changed, added or taken away. Whoever can write the files can also
cut off their end, or make all of the chain anew: where that matters, keep the last hash in another place.
"""

import fcntl
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from karnak.errors import KarnakError
from karnak.gateway.audit_chain import START, TORN, Value, audit_files, end_of_chain, make_line, torn_facts

# Think before adding one: could a value of it come out of an original?
KEYS = frozenset(
    {
        "actor",
        "address",
        "called_ae",
        "calling_ae",
        "cause",
        "count",
        "destination",
        "digest",
        "door",
        "output_series_instance_uid",
        "output_sop_instance_uid",
        "output_study_instance_uid",
        "profile",
        "project",
        "receipt",
        "version",
    }
)

_FILE_MODE, _FOLDER_MODE = 0o600, 0o700


class AuditEvent(StrEnum):
    """What can happen."""

    STARTED = "started"
    STOPPED = "stopped"
    RECEIVED = "received"
    DELIVERED = "delivered"
    EXCLUDED = "excluded"
    REJECTED = "rejected"
    QUARANTINED = "quarantined"
    REMOVED = "removed"
    CALLER_REFUSED = "caller refused"
    RETRIED_BY_PERSON = "retried by person"
    DROPPED_BY_PERSON = "dropped by person"
    LEDGER_READ = "ledger read"
    PATIENTS_READ = "patients read"
    PROFILE_ACTIVATED = "profile activated"
    PROFILE_REFUSED = "profile refused"
    CONFIGURATION_ACTIVATED = "configuration activated"
    CONFIGURATION_REFUSED = "configuration refused"
    SHADOW_BEGAN = "shadow began"
    SHADOW_ENDED = "shadow ended"


class AuditError(KarnakError):
    """The audit log can't be written."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Something that happened; made by `of`.

    Attributes:
        event: what.
        values: facts about it, by known key.
    """

    event: AuditEvent
    values: Mapping[str, Value]

    @classmethod
    def of(cls, event: AuditEvent, **values: Value) -> "AuditEntry":
        """Make an entry.

        Raises:
            KeyError: a key that is not known to be safe.
        """
        unknown = values.keys() - KEYS
        if unknown:
            raise KeyError(f"keys that the audit log does not know to be safe: {sorted(unknown)}")
        return cls(event, values)


class AuditLog:
    """Appends entries, from any thread; one process at a time.

    Args:
        folder: where the files are; made when it is needed.
        clock: tells the time, with its zone.

    Raises:
        AuditError: another process writes this log.
        OSError: the folder can't be used.
    """

    def __init__(self, folder: Path, clock: Callable[[], datetime]) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._file: int | None = None
        self._name = ""
        self._last = START
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        self._folder_descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(self._folder_descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._resume()
        except BlockingIOError:
            os.close(self._folder_descriptor)
            raise AuditError(f"another process writes the audit log in {folder}; stop it first") from None
        except BaseException:
            os.close(self._folder_descriptor)
            raise

    def write(self, *entries: AuditEntry) -> None:
        """Append entries and make them safe, all with one sync.

        Raises:
            OSError: they could not be made safe; some of them may be in the file all the same.
        """
        if not entries:
            return
        with self._lock:
            if self._file is None:
                self._resume()
            now = self._clock().astimezone(UTC)
            # A clock that went back doesn't change the order of the files.
            name = max(f"{now.date().isoformat()}.jsonl", self._name)
            last, lines = self._last, []
            for entry in entries:
                line, last = make_line(last, now, entry.event, entry.values)
                lines.append(line)
            self._append(name, b"".join(lines))
            self._last = last

    def close(self) -> None:
        """Let another process write."""
        with self._lock:
            self._close_file()
            os.close(self._folder_descriptor)

    def _resume(self) -> None:
        """Find out what is on disk, and note what a crash or an error has left behind the last whole line."""
        end = end_of_chain(self._folder)
        files = audit_files(self._folder)
        self._name = files[-1].name if files else ""
        self._last = end.last
        if end.remains or not end.ended:
            line, last = make_line(end.last, self._clock(), TORN, torn_facts(end.remains))
            self._append(self._name, (b"" if end.ended else b"\n") + line)
            self._last = last

    def _append(self, name: str, data: bytes) -> None:
        """Append to a file and make it safe; after an error, what is on disk is found out before the next entry."""
        try:
            if self._file is None or name != self._name:
                self._open(name)
            assert self._file is not None
            left = memoryview(data)
            while left:
                left = left[os.write(self._file, left) :]
            os.fdatasync(self._file)
        except OSError:
            self._close_file()
            raise

    def _open(self, name: str) -> None:
        self._close_file()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(name, flags, _FILE_MODE, dir_fd=self._folder_descriptor)
        self._name = name
        os.fsync(self._folder_descriptor)

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
