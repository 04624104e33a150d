"""The database: opening it, and bringing its shape up to date.

SQLite beside the spool where nothing else is said: write-ahead log, every commit on the disk
before it is believed. PostgreSQL by URL. A database that a newer Karnak has written is
refused, since this one can't know what its columns mean. What a library says of an error
never goes on: it quotes the values of statements.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from karnak.errors import KarnakError
from karnak.gateway.store.sole_writer import IndexTaken, SoleWriter

_SECONDS_TO_WAIT_FOR_A_LOCK = 30
# Statements that a connection keeps prepared. A list of each length makes one of its own, of up to 100 KiB: the 128
# that Python's module keeps by itself would hold 8 to 11 MiB for each connection after some minutes.
_PREPARED_STATEMENTS = 32
_MIGRATIONS = Path(__file__).parent / "migrations"
_READS_ONLY = "karnak_reads_only"
_FILE = "index.sqlite"
# SQLite's names of a full disk, also for the memory that its processes share, and PostgreSQL's (class 53).
_FULL = frozenset({"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE", "53100"})
# A server that is not there any more is noticed by both sides within a minute (libpq, and PostgreSQL's 20.3.2).
_NOTICE = {
    # Statements here are small: compiling them takes longer than carrying them out.
    "options": "-c jit=off -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


class IndexUnavailable(KarnakError):
    """The index can't be read or written; the message says what to do.

    Args:
        message: for a person.
        kind: the database's own name of what is wrong, or None.
    """

    def __init__(self, message: str, kind: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind


class WrongVersion(IndexUnavailable):
    """The index was written by another version of Karnak."""


class Database:
    """An index that is open; connections are made as they are needed, from any thread.

    Args:
        engine: how it is reached.
        where: what messages call it, without a password.
        sole_writer: the right to write, where it is to be held; it is given back at the end.
    """

    def __init__(self, engine: Engine, where: str, sole_writer: SoleWriter | None = None) -> None:
        self.engine = engine
        self.where = where
        self._sole_writer = sole_writer

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes; committed, and on the disk, when the block ends without an exception.

        Raises:
            IndexUnavailable: the database refuses.
        """
        with self._explained():
            if self._sole_writer is not None:
                self._sole_writer.hold()
            with self.engine.begin() as connection:
                yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads, and sees one moment; it keeps no writer waiting.

        Raises:
            IndexUnavailable: the database refuses.
        """
        with self._explained(), self.engine.connect() as connection:
            yield connection.execution_options(**{_READS_ONLY: True})

    def close(self) -> None:
        """Close all connections."""
        if self._sole_writer is not None:
            self._sole_writer.give_back()
        self.engine.dispose()

    def take(self) -> None:
        """Take the right to write, where it is to be held.

        Raises:
            IndexUnavailable: another gateway has it, or the database refuses.
        """
        with self._explained():
            if self._sole_writer is not None:
                self._sole_writer.take()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except IndexTaken as error:
            raise IndexUnavailable(str(error)) from None
        except SQLAlchemyError as error:
            kind = _kind(error)
            why = ": its disk is full, so make room there" if kind in _FULL else f" ({kind})"
            raise IndexUnavailable(f"the index {self.where} can't be used{why}", kind) from None


def index_url(data_dir: Path, url: str | None = None) -> URL:
    """Where the index is.

    Args:
        data_dir: the data folder.
        url: a URL of the configuration, such as postgresql://user@host/name, or None for a file in the data folder.

    Raises:
        IndexUnavailable: it is no URL of a database that Karnak knows.
    """
    if url is None:
        return URL.create("sqlite", database=str(data_dir / _FILE))
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise IndexUnavailable(
            "the URL of the index can't be read; it looks like postgresql://user@host/name"
        ) from None
    if parsed.drivername in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername in ("postgresql+psycopg", "sqlite") and parsed.database:
        return parsed
    raise IndexUnavailable("the URL of the index names no database that Karnak knows; use postgresql:// or sqlite:///")


def open_database(url: URL, *, upgrade: bool, alone: bool = False) -> Database:
    """Open the index.

    Args:
        url: where it is.
        upgrade: make it where it is missing, and bring it up to date where an older Karnak has made it.
        alone: be the only one who writes it, until it is closed; SQLite's file is guarded by its data folder's lock.

    Raises:
        WrongVersion: a newer Karnak has written it; or an older one, or none, and `upgrade` is not given.
        IndexUnavailable: it can't be read, or another one writes it who wants to be alone.
    """
    where = url.database or "" if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)
    if not upgrade and url.get_backend_name() == "sqlite" and not Path(where).is_file():
        raise WrongVersion(f"there is no index {where}; `karnak serve` makes it")
    try:
        engine = _engine(url)
    except (NoSuchModuleError, ImportError):
        raise IndexUnavailable("PostgreSQL needs its driver: pip install 'karnak[postgresql]'") from None
    sole_writer = None
    if alone and url.get_backend_name() != "sqlite":
        sole_writer = SoleWriter(
            create_engine(url, hide_parameters=True, poolclass=NullPool, connect_args=_NOTICE), where
        )
    database = Database(engine, where, sole_writer)
    try:
        database.take()
        with database.writing() if upgrade else database.reading() as connection:
            _settle_version(connection, where, upgrade=upgrade)
    except IndexUnavailable:
        database.close()
        raise
    return database


def _settle_version(connection: Connection, where: str, *, upgrade: bool) -> None:
    config = migrations()
    config.attributes["connection"] = connection
    script = ScriptDirectory.from_config(config)
    newest = script.get_current_head()
    found = MigrationContext.configure(connection).get_current_revision()
    if found == newest:
        return
    if found is not None and found not in {revision.revision for revision in script.walk_revisions()}:
        raise WrongVersion(f"the index {where} was written by a newer Karnak; use that one, or rebuild the index")
    if not upgrade:
        raise WrongVersion(f"the index {where} is of an older Karnak; `karnak serve` brings it up to date")
    command.upgrade(config, "head")


def migrations() -> Config:
    """Where Alembic finds the migrations."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def _engine(url: URL) -> Engine:
    # Parameters of statements are UIDs of patients' instances: they never get into a text.
    if url.get_backend_name() != "sqlite":
        return create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=_NOTICE)
    made = create_engine(
        url,
        hide_parameters=True,
        connect_args={"timeout": _SECONDS_TO_WAIT_FOR_A_LOCK, "cached_statements": _PREPARED_STATEMENTS},
    )

    @event.listens_for(made, "connect")
    def prepare(connection: sqlite3.Connection, _: object) -> None:
        # The driver's own transactions begin too late, with the first statement that writes.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(made, "begin")
    def begin(connection: Connection) -> None:
        reads_only = connection.get_execution_options().get(_READS_ONLY, False)
        connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")

    return made


def _kind(error: SQLAlchemyError) -> str:
    """What went wrong, as the database's own name of it: never its text."""
    original = error.orig if isinstance(error, DBAPIError) else None
    code = getattr(original, "sqlite_errorname", None) or getattr(original, "sqlstate", None)
    return str(code) if code else type(original or error).__name__
