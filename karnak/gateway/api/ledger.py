"""`/api/v1/ledger`: what came in and what became of it. Reading is noted in the audit log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import AwareDatetime, Field

from karnak.gateway.api.operation import Call, Input, Operation
from karnak.gateway.ledger import GroupRecord, InstanceRecord
from karnak.gateway.questions import Question
from karnak.gateway.states import State

MAXIMUM_LIMIT = 1000


class LedgerQuery(Input):
    """Which instances are meant: those to which all of it applies."""

    uid: Annotated[str | None, Field(description="Study, Series or SOP Instance UID, original or sent")] = None
    receipt: Annotated[str | None, Field(description="one receipt")] = None
    destination: Annotated[str | None, Field(description="name of a destination")] = None
    state: Annotated[State | None, Field(description="with a part in this state, at that destination")] = None
    calling_ae: Annotated[str | None, Field(description="AE title of the sender")] = None
    since: Annotated[AwareDatetime | None, Field(description="received at or after, with time zone")] = None
    until: Annotated[AwareDatetime | None, Field(description="received before, with time zone")] = None
    limit: Annotated[int, Field(ge=1, le=MAXIMUM_LIMIT, description="how many, at most")] = 100

    def question(self) -> Question:
        """What is asked of the ledger."""
        return Question(self.uid, self.receipt, self.destination, self.state, self.calling_ae, self.since, self.until)


class InstancesQuery(LedgerQuery):
    """Which instances are meant, and which page of them."""

    before: Annotated[str | None, Field(description="receipt that the page before ended with")] = None


class Look(Input):
    """What somebody looks at."""

    patients: Annotated[bool, Field(description="identifiers of patients are decrypted")]


@dataclass(frozen=True, slots=True)
class Noted:
    """The audit log says it."""

    noted: bool


def _look(call: Call) -> Noted:
    call.house.look(call.person, patients=call.body.patients)
    return Noted(noted=True)


def _instances(call: Call) -> Sequence[InstanceRecord]:
    return call.house.ledger(call.person).instances(call.query.question(), call.query.limit, call.query.before)


def _series(call: Call) -> Sequence[GroupRecord]:
    return call.house.ledger(call.person).series(call.query.question(), call.query.limit)


def _studies(call: Call) -> Sequence[GroupRecord]:
    return call.house.ledger(call.person).studies(call.query.question(), call.query.limit)


OPERATIONS = (
    Operation(
        "GET",
        "/api/v1/ledger/instances",
        "listLedgerInstances",
        "List instances, the last received first, with what became of each.",
        _instances,
        Sequence[InstanceRecord],
        query=InstancesQuery,
    ),
    Operation(
        "GET",
        "/api/v1/ledger/series",
        "listLedgerSeries",
        "List series, the last received first, with what became of their instances.",
        _series,
        Sequence[GroupRecord],
        query=LedgerQuery,
    ),
    Operation(
        "GET",
        "/api/v1/ledger/studies",
        "listLedgerStudies",
        "List studies, the last received first, with what became of their instances.",
        _studies,
        Sequence[GroupRecord],
        query=LedgerQuery,
    ),
    Operation(
        "POST",
        "/api/v1/ledger/looks",
        "noteLedgerLook",
        "Have the audit log say that somebody reads the ledger beside the API.",
        _look,
        Noted,
        body=Look,
    ),
)
