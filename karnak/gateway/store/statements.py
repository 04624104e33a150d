"""What the index asks of the database, and how rows are read and written."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, func, insert, select, update

from karnak.gateway.states import TERMINAL, Event, State, after
from karnak.gateway.store.rows import NO_DESTINATION, Change, Entry, Part, Wish
from karnak.gateway.store.tables import INSTANCES, PARTS, to_number, to_time

# Values in one list of a statement: databases take 32,766 at least.
_AT_ONCE = 5000
Key = tuple[str, str]

OPEN = PARTS.c.ended.is_(None)
# Statements are made once: making one takes longer than carrying it out.
_THESE: BindParameter[list[str]] = bindparam("these", expanding=True)

_RIVALS = PARTS.alias("rivals")
_FIRST = (
    select(func.min(_RIVALS.c.receipt))
    .where(
        _RIVALS.c.sop_instance_uid == PARTS.c.sop_instance_uid,
        _RIVALS.c.destination == PARTS.c.destination,
        _RIVALS.c.ended.is_(None),
    )
    .scalar_subquery()
)
# As a value, not as a join: PostgreSQL without statistics yet would choose a join that takes seconds.
_HAS_TURN = PARTS.c.receipt == _FIRST
PART_COLUMNS = (
    PARTS.c.receipt,
    PARTS.c.destination,
    PARTS.c.state,
    PARTS.c.cause,
    PARTS.c.attempts,
    INSTANCES.c.received,
    PARTS.c.retry_at,
    INSTANCES.c.size,
    INSTANCES.c.sop_class_uid,
    INSTANCES.c.sop_instance_uid,
    INSTANCES.c.transfer_syntax_uid,
    INSTANCES.c.study_instance_uid,
    INSTANCES.c.series_instance_uid,
    PARTS.c.wish,
)
ROUTED = (
    select(*PART_COLUMNS)
    .join(INSTANCES)
    .where(PARTS.c.destination == bindparam("destination"), OPEN, PARTS.c.state == State.ROUTED.value, _HAS_TURN)
    .order_by(PARTS.c.receipt)
    .limit(bindparam("most"))
)
DUE_AGAIN = (
    select(*PART_COLUMNS)
    .join(INSTANCES)
    .where(
        PARTS.c.destination == bindparam("destination"),
        PARTS.c.retry_at.is_not(None),
        PARTS.c.retry_at <= bindparam("now"),
        _HAS_TURN,
    )
    .order_by(PARTS.c.retry_at)
    .limit(bindparam("most"))
)
NEXT = (
    select(PARTS.c.receipt, PARTS.c.retry_at)
    .where(PARTS.c.destination == bindparam("destination"), PARTS.c.retry_at.is_not(None), _HAS_TURN)
    .order_by(PARTS.c.retry_at)
    .limit(bindparam("most"))
)
_SET_PART = (
    update(PARTS)
    .where(PARTS.c.receipt == bindparam("at_receipt"), PARTS.c.destination == bindparam("at_destination"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in (
                "state",
                "cause",
                "attempts",
                "since",
                "retry_at",
                "ended",
                "program",
                "new_sop_instance_uid",
                "new_series_instance_uid",
                "new_study_instance_uid",
            )
        }
        | {"wish": None}
    )
)
_SET_ENDED = update(INSTANCES).where(INSTANCES.c.receipt == bindparam("at_receipt")).values(ended=bindparam("at"))
SET_SETTLED = update(INSTANCES).where(INSTANCES.c.receipt == bindparam("at_receipt")).values(settled=bindparam("at"))


_SOURCES = (
    select(
        PARTS.c.receipt,
        PARTS.c.destination,
        PARTS.c.sop_instance_uid,
        PARTS.c.state,
        PARTS.c.attempts,
        INSTANCES.c.called_ae,
        INSTANCES.c.calling_ae,
        INSTANCES.c.received,
    )
    .join(INSTANCES)
    .order_by(PARTS.c.receipt.desc())
)
_OF_THESE = PARTS.c.receipt.in_(_THESE)
SAME_DELIVERED = _SOURCES.where(
    PARTS.c.sop_instance_uid.in_(_THESE),
    PARTS.c.state == State.DELIVERED.value,
    PARTS.c.receipt > bindparam("oldest"),
)
SAME_OPEN = _SOURCES.where(PARTS.c.sop_instance_uid.in_(_THESE), OPEN)
# Of instances, whatever other parts of the same UID there are.
RIVALS_OF = _SOURCES.where(OPEN, PARTS.c.sop_instance_uid.in_(select(PARTS.c.sop_instance_uid).where(_OF_THESE)))
ENDINGS = (
    select(PARTS.c.receipt, PARTS.c.destination, PARTS.c.state, PARTS.c.cause, PARTS.c.program)
    .where(_OF_THESE, PARTS.c.ended.is_not(None))
    .order_by(PARTS.c.destination)
)
_STILL_OPEN = select(PARTS.c.receipt).where(_OF_THESE, OPEN)
_STATES = select(
    PARTS.c.receipt, PARTS.c.destination, PARTS.c.state, PARTS.c.attempts, PARTS.c.wish, PARTS.c.since
).where(_OF_THESE)
_KNOWN = select(INSTANCES.c.receipt).where(INSTANCES.c.receipt.in_(_THESE))
ADD_INSTANCES = insert(INSTANCES)
ADD_PARTS = insert(PARTS)


def source(row: Any) -> tuple[str, ...]:
    """What must be the same for a receipt to replace an older one."""
    return (row.destination, row.called_ae, row.calling_ae, row.sop_instance_uid)


def part_of(row: Any) -> Part:
    """Read a row of `PART_COLUMNS`."""
    return Part(
        receipt=row.receipt,
        destination=row.destination,
        state=State(row.state),
        cause=row.cause,
        attempts=row.attempts,
        received=to_time(row.received),
        retry_at=None if row.retry_at is None else to_time(row.retry_at),
        size=row.size,
        sop_class_uid=row.sop_class_uid,
        sop_instance_uid=row.sop_instance_uid,
        transfer_syntax_uid=row.transfer_syntax_uid,
        study_instance_uid=row.study_instance_uid,
        series_instance_uid=row.series_instance_uid,
        wish=None if row.wish is None else Wish(row.wish),
    )


def clean(text: str) -> str:
    """Text that every database takes: an evil sender's UID may hold anything."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def is_open(entry: Entry) -> bool:
    """Tell whether rules are to be asked for an instance."""
    return entry.quarantined is None and bool(entry.destinations)


def instance_row(entry: Entry) -> dict[str, Any]:
    """The row of an instance."""
    arrival = entry.arrival
    return {
        "receipt": entry.receipt,
        "called_ae": clean(arrival.called_ae),
        "calling_ae": clean(arrival.calling_ae),
        "address": clean(arrival.address),
        "door": arrival.door,
        "sop_class_uid": clean(arrival.sop_class_uid),
        "sop_instance_uid": clean(arrival.sop_instance_uid),
        "series_instance_uid": None if entry.series_instance_uid is None else clean(entry.series_instance_uid),
        "study_instance_uid": None if entry.study_instance_uid is None else clean(entry.study_instance_uid),
        "transfer_syntax_uid": clean(arrival.transfer_syntax_uid),
        "received": to_number(arrival.received),
        "size": entry.size,
        "patient": entry.patient,
    }


def part_rows(entry: Entry) -> list[dict[str, Any]]:
    """The rows of its parts."""
    since = to_number(entry.arrival.received)
    row = {
        "receipt": entry.receipt,
        "sop_instance_uid": clean(entry.arrival.sop_instance_uid),
        "attempts": 0,
        "since": since,
        "cause": None,
        "ended": None,
        "state": State.ROUTED.value,
    }
    if is_open(entry):
        return [row | {"destination": destination} for destination in dict.fromkeys(entry.destinations)]
    cause = entry.quarantined or "no destination"
    state = after(State.RECEIVED, Event.QUARANTINE).value
    return [row | {"destination": NO_DESTINATION, "state": state, "cause": cause, "ended": since}]


def set_parts(connection: Connection, changes: Iterable[tuple[Change, int]]) -> None:
    """Write parts anew, with the number of attempts."""
    rows = [
        {
            "at_receipt": change.receipt,
            "at_destination": change.destination,
            "new_state": change.state.value,
            "new_cause": change.cause,
            "new_attempts": attempts,
            "new_since": to_number(change.when),
            "new_retry_at": None if change.retry_at is None else to_number(change.retry_at),
            "new_ended": to_number(change.when) if change.state in TERMINAL else None,
            "new_program": change.program,
            "new_new_sop_instance_uid": change.new and change.new.sop_instance_uid,
            "new_new_series_instance_uid": change.new and change.new.series_instance_uid,
            "new_new_study_instance_uid": change.new and change.new.study_instance_uid,
        }
        for change, attempts in changes
    ]
    if rows:
        connection.execute(_SET_PART, rows)


def end_instances(connection: Connection, touched: Mapping[str, int]) -> list[str]:
    """Note which of some instances have ended, of which a part did at a given time; gives their receipts."""
    still_open: set[str] = set()
    for some in pieces(list(touched)):
        still_open.update(connection.scalars(_STILL_OPEN, {"these": some}))
    ended = sorted(touched.keys() - still_open)
    if ended:
        connection.execute(_SET_ENDED, [{"at_receipt": receipt, "at": touched[receipt]} for receipt in ended])
    return ended


def states_of(connection: Connection, receipts: Sequence[str]) -> dict[Key, tuple[State, int, Wish | None, int]]:
    """State, attempts, wish and time of all parts of some instances."""
    found: dict[Key, tuple[State, int, Wish | None, int]] = {}
    for some in pieces(receipts):
        for receipt, destination, state, attempts, wish, since in connection.execute(_STATES, {"these": some}):
            found[receipt, destination] = (State(state), attempts, None if wish is None else Wish(wish), since)
    return found


def receipts_of(connection: Connection, receipts: Sequence[str]) -> list[str]:
    """Those of some receipts that the index knows."""
    found: list[str] = []
    for some in pieces(receipts):
        found += connection.scalars(_KNOWN, {"these": some})
    return found


def pieces(values: Sequence[str]) -> Iterable[Sequence[str]]:
    """Values in lists that are not too long for a statement."""
    return (values[at : at + _AT_ONCE] for at in range(0, len(values), _AT_ONCE))
