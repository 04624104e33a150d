"""The index in both databases that it can lie in."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from karnak.gateway.store.database import Database, index_url, open_database
from karnak.gateway.store.index import Index
from karnak.gateway.store.queue import Queue
from tests.system.postgresql import postgresql


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a PostgreSQL server."""
    with postgresql() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str | None:
    """What the configuration says of an index that is not there yet."""
    if request.param == "sqlite":
        return None
    found: str = request.getfixturevalue("server")
    with psycopg.connect(found, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return found


@pytest.fixture
def database(url: str | None, tmp_path: Path) -> Iterator[Database]:
    """An empty index."""
    made = open_database(index_url(tmp_path, url), upgrade=True)
    yield made
    made.close()


@pytest.fixture
def index(database: Database) -> Index:
    return Index(database)


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database)
