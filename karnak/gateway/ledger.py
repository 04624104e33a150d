"""The ledger: what came in, what became of it at each destination, and under which new UIDs; questions over the index.

Everything is there as long as the rows of the index are; `prune` removes those that have ended, by age and number.
What is open is never removed. Patients' identifiers are not in the answers.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Column, Connection, Select, func, select

from karnak.gateway.questions import Question, last_groups, last_received, meant
from karnak.gateway.states import State
from karnak.gateway.store.database import Database
from karnak.gateway.store.index import Index
from karnak.gateway.store.rows import NewUids
from karnak.gateway.store.statements import clean, pieces
from karnak.gateway.store.tables import INSTANCES, PARTS, to_time

_REMOVED_AT_ONCE = 1000

Grouping = Literal["instance", "series", "study"]
_GROUPINGS: Mapping[Grouping, Column[str]] = {
    "instance": INSTANCES.c.receipt,
    "series": INSTANCES.c.series_instance_uid,
    "study": INSTANCES.c.study_instance_uid,
}


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of an instance at one destination.

    Attributes:
        destination: its name; empty where nobody's rules were asked.
        state: where the part is.
        since: since when, in UTC.
        cause: why, without patient values, or None.
        attempts: how often it was sent, or could not be.
        program: digest of the rules that it was treated by, or None.
        new: UIDs of what was sent, or None.
    """

    destination: str
    state: State
    since: datetime
    cause: str | None
    attempts: int
    program: str | None
    new: NewUids | None


@dataclass(frozen=True, slots=True)
class InstanceRecord:
    """An instance.

    Attributes:
        receipt: its name in the spool.
        called_ae: AE title that was called.
        calling_ae: AE title of the sender.
        address: of the sender.
        door: by what it came in.
        sop_class_uid: of the original.
        sop_instance_uid: of the original.
        series_instance_uid: of the original, or None where it was not read.
        study_instance_uid: of the original, or None where it was not read.
        received: when, in UTC.
        size: bytes of the original's data set.
        ended: when the last of its parts ended, or None.
        fates: what became of it, by destination.
    """

    receipt: str
    called_ae: str
    calling_ae: str
    address: str
    door: str
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str | None
    study_instance_uid: str | None
    received: datetime
    size: int
    ended: datetime | None
    fates: tuple[Fate, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the instances of a series or study at one destination.

    Attributes:
        destination: its name; empty where nobody's rules were asked.
        states: how many parts are in each state.
        causes: how many have each cause.
        since: when the last of them came to its state, in UTC.
        new_uids: UIDs of the series, or study, that were sent.
        programs: digests of the rules that were used.
    """

    destination: str
    states: Mapping[State, int]
    causes: Mapping[str, int]
    since: datetime
    new_uids: tuple[str, ...]
    programs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GroupRecord:
    """A series or a study, as far as it was received.

    Attributes:
        uid: Series or Study Instance UID of the original.
        study_instance_uid: of the original; the same as `uid` for a study.
        instances: how many SOP Instances.
        receipts: how many receipts; more than instances where some came more than once.
        bytes: of all receipts.
        first: when the first was received, in UTC.
        last: when the last was received, in UTC.
        tallies: what became of them, by destination.
    """

    uid: str
    study_instance_uid: str | None
    instances: int
    receipts: int
    bytes: int
    first: datetime
    last: datetime
    tallies: tuple[Tally, ...]


@dataclass(frozen=True, slots=True)
class Retention:
    """How long ended instances stay in the ledger.

    Attributes:
        keep: so long after their end; None for ever.
        most: so many at most; None for any number.
    """

    keep: timedelta | None
    most: int | None


class Ledger:
    """Answers questions; from any thread, and from other processes than the gateway's.

    Args:
        database: the index.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def instances(self, question: Question, limit: int, before: str | None = None) -> list[InstanceRecord]:
        """Find instances, the last received first.

        Args:
            question: which.
            limit: how many, at most.
            before: only receipts before this one: the last of the page before, or None.

        Raises:
            IndexUnavailable: the database refuses.
        """
        with self._database.reading() as connection:
            rows = last_received(connection, question, tuple(INSTANCES.c), limit, before)
            fates = _fates(connection, [row.receipt for row in rows])
        return [
            InstanceRecord(
                receipt=row.receipt,
                called_ae=row.called_ae,
                calling_ae=row.calling_ae,
                address=row.address,
                door=row.door,
                sop_class_uid=row.sop_class_uid,
                sop_instance_uid=row.sop_instance_uid,
                series_instance_uid=row.series_instance_uid,
                study_instance_uid=row.study_instance_uid,
                received=to_time(row.received),
                size=row.size,
                ended=None if row.ended is None else to_time(row.ended),
                fates=tuple(fates[row.receipt]),
            )
            for row in rows
        ]

    def series(self, question: Question, limit: int) -> list[GroupRecord]:
        """Find series, the last received first; all instances of each that the question means are counted.

        Args:
            question: which.
            limit: how many series, at most.

        Raises:
            IndexUnavailable: the database refuses.
        """
        return self._groups(INSTANCES.c.series_instance_uid, PARTS.c.new_series_instance_uid, question, limit)

    def studies(self, question: Question, limit: int) -> list[GroupRecord]:
        """Find studies, the last received first; all instances of each that the question means are counted.

        Args:
            question: which.
            limit: how many studies, at most.

        Raises:
            IndexUnavailable: the database refuses.
        """
        return self._groups(INSTANCES.c.study_instance_uid, PARTS.c.new_study_instance_uid, question, limit)

    def concealed(self, by: Grouping, uids: Sequence[str]) -> Mapping[str, Sequence[tuple[str, bytes]]]:
        """The encrypted identifiers of the patients of instances, where they are kept.

        Args:
            by: what instances are named or gathered by.
            uids: receipts, or Series or Study Instance UIDs of originals.

        Returns:
            By receipt or UID: SOP Instance UIDs of originals, each with what is bound to it.

        Raises:
            IndexUnavailable: the database refuses.
        """
        column = _GROUPINGS[by]
        found: dict[str, list[tuple[str, bytes]]] = {uid: [] for uid in uids}
        wanted = select(column, INSTANCES.c.sop_instance_uid, INSTANCES.c.patient)
        with self._database.reading() as connection:
            for some in pieces(uids):
                kept = wanted.where(column.in_(some), INSTANCES.c.patient.is_not(None)).order_by(INSTANCES.c.receipt)
                for uid, sop_instance_uid, patient in connection.execute(kept):
                    found[uid].append((sop_instance_uid, bytes(patient)))
        return found

    def patient(self, receipt: str) -> bytes | None:
        """The encrypted identifiers of the patient of an instance, or None where none are kept.

        Raises:
            IndexUnavailable: the database refuses.
        """
        with self._database.reading() as connection:
            found = connection.scalar(select(INSTANCES.c.patient).where(INSTANCES.c.receipt == clean(receipt)))
            return None if found is None else bytes(found)

    def _groups(self, column: Column[str], new: Column[str], question: Question, limit: int) -> list[GroupRecord]:
        with self._database.reading() as connection:
            uids = last_groups(connection, column, question, limit)
            rows = [row for some in pieces(uids) for row in connection.execute(_sums(column, question, some))]
            tallies = _tallies(connection, column, new, question, uids)
        rows.sort(key=lambda row: (-row.last, row.uid))
        return [
            GroupRecord(uid, study, instances, receipts, int(size), to_time(first), to_time(last), tallies[uid])
            for uid, study, instances, receipts, size, first, last in rows
        ]


def _sums(column: Column[str], question: Question, uids: Sequence[str]) -> Select[Any, Any, Any, Any, Any, Any, Any]:
    """What the instances of some series or studies add up to."""
    return (
        select(
            column.label("uid"),
            func.max(INSTANCES.c.study_instance_uid),
            func.count(INSTANCES.c.sop_instance_uid.distinct()),
            func.count(),
            func.sum(INSTANCES.c.size),
            func.min(INSTANCES.c.received),
            func.max(INSTANCES.c.received).label("last"),
        )
        .where(column.in_(uids), *meant(question))
        .group_by(column)
    )


def prune(index: Index, retention: Retention, now: datetime) -> int:
    """Remove what has stayed long enough, in steps that keep no writer waiting for long.

    Args:
        index: the index.
        retention: how long rows stay.
        now: the time, in UTC.

    Returns:
        How many instances were removed.

    Raises:
        IndexUnavailable: the database refuses.
    """
    before = None if retention.keep is None else now - retention.keep
    removed = 0
    while before is not None or retention.most is not None:
        step = index.forget(before, retention.most, _REMOVED_AT_ONCE)
        removed += step
        if step < _REMOVED_AT_ONCE:
            break
    return removed


def _fates(connection: Connection, receipts: Sequence[str]) -> Mapping[str, list[Fate]]:
    found: dict[str, list[Fate]] = {receipt: [] for receipt in receipts}
    for some in pieces(receipts):
        wanted = select(PARTS).where(PARTS.c.receipt.in_(some)).order_by(PARTS.c.receipt, PARTS.c.destination)
        for row in connection.execute(wanted):
            new = None
            if row.new_sop_instance_uid is not None:
                new = NewUids(row.new_sop_instance_uid, row.new_series_instance_uid, row.new_study_instance_uid)
            found[row.receipt].append(
                Fate(
                    row.destination,
                    State(row.state),
                    to_time(row.since),
                    row.cause,
                    row.attempts,
                    row.program,
                    new,
                )
            )
    return found


def _tallies(
    connection: Connection, column: Column[str], new: Column[str], question: Question, uids: Sequence[str]
) -> Mapping[str, tuple[Tally, ...]]:
    """Count parts by group, destination, state and cause, and gather the new UIDs and digests of each."""
    states: dict[tuple[str, str], Counter[State]] = defaultdict(Counter)
    causes: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    times: dict[tuple[str, str], int] = defaultdict(int)
    news: dict[tuple[str, str], set[str]] = defaultdict(set)
    programs: dict[tuple[str, str], set[str]] = defaultdict(set)
    kinds = (column, PARTS.c.destination, PARTS.c.state, PARTS.c.cause, new, PARTS.c.program)
    for some in pieces(uids):
        wanted_of = (column.in_(some), *meant(question))
        if question.destination is not None:
            wanted_of = (*wanted_of, PARTS.c.destination == clean(question.destination))
        wanted = (
            select(*kinds, func.count(), func.max(PARTS.c.since))
            .select_from(PARTS)
            .join(INSTANCES)
            .where(*wanted_of)
            .group_by(*kinds)
        )
        for row in connection.execute(wanted):
            uid, destination, state, cause, new_uid, program, count, since = row
            key = (uid, destination)
            states[key][State(state)] += count
            if cause is not None:
                causes[key][cause] += count
            times[key] = max(times[key], since)
            news[key] |= {new_uid} - {None}
            programs[key] |= {program} - {None}
    found: dict[str, list[Tally]] = {uid: [] for uid in uids}
    for (uid, destination), counts in sorted(states.items()):
        key = (uid, destination)
        found[uid].append(
            Tally(
                destination,
                dict(counts),
                dict(sorted(causes[key].items())),
                to_time(times[key]),
                tuple(sorted(news[key])),
                tuple(sorted(programs[key])),
            )
        )
    return {uid: tuple(tallies) for uid, tallies in found.items()}
