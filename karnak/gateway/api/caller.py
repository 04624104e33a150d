"""The API's own client, for commands that ask the gateway that runs."""

import httpx
from pydantic import TypeAdapter, ValidationError

from karnak.errors import KarnakError
from karnak.gateway.api.house import ReloadResult

_SECONDS = 60.0
_CONFLICT = 409
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
    where = f"[{host}]" if ":" in host else host
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    url = f"http://{where}:{port}/api/v1/profiles/reload"
    try:
        # A proxy of the environment has no business with one's own gateway.
        with httpx.Client(trust_env=False, timeout=_SECONDS) as client:
            answer = client.post(url, json={}, headers=headers)
    except httpx.HTTPError as error:
        raise NoAnswer(f"no gateway answers at {host} port {port} ({type(error).__name__})") from None
    if answer.status_code not in (httpx.codes.OK, _CONFLICT):
        raise NoAnswer(f"the gateway at {host} port {port} answered with HTTP status {answer.status_code}")
    try:
        return _RESULT.validate_json(answer.content)
    except ValidationError:
        raise NoAnswer(f"what answers at {host} port {port} is no gateway") from None
