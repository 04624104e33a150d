"""What can happen to an instance at one destination, as data: a pure state machine.

Of an instance with three destinations there are three parts; each goes its own way through
these states. What is not in the table can't happen. A part that has ended never begins
again: the same instance sent anew is another receipt.
"""

from collections.abc import Mapping
from enum import StrEnum

from karnak.errors import KarnakError


class State(StrEnum):
    """Where a part is."""

    RECEIVED = "received"
    ROUTED = "routed"
    TRANSFORMING = "transforming"
    DELIVERING = "delivering"
    WAITING = "waiting"
    DELIVERED = "delivered"
    EXCLUDED = "excluded"
    REJECTED = "rejected"
    QUARANTINED = "quarantined"


class Event(StrEnum):
    """What can happen to a part.

    `replace` is a newer receipt of the same SOP Instance from the same source, `drop` and `retry` are a person's word,
    and `resume` is the start after a crash, which finds the part as it was left.
    """

    ROUTE = "route"
    TREAT = "treat"
    SEND = "send"
    ACCEPT = "accept"
    FAIL = "fail"
    EXCLUDE = "exclude"
    REJECT = "reject"
    QUARANTINE = "quarantine"
    REPLACE = "replace"
    DROP = "drop"
    RETRY = "retry"
    RESUME = "resume"


INITIAL = State.RECEIVED
TERMINAL = frozenset({State.DELIVERED, State.EXCLUDED, State.REJECTED, State.QUARANTINED})
OPEN = frozenset(State) - TERMINAL
# In these a part is in the hands of a lane, and dies with it.
IN_WORK = frozenset({State.TRANSFORMING, State.DELIVERING})

TRANSITIONS: Mapping[tuple[State, Event], State] = {
    (State.RECEIVED, Event.ROUTE): State.ROUTED,
    (State.RECEIVED, Event.QUARANTINE): State.QUARANTINED,
    (State.RECEIVED, Event.REPLACE): State.EXCLUDED,
    (State.ROUTED, Event.TREAT): State.TRANSFORMING,
    (State.ROUTED, Event.REPLACE): State.EXCLUDED,
    (State.ROUTED, Event.DROP): State.EXCLUDED,
    (State.TRANSFORMING, Event.SEND): State.DELIVERING,
    (State.TRANSFORMING, Event.FAIL): State.WAITING,
    (State.TRANSFORMING, Event.EXCLUDE): State.EXCLUDED,
    (State.TRANSFORMING, Event.REJECT): State.REJECTED,
    (State.TRANSFORMING, Event.QUARANTINE): State.QUARANTINED,
    (State.TRANSFORMING, Event.RESUME): State.ROUTED,
    (State.DELIVERING, Event.ACCEPT): State.DELIVERED,
    (State.DELIVERING, Event.FAIL): State.WAITING,
    (State.DELIVERING, Event.RESUME): State.ROUTED,
    (State.WAITING, Event.TREAT): State.TRANSFORMING,
    (State.WAITING, Event.RETRY): State.ROUTED,
    (State.WAITING, Event.REPLACE): State.EXCLUDED,
    (State.WAITING, Event.DROP): State.EXCLUDED,
}


class ImpossibleTransition(KarnakError):
    """Something happened to a part that can't happen where it is: a mistake in Karnak."""


def after(state: State, event: Event) -> State:
    """Tell where a part is after an event.

    Args:
        state: where it is.
        event: what happens.

    Raises:
        ImpossibleTransition: it can't happen there.
    """
    found = TRANSITIONS.get((state, event))
    if found is None:
        raise ImpossibleTransition(f"a part that is {state} knows no event {event}")
    return found


def _ways() -> Mapping[State, frozenset[State]]:
    """Where each state leads, over any number of events."""
    found: dict[State, frozenset[State]] = {state: frozenset() for state in State}
    while True:
        grown = {
            state: found[state].union(*({to} | found[to] for (at, _), to in TRANSITIONS.items() if at is state))
            for state in State
        }
        if grown == found:
            return found
        found = grown


_WAYS = _ways()


def leads_to(state: State, other: State) -> bool:
    """Tell whether events can bring a part from one state to another; the index is told of the last one only."""
    return other in _WAYS[state]
