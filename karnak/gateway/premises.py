"""Where a gateway keeps things, for commands that look after them while it runs or is stopped."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy.engine import URL

from karnak.dsl.diagnostics import Diagnostic, has_errors, in_order
from karnak.dsl.nodes import Source
from karnak.errors import KarnakError
from karnak.gateway.config import Config
from karnak.gateway.config_notes import Notes
from karnak.gateway.config_reading import read_config
from karnak.gateway.house_lock import HouseLock, HouseTaken
from karnak.gateway.house_plan import ApiPlan, plan_api, plan_index, plan_patient_key
from karnak.gateway.store.database import Database, index_url, open_database
from karnak.gateway.store.index import Index
from karnak.gateway.store.ownership import check
from karnak.gateway.store.queue import Choice, Queue
from karnak.gateway.store.rows import Wish

Planned = TypeVar("Planned")


class NoPremises(KarnakError):
    """There is nothing where a gateway would keep things."""


@dataclass(frozen=True, slots=True)
class Premises:
    """What a configuration says of that.

    Attributes:
        data_dir: the data folder; it is there.
        index: where the index is.
        minimum_free: bytes of free disk below which nothing more is taken.
        destinations: names of the destinations that are served.
    """

    data_dir: Path
    index: URL
    minimum_free: int
    destinations: frozenset[str]

    @property
    def index_elsewhere(self) -> bool:
        """Whether the index is not in the data folder."""
        return self.index != index_url(self.data_dir)

    @contextmanager
    def open_index(self) -> Iterator[Database]:
        """The index, as it is.

        Raises:
            IndexUnavailable: it is not there, of another version, of another data folder, or can't be read.
        """
        database = open_database(self.index, upgrade=False)
        try:
            check(database, self.data_dir)
            yield database
        finally:
            database.close()

    def gateway_runs(self) -> bool:
        """Tell whether a gateway has the data folder now."""
        lock = HouseLock(self.data_dir)
        try:
            lock.take()
        except HouseTaken:
            return True
        lock.give_back()
        return False


def find_premises(
    source: Source, base: Path, environment: Mapping[str, str]
) -> tuple[Premises | None, tuple[Diagnostic, ...]]:
    """Read in a configuration where things are kept; profiles, secrets and peers are not looked at.

    Args:
        source: the text of the configuration.
        base: folder that its relative paths start from.
        environment: environment variables.

    Returns:
        The premises, or None where a diagnostic is an error.

    Raises:
        NoPremises: there is no data folder.
        IndexUnavailable: the URL of the index is none.
    """
    reading = read_config(source)
    if reading.config is None or reading.root is None:
        return None, in_order(reading.diagnostics)
    config, notes = reading.config, Notes(reading.root)
    data_dir = base / config.data_dir
    if not data_dir.is_dir():
        raise NoPremises(f"there is no data folder {data_dir}; `karnak serve` makes it")
    names = frozenset(entry.name for node in config.forward_nodes for entry in node.destinations if entry.enabled)
    url = plan_index(config, environment, notes)
    if has_errors(notes.all):
        return None, notes.all
    return Premises(data_dir, index_url(data_dir, url), config.spool.minimum_free, names), ()


def find_api(
    source: Source, base: Path, environment: Mapping[str, str]
) -> tuple[ApiPlan | None, tuple[Diagnostic, ...]]:
    """Read in a configuration where the gateway that runs can be asked.

    Args:
        source: the text of the configuration.
        base: folder that its relative paths start from.
        environment: environment variables.

    Returns:
        Where its API listens, or None where a diagnostic is an error.

    Raises:
        NoPremises: it has no API, or one whose port nobody knows.
    """
    api, found = plan_from(source, lambda config, notes: plan_api(config, base, environment, notes))
    if found:
        return None, found
    if api is None:
        raise NoPremises("the configuration has no API to ask; enable it and start the gateway again")
    if api.port == 0:
        raise NoPremises("the API has a port that nobody knows (0); give it one and start the gateway again")
    return api, ()


def find_patient_key(
    source: Source, base: Path, environment: Mapping[str, str]
) -> tuple[bytes | None, tuple[Diagnostic, ...]]:
    """Read the key that a configuration has for patients' identifiers in the ledger.

    Args:
        source: the text of the configuration.
        base: folder that its relative paths start from.
        environment: environment variables.

    Returns:
        The key, or None where a diagnostic is an error.

    Raises:
        NoPremises: none are kept.
    """
    key, found = plan_from(source, lambda config, notes: plan_patient_key(config, base, environment, notes))
    if found:
        return None, found
    if key is None:
        raise NoPremises("the ledger keeps no identifiers of patients; `patient_identifiers: encrypted` is off")
    return key, ()


def plan_from(
    source: Source, plan: Callable[[Config, Notes], Planned | None]
) -> tuple[Planned | None, tuple[Diagnostic, ...]]:
    """Read one thing in a configuration: what it is, and nothing, or nothing and what is wrong.

    Args:
        source: the text of the configuration.
        plan: makes it, and notes what is wrong.
    """
    reading = read_config(source)
    if reading.config is None or reading.root is None:
        return None, in_order(reading.diagnostics)
    notes = Notes(reading.root)
    planned = plan(reading.config, notes)
    return (None, notes.all) if has_errors(notes.all) else (planned, ())


@dataclass(frozen=True, slots=True)
class Wished:
    """What came of a person's wish.

    Attributes:
        parts: how many parts it means.
        done: whether it is done; a gateway that runs does it within seconds.
    """

    parts: int
    done: bool


def wish(premises: Premises, database: Database, choice: Choice, wanted: Wish, now: datetime) -> Wished:
    """Have parts retried now, or dropped: by the gateway that runs, or here where none does.

    Args:
        premises: where the gateway keeps things.
        database: its index.
        choice: which parts.
        wanted: what is to be done.
        now: the time, in UTC.

    Raises:
        IndexUnavailable: the database refuses.
    """
    parts = Queue(database).wish(choice, wanted)
    try:
        with HouseLock(premises.data_dir):
            # Files of what has ended now are removed at the gateway's next start.
            Index(database).fulfil(now)
    except HouseTaken:
        return Wished(parts, done=False)
    return Wished(parts, done=True)
