"""The API over a real socket; every answer that a test gets is held against the OpenAPI document."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx
import pytest
from sqlalchemy import delete
from starlette.types import ASGIApp, Receive, Scope, Send

from karnak.gateway.api.app import OPERATIONS, make_api
from karnak.gateway.api.openapi import describe
from karnak.gateway.api.server import HttpServer, listen_on
from karnak.gateway.bearer import Token
from karnak.gateway.store.database import Database, index_url, open_database
from karnak.gateway.store.tables import INSTANCES
from tests.gateway.api.houses import FakeHouse
from tests.gateway.api.schemas import check

DOCUMENT = describe(OPERATIONS)
Open = Callable[..., httpx.Client]


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    made = open_database(index_url(tmp_path_factory.mktemp("index")), upgrade=True)
    yield made
    made.close()


@pytest.fixture
def house(database: Database) -> FakeHouse:
    with database.writing() as connection:
        connection.execute(delete(INSTANCES))
    return FakeHouse(database)


@pytest.fixture
def errors() -> list[Exception]:
    return []


class Stage:
    """An application on a socket: that of the test that runs now."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def stage() -> Iterator[tuple[Stage, str]]:
    """One socket for all tests: it takes longer to stop than a test does."""
    made = Stage()
    server = HttpServer(made, listen_on("127.0.0.1", 0), 1)
    server.start()
    yield made, f"http://127.0.0.1:{server.port}"
    server.stop()


@pytest.fixture
def open_api(house: FakeHouse, errors: list[Exception], stage: tuple[Stage, str]) -> Iterator[Open]:
    """Opens the API, with a token or without one; gives a client for it."""
    with ExitStack() as stack:

        def opened(token: Token | None = None) -> httpx.Client:
            place, address = stage
            place.app = make_api(house, token, errors.append)
            client = httpx.Client(base_url=address, event_hooks={"response": [_as_described]}, timeout=30)
            return stack.enter_context(client)

        yield opened


@pytest.fixture
def client(open_api: Open) -> httpx.Client:
    return open_api()


def _as_described(answer: httpx.Response) -> None:
    answer.read()
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    path, method = answer.request.url.path, answer.request.method.lower()
    kind = answer.headers["content-type"]
    if path not in DOCUMENT["paths"] or method not in DOCUMENT["paths"][path]:
        assert answer.status_code in (401, 403, 404, 405, 415, 421)
        assert kind == "application/problem+json"
        return
    responses = DOCUMENT["paths"][path][method]["responses"]
    content = responses[str(answer.status_code)]["content"]
    value = answer.text if kind.startswith("text/") else answer.json()
    check(value, content[kind]["schema"], DOCUMENT)
