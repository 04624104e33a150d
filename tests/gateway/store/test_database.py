"""The database: made, brought up to date, refused where it is newer or broken; errors say nothing of patients."""

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import insert, text

from karnak.gateway.store.database import (
    Database,
    IndexUnavailable,
    WrongVersion,
    index_url,
    migrations,
    open_database,
)
from karnak.gateway.store.tables import INSTANCES, METADATA
from tests.system.programs import environment

ROW = {
    **dict.fromkeys(("called_ae", "calling_ae", "address", "door", "sop_class_uid", "transfer_syntax_uid"), "x"),
    "receipt": "r",
    "sop_instance_uid": "1.2.3.DOE",
    "received": 1,
    "size": 1,
}


def test_migrations_lead_to_the_tables_that_are_used(database: Database) -> None:
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def test_indices_are_those_that_are_wanted(database: Database) -> None:
    # Alembic does not compare the conditions of partial indices.
    sqlite = database.engine.dialect.name == "sqlite"
    asked = "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type = 'index'"
    if not sqlite:
        asked = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    with database.reading() as connection:
        found = {name: sql.upper() for name, sql in connection.execute(text(asked))}
    for name, condition in {
        "part_open": "ENDED IS NULL",
        "part_retry": "RETRY_AT IS NOT NULL",
        "part_turn": "ENDED IS NULL",
        "part_wish": "WISH IS NOT NULL",
        "instance_unsettled": "SETTLED IS NULL",
    }.items():
        assert condition in found[name].split(" WHERE ")[1]


def test_opening_again_changes_nothing(database: Database, url: str | None, tmp_path: Path) -> None:
    with database.writing() as connection:
        connection.execute(insert(INSTANCES), ROW)
    for upgrade in (True, False):
        again = open_database(index_url(tmp_path, url), upgrade=upgrade)
        with again.reading() as connection:
            assert connection.scalar(text("SELECT count(*) FROM instance")) == 1
        again.close()


def test_a_newer_index_is_refused(database: Database, url: str | None, tmp_path: Path) -> None:
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for upgrade in (True, False):
        with pytest.raises(WrongVersion, match="written by a newer Karnak; use that one"):
            open_database(index_url(tmp_path, url), upgrade=upgrade)


def test_an_index_without_tables_is_only_made_by_who_may(url: str | None, tmp_path: Path) -> None:
    with pytest.raises(WrongVersion, match="`karnak serve`"):
        open_database(index_url(tmp_path, url), upgrade=False)
    assert not (tmp_path / "index.sqlite").exists()


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path, url: str | None) -> None:
    # The last of its statements can't be carried out: its table is another's.
    where = index_url(tmp_path, url)
    made = open_database(where, upgrade=True)
    with made.writing() as connection:
        for table in ("alembic_version", "part", "instance", "owner"):
            connection.execute(text(f"DROP TABLE {table}"))
        connection.execute(text("CREATE TABLE part (other INTEGER)"))
    made.close()
    with pytest.raises(IndexUnavailable):
        open_database(where, upgrade=True)
    asked = "SELECT name FROM sqlite_master WHERE type = 'table'"
    if url is not None:
        asked = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    with made.reading() as connection:
        assert [row[0] for row in connection.execute(text(asked))] == ["part"]
    made.close()


def test_a_commit_is_on_the_disk(tmp_path: Path) -> None:
    made = open_database(index_url(tmp_path), upgrade=True)
    with made.writing() as connection:
        # 2: FULL. In WAL mode NORMAL would let the last commits go with the power.
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    made.close()


def test_what_is_not_committed_is_not_there(database: Database) -> None:
    def die() -> None:
        with database.writing() as connection:
            connection.execute(insert(INSTANCES), ROW)
            raise KeyError

    with pytest.raises(KeyError):
        die()
    with database.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM instance")) == 0


def test_readers_see_one_moment_and_keep_no_writer_waiting(tmp_path: Path) -> None:
    made = open_database(index_url(tmp_path), upgrade=True)
    with made.reading() as reader:
        assert reader.scalar(text("SELECT count(*) FROM instance")) == 0
        with made.writing() as writer:
            writer.execute(insert(INSTANCES), ROW)
        assert reader.scalar(text("SELECT count(*) FROM instance")) == 0
    made.close()


def test_writers_of_two_processes_wait_for_each_other(tmp_path: Path) -> None:
    ours, other = (open_database(index_url(tmp_path), upgrade=True) for _ in range(2))
    begun = threading.Event()

    def write() -> None:
        begun.set()
        with other.writing() as connection:
            connection.execute(insert(INSTANCES), ROW | {"receipt": "other"})

    with ours.writing() as connection:
        thread = threading.Thread(target=write)
        thread.start()
        begun.wait()
        connection.execute(insert(INSTANCES), ROW)
    thread.join()
    with ours.reading() as connection:
        assert connection.scalar(text("SELECT count(*) FROM instance")) == 2
    ours.close()
    other.close()


def test_errors_say_nothing_of_a_patient(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(insert(INSTANCES), ROW)
    with pytest.raises(IndexUnavailable) as caught, database.writing() as connection:
        connection.execute(insert(INSTANCES), ROW)
    assert "DOE" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert ("SQLITE_CONSTRAINT_PRIMARYKEY" in str(caught.value)) or ("23505" in str(caught.value))


@pytest.mark.parametrize("content", [b"this is no database at all, is it?" * 100, b"\0" * 8192], ids=["text", "zeros"])
def test_a_file_that_is_no_database_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "index.sqlite").write_bytes(content)
    with pytest.raises(IndexUnavailable, match=r"index\.sqlite can't be used \(SQLITE_NOTADB\)"):
        open_database(index_url(tmp_path), upgrade=True)
    assert (tmp_path / "index.sqlite").read_bytes() == content


def test_a_database_of_somebody_else_is_not_touched(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "index.sqlite") as other:
        other.execute("CREATE TABLE part (mine INTEGER)")
    other.close()
    with pytest.raises(IndexUnavailable):
        open_database(index_url(tmp_path), upgrade=True)


@pytest.mark.parametrize(
    "url", ["", "index.db", "mysql://host/name", "sqlite://", "://", "http://host"], ids=lambda url: url or "nothing"
)
def test_urls_of_other_things_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(IndexUnavailable, match="the URL of the index"):
        index_url(tmp_path, url)


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    url = index_url(tmp_path, f"postgresql://karnak:geheim@/name?host={tmp_path}")
    with pytest.raises(IndexUnavailable) as caught:
        open_database(url, upgrade=True)
    assert "geheim" not in str(caught.value)
    assert "karnak" in str(caught.value)


def test_migrations_are_part_of_the_package() -> None:
    location = Path(migrations().get_main_option("script_location") or "")
    assert (location / "env.py").is_file()
    assert {path.name for path in (location / "versions").glob("*.py")} >= {"v0001_instances_and_parts.py"}


_LISTS_OF_MANY_LENGTHS = """
import ctypes, sys
from pathlib import Path
from karnak.gateway.store.database import index_url, open_database
from karnak.gateway.store.statements import ENDINGS

class Given(ctypes.Structure):  # struct mallinfo2 (mallinfo(3))
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"
    )]

c_library = ctypes.CDLL(None)
c_library.mallinfo2.restype = Given
database = open_database(index_url(Path(sys.argv[1])), upgrade=True)

def ask(lengths):
    with database.reading() as connection:
        for length in lengths:
            connection.execute(ENDINGS, {"these": [f"{number:037}" for number in range(length)]}).all()

ask([400])
before = c_library.mallinfo2().uordblks
ask(range(272, 400))
print(c_library.mallinfo2().uordblks - before)
"""


def test_lists_of_many_lengths_do_not_fill_the_memory(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _LISTS_OF_MANY_LENGTHS, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=environment())
    assert int(done.stdout) < 4 << 20
