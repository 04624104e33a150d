"""`/api/v1/queue`: what is owed to whom; parts can be retried now, or dropped."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field

from karnak.gateway.api.operation import Call, Input, Operation
from karnak.gateway.problem import problem
from karnak.gateway.states import State
from karnak.gateway.store.queue import Choice
from karnak.gateway.store.rows import Part, Wish

MAXIMUM_LIMIT = 1000


class _Meant(Input):
    destination: Annotated[str | None, Field(description="name of a destination")] = None
    study_instance_uid: Annotated[str | None, Field(description="of the original, or of what was sent")] = None
    state: Annotated[State | None, Field(description="all that are open where it is left out")] = None
    receipt: Annotated[str | None, Field(description="one instance")] = None

    def choice(self) -> Choice:
        """The parts that are meant."""
        return Choice(self.destination, self.study_instance_uid, self.state, self.receipt)


class QueueQuery(_Meant):
    """Which parts are listed: those to which all of it applies."""

    limit: Annotated[int, Field(ge=1, le=MAXIMUM_LIMIT, description="how many, at most")] = 100


class QueueChoice(_Meant):
    """Which parts are meant: those to which all of it applies."""

    all: Annotated[bool, Field(description="must be true where nothing else is said: everything is meant")] = False


@dataclass(frozen=True, slots=True)
class QueuedPart:
    """An instance that is owed to a destination.

    Attributes:
        receipt: what it is called here and in the journal.
        destination: name of the destination.
        state: where it is.
        cause: why it is there, or None.
        attempts: how often it was sent, or could not be.
        received: when it came, in UTC.
        retry_at: when it is due again, where it waits.
        size: bytes of the original's data set.
        sop_class_uid: of the original.
        wish: what a person has asked for and was not done yet, or None.
    """

    receipt: str
    destination: str
    state: State
    cause: str | None
    attempts: int
    received: datetime
    retry_at: datetime | None
    size: int
    sop_class_uid: str
    wish: str | None


@dataclass(frozen=True, slots=True)
class QueueAnswer:
    """The first of the parts that are meant.

    Attributes:
        total: how many are meant.
        parts: the first of them, in the order of their receipt.
    """

    total: int
    parts: Sequence[QueuedPart]


@dataclass(frozen=True, slots=True)
class Meant:
    """How many parts are meant; the gateway does it at its next look."""

    count: int


def _list(call: Call) -> QueueAnswer:
    page = call.house.queue(call.query.choice(), call.query.limit)
    return QueueAnswer(page.total, [_shown(part) for part in page.parts])


def _shown(part: Part) -> QueuedPart:
    return QueuedPart(
        receipt=part.receipt,
        destination=part.destination,
        state=part.state,
        cause=part.cause,
        attempts=part.attempts,
        received=part.received,
        retry_at=part.retry_at,
        size=part.size,
        sop_class_uid=part.sop_class_uid,
        wish=None if part.wish is None else Wish(part.wish).name.lower(),
    )


def _retry(call: Call) -> object:
    choice = call.body.choice()
    return _too_much(call, choice) or Meant(call.house.retry(choice, call.person))


def _drop(call: Call) -> object:
    choice = call.body.choice()
    return _too_much(call, choice) or Meant(call.house.drop(choice, call.person))


def _too_much(call: Call, choice: Choice) -> object:
    """Refuse what reads like everything and does not say so."""
    if choice.is_all and not call.body.all:
        return problem(400, "nothing is chosen; say `all: true` where everything is meant")
    if call.body.all and not choice.is_all:
        return problem(400, "`all: true` and a choice contradict each other; leave one of them out")
    return None


OPERATIONS = (
    Operation(
        "GET",
        "/api/v1/queue",
        "listQueue",
        "List what is owed to destinations, or what has come to a state.",
        _list,
        QueueAnswer,
        query=QueueQuery,
    ),
    Operation(
        "POST",
        "/api/v1/queue/retry",
        "retryQueue",
        "Have parts that wait tried again now.",
        _retry,
        Meant,
        status=202,
        body=QueueChoice,
    ),
    Operation(
        "POST",
        "/api/v1/queue/drop",
        "dropQueue",
        "Have parts that are open dropped: they end as excluded and are never sent.",
        _drop,
        Meant,
        status=202,
        body=QueueChoice,
    ),
)
