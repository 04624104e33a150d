"""How much memory a gateway has: its own process and its receivers.

What is counted is a process's own memory (RssAnon, proc(5)). Files that are mapped to be read belong to the system,
which takes that memory back when it needs it; they are shown beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Sample:
    """Memory at one moment, in bytes.

    Attributes:
        seconds: since the load began.
        gateway: the gateway's own process.
        receivers: all of its receivers together.
        mapped: files that any of them has mapped.
    """

    seconds: float
    gateway: int
    receivers: int
    mapped: int


def sample(process: int, seconds: float) -> Sample:
    """Look at a gateway and its children.

    Args:
        process: the gateway's.
        seconds: since the load began.
    """
    gateway = _status(process)
    receivers = [_status(child) for child in _children(process)]
    mapped = sum(one.get("RssFile", 0) + one.get("RssShmem", 0) for one in (gateway, *receivers))
    return Sample(seconds, gateway["RssAnon"], sum(one.get("RssAnon", 0) for one in receivers), mapped)


def _status(process: int) -> Mapping[str, int]:
    """What the system says of a process's memory, in bytes; nothing of one that has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {line.partition(":")[0]: int(line.split()[1]) << 10 for line in lines if line.endswith(" kB")}


def _children(process: int) -> list[int]:
    """Children of all threads of a process."""
    found = []
    for thread in Path(f"/proc/{process}/task").iterdir():
        try:
            found += [int(child) for child in (thread / "children").read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found
