"""HTTP services for tests: one on Starlette and uvicorn that answers as it is told, one of bytes, one of HTTP/2."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.gateway.certificates import Pair


@dataclass
class Asked:
    """One request that a service got.

    Attributes:
        method: of the request.
        path: with its query.
        headers: names in small letters.
        body: all of it.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def parts(self) -> list[tuple[bytes, bytes]]:
        """The header and the content of each part of a multipart body; it must be one to the byte."""
        kind, _, rest = self.headers["content-type"].partition(";")
        assert kind == "multipart/related"
        parameters = dict(piece.strip().split("=", 1) for piece in rest.split(";"))
        assert parameters["type"] == '"application/dicom"'
        boundary = parameters["boundary"].encode()
        assert self.body.startswith(b"--" + boundary + b"\r\n")
        assert self.body.endswith(b"\r\n--" + boundary + b"--\r\n")
        middle = self.body[len(boundary) + 4 : -len(boundary) - 8]
        split = [part.split(b"\r\n\r\n", 1) for part in middle.split(b"\r\n--" + boundary + b"\r\n")]
        return [(head, content) for head, content in split]


Answering = Callable[[Asked], Response]
Script = Callable[[socket.socket], None]


@dataclass
class WebService:
    """A running service.

    Attributes:
        url: where it is.
        asked: the requests so far.
    """

    url: str
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def web_service(*answers: Answering, tls: Pair | None = None) -> Iterator[WebService]:
    """Run a service with an answer for each request; the last one serves all further ones."""
    made = WebService("")
    lock = threading.Lock()

    async def answer(request: Request) -> Response:
        body = await request.body()
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        asked = Asked(request.method, path, dict(request.headers), body)
        with lock:
            number = len(made.asked)
            made.asked.append(asked)
        return answers[min(number, len(answers) - 1)](asked)

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=1)
    if tls is not None:
        config.ssl_certfile, config.ssl_keyfile = tls.certificate, tls.key
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    made.url = f"{'https' if tls is not None else 'http'}://127.0.0.1:{listener.getsockname()[1]}/dicom-web"
    try:
        yield made
    finally:
        # Forced to, it would leave connections open that it has just accepted.
        server.should_exit = True
        thread.join(20)
        listener.close()


@contextmanager
def bytes_service(*scripts: Script) -> Iterator[WebService]:
    """Run a service with a script for each connection, which is closed when the script returns."""
    listener = socket.create_server(("127.0.0.1", 0))
    made = WebService(f"http://127.0.0.1:{listener.getsockname()[1]}/dicom-web")
    open_ones: list[socket.socket] = []

    def serve() -> None:
        with suppress(OSError):
            for number in range(1000):
                connection, _ = listener.accept()
                open_ones.append(connection)
                made.asked.append(Asked("", "", {}, b""))
                threading.Thread(
                    target=play, args=(scripts[min(number, len(scripts) - 1)], connection), daemon=True
                ).start()

    def play(script: Script, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            script(connection)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield made
    finally:
        for one in (listener, *open_ones):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


def read_request(connection: socket.socket) -> bytes:
    """Read one whole request of HTTP/1.1 with a Content-Length, and give its body."""
    data = bytearray()
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, _ = bytes(data).partition(b"\r\n\r\n")
    lines = (line.lower() for line in head.split(b"\r\n"))
    (length,) = (int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:"))
    while len(data) < len(head) + 4 + length:
        data += connection.recv(1 << 20)
    return bytes(data[len(head) + 4 :])


@contextmanager
def http2_service(pair: Pair, status: int, body: bytes) -> Iterator[WebService]:
    """Run a service that speaks nothing but HTTP/2 and gives every request the same answer, as DICOM JSON."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    context.set_alpn_protocols(["h2"])
    listener = socket.create_server(("127.0.0.1", 0))
    made = WebService(f"https://127.0.0.1:{listener.getsockname()[1]}/dicom-web")

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=talk, args=(connection,), daemon=True).start()

    def talk(connection: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as line:
            if line.selected_alpn_protocol() != "h2":
                return
            http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
            http.initiate_connection()
            line.sendall(http.data_to_send())
            streams: dict[int, Asked] = {}
            while data := line.recv(65536):
                for event in http.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        headers = {str(name): str(value) for name, value in event.headers}
                        streams[event.stream_id] = Asked(headers[":method"], headers[":path"], headers, b"")
                    elif isinstance(event, h2.events.DataReceived):
                        streams[event.stream_id].body += event.data
                        http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    elif isinstance(event, h2.events.StreamEnded):
                        made.asked.append(streams[event.stream_id])
                        answer = [(":status", str(status)), ("content-type", "application/dicom+json")]
                        http.send_headers(event.stream_id, answer)
                        http.send_data(event.stream_id, body, end_stream=True)
                line.sendall(http.data_to_send())

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield made
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
