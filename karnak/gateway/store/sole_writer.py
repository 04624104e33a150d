"""The right to write an index in PostgreSQL: one gateway's at a time.

Two gateways over one index would each take the other's instances for lost. A session of its own holds an advisory lock
(PostgreSQL manual, 13.3.5), which the server gives back when the session ends, however it does. Whoever has lost it,
because the server was restarted, takes it again before the next write, or doesn't write.
"""

import threading
import time

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from karnak.errors import KarnakError

# First half of the lock's name; the other one is the schema. Any number will do that nobody else has.
_LOCK = 0x6B61726E
_TAKE = f"SELECT pg_try_advisory_lock({_LOCK}, hashtext(current_schema()))"
# Seconds in which the server sees that the last gateway was killed.
_PATIENCE = 5.0
_NAP = 0.2


class IndexTaken(KarnakError):
    """Another gateway writes this index."""


class SoleWriter:
    """Holds the right; any thread may ask.

    Args:
        engine: how the index is reached; it keeps no pool, since the lock goes when its connection is closed.
        where: what messages call it.
    """

    def __init__(self, engine: Engine, where: str) -> None:
        self._engine = engine
        self._where = where
        self._connection: Connection | None = None
        self._lock = threading.Lock()

    def take(self) -> None:
        """Take the right, for the first time.

        Raises:
            IndexTaken: another gateway has it.
            DBAPIError: the server can't be reached.
        """
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                return self.hold()
            except IndexTaken:
                if time.monotonic() > deadline:
                    raise
            time.sleep(_NAP)

    def hold(self) -> None:
        """See that the right is still held, and take it again where it was lost.

        Raises:
            IndexTaken: another gateway has taken it meanwhile.
            DBAPIError: the server can't be reached.
        """
        with self._lock:
            if self._connection is not None:
                try:
                    self._connection.exec_driver_sql("SELECT 1")
                    return
                except DBAPIError:
                    self._forget()
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            if not connection.exec_driver_sql(_TAKE).scalar():
                connection.close()
                raise IndexTaken(
                    f"another gateway uses the index {self._where}; stop it first, or give each a database of its own"
                )
            self._connection = connection

    def give_back(self) -> None:
        """Give the right back; without it, nothing happens."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
