"""Who we are towards an HTTP service: nobody, Basic, a bearer token, or OAuth 2.0 client credentials.

Each gives the value of the Authorization header, and may be able to renew it once the
service has said 401. Secrets stand in no `repr`, no message and no log.
Source: RFC 7617, RFC 6750, RFC 6749 section 4.4.
"""

import base64
import contextlib
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlencode

import httpx

from karnak.gateway.deliver.parcel import DeliveryError

# A token that ends within this many seconds is renewed before it is used, but it is always used for half its life.
_MARGIN = 60.0
_MAXIMUM_ANSWER = 1 << 20
# RFC 6750 section 2.1.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
# RFC 6749 section 5.2; anything else that a service says could hold anything.
_OAUTH_ERRORS = frozenset(
    {"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type",
     "invalid_scope"}
)  # fmt: skip


def is_token(text: str) -> bool:
    """Tell whether a text can be a bearer token."""
    return _TOKEN.fullmatch(text) is not None


class CredentialsError(DeliveryError):
    """There are no credentials to send; the message holds no secret."""


class Credentials(Protocol):
    """What the Authorization header says."""

    def header(self) -> str | None:
        """Give the header's value, or None to send none.

        Raises:
            CredentialsError: there is none to be had.
        """
        ...

    def renew(self, refused: str | None) -> bool:
        """Get another one, where that is possible.

        Args:
            refused: the value that the service didn't take.

        Returns:
            Whether `header` now gives another value.

        Raises:
            CredentialsError: there is none to be had.
        """
        ...


class Anonymous:
    """Nobody."""

    def header(self) -> str | None:
        return None

    def renew(self, refused: str | None) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Basic:
    """A user and a password (RFC 7617).

    Attributes:
        user: name, without colon.
        password: in UTF-8.
    """

    user: str
    password: str = field(repr=False)

    def header(self) -> str | None:
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode("ascii")

    def renew(self, refused: str | None) -> bool:
        return False


class Bearer:
    """A token that somebody else renews (RFC 6750): it is read again when the service refuses it.

    Args:
        read: gives the token; raises OSError or ValueError where there is none.
    """

    def __init__(self, read: Callable[[], str]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._token: str | None = None

    def header(self) -> str | None:
        with self._lock:
            if self._token is None:
                self._token = self._fresh()
            return f"Bearer {self._token}"

    def renew(self, refused: str | None) -> bool:
        with self._lock:
            self._token = self._fresh()
            return f"Bearer {self._token}" != refused

    def _fresh(self) -> str:
        try:
            token = self._read()
        except (OSError, ValueError):
            raise CredentialsError("the bearer token can't be read") from None
        if not is_token(token):
            raise CredentialsError("what should be the bearer token is none")
        return token


@dataclass(frozen=True, slots=True)
class Client:
    """A client of an OAuth 2.0 authorization server.

    Attributes:
        token_url: token endpoint.
        client_id: what the server calls us.
        client_secret: what proves it.
        scope: what we ask for, names separated by spaces, or None.
        in_body: the secret goes into the request's body instead of its Authorization header (RFC 6749 section 2.3.1).
        parameters: more that the server wants to be told, such as an audience.
    """

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str | None = None
    in_body: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)


class ClientCredentials:
    """Tokens of an OAuth 2.0 authorization server; one is used until shortly before it ends.

    Args:
        client: what we are there.
        http: gives what sends the requests.
        monotonic: a clock that never goes back, in seconds.
    """

    def __init__(self, client: Client, http: Callable[[], httpx.Client], monotonic: Callable[[], float]) -> None:
        self._client = client
        self._http = http
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._token: str | None = None
        self._good_until = 0.0

    def header(self) -> str | None:
        # Under the lock, so that many threads ask for one token.
        with self._lock:
            if self._token is None or self._monotonic() >= self._good_until:
                self._fetch()
            return f"Bearer {self._token}"

    def renew(self, refused: str | None) -> bool:
        with self._lock:
            if f"Bearer {self._token}" == refused:
                self._fetch()
            return f"Bearer {self._token}" != refused

    def _fetch(self) -> None:
        # Loading it takes a third of a second, and few need it.
        from authlib.oauth2.base import OAuth2Error
        from authlib.oauth2.client import OAuth2Client

        self._token = None
        method = "client_secret_post" if self._client.in_body else "client_secret_basic"
        server = OAuth2Client(
            _Session(self._http()),
            self._client.client_id,
            self._client.client_secret,
            token_endpoint_auth_method=method,
            scope=self._client.scope,
        )
        asked = self._monotonic()
        try:
            answer = server.fetch_token(
                self._client.token_url, grant_type="client_credentials", **dict(self._client.parameters)
            )
        except OAuth2Error as error:
            known = f" ({error.error})" if error.error in _OAUTH_ERRORS else ""
            raise CredentialsError(f"the authorization server gives no token{known}") from None
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            raise CredentialsError(f"the authorization server gives no token: it answered {status}") from None
        except httpx.TimeoutException:
            raise CredentialsError("the authorization server did not answer in time") from None
        except httpx.HTTPError:
            raise CredentialsError("the authorization server can't be reached") from None
        except Exception:
            # Whatever a reader stumbles over, the server sent it; the exception's text may quote it.
            raise CredentialsError("the answer of the authorization server is malformed") from None
        token, kind = answer.get("access_token"), str(answer.get("token_type", "")).lower()
        if not isinstance(token, str) or not is_token(token) or kind != "bearer":
            raise CredentialsError("the authorization server gives no bearer token")
        lifetime = _seconds(answer.get("expires_in"))
        self._token = token
        self._good_until = float("inf") if lifetime is None else asked + lifetime - min(_MARGIN, lifetime / 2)


class _Session:
    """Sends what authlib has made; authlib knows how clients prove who they are, httpx how bytes travel."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def post(
        self, url: str, data: Mapping[str, str], headers: Mapping[str, str], auth: "_Prepares", **_: object
    ) -> httpx.Response:
        url, headers, body = auth.prepare("POST", url, dict(headers), urlencode(data))
        with self._http.stream("POST", url, content=body, headers=dict(headers)) as answer:
            read = b""
            for piece in answer.iter_bytes():
                read += piece
                if len(read) > _MAXIMUM_ANSWER:
                    raise ValueError("too long")
            return httpx.Response(
                answer.status_code, headers={"Content-Type": "application/json"}, content=read, request=answer.request
            )


class _Prepares(Protocol):
    def prepare(
        self, method: str, uri: str, headers: Mapping[str, str], body: str
    ) -> tuple[str, Mapping[str, str], str]: ...


def _seconds(value: object) -> float | None:
    """Read how long a token lives; None where it isn't said."""
    with contextlib.suppress(TypeError, ValueError):
        seconds = float(str(value))
        return seconds if 0 < seconds < float("inf") else None
    return None
