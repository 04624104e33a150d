"""Whose index it is: an index outside the data folder belongs to one data folder, and says so.

Its rows name files of one spool. A gateway over another data folder would look for them in vain, and end what is owed;
so both have a name in common, and who has another one is sent away.
"""

import os
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import delete, insert, select

from karnak.gateway.store.database import Database, IndexUnavailable
from karnak.gateway.store.tables import OWNERS

_FILE = "index.owner"


class NotOurs(IndexUnavailable):
    """The index belongs to another data folder."""


def claim(database: Database, data_dir: Path, new_name: Callable[[], str], *, take_over: bool = False) -> None:
    """Make an index that belongs to nobody this data folder's.

    Args:
        database: the index.
        data_dir: the data folder.
        new_name: gives a name that no other data folder has.
        take_over: make it ours whoever it belongs to; for who forgets what it says of the spool.

    Raises:
        NotOurs: it belongs to another data folder.
        IndexUnavailable: the database refuses.
        OSError: the folder can't be written.
    """
    with database.writing() as connection:
        owners = connection.scalars(select(OWNERS.c.name)).all()
        ours = _name(data_dir)
        if owners and list(owners) != [ours]:
            if not take_over:
                raise _not_ours(database, data_dir)
            connection.execute(delete(OWNERS))
            owners = []
        if not owners:
            connection.execute(insert(OWNERS), {"name": ours or _write(data_dir, new_name())})


def check(database: Database, data_dir: Path) -> None:
    """See that an index is this data folder's, or nobody's yet.

    Raises:
        NotOurs: it belongs to another data folder.
        IndexUnavailable: the database refuses.
    """
    with database.reading() as connection:
        owners = connection.scalars(select(OWNERS.c.name)).all()
    if owners and list(owners) != [_name(data_dir)]:
        raise _not_ours(database, data_dir)


def _not_ours(database: Database, data_dir: Path) -> NotOurs:
    return NotOurs(
        f"the index {database.where} belongs to another data folder than {data_dir}; give each gateway a database of "
        "its own; where the other folder is gone, `karnak doctor --rebuild` takes the index over"
    )


def _name(data_dir: Path) -> str | None:
    try:
        return (data_dir / _FILE).read_text("ascii").strip()
    except FileNotFoundError:
        return None


def _write(data_dir: Path, name: str) -> str:
    """Write the name where it outlives a loss of power, before the index knows it."""
    file, half = data_dir / _FILE, data_dir / f"{_FILE}.part"
    with half.open("w", encoding="ascii") as stream:
        stream.write(f"{name}\n")
        stream.flush()
        os.fsync(stream.fileno())
    half.rename(file)
    folder = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return name
