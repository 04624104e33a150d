"""Questions to the ledger, and how the index finds what they mean in milliseconds among a million rows.

A UID leads straight to its rows. So does a state that few parts are in; where many are, and for everything else,
instances are walked through from the last received on, and there are soon enough. `tests/gateway/store/test_plans.py`
holds SQLite to that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, FromClause, exists, func, select, tuple_, union_all

from karnak.gateway.receipts import time_of
from karnak.gateway.states import State
from karnak.gateway.store.statements import clean
from karnak.gateway.store.tables import INSTANCES, PARTS, to_number

# Parts in a state that are looked up one by one; of more, the last received are soon found.
_FEW = 20_000
# Instances that are walked through at once.
_STRIDE = 5000

# A part of the instance that is looked at, beside those that the whole question is about.
_ONE = PARTS.alias("one")
_RECEIVED = (INSTANCES.c.received.desc(), INSTANCES.c.receipt.desc())
_ORIGINALS = (INSTANCES.c.study_instance_uid, INSTANCES.c.series_instance_uid, INSTANCES.c.sop_instance_uid)
_SENT = (PARTS.c.new_study_instance_uid, PARTS.c.new_series_instance_uid, PARTS.c.new_sop_instance_uid)


@dataclass(frozen=True, slots=True)
class Question:
    """Which instances are asked for: those to which all of this applies.

    Attributes:
        uid: Study, Series or SOP Instance UID, of the original or of what was sent, or None for any.
        receipt: one receipt, or None for any.
        destination: with a part for this destination, or None for any.
        state: with a part in this state (at that destination), or None for any.
        calling_ae: from this calling AE title, or None for any.
        since: received at or after this time, in UTC, or None.
        until: received before this time, in UTC, or None.
    """

    uid: str | None = None
    receipt: str | None = None
    destination: str | None = None
    state: State | None = None
    calling_ae: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def meant(question: Question) -> list[ColumnElement[bool]]:
    """What holds for an instance that a question means."""
    found: list[ColumnElement[bool]] = []
    if question.receipt is not None:
        found.append(INSTANCES.c.receipt == clean(question.receipt))
    if question.calling_ae is not None:
        found.append(INSTANCES.c.calling_ae == clean(question.calling_ae))
    if question.since is not None:
        found.append(INSTANCES.c.received >= to_number(question.since))
    if question.until is not None:
        found.append(INSTANCES.c.received < to_number(question.until))
    if part := _part(question, _ONE):
        found.append(exists().where(_ONE.c.receipt == INSTANCES.c.receipt, *part))
    if question.uid is not None:
        uid = clean(question.uid)
        originals = [select(INSTANCES.c.receipt).where(column == uid) for column in _ORIGINALS]
        found.append(INSTANCES.c.receipt.in_(union_all(*originals, *_sent(uid))))
    return found


def last_received(
    connection: Connection, question: Question, columns: Sequence[Column[Any]], limit: int, before: str | None
) -> Sequence[Any]:
    """Find the instances that a question means, the last received first.

    Args:
        connection: a transaction that reads.
        question: which.
        columns: of the instances, to be given.
        limit: how many instances, at most.
        before: only those received before this receipt, or None.
    """
    wanted = select(*columns).where(*meant(question), *_if_few(connection, question))
    if before is not None:
        wanted = wanted.where(_earlier(connection, before))
    return connection.execute(wanted.order_by(*_RECEIVED).limit(limit)).all()


def last_groups(connection: Connection, column: Column[str], question: Question, limit: int) -> list[str]:
    """Find the series or studies of the instances that a question means, the last received first.

    Args:
        connection: a transaction that reads.
        column: Series or Study Instance UID of the original.
        question: which.
        limit: how many series or studies, at most.
    """
    found: dict[str, None] = {}
    before: str | None = None
    while len(found) < limit:
        rows = last_received(connection, question, (column, INSTANCES.c.receipt), _STRIDE, before)
        found |= dict.fromkeys(uid for uid, _ in rows if uid is not None)
        if len(rows) < _STRIDE:
            break
        before = rows[-1].receipt
    return list(found)[:limit]


def _part(question: Question, parts: FromClause) -> list[ColumnElement[bool]]:
    """What holds for one of its parts."""
    found: list[ColumnElement[bool]] = []
    if question.state is not None:
        found.append(parts.c.state == question.state.value)
    if question.destination is not None:
        found.append(parts.c.destination == clean(question.destination))
    return found


def _sent(uid: str) -> list[Any]:
    return [select(PARTS.c.receipt).where(column == uid) for column in _SENT]


def _if_few(connection: Connection, question: Question) -> list[ColumnElement[bool]]:
    """Where few parts are in the state that is asked for: that an instance is one of theirs."""
    if question.state is None:
        return []
    parts = select(PARTS.c.receipt).where(*_part(question, PARTS))
    many = connection.scalar(select(func.count()).select_from(parts.limit(_FEW).subquery())) == _FEW
    return [] if many else [INSTANCES.c.receipt.in_(parts)]


def _earlier(connection: Connection, receipt: str) -> ColumnElement[bool]:
    """Received before the instance of a receipt; one that the ledger has forgotten tells its time itself."""
    receipt = clean(receipt)
    received = connection.scalar(select(INSTANCES.c.received).where(INSTANCES.c.receipt == receipt))
    if received is None:
        time = time_of(receipt)
        if time is None:
            return INSTANCES.c.receipt < receipt
        received = to_number(time)
    return tuple_(INSTANCES.c.received, INSTANCES.c.receipt) < (received, receipt)
