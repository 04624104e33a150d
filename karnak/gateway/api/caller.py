"""The API's own client, for commands that ask the gateway that runs."""

from collections.abc import Mapping
from typing import TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from karnak.errors import KarnakError
from karnak.gateway.api.house import ReloadResult
from karnak.gateway.house_plan import ApiPlan

_SECONDS = 60.0
_CONFLICT = 409
Answer = TypeVar("Answer")
_RESULT = TypeAdapter(ReloadResult)


class NoAnswer(KarnakError):
    """No gateway answers, or it answers something else than what was asked for."""


def order_reload(host: str, port: int, token: str | None) -> ReloadResult:
    """Have a gateway read its profiles and configuration again.

    Args:
        host: address that its API listens on.
        port: TCP port of its API.
        token: what it wants to be shown, or None.

    Raises:
        NoAnswer: nobody answers there, or not as a gateway does.
    """
    gate = ApiPlan(host, port, token)
    status, content = ask(gate, "POST", "/api/v1/profiles/reload", {})
    if status not in (httpx.codes.OK, _CONFLICT):
        raise NoAnswer(f"the gateway at {host} port {port} answered with HTTP status {status}")
    return read_answer(gate, _RESULT, content)


def ask(gate: ApiPlan, method: str, path: str, body: Mapping[str, object] | None = None) -> tuple[int, bytes]:
    """Ask a gateway.

    Args:
        gate: where its API listens, and what it wants to be shown.
        method: GET or POST.
        path: of the operation.
        body: what is said, with POST.

    Returns:
        HTTP status and content of the answer.

    Raises:
        NoAnswer: nobody answers there.
    """
    where = f"[{gate.host}]" if ":" in gate.host else gate.host
    headers = {"Authorization": f"Bearer {gate.token}"} if gate.token is not None else {}
    try:
        # A proxy of the environment has no business with one's own gateway.
        with httpx.Client(trust_env=False, timeout=_SECONDS) as client:
            answer = client.request(method, f"http://{where}:{gate.port}{path}", json=body, headers=headers)
    except httpx.HTTPError as error:
        raise NoAnswer(f"no gateway answers at {gate.host} port {gate.port} ({type(error).__name__})") from None
    return answer.status_code, answer.content


def read_answer(gate: ApiPlan, kind: TypeAdapter[Answer], content: bytes) -> Answer:
    """Understand an answer.

    Raises:
        NoAnswer: it is something else than a gateway says.
    """
    try:
        return kind.validate_json(content)
    except ValidationError:
        raise NoAnswer(f"what answers at {gate.host} port {gate.port} is no gateway") from None
