"""The report of a batch: a line of JSON per file, and no value of an original instance in it.

A file is named by its number in the walk, because names of files and folders often are names
of patients; only who asks for it gets the paths. A report that exists is the report of a
run that came to its end.
"""

import json
import os
import re
import tempfile
from pathlib import Path
from types import TracebackType
from typing import TextIO

from karnak.gateway.results import Result
from karnak.gateway.walk import shown

# PS3.5 section 9.1. What only claims to be a UID could be anything.
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_UID_LENGTH = 64


def line(result: Result, *, with_source: bool = False) -> dict[str, object]:
    """Say what became of a file, as JSON data without empty entries.

    Args:
        result: what became of it.
        with_source: also give its path.
    """
    entry: dict[str, object] = {"file": result.found.number}
    if with_source:
        entry["source"] = shown(result.found.path)
    entry |= {"status": str(result.fate), "reason": result.reason}
    if result.first is not None:
        entry["first"] = result.first.number
    if result.outcome is not None:
        entry |= {
            "warnings": list(result.outcome.warnings),
            "sop_class_uid": _uid(result.outcome.sop_class_uid),
            "fallback": result.outcome.fallback,
        }
    # These belong to the output; without one there is nothing to say of them.
    if result.name is not None and result.outcome is not None:
        entry |= {
            "transfer_syntax_uid": _uid(result.outcome.transfer_syntax_uid),
            "study_instance_uid": _uid(result.outcome.study_instance_uid),
            "series_instance_uid": _uid(result.outcome.series_instance_uid),
            "sop_instance_uid": _uid(result.outcome.sop_instance_uid),
            "output": shown(result.name),
            "bytes": result.size,
            "sha256": result.sha256.hex() or None,
            "changes": dict(sorted(result.actions.items())),
        }
    return {key: value for key, value in entry.items() if value not in (None, [], {})}


def _uid(text: str | None) -> str | None:
    return text if text is not None and len(text) <= _UID_LENGTH and _UID.fullmatch(text) else None


class Report:
    """A report file; a context manager that gives the file its name only when all went to the end.

    Args:
        path: where the report goes; an older one is replaced.
        with_sources: also give the paths of the files.
    """

    def __init__(self, path: Path, *, with_sources: bool = False) -> None:
        self.path = path
        self._with_sources = with_sources

    def __enter__(self) -> "Report":
        # Made with mode 0600: what it says stays between the operator and those who are shown it.
        descriptor, name = tempfile.mkstemp(prefix=".karnak-report-", dir=self.path.parent)
        self.unfinished = Path(name)
        self._file: TextIO = os.fdopen(descriptor, "w", encoding="ascii", newline="\n")
        return self

    def write(self, result: Result) -> None:
        """Add a line."""
        self._file.write(json.dumps(line(result, with_source=self._with_sources)) + "\n")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
        if kind is None:
            self.unfinished.replace(self.path)
        else:
            self.unfinished.unlink(missing_ok=True)
