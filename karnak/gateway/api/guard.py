"""Who may use the API: who shows the token; where there is none, programs of this machine only.

Without a token the API listens on a loopback address alone. A page in somebody's browser on this machine is a
stranger even so: it can't read (the Host header must name this machine, against DNS rebinding) and can't write (a
POST is JSON and comes from no web page).
"""

import ipaddress
import socket
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from karnak.errors import KarnakError
from karnak.gateway.bearer import Token, find_token
from karnak.gateway.problem import problem

LOCAL = "local"
_LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
_JSON = "application/json"


class UnprotectedApi(KarnakError):
    """The API would listen to other machines without a token."""


def check_protected(host: str, token: Token | None) -> None:
    """Check that an API without a token listens to this machine only.

    Args:
        host: name or address that it is to listen on.
        token: the token, or None.

    Raises:
        UnprotectedApi: it would not, or the name can't be resolved.
    """
    if token is None and not _is_loopback(host):
        raise UnprotectedApi(
            f"the API would listen on {host} without a token; give it one, or let it listen on 127.0.0.1"
        )


def _is_loopback(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return bool(found) and all(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_loopback for entry in found)


class Guard:
    """Lets requests through to the API, or answers why not.

    Args:
        app: the API.
        token: what callers show, or None where only this machine may call.
        open_paths: what anybody may ask.
    """

    def __init__(self, app: ASGIApp, token: Token | None, open_paths: frozenset[str]) -> None:
        self._app = app
        self._token = token
        self._open = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        actor = self._actor(headers)
        refusal = self._refusal(scope, headers, actor)
        if refusal is not None:
            status, detail, more = refusal
            await problem(status, detail, more)(scope, receive, send)
            return
        scope.setdefault("state", {})["actor"] = actor
        await self._app(scope, receive, send)

    def _actor(self, headers: Headers) -> str | None:
        """Who asks, or None where nobody knows."""
        if self._token is None:
            return LOCAL
        found = find_token([self._token], headers.get("authorization"))
        return found.name if found is not None else None

    def _refusal(self, scope: Scope, headers: Headers, actor: str | None) -> tuple[int, str, Mapping[str, str]] | None:
        if self._token is None and _host_of(headers) not in _LOCAL_HOSTS:
            return 421, "without a token the API answers to 127.0.0.1 and localhost only", {}
        if actor is None and scope["path"] not in self._open:
            return 401, "a bearer token is needed, the one of the configuration", {"WWW-Authenticate": "Bearer"}
        if scope["method"] == "POST":
            if headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
                return 415, f"the body must be {_JSON}", {}
            if self._token is None and "origin" in headers:
                return 403, "web pages may not use an API without a token", {}
        return None


def _host_of(headers: Headers) -> str:
    """The name in the Host header, without its port; empty where there are several."""
    names = headers.getlist("host")
    if len(names) != 1:
        return ""
    name, colon, port = names[0].lower().rpartition(":")
    return name if colon and port.isdecimal() else names[0].lower()
