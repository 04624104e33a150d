"""The index: which instance is owed to which destination, and what became of it.

One thread of the gateway's process writes it, in groups: one transaction per call, on the
disk when the call returns. Parts that `due` has handed out are in work until `note` says
what became of them or `put_back` that nothing did; this is known to the process only, so
after a crash they are due again. Order is kept per destination and SOP Instance UID: a part
is not due while an older one of the same instance is open there.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, exists, func, or_, select, update

from karnak.gateway.states import IN_WORK, TERMINAL, Event, ImpossibleTransition, State, after, leads_to
from karnak.gateway.store.database import Database
from karnak.gateway.store.rows import DROPPED, REPLACED, Change, Ending, Entry, Part, Wish
from karnak.gateway.store.statements import (
    ADD_INSTANCES,
    ADD_PARTS,
    DUE_AGAIN,
    ENDINGS,
    NEXT,
    OPEN,
    RIVALS_OF,
    ROUTED,
    SAME_DELIVERED,
    SAME_OPEN,
    SET_SETTLED,
    Key,
    clean,
    end_instances,
    instance_row,
    is_open,
    part_of,
    part_rows,
    pieces,
    receipts_of,
    set_parts,
    source,
    states_of,
)
from karnak.gateway.store.tables import INSTANCES, PARTS, to_number, to_time

_TRIED = frozenset({State.WAITING, State.DELIVERED})


class Index:
    """The index of a spool.

    Args:
        database: where it lies.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._in_work: dict[str, set[str]] = {}

    def add(self, entries: Sequence[Entry]) -> list[str]:
        """Take in instances that were received; those that are known are passed over.

        An older receipt of the same SOP Instance from the same calling to the same called AE title is not sent any more
        where it is not in work: it is excluded. So is one that comes late, when the newer one was delivered.

        Args:
            entries: the instances.

        Returns:
            Receipts of which all parts have ended now.

        Raises:
            IndexUnavailable: the database refuses; nothing was taken in.
        """
        with self._database.writing() as connection:
            known = set(receipts_of(connection, [entry.receipt for entry in entries]))
            new = {entry.receipt: entry for entry in reversed(entries) if entry.receipt not in known}
            if not new:
                return []
            connection.execute(ADD_INSTANCES, [instance_row(entry) for entry in new.values()])
            connection.execute(ADD_PARTS, [row for entry in new.values() for row in part_rows(entry)])
            uids = {clean(entry.arrival.sop_instance_uid) for entry in new.values()}
            replaced = self._replaced(connection, sorted(uids), min(new))
            set_parts(connection, replaced)
            ended = _times(change for change, _ in replaced)
            ended |= {name: to_number(entry.arrival.received) for name, entry in new.items() if not is_open(entry)}
            return end_instances(connection, ended)

    def due(self, destination: str, now: datetime, limit: int) -> list[Part]:
        """Hand out parts that are due, in the order of their receipt; they are in work from now on.

        Args:
            destination: name of the destination.
            now: the time, in UTC.
            limit: how many, at most.

        Raises:
            IndexUnavailable: the database refuses.
        """
        in_work = self._in_work.setdefault(destination, set())
        values = {"destination": destination, "now": to_number(now), "most": limit + len(in_work)}
        with self._database.reading() as connection:
            rows = [*connection.execute(ROUTED, values), *connection.execute(DUE_AGAIN, values)]
        parts = sorted((part_of(row) for row in rows if row.receipt not in in_work), key=lambda part: part.receipt)
        in_work.update(part.receipt for part in parts[:limit])
        return parts[:limit]

    def put_back(self, parts: Iterable[Part]) -> None:
        """Take back parts that were handed out and nothing became of; they are due again."""
        for part in parts:
            self._in_work.get(part.destination, set()).discard(part.receipt)

    def note(self, changes: Sequence[Change]) -> list[str]:
        """Note what became of parts.

        A part that would have to wait is excluded instead where a newer receipt has replaced it or a person has
        dropped it meanwhile. What was noted before may be noted again, by who did not hear that it was.

        Args:
            changes: what became of them, in order.

        Returns:
            Receipts of which all parts have ended now.

        Raises:
            ImpossibleTransition: a part is not known, or can't come to that state; nothing was noted.
            IndexUnavailable: the database refuses; nothing was noted, and the parts stay in work.
        """
        with self._database.writing() as connection:
            states = states_of(connection, sorted({change.receipt for change in changes}))
            made: dict[Key, tuple[Change, int]] = {}
            noted_before: dict[str, int] = {}
            for change in changes:
                key = (change.receipt, change.destination)
                if key not in states:
                    raise ImpossibleTransition(f"the index knows no part {change.receipt} for {change.destination}")
                now, attempts, wish, since = states[key]
                if now in TERMINAL and to_number(change.when) <= since:
                    noted_before[change.receipt] = since
                    continue
                if not leads_to(now, change.state):
                    raise ImpossibleTransition(f"a part that is {now} can't come to be {change.state}")
                attempts += change.state in _TRIED
                if change.state is State.WAITING and wish is Wish.DROP:
                    change = _excluded(change, DROPPED)
                states[key] = (change.state, attempts, None, to_number(change.when))
                made[key] = (change, attempts)
            waiting = [change for change, _ in made.values() if change.state is State.WAITING]
            for receipt, destination in self._have_newer(connection, waiting):
                change, attempts = made[receipt, destination]
                made[receipt, destination] = (_excluded(change, REPLACED), attempts)
            set_parts(connection, made.values())
            ended = end_instances(connection, noted_before | _times(change for change, _ in made.values()))
        last = {(change.receipt, change.destination): change.state for change in changes}
        for (receipt, destination), state in last.items():
            if state not in IN_WORK:
                self._in_work.get(destination, set()).discard(receipt)
        return ended

    def next_retry(self, destination: str) -> datetime | None:
        """Tell when the next part of a destination is due that waits now, or None; those in work don't count.

        Raises:
            IndexUnavailable: the database refuses.
        """
        in_work = self._in_work.get(destination, set())
        with self._database.reading() as connection:
            rows = connection.execute(NEXT, {"destination": destination, "most": 1 + len(in_work)})
            return next((to_time(row.retry_at) for row in rows if row.receipt not in in_work), None)

    def resume(self, stored: Sequence[str]) -> None:
        """At a start: what was in work when the last process died is due again.

        Args:
            stored: the receipts in the spool; what has ended of them is not settled, though it may have been noted so
                before a loss of power brought its file back.

        Raises:
            IndexUnavailable: the database refuses.
        """
        with self._database.writing() as connection:
            for state in sorted(IN_WORK):
                wanted = update(PARTS).where(OPEN, PARTS.c.state == state.value)
                connection.execute(wanted.values(state=after(state, Event.RESUME).value))
            settled = update(INSTANCES).where(INSTANCES.c.settled.is_not(None)).values(settled=None)
            for some in pieces(stored):
                connection.execute(settled.where(INSTANCES.c.receipt.in_(some)))

    def fulfil(self, now: datetime, retried: Callable[[str], None] | None = None) -> list[str]:
        """Do what people want of parts: retry them now, or drop them. What is in work is left until it is noted.

        Args:
            now: the time, in UTC.
            retried: told the name of each destination that is to be tried now, when that is written: somebody wants it,
                or has dropped what has made it wait.

        Returns:
            Receipts of which all parts have ended now.

        Raises:
            IndexUnavailable: the database refuses.
        """
        wished = select(PARTS.c.receipt, PARTS.c.destination, PARTS.c.state, PARTS.c.attempts, PARTS.c.wish)
        # Most of the time there are none, and no writer is kept waiting to see that.
        with self._database.reading() as connection:
            if connection.execute(wished.where(PARTS.c.wish.is_not(None)).limit(1)).first() is None:
                return []
        with self._database.writing() as connection:
            made: list[tuple[Change, int]] = []
            to_try: set[str] = set()
            for row in connection.execute(wished.where(PARTS.c.wish.is_not(None))):
                state = State(row.state)
                if state in TERMINAL or state in IN_WORK or row.receipt in self._in_work.get(row.destination, set()):
                    continue
                if row.wish == Wish.RETRY or state is State.WAITING:
                    to_try.add(row.destination)
                if row.wish == Wish.DROP:
                    dropped = after(state, Event.DROP)
                    made.append((Change(row.receipt, row.destination, dropped, now, DROPPED), row.attempts))
                else:
                    made.append((Change(row.receipt, row.destination, State.ROUTED, now), row.attempts))
            set_parts(connection, made)
            ended = end_instances(connection, _times(change for change, _ in made))
        if retried is not None:
            for destination in sorted(to_try):
                retried(destination)
        return ended

    def unsettled(self, limit: int) -> list[str]:
        """Receipts of which all parts have ended, and whose file nobody is known to have removed or moved.

        Args:
            limit: how many, at most.

        Raises:
            IndexUnavailable: the database refuses.
        """
        wanted = select(INSTANCES.c.receipt).where(INSTANCES.c.settled.is_(None), INSTANCES.c.ended.is_not(None))
        with self._database.reading() as connection:
            return list(connection.scalars(wanted.order_by(INSTANCES.c.ended, INSTANCES.c.receipt).limit(limit)))

    def ended(self, receipts: Sequence[str]) -> list[str]:
        """Those of some receipts of which all parts have ended; their files are not needed, whoever left them there.

        Raises:
            IndexUnavailable: the database refuses.
        """
        found: set[str] = set()
        wanted = select(INSTANCES.c.receipt).where(INSTANCES.c.ended.is_not(None))
        with self._database.reading() as connection:
            for some in pieces(receipts):
                found.update(connection.scalars(wanted.where(INSTANCES.c.receipt.in_(some))))
        return [receipt for receipt in receipts if receipt in found]

    def settle(self, receipts: Sequence[str], when: datetime) -> None:
        """Note that the files of instances that have ended were removed, kept or quarantined.

        Args:
            receipts: the instances.
            when: when, in UTC.

        Raises:
            IndexUnavailable: the database refuses.
        """
        if receipts:
            with self._database.writing() as connection:
                connection.execute(SET_SETTLED, [{"at_receipt": name, "at": to_number(when)} for name in receipts])

    def endings(self, receipts: Sequence[str]) -> Mapping[str, tuple[Ending, ...]]:
        """How the parts of instances ended, by receipt; those that are open are left out.

        Raises:
            IndexUnavailable: the database refuses.
        """
        found: dict[str, list[Ending]] = {receipt: [] for receipt in receipts}
        with self._database.reading() as connection:
            for some in pieces(list(found)):
                for row in connection.execute(ENDINGS, {"these": some}):
                    found[row.receipt].append(Ending(row.destination, State(row.state), row.cause, row.program))
        return {receipt: tuple(endings) for receipt, endings in found.items()}

    def unknown(self, receipts: Sequence[str]) -> list[str]:
        """Those of some receipts that the index does not know, in their order.

        Raises:
            IndexUnavailable: the database refuses.
        """
        with self._database.reading() as connection:
            known = set(receipts_of(connection, receipts))
        return [receipt for receipt in receipts if receipt not in known]

    def safe(self, instances: Sequence[tuple[str, str]], *, originals_kept: bool = False) -> set[tuple[str, str]]:
        """Those of some SOP Class and SOP Instance UIDs that are in the spool, delivered, or kept.

        What is rejected or in quarantine for one of its destinations is not; nor is what has ended and was delivered to
        nobody, since nobody has it.

        Args:
            instances: pairs of SOP Class UID and SOP Instance UID.
            originals_kept: originals that have ended stay here.

        Raises:
            IndexUnavailable: the database refuses.
        """
        lost = exists().where(
            PARTS.c.receipt == INSTANCES.c.receipt,
            PARTS.c.state.in_([State.REJECTED.value, State.QUARANTINED.value]),
        )
        delivered = exists().where(PARTS.c.receipt == INSTANCES.c.receipt, PARTS.c.state == State.DELIVERED.value)
        wanted = select(INSTANCES.c.sop_class_uid, INSTANCES.c.sop_instance_uid).where(~lost)
        if not originals_kept:
            wanted = wanted.where(or_(INSTANCES.c.ended.is_(None), delivered))
        found: set[tuple[str, str]] = set()
        with self._database.reading() as connection:
            for some in pieces(sorted({clean(uid) for _, uid in instances})):
                rows = connection.execute(wanted.where(INSTANCES.c.sop_instance_uid.in_(some)))
                found.update((row.sop_class_uid, row.sop_instance_uid) for row in rows)
        return found & set(instances)

    def forget(self, settled_before: datetime | None, most: int | None, limit: int) -> int:
        """Remove rows of instances that are settled: the old ones, and the oldest where there are too many.

        Args:
            settled_before: those that were settled before go; None for no such bound.
            most: so many stay at most; None for no such bound.
            limit: how many to remove in this call, at most.

        Returns:
            How many were removed; fewer than `limit` where there are no more to remove.

        Raises:
            IndexUnavailable: the database refuses.
        """
        settled = INSTANCES.c.settled
        with self._database.writing() as connection:
            spare = 0
            if most is not None:
                spare = max(0, (connection.scalar(select(func.count()).where(settled.is_not(None))) or 0) - most)
            chosen = select(INSTANCES.c.receipt, settled).where(settled.is_not(None))
            rows = connection.execute(chosen.order_by(settled, INSTANCES.c.receipt).limit(limit)).all()
            bound = None if settled_before is None else to_number(settled_before)
            old = [
                row.receipt for i, row in enumerate(rows) if i < spare or (bound is not None and row.settled < bound)
            ]
            for some in pieces(old):
                connection.execute(delete(INSTANCES).where(INSTANCES.c.receipt.in_(some)))
        return len(old)

    def _replaced(self, connection: Connection, uids: Sequence[str], oldest: str) -> list[tuple[Change, int]]:
        """The open parts that a newer receipt from the same source replaces; those in work are sent all the same.

        Args:
            connection: where to look.
            uids: SOP Instance UIDs of what is new.
            oldest: the first receipt of what is new; only what is delivered of later ones matters.
        """
        newest: dict[tuple[str, ...], Any] = {}
        replaced: list[tuple[Change, int]] = []
        for some in pieces(uids):
            for row in connection.execute(SAME_DELIVERED, {"these": some, "oldest": oldest}):
                newest.setdefault(source(row), row)
            for row in connection.execute(SAME_OPEN, {"these": some}):
                newer = newest.setdefault(source(row), row)
                if newer.receipt < row.receipt:
                    newer = newest[source(row)] = row
                state = State(row.state)
                if newer is row or state in IN_WORK or row.receipt in self._in_work.get(row.destination, set()):
                    continue
                change = Change(
                    row.receipt, row.destination, after(state, Event.REPLACE), to_time(newer.received), REPLACED
                )
                replaced.append((change, row.attempts))
        return replaced

    def _have_newer(self, connection: Connection, changes: Sequence[Change]) -> list[Key]:
        """Those of some parts that a newer receipt from the same source replaces."""
        found = []
        if changes:
            keys = {(change.receipt, change.destination) for change in changes}
            newest: dict[tuple[str, ...], Any] = {}
            for row in connection.execute(RIVALS_OF, {"these": [change.receipt for change in changes]}):
                key = (row.receipt, row.destination)
                if newest.setdefault(source(row), row) is not row and key in keys:
                    found.append(key)
        return found


def _excluded(change: Change, cause: str) -> Change:
    return Change(change.receipt, change.destination, State.EXCLUDED, change.when, cause, None, change.program)


def _times(changes: Iterable[Change]) -> dict[str, int]:
    """When parts ended, by receipt."""
    return {change.receipt: to_number(change.when) for change in changes if change.state in TERMINAL}
