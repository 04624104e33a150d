"""One gateway at a time writes an index, and it is that of one data folder."""

from contextlib import closing
from itertools import count
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from karnak.gateway.store import sole_writer
from karnak.gateway.store.database import Database, IndexUnavailable, index_url, open_database
from karnak.gateway.store.ownership import NotOurs, check, claim

TAKEN = "another gateway uses the index .*; stop it first, or give each a database of its own"
ELSEWHERE = "belongs to another data folder than .*; give each gateway a database of its own; .*--rebuild"


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sole_writer, "_PATIENCE", 0.3)


@pytest.fixture
def url(server: str) -> str:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return server


def opened(folder: Path, url: str | None, *, alone: bool = True) -> Database:
    return open_database(index_url(folder, url), upgrade=True, alone=alone)


def cut_connections(url: str) -> None:
    """As a server that is started again does."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid != pg_backend_pid()")


def write(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(text("DELETE FROM instance"))


def test_a_second_gateway_is_refused_until_the_first_has_ended(tmp_path: Path, url: str) -> None:
    with closing(opened(tmp_path, url)) as first:
        with pytest.raises(IndexUnavailable, match=TAKEN):
            opened(tmp_path, url)
        # Who only looks, or notes a person's wish, is not refused.
        with closing(opened(tmp_path, url, alone=False)) as looking:
            write(looking)
        write(first)
    with closing(opened(tmp_path, url)) as second:
        write(second)


def test_a_refused_gateway_leaves_no_connection(tmp_path: Path, url: str) -> None:
    with closing(opened(tmp_path, url)) as first:
        for _ in range(3):
            with pytest.raises(IndexUnavailable):
                opened(tmp_path, url)
        with first.reading() as connection:
            others = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
            # The one that asks, and the one that holds the lock.
            assert connection.scalar(text(others)) <= 2


def test_what_a_restart_of_the_server_has_taken_is_taken_again(tmp_path: Path, url: str) -> None:
    with closing(opened(tmp_path, url)) as first:
        cut_connections(url)
        write(first)
        with pytest.raises(IndexUnavailable, match=TAKEN):
            opened(tmp_path, url)


def test_who_was_overtaken_writes_no_more(tmp_path: Path, url: str) -> None:
    with closing(opened(tmp_path, url)) as first:
        cut_connections(url)
        with closing(opened(tmp_path, url)), pytest.raises(IndexUnavailable, match=TAKEN):
            write(first)
        write(first)


def test_another_schema_is_another_index(tmp_path: Path, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS other CASCADE")
        connection.execute("CREATE SCHEMA other")
        connection.execute("ALTER ROLE karnak SET search_path = public")
    with closing(opened(tmp_path, url)):
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER ROLE karnak SET search_path = other")
        try:
            opened(tmp_path, url).close()
        finally:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("ALTER ROLE karnak RESET search_path")
                connection.execute("DROP SCHEMA other CASCADE")


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an index in no data folder."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/shared.sqlite"
    found: str = request.getfixturevalue("url")
    return found


def test_an_index_belongs_to_the_data_folder_that_came_first(tmp_path: Path, shared: str) -> None:
    names = map(str, count(1))
    mine, other = tmp_path / "mine", tmp_path / "other"
    for folder in (mine, other):
        folder.mkdir()
    with closing(opened(mine, shared)) as database:
        check(database, mine)
        claim(database, mine, lambda: next(names))
        assert (mine / "index.owner").read_text() == "1\n"
        for _ in range(2):
            claim(database, mine, lambda: next(names))
            check(database, mine)
        with pytest.raises(NotOurs, match=ELSEWHERE):
            claim(database, other, lambda: next(names))
        with pytest.raises(NotOurs, match=ELSEWHERE):
            check(database, other)
        assert list(other.iterdir()) == []
        claim(database, other, lambda: next(names), take_over=True)
        check(database, other)
        assert (other / "index.owner").read_text() == "2\n"
        with pytest.raises(NotOurs):
            check(database, mine)
        # A database that is new again is the folder's that comes first; it keeps its name.
        with database.writing() as connection:
            connection.execute(text("DELETE FROM owner"))
        claim(database, mine, lambda: next(names))
        assert (mine / "index.owner").read_text() == "1\n"
