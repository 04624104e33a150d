"""`/api/v1/shadows`: candidates beside the active rules: started, told of, ended. Decisions and counts, no values."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from pydantic import Field, TypeAdapter
from starlette.responses import Response

from karnak.dsl.nodes import Source
from karnak.dsl.source import MAX_CHARACTERS
from karnak.gateway.api.house import Finding, NoSuchDestination, ShadowStart
from karnak.gateway.api.operation import Call, Input, Operation
from karnak.gateway.problem import problem
from karnak.gateway.shadow_report import ShadowReport
from karnak.gateway.shadows import ShadowTaken

LONGEST_SECONDS = 7 * 24 * 3600
# A profile as JSON: what is escaped takes six bytes.
_MAXIMUM_BODY = 8 * MAX_CHARACTERS
_FINDINGS: TypeAdapter[Sequence[Finding]] = TypeAdapter(Sequence[Finding])


class ShadowOrder(Input):
    """What is to run beside what, and for how long."""

    destination: Annotated[str, Field(description="name of a destination with rules")]
    candidate: Annotated[str, Field(description="text of the profile")]
    name: Annotated[str, Field(description="what findings call it")] = "candidate.yml"
    seconds: Annotated[int, Field(ge=1, le=LONGEST_SECONDS, description="after which it ends by itself")]


class ShadowEnd(Input):
    """Which shadow is to end."""

    destination: Annotated[str, Field(description="name of its destination")]


def _list(call: Call) -> Sequence[ShadowReport]:
    return call.house.shadows()


def _start(call: Call) -> ShadowStart | Response:
    order: ShadowOrder = call.body
    candidate = Source(order.name, order.candidate.removeprefix("\ufeff"))
    try:
        done = call.house.start_shadow(order.destination, candidate, timedelta(seconds=order.seconds), call.person)
    except NoSuchDestination as error:
        return problem(404, str(error))
    except ShadowTaken as error:
        return problem(409, str(error))
    if done.report is None:
        said = _FINDINGS.dump_python(done.findings, mode="json")
        return problem(422, "the candidate has errors", more={"findings": said})
    return done


def _end(call: Call) -> ShadowReport | Response:
    return call.house.end_shadow(call.body.destination, call.person) or problem(404, "there is no such shadow")


OPERATIONS = (
    Operation(
        "GET",
        "/api/v1/shadows",
        "listShadows",
        "Tell what candidates would decide otherwise than the active rules.",
        _list,
        list[ShadowReport],
    ),
    Operation(
        "POST",
        "/api/v1/shadows",
        "startShadow",
        "Run a candidate beside the active rules of a destination; it sends nothing.",
        _start,
        ShadowStart,
        status=201,
        body=ShadowOrder,
        problems={
            404: "There is no such destination, or it has no rules.",
            409: "A shadow runs for the destination already.",
            422: "The candidate has errors, listed as `findings`.",
        },
        maximum_body=_MAXIMUM_BODY,
    ),
    Operation(
        "POST",
        "/api/v1/shadows/end",
        "endShadow",
        "End a destination's shadow; its report stays until the next one begins.",
        _end,
        ShadowReport,
        body=ShadowEnd,
        problems={404: "There is no such shadow."},
    ),
)
