"""Receiver processes with a gateway that remembers what it hears."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from karnak.gateway.journal import KEYS, Value
from karnak.gateway.receive.admission import Admission, Limits
from karnak.gateway.receive.commitment import Reference, Report, Reporter, Transaction
from karnak.gateway.receive.process import Settings
from karnak.gateway.receive.supervisor import Receivers, listen
from karnak.gateway.receive.tls import TlsFiles
from karnak.gateway.route import Caller
from karnak.gateway.spool import Durability
from tests.gateway.receive.door import ANYONE, Sender, half_received_in, limits, stored_in


@dataclass
class House:
    """The gateway, as its receivers see it."""

    folder: Path
    is_safe: Callable[[Reference], bool] = lambda reference: False
    receipts: list[str] = field(default_factory=list)
    size: int = 0
    refusals: int = 0
    events: list[tuple[str, Mapping[str, Value]]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    receivers: Receivers | None = None
    takes_transactions: bool = True
    deaths: int = 0

    def stored(self, receipt: str, size: int, seconds: float) -> None:
        assert seconds > 0
        with self.changed:
            self.receipts.append(receipt)
            self.size += size
            self.changed.notify_all()

    def refused(self) -> None:
        with self.changed:
            self.refusals += 1
            self.changed.notify_all()

    def gone(self) -> None:
        with self.changed:
            self.deaths += 1
            self.changed.notify_all()

    def journal(self, event: str, values: Mapping[str, Value]) -> None:
        assert values.keys() <= KEYS
        with self.changed:
            self.events.append((event, values))
            self.changed.notify_all()

    def commit(self, transaction: Transaction, caller: Caller, reporter: Reporter) -> bool:
        def bring() -> None:
            report = Report(transaction, frozenset(filter(self.is_safe, transaction.references)))
            brought = reporter.report(report, 30)
            self.journal("commitment reported" if brought else "commitment waiting", {"calling_ae": caller.calling_ae})

        if self.takes_transactions:
            threading.Thread(target=bring).start()
        return self.takes_transactions

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait until something was heard."""
        with self.changed:
            assert self.changed.wait_for(lambda: bool(condition()), 30), (self.events, self.receipts)

    def names(self) -> list[str]:
        """What the events are called."""
        return [event for event, _ in self.events]

    @property
    def running(self) -> Receivers:
        assert self.receivers is not None
        return self.receivers

    @property
    def port(self) -> int:
        return self.running.port

    def content(self) -> list[tuple[str, bytes]]:
        """What is safe: SOP Instance UIDs and data sets."""
        return stored_in(self.folder)

    def half_received(self) -> list[Path]:
        """What is not whole."""
        return half_received_in(self.folder)

    def call(self, *sop_classes: str, **options: Any) -> Sender:
        """Have an association."""
        made = Sender(self.port)
        made.associate(*sop_classes, **options)
        return made


@contextmanager
def house(
    folder: Path,
    processes: int = 1,
    bounds: Limits | None = None,
    admission: Admission = ANYONE,
    tls: TlsFiles | None = None,
    durability: Durability = "os",
    **changes: Any,
) -> Iterator[House]:
    """Run receivers into a spool in a folder."""
    made = House(folder, **changes)
    with listen("127.0.0.1", 0) as listening:
        settings = Settings(folder, durability, bounds or limits(), tls)
        made.receivers = Receivers(listening, processes, settings, admission, made)
        try:
            assert made.receivers.start(60)
            yield made
        finally:
            made.receivers.stop(5)
            assert made.receivers.process_ids == []
            assert made.receivers.associations == 0
