"""Where a gateway can be struck: every system call of the spool, and every step between states."""

from dataclasses import dataclass
from random import Random
from typing import Literal

Action = Literal["one", "all", "full", "broken"]
Phase = Literal["before", "after"]

DISK = "karnak.gateway.disk"
INDEX = "karnak.gateway.store.index"


@dataclass(frozen=True, slots=True)
class Edge:
    """A method of the gateway.

    Attributes:
        module: where its class is.
        owner: the class.
        method: its name.
        often: about how often it is called in one round.
        fails: whether the call can fail as a system call does.
    """

    module: str
    owner: str
    method: str
    often: int
    fails: bool = False

    def __str__(self) -> str:
        return f"{self.owner}.{self.method}"


EDGES = (
    Edge(DISK, "Disk", "make_folder", 2, fails=True),
    Edge(DISK, "Disk", "create", 8, fails=True),
    Edge(DISK, "Disk", "write", 16, fails=True),
    Edge(DISK, "Disk", "write_at", 8, fails=True),
    Edge(DISK, "Disk", "sync", 8, fails=True),
    Edge(DISK, "Disk", "sync_folder", 8, fails=True),
    Edge(DISK, "Disk", "rename", 8, fails=True),
    Edge(DISK, "Disk", "remove", 8, fails=True),
    Edge(DISK, "Disk", "list", 2, fails=True),
    Edge(DISK, "Disk", "map", 20, fails=True),
    Edge(DISK, "Disk", "close", 8),
    Edge("karnak.gateway.spool", "Spool", "begin", 8),
    Edge("karnak.gateway.receiving", "Receiving", "keep", 8),
    Edge("karnak.gateway.spool", "Spool", "tidy", 2),
    Edge("karnak.gateway.intake", "Intake", "hint", 8),
    Edge("karnak.gateway.clerk", "Clerk", "add", 6),
    Edge("karnak.gateway.clerk", "Clerk", "note", 12),
    Edge(INDEX, "Index", "add", 4),
    Edge(INDEX, "Index", "due", 8),
    Edge(INDEX, "Index", "note", 8),
    Edge(INDEX, "Index", "endings", 4),
    Edge(INDEX, "Index", "settle", 4),
    Edge(INDEX, "Index", "resume", 1),
    Edge("karnak.gateway.ending", "Endings", "end", 4),
    Edge("karnak.gateway.lane", "Lane", "offer", 6),
    Edge("karnak.gateway.deliver.folder", "FolderDestination", "deliver", 8),
    Edge("karnak.gateway.deliver.dicom", "DicomDestination", "deliver", 8),
)


@dataclass(frozen=True, slots=True)
class Strike:
    """One blow.

    Attributes:
        edge: where.
        phase: before or after the call.
        turn: at which call, from 1.
        action: `one` process dies, `all` die, the call finds the disk `full` or `broken`.
    """

    edge: Edge
    phase: Phase
    turn: int
    action: Action

    def __str__(self) -> str:
        return f"{self.action} {self.phase} {self.edge} #{self.turn}"


def strikes(random: Random, count: int) -> list[Strike]:
    """Choose blows: every edge as often as any other, its calls and actions by chance.

    Args:
        random: where chance comes from.
        count: how many.
    """
    chosen = []
    for number in range(count):
        edge = EDGES[number % len(EDGES)]
        phase: Phase = random.choice(("before", "after"))
        actions: tuple[Action, ...] = ("one", "all", "all")
        if edge.fails and phase == "before":
            actions += ("full", "broken")
        chosen.append(Strike(edge, phase, random.randint(1, edge.often), random.choice(actions)))
    random.shuffle(chosen)
    return chosen
