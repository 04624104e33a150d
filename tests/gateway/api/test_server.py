"""The server begins and ends when it is told to, says nothing of itself, and believes nothing that a caller says."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from karnak.gateway.api.server import HttpServer, listen_on


async def whoami(request: Request) -> Response:
    assert request.client is not None
    return PlainTextResponse(f"{request.client.host} {request.url.scheme}")


async def fail(request: Request) -> Response:
    raise ZeroDivisionError("DOE^JANE")


APP = Starlette(routes=[Route("/", whoami), Route("/fail", fail)])


@contextmanager
def running(patience: float = 30.0) -> Iterator[HttpServer]:
    server = HttpServer(APP, listen_on("127.0.0.1", 0), 1, patience=patience)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def test_it_answers_from_start_to_stop() -> None:
    with running() as server:
        assert httpx.get(f"http://127.0.0.1:{server.port}/").text == "127.0.0.1 http"
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{server.port}/")
    assert f"http {server.port}" not in {thread.name for thread in threading.enumerate()}


def test_what_a_caller_says_of_itself_is_not_believed() -> None:
    headers = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", "Forwarded": "for=192.0.2.1"}
    with running() as server:
        answer = httpx.get(f"http://127.0.0.1:{server.port}/", headers=headers)
        assert answer.text == "127.0.0.1 http"
        assert "server" not in answer.headers


def test_an_exception_that_gets_out_is_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with running() as server:
        answer = httpx.get(f"http://127.0.0.1:{server.port}/fail")
        assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    assert "uvicorn" not in "".join(capfd.readouterr()).lower()


def test_one_that_was_never_started_can_be_stopped() -> None:
    listener = listen_on("127.0.0.1", 0)
    HttpServer(APP, listener, 1).stop()
    assert listener.fileno() == -1


def test_a_socket_that_can_not_listen_is_told() -> None:
    listener = listen_on("127.0.0.1", 0)
    with socket.create_server(("127.0.0.1", 0)) as other:
        connected = socket.create_connection(other.getsockname())
        # A socket that is connected can't be listened on.
        server = HttpServer(APP, connected, 1)
        with pytest.raises(OSError, match="Invalid argument|Operation not supported|Transport endpoint"):
            server.start()
        server.stop()
    listener.close()


def test_a_port_that_is_taken_is_told() -> None:
    with running() as server, pytest.raises(OSError, match="in use"):
        listen_on("127.0.0.1", server.port)


def test_a_head_that_is_too_long_is_refused_before_its_end() -> None:
    with running() as server, socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 40_000)
        assert client.recv(100).startswith(b"HTTP/1.1 400 ")


def test_one_who_trickles_after_an_answer_is_cut() -> None:
    with running(2.0) as server, socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 405 ")
        with pytest.raises(OSError, match="reset|pipe"):
            trickle(client)


def trickle(client: socket.socket) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        client.sendall(b"x")
        time.sleep(0.02)
