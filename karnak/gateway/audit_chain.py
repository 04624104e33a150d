"""The chain of the audit log: how a line is made, and where a chain is broken.

A line is JSON: number, time, event, facts, `previous` (the SHA-256 of the line before it) and at its end
`hash`, the SHA-256 of all that stands before it. The chain goes over the borders of files.

A crash can cut off the last line. The next start leaves what is there and appends a line about it, with
the size and SHA-256 of the remains; so they are explained, and no change to them goes unseen either.
"""

import hashlib
import json
import mmap
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

Value = str | int | bool | None

# The event of the line that explains what a crash has left.
TORN = "torn line"
_FILE_NAME = re.compile(r"\d{4}-\d{2}-\d{2}\.jsonl\Z")
_LINE = re.compile(rb'(\{.*),"hash":"([0-9a-f]{64})"\}\Z', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Link:
    """What the next line hangs on.

    Attributes:
        number: of the line, counted from 1 over all files.
        hash: of the line, as 64 hexadecimal digits.
    """

    number: int
    hash: str


START = Link(0, "0" * 64)


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """The first place where the chain is broken.

    Attributes:
        file: name of the file.
        line: number of the line in it, from 1.
        problem: what is wrong there.
    """

    file: str
    line: int
    problem: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.problem}"


@dataclass(frozen=True, slots=True)
class AuditSummary:
    """What a whole chain holds.

    Attributes:
        lines: how many lines are in order, up to the first finding.
        last: hash of the last of them; keep it elsewhere to notice that the end was cut off.
        torn: how many times a crash has cut off a line, each explained by a line of its own.
        finding: the first break, or None.
    """

    lines: int
    last: str
    torn: int
    finding: AuditFinding | None


@dataclass(frozen=True, slots=True)
class _Line:
    """A line whose own hash is right."""

    link: Link
    previous: str
    facts: Mapping[str, object]


def make_line(last: Link, time: datetime, event: str, values: Mapping[str, Value]) -> tuple[bytes, Link]:
    """Make the line that follows another.

    Args:
        last: the other.
        time: when it happened, with its zone.
        event: what happened.
        values: facts about it.

    Returns:
        The line with its end of line, and what the next one hangs on.
    """
    stamp = time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    number = last.number + 1
    facts = {"number": number, "time": stamp, "event": event} | dict(values) | {"previous": last.hash}
    body = json.dumps(facts, separators=(",", ":")).encode("ascii")[:-1]
    digest = hashlib.sha256(body).hexdigest()
    return body + b',"hash":"' + digest.encode("ascii") + b'"}\n', Link(number, digest)


def torn_facts(remains: bytes) -> dict[str, Value]:
    """The facts of a line that explains what a crash has left."""
    return {"torn_bytes": len(remains), "torn_sha256": hashlib.sha256(remains).hexdigest()}


def audit_files(folder: Path) -> list[Path]:
    """The files of a log, in the order of the chain; none where there is no folder."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _FILE_NAME.match(path.name))


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """Where a chain goes on.

    Attributes:
        last: the last line that is whole.
        remains: what lies behind it in the last file: nothing, or what a crash has left.
        ended: whether the last file ends with an end of line.
    """

    last: Link
    remains: bytes
    ended: bool


def end_of_chain(folder: Path) -> ChainEnd:
    """Find where a chain goes on.

    Raises:
        OSError: a file can't be read.
    """
    remains, ended = b"", True
    for index, path in enumerate(reversed(audit_files(folder))):
        data = _mapped(path)
        end = len(data)
        if index == 0:
            ended = data[end - 1 :] in (b"", b"\n")
        while end:
            start = data.rfind(b"\n", 0, end - 1) + 1
            line = _parse(data[start:end].removesuffix(b"\n"))
            if line is not None:
                return ChainEnd(line.link, remains if index else bytes(data[end:]), ended)
            end = start
        if index == 0:
            remains = bytes(data)
    return ChainEnd(START, remains, ended)


def verify_audit(folder: Path) -> AuditFinding | None:
    """Look for the first place where the chain of an audit log is broken.

    Args:
        folder: where the files are.

    Raises:
        OSError: a file can't be read.
    """
    return summarize_audit(folder).finding


def summarize_audit(folder: Path) -> AuditSummary:
    """Go through a whole audit log.

    Args:
        folder: where the files are.

    Raises:
        OSError: a file can't be read.
    """
    last, torn = START, 0
    for path in audit_files(folder):
        remains: list[bytes] = []
        first_bad = AuditFinding("", 0, "")
        for number, raw in enumerate(_lines(path), start=1):
            line = _parse(raw[:-1]) if raw.endswith(b"\n") else None
            if line is None:
                if not remains:
                    cut = "was changed, or cut off by a crash that no start has noted since"
                    first_bad = AuditFinding(path.name, number, f"the line {cut}")
                remains.append(raw)
                continue
            if remains:
                if not _explains(line, last, b"".join(remains)):
                    return AuditSummary(last.number, last.hash, torn, first_bad)
                remains = []
            elif line.previous != last.hash or line.link.number != last.number + 1:
                problem = f"line {last.number + 1} of the log should stand here; lines were added, moved or taken away"
                return AuditSummary(last.number, last.hash, torn, AuditFinding(path.name, number, problem))
            last = line.link
            torn += line.facts.get("event") == TORN
        if remains:
            return AuditSummary(last.number, last.hash, torn, first_bad)
    return AuditSummary(last.number, last.hash, torn, None)


def _mapped(path: Path) -> bytes | mmap.mmap:
    """A file's content, which may be that of a busy day; an empty file can't be mapped."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _explains(line: _Line, last: Link, remains: bytes) -> bool:
    """Tell whether a line is the note of a start about exactly these remains.

    The start ends them with an end of line where they have none, so the note tells what it found either way.
    """
    facts = line.facts
    if facts.get("event") != TORN or line.previous != last.hash or line.link.number != last.number + 1:
        return False
    found = [torn_facts(remains), torn_facts(remains[:-1])]
    return {key: facts.get(key) for key in found[0]} in found


def _parse(raw: bytes) -> _Line | None:
    """Read a line, without its end; None where it is not as it was written."""
    match = _LINE.match(raw)
    if match is None or hashlib.sha256(match[1]).hexdigest().encode("ascii") != match[2]:
        return None
    try:
        facts = json.loads(match[1] + b"}")
    except ValueError:
        return None
    number, previous = facts.get("number"), facts.get("previous")
    if not isinstance(number, int) or not isinstance(previous, str):
        return None
    return _Line(Link(number, match[2].decode("ascii")), previous, facts)
