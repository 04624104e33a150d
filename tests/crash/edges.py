"""Where a gateway can be struck: every system call of the spool, and every step between states."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal

from karnak.gateway.states import Event, State
from karnak.gateway.store.rows import DROPPED, REPLACED

Action = Literal["one", "all", "full", "broken"]
Phase = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class Edge:
    """A call that the gateway makes.

    Attributes:
        module: where it is; its name begins with karnak.gateway.
        owner: the class of the method; empty for a function, `os` for a system call that the module makes.
        method: its name.
        often: about how often it is called in one round.
        fails: whether the call can fail as a system call does.
        telling: only calls count whose arguments say this.
        down: whether it takes a destination that is down.
    """

    module: str
    owner: str
    method: str
    often: int
    fails: bool = False
    telling: str | None = None
    down: bool = False

    def __str__(self) -> str:
        owner = self.owner if self.owner not in ("", "os") else f"{self.module}.{self.owner}".rstrip(".")
        return f"{owner}.{self.method}" + (f" telling {self.telling}" if self.telling else "")


def _disk(method: str, often: int, *, fails: bool = True) -> Edge:
    return Edge("disk", "Disk", method, often, fails)


def _system(module: str, call: str, often: int, *, fails: bool = True) -> Edge:
    return Edge(module, "os", call, often, fails)


def _state(method: str, state: State, often: int = 1, *, down: bool = False) -> Edge:
    return Edge("store.index", "Index", method, often, telling=repr(state), down=down)


_MAP = _disk("map", 30)
_ADD = Edge("store.index", "Index", "add", 4, fails=True)
_DUE = Edge("store.index", "Index", "due", 8, fails=True)
_RESUME = Edge("store.index", "Index", "resume", 1, fails=True)
_TREAT = Edge("lane", "", "treat", 8)
_TO_FOLDER = Edge("deliver.folder", "FolderDestination", "deliver", 4)
_TO_PEER = Edge("deliver.dicom", "DicomDestination", "deliver", 4)
# An instance that nobody's rules are asked about.
_KEPT_BACK = Edge("store.index", "Index", "add", 1, telling="quarantined='")
_REPLACED = Edge("store.index", "", "set_parts", 1, telling=repr(REPLACED), down=True)
_DROPPED = Edge("store.index", "", "set_parts", 1, telling=repr(DROPPED), down=True)
_RETRIED = Edge("store.index", "", "set_parts", 1, telling=repr(State.ROUTED), down=True)
_WAITING = _state("note", State.WAITING, 2, down=True)

STEPS: Mapping[tuple[State, Event], tuple[Edge, ...]] = {
    (State.RECEIVED, Event.ROUTE): (_ADD,),
    (State.RECEIVED, Event.QUARANTINE): (_KEPT_BACK,),
    (State.RECEIVED, Event.REPLACE): (_REPLACED,),
    (State.ROUTED, Event.TREAT): (_DUE, _TREAT),
    (State.ROUTED, Event.REPLACE): (_REPLACED,),
    (State.ROUTED, Event.DROP): (_DROPPED,),
    (State.TRANSFORMING, Event.SEND): (_TO_FOLDER, _TO_PEER),
    # It fails where the original can't be read: by the blow itself.
    (State.TRANSFORMING, Event.FAIL): (_MAP,),
    (State.TRANSFORMING, Event.EXCLUDE): (_state("note", State.EXCLUDED),),
    (State.TRANSFORMING, Event.REJECT): (_state("note", State.REJECTED),),
    (State.TRANSFORMING, Event.QUARANTINE): (_state("note", State.QUARANTINED, down=True),),
    (State.TRANSFORMING, Event.RESUME): (_RESUME,),
    (State.DELIVERING, Event.ACCEPT): (_state("note", State.DELIVERED, 4),),
    (State.DELIVERING, Event.FAIL): (_WAITING,),
    (State.DELIVERING, Event.RESUME): (_RESUME,),
    (State.WAITING, Event.TREAT): (_DUE, _TREAT),
    (State.WAITING, Event.RETRY): (_RETRIED,),
    (State.WAITING, Event.REPLACE): (_REPLACED,),
    (State.WAITING, Event.DROP): (_DROPPED,),
}
"""What to strike for each step that a part can make."""

CALLS = (
    _disk("make_folder", 2),
    _disk("create", 8),
    _disk("write", 16),
    _disk("write_at", 8),
    _disk("sync", 8),
    _disk("sync_folder", 8),
    _disk("rename", 8),
    _disk("remove", 6),
    _disk("list", 4),
    _MAP,
    _disk("close", 8, fails=False),
    _disk("lock", 6),
    _disk("free_bytes", 4),
    _system("audit", "open", 2),
    _system("audit", "write", 8),
    _system("audit", "fdatasync", 8),
    _system("audit", "fsync", 1),
    _system("house_lock", "open", 1),
    _system("deliver.folder", "open", 12),
    _system("deliver.folder", "mkdir", 4),
    _system("deliver.folder", "write", 8),
    _system("deliver.folder", "fsync", 12),
    _system("deliver.folder", "replace", 6),
    _system("deliver.incoming", "mkdir", 4),
    _system("deliver.incoming", "open", 4),
    # After a blow that has left something there.
    _system("deliver.incoming", "unlink", 1),
)
"""Calls of the system. Where audit log, lock and folders of destinations lie, the module makes them itself."""

WAYS = (
    Edge("spool", "Spool", "begin", 8),
    Edge("receiving", "Receiving", "keep", 8),
    Edge("spool", "Spool", "tidy", 3),
    Edge("spool", "Spool", "quarantine", 2),
    Edge("spool", "Spool", "archive", 4),
    Edge("receive.storing", "Storing", "finish", 5),
    Edge("receive.channel", "Channel", "send", 5, telling="'stored'"),
    Edge("receive.stow_request", "StowRequest", "finish", 1),
    Edge("audit", "", "end_of_chain", 1, fails=True),
    Edge("intake", "Intake", "hint", 8),
    Edge("clerk", "Clerk", "add", 4),
    Edge("clerk", "Clerk", "note", 8),
    Edge("store.index", "Index", "note", 6, fails=True),
    Edge("store.index", "Index", "endings", 4, fails=True),
    Edge("store.index", "Index", "settle", 4, fails=True),
    Edge("ending", "Endings", "end", 4),
    Edge("lane", "Lane", "offer", 6),
)
"""What lies between calls and steps: safe and not yet told, told and not yet written, written and not yet done."""

EDGES = tuple(dict.fromkeys((*CALLS, *WAYS, *(edge for edges in STEPS.values() for edge in edges))))


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
