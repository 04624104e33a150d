"""`/healthz`: the process answers. `/readyz`: it can take instances, or why not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from karnak.gateway.api.house import Check
from karnak.gateway.api.operation import Call, Operation, Reply


@dataclass(frozen=True, slots=True)
class Health:
    """The process answers."""

    status: Literal["ok"]


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether instances can be taken.

    Attributes:
        ready: whether all checks are good.
        checks: the checks; empty for callers who don't show the token.
    """

    ready: bool
    checks: Sequence[Check]


def _health(_: Call) -> Health:
    return Health("ok")


def _readiness(call: Call) -> Reply:
    checks = call.house.readiness()
    ready = all(check.ready for check in checks)
    return Reply(200 if ready else 503, Readiness(ready, checks if call.actor is not None else ()))


OPERATIONS = (
    Operation("GET", "/healthz", "health", "Tell that the process answers.", _health, Health, open=True),
    Operation(
        "GET",
        "/readyz",
        "readiness",
        "Tell whether instances can be taken, and if not, why.",
        _readiness,
        Readiness,
        problems={503: "Instances can't be taken now; the body is that of 200."},
        open=True,
    ),
)
