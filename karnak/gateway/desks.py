"""The gateway, as its doors see it: what comes in is counted, journaled and passed on."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from karnak.errors import KarnakError
from karnak.gateway.journal import Journal, Value
from karnak.gateway.metrics import Door, Metrics
from karnak.gateway.receive.commitment import Reporter, Transaction
from karnak.gateway.route import Caller
from karnak.gateway.spool import Arrival

# Takes a request for Storage Commitment; False where there will be no report.
Commit: TypeAlias = Callable[[Transaction, Caller, Reporter], bool]


class DimseDesk:
    """The gateway, as its receivers see it."""

    def __init__(
        self,
        stored: Callable[[str], None],
        look: Callable[[], None],
        commit: Commit,
        journal: Journal,
        metrics: Metrics,
    ) -> None:
        self._stored = stored
        self._look = look
        self._commit = commit
        self._journal = journal
        self._metrics = metrics

    def stored(self, receipt: str, size: int, seconds: float) -> None:
        """Count an instance that is safe, and pass it on."""
        self._metrics.received(Door.DIMSE, size, seconds)
        self._stored(receipt)

    def refused(self) -> None:
        """Count an instance that was not taken."""
        self._metrics.refused(Door.DIMSE)

    def gone(self) -> None:
        """Have the spool looked through for what a receiver had no time to tell."""
        self._look()

    def journal(self, event: str, values: Mapping[str, Value]) -> None:
        """Write an event of a receiver."""
        self._journal.write(event, **values)

    def commit(self, transaction: Transaction, caller: Caller, reporter: Reporter) -> bool:
        """Pass on a request for Storage Commitment."""
        return self._commit(transaction, caller, reporter)


class StowDesk:
    """The gateway, as its STOW-RS door sees it."""

    def __init__(self, stored: Callable[[str], None], journal: Journal, metrics: Metrics) -> None:
        self._stored = stored
        self._journal = journal
        self._metrics = metrics

    def stored(self, receipt: str, arrival: Arrival, size: int, seconds: float) -> None:
        """Count an instance that is safe, and pass it on."""
        self._metrics.received(Door.STOW, size, seconds)
        self._stored(receipt)

    def refused(self, address: str, calling_ae: str, called_ae: str, status: int, instances: int) -> None:
        """Count what was not taken, and say who sent it."""
        for _ in range(max(instances, 1)):
            self._metrics.refused(Door.STOW)
        self._journal.write(
            "request refused",
            address=address,
            calling_ae=calling_ae,
            called_ae=called_ae,
            status=str(status),
            count=instances,
        )

    def failed(self, error: Exception) -> None:
        """Say that something unforeseen has happened to a request."""
        self._journal.write_error("request failed", error)

    def certificate_failed(self, error: KarnakError) -> None:
        """Say that new certificates can't be used; the last good ones stay."""
        self._journal.write("certificate refused", reason=str(error))
