"""How fast the index takes instances in, hands them out and notes their ends, against bare sqlite3 inserting them.

Claim: at least 2,000 instances a second with two destinations for taking in and for noting, every group of 200 on the
disk before the next. It lies on a real disk, or the syncs would cost nothing. PostgreSQL is a private server with its
syncs off, as in the tests: its figures say what the statements cost, not the disk.
"""

import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TypeVar

from benchmarks.setting import Setting
from benchmarks.tables import Table, rounded
from karnak.gateway.spool import Arrival
from karnak.gateway.states import State
from karnak.gateway.store.database import index_url, open_database
from karnak.gateway.store.index import Index
from karnak.gateway.store.rows import Change, Entry, NewUids
from tests.system.postgresql import postgresql

INSTANCES, GROUP, ROUNDS = 10_000, 200, 3
DESTINATIONS = ("pacs", "research")
START = datetime(2026, 1, 2, tzinfo=UTC)
LATER = START + timedelta(days=1)
# Where /tmp is in memory, this one usually is not.
DISK = Path("/var/tmp")
Value = TypeVar("Value")
_UID = "1.2.840.113619.2.55.3.604688119.971.1767323045"


def measure(setting: Setting) -> list[Table]:
    """Measure both databases and the floor."""
    count = setting.count(INSTANCES)
    rounds = range(setting.rounds(ROUNDS))
    with tempfile.TemporaryDirectory(prefix="karnak-index-", dir=DISK if DISK.is_dir() else None) as name:
        folder = Path(name)
        floor = median(_floor(folder / f"bare-{number}.sqlite", count) for number in rounds)
        sqlite = [_index(folder / f"house-{number}", None, count) for number in rounds]
        with postgresql() as url:
            server = [_index(folder, url, count)]
    rows: list[tuple[str, ...]] = [("bare sqlite3, inserts", rounded(floor), "", "")]
    for title, runs in (("Karnak in SQLite", sqlite), ("Karnak in PostgreSQL, syncs off", server)):
        rows.append((title, *(rounded(median(column)) for column in zip(*runs, strict=True))))
    return [Table("Instances a second, two destinations", ("", "taken in", "handed out", "noted"), rows)]


def _entries(count: int) -> list[Entry]:
    made = []
    for number in range(count):
        received = START + timedelta(milliseconds=number)
        arrival = Arrival("KARNAK", "CT01", "192.0.2.1", "dimse", "1.2.840.10008.5.1.4.1.1.2", f"{_UID}.{number}",
                          "1.2.840.10008.1.2.1", received)  # fmt: skip
        made.append(Entry(f"{number:026x}", arrival, 524_288, DESTINATIONS, f"{_UID}.1", f"{_UID}.2"))
    return made


def _index(folder: Path, url: str | None, count: int) -> tuple[float, float, float]:
    """Take in, hand out and note everything once; gives instances a second of each."""
    folder.mkdir(exist_ok=True)
    entries = _entries(count)
    database = open_database(index_url(folder, url), upgrade=True)
    index = Index(database)
    adding = _per_second(count, lambda: [index.add(some) for some in _groups(entries)])
    handing = noting = 0.0
    while True:
        start = perf_counter()
        parts = [part for destination in DESTINATIONS for part in index.due(destination, LATER, GROUP)]
        handing += perf_counter() - start
        if not parts:
            break
        new = NewUids("2.25.1", "2.25.2", "2.25.3")
        changes = [
            Change(part.receipt, part.destination, State.DELIVERED, LATER, "Success", None, "ab" * 32, new)
            for part in parts
        ]
        start = perf_counter()
        index.note(changes)
        noting += perf_counter() - start
    database.close()
    return adding, count / handing, count / noting


def _floor(file: Path, count: int) -> float:
    """Insert rows of the same width, without an index or a question; gives instances a second."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE instance (receipt TEXT PRIMARY KEY, a, b, c, d)")
    connection.execute("CREATE TABLE part (receipt TEXT, destination TEXT, a, b, PRIMARY KEY (receipt, destination))")
    entries = _entries(count)
    rows = [(made.receipt, made.arrival.sop_instance_uid, made.study_instance_uid, made.size) for made in entries]

    def insert() -> None:
        for some in _groups(rows):
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO instance VALUES (?, ?, ?, ?, 0)", some)
            parts = [(row[0], destination, row[1], row[3]) for row in some for destination in DESTINATIONS]
            connection.executemany("INSERT INTO part VALUES (?, ?, ?, ?)", parts)
            connection.execute("COMMIT")

    try:
        return _per_second(count, insert)
    finally:
        connection.close()


def _groups(values: Sequence[Value]) -> list[Sequence[Value]]:
    return [values[at : at + GROUP] for at in range(0, len(values), GROUP)]


def _per_second(count: int, work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return count / (perf_counter() - start)
