"""What became of the files of a batch, as data.

A Result holds no value of an original instance; only `found` leads back to the source.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from karnak.gateway.walk import Found
from karnak.runtime.outcome import Change, Outcome


class Fate(StrEnum):
    """What became of a file."""

    FORWARDED = "forwarded"
    DUPLICATE = "duplicate"
    EXCLUDED = "excluded"
    REJECTED = "rejected"
    NOT_DICOM = "not DICOM"
    SKIPPED = "skipped"


class Decision(NamedTuple):
    """What was decided about an attribute, items of sequences taken together.

    Attributes:
        path: tags from the root, as 32-bit numbers, the attribute last.
        action: as in Change.
        rule: name of the profile element, or None for what is always set.
        line: its line in the profile, or 0.
    """

    path: tuple[int, ...]
    action: str
    rule: str | None
    line: int


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one file.

    Attributes:
        found: the file.
        fate: what became of it.
        reason: a sentence without patient values, or None when forwarded.
        outcome: what the engine says, without the data; None where it was not asked.
        actions: how many elements each action was done to.
        decisions: how many elements each decision was made for; empty where nobody asked for it.
        name: name of the output, relative to the output folder, or None without one.
        size: length of the output in bytes.
        sha256: digest of the output, or b"" where nobody asked for it.
        patient: 16 bytes that stand for PatientID and issuer, or None where they are not known.
        staged: the finished output under its temporary name.
        first: the earlier file with the same output UIDs, where that decided.
    """

    found: Found
    fate: Fate
    reason: str | None = None
    outcome: Outcome | None = None
    actions: Mapping[str, int] = field(default_factory=dict)
    decisions: Mapping[Decision, int] = field(default_factory=dict)
    name: Path | None = None
    size: int = 0
    sha256: bytes = b""
    patient: bytes | None = None
    staged: Path | None = None
    first: Found | None = None


def decided(changes: Iterable[Change]) -> dict[Decision, int]:
    """Count decisions, items of sequences taken together."""
    return Counter(Decision(_tags(change.path), change.action, change.rule, change.line) for change in changes)


def _tags(path: str) -> tuple[int, ...]:
    """Read "(0008,1140)[0]/(0008,1155)" as two tags."""
    return tuple(int(step[1:5] + step[6:10], 16) for step in path.split("/"))
