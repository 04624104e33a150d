"""The state machine of PS3.8 table 9-10, as data: the part that an acceptor of associations needs.

An acceptor never asks for an association, so states 4, 5, 9 and 11 and events 1 and 2 are not here. States 3, 8 and 12
wait for a local decision, which is made at once: nothing is read in them, so their cells for PDUs are not here either.
Every cell of the other states is. `docs/design/receive.md` shows the table.
"""

from collections.abc import Mapping
from enum import IntEnum, StrEnum


class State(IntEnum):
    """The states, by their numbers in the standard."""

    IDLE = 1
    AWAITING_REQUEST = 2
    DECIDING = 3
    ESTABLISHED = 6
    RELEASING = 7
    RELEASE_ASKED = 8
    COLLIDED = 10
    RELEASE_ASKED_AFTER_COLLISION = 12
    AWAITING_CLOSE = 13


class Event(IntEnum):
    """What happens, by its number in the standard."""

    ASSOCIATE_AC = 3
    ASSOCIATE_RJ = 4
    CONNECTED = 5
    ASSOCIATE_RQ = 6
    ACCEPTED = 7
    REFUSED = 8
    SENDING = 9
    P_DATA = 10
    RELEASE_WANTED = 11
    RELEASE_RQ = 12
    RELEASE_RP = 13
    RELEASE_ANSWERED = 14
    ABORT_WANTED = 15
    ABORT = 16
    CLOSED = 17
    ARTIM_EXPIRED = 18
    INVALID_PDU = 19


class Action(StrEnum):
    """What is done, by its name in PS3.8 tables 9-6 to 9-9."""

    # Start ARTIM.
    AE_5 = "AE-5"
    # Stop ARTIM and look at the request.
    AE_6 = "AE-6"
    # Send A-ASSOCIATE-AC.
    AE_7 = "AE-7"
    # Send A-ASSOCIATE-RJ and start ARTIM.
    AE_8 = "AE-8"
    # Send P-DATA-TF.
    DT_1 = "DT-1"
    # Pass on P-DATA-TF.
    DT_2 = "DT-2"
    # Send A-RELEASE-RQ.
    AR_1 = "AR-1"
    # The peer wants to release.
    AR_2 = "AR-2"
    # Released: close.
    AR_3 = "AR-3"
    # Send A-RELEASE-RP and start ARTIM.
    AR_4 = "AR-4"
    # Stop ARTIM; the connection is gone.
    AR_5 = "AR-5"
    # Data of a peer that has not seen our A-RELEASE-RQ yet.
    AR_6 = "AR-6"
    # Send P-DATA-TF after the peer asked for release.
    AR_7 = "AR-7"
    # Both ask for release: the acceptor waits for the requestor's answer first.
    AR_8 = "AR-8"
    # It came: now answer.
    AR_10 = "AR-10"
    # Send A-ABORT as the service user and start ARTIM.
    AA_1 = "AA-1"
    # Close: nothing came, or the peer aborted.
    AA_2 = "AA-2"
    # The peer aborted: close.
    AA_3 = "AA-3"
    # The connection is lost.
    AA_4 = "AA-4"
    # The connection is lost before anything was asked.
    AA_5 = "AA-5"
    # Pay no attention.
    AA_6 = "AA-6"
    # Send A-ABORT.
    AA_7 = "AA-7"
    # Send A-ABORT as the service provider and start ARTIM.
    AA_8 = "AA-8"


# The states in which something is read from the peer.
READING = (
    State.AWAITING_REQUEST,
    State.ESTABLISHED,
    State.RELEASING,
    State.COLLIDED,
    State.AWAITING_CLOSE,
)

# One row per event: what is done in the states of READING, "" where it can't happen.
_ROWS: Mapping[Event, str] = {
    #                     Sta2   Sta6   Sta7   Sta10  Sta13
    Event.ASSOCIATE_AC:  "AA-1   AA-8   AA-8   AA-8   AA-6",
    Event.ASSOCIATE_RJ:  "AA-1   AA-8   AA-8   AA-8   AA-6",
    Event.ASSOCIATE_RQ:  "AE-6   AA-8   AA-8   AA-8   AA-7",
    Event.P_DATA:        "AA-1   DT-2   AR-6   AA-8   AA-6",
    Event.RELEASE_RQ:    "AA-1   AR-2   AR-8   AA-8   AA-6",
    Event.RELEASE_RP:    "AA-1   AA-8   AR-3   AR-10  AA-6",
    Event.ABORT:         "AA-2   AA-3   AA-3   AA-3   AA-2",
    Event.CLOSED:        "AA-5   AA-4   AA-4   AA-4   AR-5",
    Event.INVALID_PDU:   "AA-1   AA-8   AA-8   AA-8   AA-7",
    Event.ARTIM_EXPIRED: "AA-2   -      -      -      AA-2",
    Event.ABORT_WANTED:  "-      AA-1   AA-1   AA-1   -",
    Event.SENDING:       "-      DT-1   -      -      -",
    Event.RELEASE_WANTED: "-     AR-1   -      -      -",
}  # fmt: skip
_DECISIONS: Mapping[tuple[Event, State], Action] = {
    (Event.CONNECTED, State.IDLE): Action.AE_5,
    (Event.ACCEPTED, State.DECIDING): Action.AE_7,
    (Event.REFUSED, State.DECIDING): Action.AE_8,
    (Event.SENDING, State.RELEASE_ASKED): Action.AR_7,
    (Event.RELEASE_ANSWERED, State.RELEASE_ASKED): Action.AR_4,
    (Event.RELEASE_ANSWERED, State.RELEASE_ASKED_AFTER_COLLISION): Action.AR_4,
}

TABLE: Mapping[tuple[Event, State], Action] = {
    (event, state): Action(name)
    for event, row in _ROWS.items()
    for state, name in zip(READING, row.split(), strict=True)
    if name != "-"
} | dict(_DECISIONS)

# The state after each action, where the acceptor is concerned.
NEXT: Mapping[Action, State] = {
    Action.AE_5: State.AWAITING_REQUEST,
    Action.AE_6: State.DECIDING,
    Action.AE_7: State.ESTABLISHED,
    Action.AE_8: State.AWAITING_CLOSE,
    Action.DT_1: State.ESTABLISHED,
    Action.DT_2: State.ESTABLISHED,
    Action.AR_1: State.RELEASING,
    Action.AR_2: State.RELEASE_ASKED,
    Action.AR_3: State.IDLE,
    Action.AR_4: State.AWAITING_CLOSE,
    Action.AR_5: State.IDLE,
    Action.AR_6: State.RELEASING,
    Action.AR_7: State.RELEASE_ASKED,
    Action.AR_8: State.COLLIDED,
    Action.AR_10: State.RELEASE_ASKED_AFTER_COLLISION,
    Action.AA_1: State.AWAITING_CLOSE,
    Action.AA_2: State.IDLE,
    Action.AA_3: State.IDLE,
    Action.AA_4: State.IDLE,
    Action.AA_5: State.IDLE,
    Action.AA_6: State.AWAITING_CLOSE,
    Action.AA_7: State.AWAITING_CLOSE,
    Action.AA_8: State.AWAITING_CLOSE,
}
