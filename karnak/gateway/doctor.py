"""The doctor: holds the index to the spool and says what is wrong and what to do; makes the index anew.

It only looks, and it may do so while a gateway runs: things come and go meanwhile, so what
seems wrong is looked at twice. Only `rebuild` changes anything, and only where no gateway runs.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from sqlalchemy import delete

from karnak.gateway.disk import Disk
from karnak.gateway.house_lock import HouseLock
from karnak.gateway.owed_reports import OwedReports
from karnak.gateway.premises import Premises
from karnak.gateway.receipts import time_of
from karnak.gateway.spool import DamagedFile, NotInSpool, Spool
from karnak.gateway.store.database import Database, IndexUnavailable, WrongVersion, open_database
from karnak.gateway.store.index import Index
from karnak.gateway.store.ownership import NotOurs, claim
from karnak.gateway.store.queue import Queue
from karnak.gateway.store.statements import pieces
from karnak.gateway.store.tables import INSTANCES

# Receipts that one finding names.
_NAMED = 5
_MEBIBYTE = 1 << 20
# What SQLite says of a file that is damaged, or has other tables than ours.
_HOPELESS = frozenset({"SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_ERROR"})


class Severity(StrEnum):
    """How bad a finding is."""

    GOOD = "good"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What the doctor has found.

    Attributes:
        severity: how bad it is.
        what: what was found, without patient values.
        advice: what to do, or None.
        receipts: instances that it is about; of many, some.
    """

    severity: Severity
    what: str
    advice: str | None = None
    receipts: tuple[str, ...] = ()


def examine(premises: Premises, spool: Spool, *, running: bool) -> Iterator[Finding]:
    """Look at everything.

    Args:
        premises: where the gateway keeps things.
        spool: its spool.
        running: whether a gateway runs.

    Raises:
        OSError: the spool can't be read.
    """
    said = "runs" if running else "does not run"
    yield Finding(Severity.GOOD, f"a gateway {said} on {premises.data_dir}")
    yield _room(premises, spool)
    yield from _files(spool, running=running)
    try:
        with premises.open_index() as database:
            yield from _index(premises, spool, database, running=running)
    except (WrongVersion, NotOurs) as error:
        yield Finding(Severity.PROBLEM, str(error))
    except IndexUnavailable as error:
        yield Finding(Severity.PROBLEM, str(error), "if it stays so, stop the gateway and run: karnak doctor --rebuild")
    yield from _quarantine(premises.data_dir / "quarantine")
    yield from _reports(OwedReports(premises.data_dir, Disk(), "fsync"))


def _reports(reports: OwedReports) -> Iterator[Finding]:
    names = reports.names()
    if names:
        oldest = time_of(names[0])
        since = f" since {oldest:%Y-%m-%d %H:%M} UTC" if oldest is not None else ""
        count = "1 report" if len(names) == 1 else f"{len(names)} reports"
        advice = "the journal says why they wait; their sources need a `host` and a `port` where they listen"
        yield Finding(Severity.NOTE, f"{count} of Storage Commitment owed{since}", advice)


def _room(premises: Premises, spool: Spool) -> Finding:
    least = premises.minimum_free // _MEBIBYTE
    if spool.full(premises.minimum_free):
        what = f"the disk of the spool has less than {least} MiB free: senders are refused"
        return Finding(Severity.PROBLEM, what, "make room, or deliver what is waiting")
    return Finding(Severity.GOOD, f"the disk of the spool has the {least} MiB free that it must have")


def _files(spool: Spool, *, running: bool) -> Iterator[Finding]:
    half = spool.half_received()
    if half and running:
        yield Finding(Severity.NOTE, f"{_instances(half)} being received, or left by a receiver that died")
    elif half:
        yield Finding(
            Severity.NOTE, f"{_instances(half)} half received", "the next start removes what nobody was told is safe"
        )
    foreign = len(spool.foreign())
    if foreign:
        what = f"{foreign} files in spool/ready are not Karnak's"
        yield Finding(Severity.PROBLEM, what, "look at them and move them away; they are never sent")
    stored = spool.stored()
    damaged = [receipt for receipt in stored if not _readable(spool, receipt)]
    if damaged:
        what = f"{_instances(len(damaged))} damaged in the spool"
        yield _about(Severity.PROBLEM, what, "they go to quarantine when the gateway takes them in", damaged)
    yield Finding(Severity.GOOD, f"{_instances(len(stored))} in the spool")


def _readable(spool: Spool, receipt: str) -> bool:
    try:
        spool.open(receipt).close()
    except DamagedFile:
        return False
    except NotInSpool:
        # It has ended since it was listed.
        pass
    return True


def _index(premises: Premises, spool: Spool, database: Database, *, running: bool) -> Iterator[Finding]:
    index, queue = Index(database), Queue(database)
    unknown = index.unknown(spool.stored())
    if unknown:
        advice = "the gateway takes them in within seconds" if running else "the next start takes them in"
        yield _about(Severity.NOTE, f"{_instances(len(unknown))} in the spool and not in the index", advice, unknown)
    missing = _without_files(spool, queue)
    if missing:
        what = f"{_instances(len(missing))} owed to destinations, but not in the spool any more"
        advice = f"they can't be sent; have their senders send them again, and run: karnak queue drop {missing[0]} ..."
        yield _about(Severity.PROBLEM, what, advice, missing)
    ended = index.ended(spool.stored())
    if ended and not running:
        what = f"{_instances(len(ended))} done with, but still in the spool"
        yield _about(Severity.NOTE, what, "the next start removes them", ended)
    for destination in sorted({destination for destination, _ in queue.depths()} - premises.destinations):
        what = f"the destination {destination} is owed instances, but the configuration does not have it"
        advice = f"put it back, or run: karnak queue drop --destination '{destination}'"
        yield Finding(Severity.PROBLEM, what, advice)
    for destination, state_count in _by_destination(queue).items():
        counts = ", ".join(f"{count} {state}" for state, count in sorted(state_count.items()))
        yield Finding(Severity.GOOD, f"owed to {destination}: {counts}")


def _without_files(spool: Spool, queue: Queue) -> list[str]:
    """Instances that are owed and have no file, in two looks at the index and then at the spool."""

    def candidates() -> set[str]:
        owed = queue.owed()
        stored = set(spool.stored())
        return {receipt for receipt in owed if receipt not in stored}

    found = candidates()
    return sorted(found & candidates()) if found else []


def _by_destination(queue: Queue) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for (destination, state), count in sorted(queue.depths().items()):
        found.setdefault(destination, {})[state] = count
    return found


def _quarantine(folder: Path) -> Iterator[Finding]:
    count = sum(1 for _ in folder.glob("*/*/instance.dcm"))
    if count:
        advice = f"read the report.json beside each in {folder}; only a person removes them"
        yield Finding(Severity.NOTE, f"{_instances(count)} in quarantine", advice)


def _about(severity: Severity, what: str, advice: str, receipts: list[str]) -> Finding:
    return Finding(severity, what, advice, tuple(receipts[:_NAMED]))


def _instances(count: int) -> str:
    return "1 instance" if count == 1 else f"{count} instances"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild has done.

    Attributes:
        aside: where the file of an index that could not be read is now, or None.
        forgotten: rows of instances that were removed because the spool knows better.
        stored: instances in the spool; the next start takes them in.
    """

    aside: Path | None
    forgotten: int
    stored: int


def rebuild(premises: Premises, open_spool: Callable[[], Spool], now: datetime, new_name: Callable[[], str]) -> Rebuilt:
    """Make the index anew from the spool.

    What has ended and left the spool stays in the ledger, where the index can be read at all; everything else is
    forgotten. The next start finds the instances in the spool unknown and routes them by the rules of that moment. An
    index that belonged to another data folder is this one's afterwards.

    Args:
        premises: where the gateway keeps things.
        open_spool: opens its spool.
        now: the time, in UTC; part of the name of a file that is set aside.
        new_name: gives a name that no other data folder has.

    Raises:
        HouseTaken: a gateway runs.
        IndexUnavailable: the database can't be reached, or its tables can't be used and are not in a file of ours.
        OSError: the disk refuses.
    """
    with HouseLock(premises.data_dir):
        stored = open_spool().stored()
        database, aside = _opened(premises, now)
        try:
            if premises.index_elsewhere:
                claim(database, premises.data_dir, new_name, take_over=True)
            return Rebuilt(aside, _forget(database, stored), len(stored))
        finally:
            database.close()


def _opened(premises: Premises, now: datetime) -> tuple[Database, Path | None]:
    """The index as it is, or a new one where that is beyond use."""
    sqlite = premises.index.get_backend_name() == "sqlite"
    try:
        database = open_database(premises.index, upgrade=True, alone=True)
        if not sqlite or _is_sound(database):
            return database, None
        database.close()
    except IndexUnavailable as error:
        if not sqlite or not (isinstance(error, WrongVersion) or error.kind in _HOPELESS):
            raise
    aside = _set_aside(Path(premises.index.database or ""), now)
    return open_database(premises.index, upgrade=True, alone=True), aside


def _is_sound(database: Database) -> bool:
    try:
        with database.reading() as connection:
            return connection.exec_driver_sql("PRAGMA integrity_check").scalars().all() == ["ok"]
    except IndexUnavailable:
        return False


def _set_aside(file: Path, now: datetime) -> Path:
    ending = f".{now:%Y%m%dT%H%M%S}.old"
    for suffix in ("-wal", "-shm", ""):
        old = file.with_name(file.name + suffix)
        if old.exists():
            old.rename(old.with_name(file.name + ending + suffix))
    return file.with_name(file.name + ending)


def _forget(database: Database, stored: list[str]) -> int:
    with database.writing() as connection:
        forgotten = connection.execute(delete(INSTANCES).where(INSTANCES.c.settled.is_(None))).rowcount
        for some in pieces(stored):
            forgotten += connection.execute(delete(INSTANCES).where(INSTANCES.c.receipt.in_(some))).rowcount
    return forgotten
