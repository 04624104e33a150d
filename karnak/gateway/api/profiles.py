"""`/api/v1/profiles`: the rules in force, and reading them again."""

from pydantic import TypeAdapter
from starlette.responses import Response

from karnak.gateway.api.house import ReloadResult, Rules
from karnak.gateway.api.operation import Call, Input, Operation
from karnak.gateway.metrics import ReloadOutcome
from karnak.gateway.problem import problem

_RESULT = TypeAdapter(ReloadResult)


class ReloadOrder(Input):
    """An order to reload; there is nothing to be said: `{}`."""


def _profiles(call: Call) -> Rules:
    return call.house.rules()


def _reload(call: Call) -> ReloadResult | Response:
    result = call.house.reload(call.person)
    if result.outcome is ReloadOutcome.REFUSED:
        said = _RESULT.dump_python(result, mode="json")
        return problem(409, "there are errors; the rules stay as they were", more=said)
    return result


OPERATIONS = (
    Operation(
        "GET",
        "/api/v1/profiles",
        "listProfiles",
        "Tell which rules are in force.",
        _profiles,
        Rules,
    ),
    Operation(
        "POST",
        "/api/v1/profiles/reload",
        "reloadProfiles",
        "Read profiles and configuration again; they come into force if nothing is wrong with them.",
        _reload,
        ReloadResult,
        body=ReloadOrder,
        problems={409: "There are errors, listed as `findings`; the rules stay as they were."},
    ),
)
