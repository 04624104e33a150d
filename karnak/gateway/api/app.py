"""The API, put together: operations, their description, the guard before them, and problems for what goes wrong."""

from collections.abc import Callable, Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from karnak.gateway.api import destinations, health, ledger, metrics, profiles, queue, shadows
from karnak.gateway.api.guard import Guard
from karnak.gateway.api.house import House
from karnak.gateway.api.openapi import describe
from karnak.gateway.api.operation import Call, Operation
from karnak.gateway.bearer import Token
from karnak.gateway.problem import problem

_HEADERS = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]

_RESOURCES = (health, metrics, destinations, queue, ledger, profiles, shadows)


def _openapi(_: Call) -> Mapping[str, object]:
    return _DESCRIPTION


OPERATIONS = (
    *(operation for resource in _RESOURCES for operation in resource.OPERATIONS),
    Operation("GET", "/api/v1/openapi.json", "describe", "Describe this API.", _openapi, dict[str, object]),
)
_DESCRIPTION = describe(OPERATIONS)


def make_api(house: House, token: Token | None, on_error: Callable[[Exception], None]) -> ASGIApp:
    """Make the API.

    Args:
        house: the gateway.
        token: what callers show, or None where only this machine may call.
        on_error: hears of what nobody has foreseen.
    """

    def explain(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problem(error.status_code, f"{request.method} is nothing that can be done here", error.headers)

    open_paths = frozenset(operation.path for operation in OPERATIONS if operation.open)
    return Starlette(
        routes=[operation.route(house, on_error) for operation in OPERATIONS],
        middleware=[
            Middleware(_Headers),
            Middleware(Guard, token=token, open_paths=open_paths),
        ],
        exception_handlers={HTTPException: explain},
    )


class _Headers:
    """Adds headers to every answer: none of them is for a cache, and none is what it does not say it is."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        await self._app(scope, receive, add)
