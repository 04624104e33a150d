"""The queue as people and monitoring see it: from any thread, and from other processes than the gateway's.

Nothing is done to a part here: what a person wants of it is written beside it, and the
gateway does it at its next look (`Index.fulfil`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select, tuple_, update

from karnak.gateway.receipts import time_of
from karnak.gateway.states import OPEN as OPEN_STATES
from karnak.gateway.states import State
from karnak.gateway.store.database import Database
from karnak.gateway.store.rows import Part, Wish
from karnak.gateway.store.statements import OPEN, PART_COLUMNS, Key, clean, part_of
from karnak.gateway.store.tables import INSTANCES, PARTS


@dataclass(frozen=True, slots=True)
class Choice:
    """Which parts are meant: those to which all of this applies.

    Attributes:
        destination: name of the destination, or None for any.
        study_instance_uid: of the original or of what was sent, or None for any.
        state: one state, or None for all that are open.
        receipt: name of one instance in the spool, or None for any.
    """

    destination: str | None = None
    study_instance_uid: str | None = None
    state: State | None = None
    receipt: str | None = None

    @property
    def is_all(self) -> bool:
        """Whether everything that is open is meant."""
        return self == Choice()


class Queue:
    """What is owed to whom.

    Args:
        database: the index.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, choice: Choice, limit: int) -> list[Part]:
        """List parts, in the order of their receipt.

        Args:
            choice: which.
            limit: how many, at most.

        Raises:
            IndexUnavailable: the database refuses.
        """
        wanted = select(*PART_COLUMNS).join(INSTANCES).where(*_where(choice))
        with self._database.reading() as connection:
            rows = connection.execute(wanted.order_by(PARTS.c.receipt, PARTS.c.destination).limit(limit))
            return [part_of(row) for row in rows]

    def count(self, choice: Choice) -> int:
        """Count parts.

        Raises:
            IndexUnavailable: the database refuses.
        """
        with self._database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(PARTS).where(*_where(choice))) or 0

    def wish(self, choice: Choice, wish: Wish) -> int:
        """Ask the gateway to try parts now, or to drop them; those that have ended stay as they are.

        Parts that stand in line need no wish to be tried but that somebody opens the way: the oldest one of each
        destination has it.

        Args:
            choice: which.
            wish: what.

        Returns:
            How many are meant.

        Raises:
            IndexUnavailable: the database refuses.
        """
        meant = [OPEN, *_where(choice)]
        marked = meant
        if wish is Wish.RETRY:
            line = [*meant, PARTS.c.state == State.ROUTED.value]
            first = select(PARTS.c.destination, func.min(PARTS.c.receipt)).where(*line).group_by(PARTS.c.destination)
            in_front = tuple_(PARTS.c.destination, PARTS.c.receipt).in_(first)
            marked = [*meant, or_(PARTS.c.state == State.WAITING.value, in_front)]
        with self._database.writing() as connection:
            count = connection.scalar(select(func.count()).select_from(PARTS).where(*meant)) or 0
            connection.execute(update(PARTS).where(*marked).values(wish=wish.value))
            return count

    def depths(self) -> Mapping[Key, int]:
        """How many parts are open, by destination and state.

        Raises:
            IndexUnavailable: the database refuses.
        """
        wanted = select(PARTS.c.destination, PARTS.c.state, func.count()).where(OPEN)
        with self._database.reading() as connection:
            rows = connection.execute(wanted.group_by(PARTS.c.destination, PARTS.c.state))
            return {(destination, state): count for destination, state, count in rows}

    def owed(self) -> Sequence[str]:
        """The receipts of all instances that are still owed to a destination, in order.

        Raises:
            IndexUnavailable: the database refuses.
        """
        with self._database.reading() as connection:
            return connection.scalars(select(PARTS.c.receipt).where(OPEN).distinct().order_by(PARTS.c.receipt)).all()

    def oldest(self) -> Mapping[str, datetime]:
        """When the oldest instance came that is still owed, by destination, in UTC.

        Raises:
            IndexUnavailable: the database refuses.
        """
        oldest = select(PARTS.c.destination, func.min(PARTS.c.receipt)).where(OPEN).group_by(PARTS.c.destination)
        with self._database.reading() as connection:
            found = [(destination, time_of(receipt)) for destination, receipt in connection.execute(oldest)]
        return {destination: time for destination, time in found if time is not None}


def _where(choice: Choice) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if choice.state is None or choice.state in OPEN_STATES:
        found.append(OPEN)
    if choice.state is not None:
        found.append(PARTS.c.state == choice.state.value)
    if choice.destination is not None:
        found.append(PARTS.c.destination == clean(choice.destination))
    if choice.receipt is not None:
        found.append(PARTS.c.receipt == clean(choice.receipt))
    if choice.study_instance_uid is not None:
        study = clean(choice.study_instance_uid)
        originals = select(INSTANCES.c.receipt).where(INSTANCES.c.study_instance_uid == study)
        found.append(or_(PARTS.c.receipt.in_(originals), PARTS.c.new_study_instance_uid == study))
    return found
