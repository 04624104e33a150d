"""The files of `data/`: tab-separated rows under a head that says what they are and where they come from.

A sheet stays text until somebody asks for a row, because most commands ask for a few.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

_DATA = Path(__file__).parent / "data"


class Sheet(NamedTuple):
    """One file.

    Attributes:
        head: what the head says, by key: "title", "source", and often "edition" and "note".
        rows: its lines, not yet split at the tabs.
    """

    head: Mapping[str, tuple[str, ...]]
    rows: list[str]

    def said(self, key: str) -> str:
        """What the head says under a key, or "" where it says nothing."""
        return " ".join(self.head.get(key, ()))


@cache
def read(name: str) -> Sheet:
    """Read a file of `data/`, once.

    Args:
        name: its name without the suffix, such as "dictionary".
    """
    lines = (_DATA / f"{name}.tsv").read_text(encoding="ascii").splitlines()
    head: dict[str, tuple[str, ...]] = {}
    count = 0
    for line in lines:
        if not line.startswith("# "):
            break
        key, _, value = line[2:].partition(": ")
        head[key] = (*head.get(key, ()), value)
        count += 1
    return Sheet(head, lines[count:])
