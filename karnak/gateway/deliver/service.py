"""Requests to an HTTP service: who we are there, what TLS asks for now, and what went wrong on the way.

httpx carries them: it is typed, streams bodies both ways, keeps connections, speaks HTTP/1.1 and 2, has a time-out for
each step, and is kept well. Redirects are not followed, and the environment is asked for nothing.
"""

import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeAlias

import httpx

from karnak.gateway.deliver.credentials import Credentials
from karnak.gateway.deliver.parcel import DeliveryError
from karnak.gateway.renewed import Rules
from karnak.version import VERSION

_MAXIMUM_ANSWER = 4 << 20
# How often a request is sent, where a connection breaks that was kept for a while.
_ATTEMPTS = 2
# Status, content type and body of an answer.
Said: TypeAlias = tuple[int, str, bytes]


@dataclass(frozen=True, slots=True)
class Service:
    """A DICOMweb service, and how long it may take.

    Attributes:
        url: its base, to which `/studies` is added.
        headers: more that is sent with each request.
        connect_timeout: seconds for connecting.
        send_timeout: seconds for taking a piece of a request.
        response_timeout: seconds for the answer, once everything is sent.
        tls: gives what TLS asks for, anew for each connection, where the URL begins with https.
        http2: whether HTTP/2 is offered; it needs TLS.
        instances_per_request: how many go into one request at most.
        connections: how many requests may run at once.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    connect_timeout: float = 10.0
    send_timeout: float = 60.0
    response_timeout: float = 60.0
    tls: Rules | None = None
    http2: bool = True
    instances_per_request: int = 16
    connections: int = 2


class Clients:
    """Gives the client that sends requests to a service: another one when what TLS asks for is renewed.

    Args:
        service: where it is.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        self._client: httpx.Client | None = None
        # Requests over it may still run when it is replaced, but not when its successor is.
        self._before: httpx.Client | None = None
        self._closed = False

    def __call__(self) -> httpx.Client:
        """The client for the next request."""
        tls = self._service.tls
        context = tls() if tls is not None else None
        with self._lock:
            if self._client is None or context is not self._context:
                if self._before is not None:
                    self._before.close()
                self._before, self._client, self._context = self._client, self._new(context), context
                if self._closed:
                    self._client.close()
            return self._client

    def close(self) -> None:
        """Close connections; requests that run end in an error, and no others begin."""
        with self._lock:
            self._closed = True
            for client in (self._before, self._client):
                if client is not None:
                    client.close()

    def _new(self, context: ssl.SSLContext | None) -> httpx.Client:
        service = self._service
        waits = httpx.Timeout(
            connect=service.connect_timeout,
            write=service.send_timeout,
            read=service.response_timeout,
            pool=service.response_timeout,
        )
        return httpx.Client(
            # Without TLS no authorities are trusted, and none need be read.
            verify=context if context is not None else service.url.startswith("https:"),
            http2=service.http2,
            timeout=waits,
            limits=httpx.Limits(max_connections=service.connections, max_keepalive_connections=service.connections),
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": f"Karnak/{VERSION}"},
        )


class Requests:
    """Sends requests to a service.

    Args:
        service: where it is.
        credentials: who we are there.
        monotonic: a clock that never goes back, in seconds.
    """

    def __init__(
        self, service: Service, credentials: Credentials, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._service = service
        self._credentials = credentials
        self._monotonic = monotonic
        self._clients = Clients(service)

    def close(self) -> None:
        """Close connections; requests that run end in an error."""
        self._clients.close()

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: Callable[[], Generator[bytes, None, None]] | None = None,
    ) -> Said:
        """Send one request, with other credentials or over another connection where that may help.

        Args:
            method: of the request.
            url: where it goes.
            headers: beside those of the service and of the credentials.
            content: gives its body, from the beginning each time.

        Returns:
            What is answered; no body where that is longer than any that is expected.

        Raises:
            DeliveryError: the service can't be reached.
            httpx.HTTPError: the connection broke, or the service was too slow.
        """
        renewed, attempts = False, 0
        while True:
            authorization = self._credentials.header()
            attempts += 1
            try:
                said = self._send(method, url, headers, authorization, content)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
                raise DeliveryError(_unreachable(error)) from None
            except (httpx.NetworkError, httpx.RemoteProtocolError):
                if attempts >= _ATTEMPTS:
                    raise
                continue
            except httpx.InvalidURL:
                raise DeliveryError("the address of the service can't be used") from None
            except RuntimeError:
                raise DeliveryError("the gateway is being stopped") from None
            if said[0] != HTTPStatus.UNAUTHORIZED or renewed or not self._credentials.renew(authorization):
                return said
            renewed = True

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        authorization: str | None,
        content: Callable[[], Generator[bytes, None, None]] | None,
    ) -> Said:
        headers = {**self._service.headers, **headers, "Accept-Encoding": "identity"}
        if authorization is not None:
            headers["Authorization"] = authorization
        with contextlib.ExitStack() as ends:
            # Closed in the end: what is left of an exception must not keep instances open.
            pieces = ends.enter_context(contextlib.closing(content())) if content is not None else None
            answer = ends.enter_context(self._clients().stream(method, url, content=pieces, headers=headers))
            deadline = self._monotonic() + self._service.response_timeout
            read = bytearray()
            for piece in answer.iter_bytes():
                read += piece
                if len(read) > _MAXIMUM_ANSWER:
                    # What is that long is read as if it said nothing; the status stands.
                    return answer.status_code, "", b""
                if self._monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer drips")
            return answer.status_code, answer.headers.get("Content-Type", ""), bytes(read)


def broken(error: httpx.HTTPError) -> str:
    """Say how a request ended that reached the service, without a word of the service's.

    Args:
        error: what `Requests.send` raised.
    """
    if isinstance(error, httpx.ReadTimeout):
        return "no answer in time"
    if isinstance(error, httpx.WriteTimeout):
        return "the service stopped taking data"
    return "the connection broke before the answer"


def _unreachable(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, httpx.PoolTimeout):
        return "all connections stayed busy"
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "the service's certificate is not trusted"
        if isinstance(cause, ssl.SSLError):
            return "the service and we agree on no TLS"
        if isinstance(cause, ConnectionRefusedError):
            return "no connection: Connection refused"
    return "no connection"


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
