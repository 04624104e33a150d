"""Runs an ASGI application in a thread: the API's listener, and that of the STOW-RS door.

uvicorn speaks HTTP/1.1 and logs nothing. A connection that neither ends nor begins a request is cut after a
while, so that silent callers don't use up what there is.
"""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from karnak.gateway.listening import port_taken

_PATIENCE = 30.0
_KEEP_ALIVE = 15
_MAXIMUM_CONNECTIONS = 500
_MAXIMUM_HEADERS = 32 << 10
_BACKLOG = 128


class HttpServer:
    """An application on a listening socket.

    Args:
        app: the application.
        listener: a bound TCP socket; it is closed when the server stops.
        drain_timeout: seconds that requests in work get when the server is stopped.
        tls: gives the rules of TLS for the next connection, or is None for none.
        patience: seconds from a connection, or an answer, to a whole head of a request.
    """

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        drain_timeout: float,
        tls: Callable[[], ssl.SSLContext] | None = None,
        patience: float = _PATIENCE,
    ) -> None:
        self._listener = listener
        self.port: int = listener.getsockname()[1]
        self._started = threading.Event()
        self._failure: Exception | None = None
        config = uvicorn.Config(
            app,
            http=_patient(patience),
            ws="none",
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            # What a caller says of itself in X-Forwarded-For is not believed.
            proxy_headers=False,
            server_header=False,
            backlog=_BACKLOG,
            limit_concurrency=_MAXIMUM_CONNECTIONS,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=max(1, round(drain_timeout)),
            h11_max_incomplete_event_size=_MAXIMUM_HEADERS,
            ssl_context_factory=None if tls is None else lambda *_: _switching(tls),
        )
        self._server = _Server(config, self._started)
        self._thread = threading.Thread(target=self._run, name=f"http {self.port}", daemon=True)

    def start(self) -> None:
        """Begin to answer; returns when it does.

        Raises:
            OSError: the socket can't listen.
        """
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop(self) -> None:
        """Take no more, let requests in work end, up to the drain timeout, and wait for that."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        try:
            self._server.run([self._listener])
        except Exception as error:
            self._failure = error
        finally:
            self._started.set()


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config, started: threading.Event) -> None:
        super().__init__(config)
        self._listens = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._listens.set()


def listen_on(host: str, port: int) -> socket.socket:
    """Bind a TCP socket.

    Args:
        host: name or address.
        port: TCP port, 0 for any free one.

    Raises:
        OSError: it can't be bound.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except BaseException:
        listener.close()
        raise
    return listener


def listen_for(section: str, host: str, port: int) -> socket.socket:
    """Bind the TCP socket that a section of the configuration asks for.

    Raises:
        PortTaken: it can't be bound.
    """
    try:
        return listen_on(host, port)
    except OSError as error:
        raise port_taken(section, host, port, error) from None


def _switching(tls: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """A context that hands each connection on to the one that is in force; OpenSSL asks it with or without SNI."""
    first = tls()

    def switch(connection: ssl.SSLObject, _: str | None, __: ssl.SSLContext) -> None:
        connection.context = tls()

    first.sni_callback = switch
    return first


def _patient(patience: float) -> type[asyncio.Protocol]:
    """HTTP, with a limit on the time between requests, whatever trickles in meanwhile."""

    class Patient(H11Protocol):
        _impatience: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._mind()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._mind()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._mind()

        def connection_lost(self, exc: Exception | None) -> None:
            self._calm_down()
            super().connection_lost(exc)

        def _mind(self) -> None:
            cycle = cast("RequestResponseCycle | None", self.cycle)
            if cycle is not None and not cycle.response_complete:
                self._calm_down()
            elif self._impatience is None and not self.transport.is_closing():
                self._impatience = self.loop.call_later(patience, self.transport.abort)

        def _calm_down(self) -> None:
            if self._impatience is not None:
                self._impatience.cancel()
                self._impatience = None

    return Patient
