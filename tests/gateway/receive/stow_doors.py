"""A STOW-RS door that listens on the loopback interface, with a real spool behind it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from karnak.gateway.api.server import HttpServer, listen_on
from karnak.gateway.bearer import Token
from karnak.gateway.disk import Disk
from karnak.gateway.receive.stow import Sender, StowDoor, StowSettings
from karnak.gateway.spool import Arrival, Spool
from tests.gateway.arrivals import receipts

TOKEN = {"Authorization": "Bearer secret-of-ct01"}
SENDERS = (Sender(Token.of("CT01", "secret-of-ct01"), "KARNAK"), Sender(Token.of("MR01", "secret-of-mr01")))
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
_SECONDS = 30.0


@dataclass
class Watched:
    """What the door has said."""

    stories: list[tuple[str, Arrival, int]] = field(default_factory=list)
    refusals: list[tuple[str, str, int, int]] = field(default_factory=list)

    def stored(self, receipt: str, arrival: Arrival, size: int, seconds: float) -> None:
        assert seconds >= 0
        self.stories.append((receipt, arrival, size))

    def refused(self, address: str, calling_ae: str, called_ae: str, status: int, instances: int) -> None:
        assert address == "127.0.0.1"
        self.refusals.append((calling_ae, called_ae, status, instances))


@dataclass
class Running:
    """A door that listens."""

    port: int
    folder: Path
    spool: Spool
    door: StowDoor
    watched: Watched
    server: HttpServer
    errors: list[Exception]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def data_sets(self) -> list[bytes]:
        """What is safe in the spool."""
        return [bytes(self.spool.open(receipt).data_set()) for receipt in self.spool.stored()]

    def half_received(self) -> list[str]:
        return [path.name for path in (self.folder / "spool" / "receiving").glob("*.part")]


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for something that happens soon."""
    deadline = time.monotonic() + _SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def running(
    folder: Path,
    *,
    full: Callable[[], bool] = lambda: False,
    tls: Callable[[], Any] | None = None,
    patience: float = 30.0,
    drain_timeout: float = 5.0,
    **settings: Any,
) -> Iterator[Running]:
    """Open a door; CT01 and MR01 may send, to KARNAK and OTHER."""
    spool = Spool(folder, Disk(), "fsync", receipts())
    watched = Watched()

    def admits(called: str, calling: str, address: str) -> bool:
        return called in ("KARNAK", "OTHER") and address == "127.0.0.1" and calling in ("CT01", "MR01")

    made = StowSettings(SENDERS, **settings)
    errors: list[Exception] = []
    door = StowDoor(made, spool.begin, admits, full, watched, lambda: NOON, time.monotonic, errors.append)
    server = HttpServer(Starlette(routes=door.routes), listen_on("127.0.0.1", 0), drain_timeout, tls, patience)
    before = threading.active_count()
    server.start()
    try:
        yield Running(server.port, folder, spool, door, watched, server, errors)
    finally:
        server.stop()
        wait_until(lambda: threading.active_count() <= before)
