"""What an association needs of the process it runs in."""

from datetime import datetime
from typing import Protocol

from karnak.gateway.journal import Value
from karnak.gateway.receive.commitment import Reporter, Transaction
from karnak.gateway.route import Caller
from karnak.gateway.spool import Arrival, Receiving


class Spooling(Protocol):
    """Where instances go; `Spool` is one."""

    def begin(self, arrival: Arrival) -> Receiving:
        """Open a file for an instance.

        Raises:
            OSError: the disk refuses.
        """


class Reception(Protocol):
    """The process, as its associations see it; all of it is called from many threads."""

    def is_full(self) -> bool:
        """Tell whether there is no room for instances."""

    def is_draining(self) -> bool:
        """Tell whether the process is about to end."""

    def now(self) -> datetime:
        """The time, in UTC."""

    def stored(self, receipt: str, size: int, seconds: float) -> None:
        """Hear of an instance that is safe.

        Args:
            receipt: its name in the spool.
            size: bytes of its data set.
            seconds: from its first byte until it was safe.
        """

    def refused(self) -> None:
        """Hear of an instance that was not taken."""

    def journal(self, event: str, **values: Value) -> None:
        """Write an event, with the journal's keys."""

    def journal_error(self, event: str, error: BaseException, **values: Value) -> None:
        """Write an unforeseen exception, by its type and place."""

    def commit(self, transaction: Transaction, caller: Caller, reporter: Reporter) -> bool:
        """Take a request for a report on which instances are safe; returns when it is on disk.

        Args:
            transaction: what is asked.
            caller: who asks.
            reporter: its association.

        Returns:
            Whether there will be a report.
        """
