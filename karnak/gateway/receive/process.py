"""A receiver process: takes instances into the spool and tells the gateway over its channel; nothing else.

It is started by `supervisor.py` as `python -m karnak.gateway.receive.process LISTENING CHANNEL BOARD PARENT`: three
descriptors and the parent's process ID. It knows no profile, no destination and no database, and loads none of what
they need. It writes nowhere but into the spool: what there is to be said goes over the channel. When the
channel closes, or the parent dies, it ends.
"""

import ctypes
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from karnak.errors import KarnakError
from karnak.gateway.disk import Disk
from karnak.gateway.journal import Value, place_of, quieten_libraries
from karnak.gateway.receipts import Receipts
from karnak.gateway.receive.admission import Admission, Limits
from karnak.gateway.receive.channel import Channel
from karnak.gateway.receive.commitment import Reporter, Transaction
from karnak.gateway.receive.listener import Listener
from karnak.gateway.receive.places import Places
from karnak.gateway.receive.reporting import Reporting
from karnak.gateway.receive.tls import RenewedRules, TlsFiles
from karnak.gateway.route import Caller
from karnak.gateway.spool import Durability, Spool

_PR_SET_PDEATHSIG = 1
_FAILED = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """What a receiver is told once.

    Attributes:
        data_dir: the data folder, with the spool in it.
        durability: as the spool's.
        limits: what all receivers together bear.
        tls: certificates, or None to listen in the clear.
    """

    data_dir: Path
    durability: Durability
    limits: Limits
    tls: TlsFiles | None = None

    def as_json(self) -> dict[str, object]:
        """Say it in JSON."""
        return {
            "data_dir": str(self.data_dir),
            "durability": self.durability,
            "limits": asdict(self.limits),
            "tls": None if self.tls is None else self.tls.as_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Settings":
        """Understand what `as_json` has said."""
        tls = data["tls"]
        return cls(
            Path(data["data_dir"]),
            data["durability"],
            Limits(**data["limits"]),
            None if tls is None else TlsFiles.from_json(tls),
        )


class Desk:
    """The reception of a receiver process: passes on to the gateway what happens.

    Args:
        channel: to the gateway.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._full = False
        self._draining = False
        self._reporting = Reporting(channel.send)

    def is_full(self) -> bool:
        """Tell whether there is no room for instances."""
        return self._full

    def is_draining(self) -> bool:
        """Tell whether the process is about to end."""
        return self._draining

    def now(self) -> datetime:
        """The time, in UTC."""
        return datetime.now(UTC)

    def stored(self, receipt: str, size: int, seconds: float) -> None:
        """Pass on that an instance is safe."""
        self._channel.send({"stored": receipt, "bytes": size, "seconds": round(seconds, 6)})

    def refused(self) -> None:
        """Pass on that an instance was not taken."""
        self._channel.send({"refused": 1})

    def journal(self, event: str, **values: Value) -> None:
        """Pass on an event."""
        self._channel.send({"journal": [event, values]})

    def journal_error(self, event: str, error: BaseException, **values: Value) -> None:
        """Pass on an exception's type and place; its message may quote an instance."""
        self.journal(event, error=type(error).__name__, place=place_of(error), **values)

    def commit(self, transaction: Transaction, caller: Caller, reporter: Reporter) -> bool:
        """Pass on a request for Storage Commitment."""
        return self._reporting.take(transaction, caller, reporter)

    def hear(self, message: Mapping[str, Any]) -> None:
        """Take in what the gateway says, where it concerns associations."""
        if "full" in message:
            self._full = bool(message["full"])
        self._reporting.hear(message)

    def drain(self) -> None:
        """Take nothing new from now on."""
        self._draining = True
        self._reporting.stop()


def serve(listening: socket.socket, channel: Channel, board: int) -> None:
    """Receive until the gateway says stop, or is gone; ends the process.

    Args:
        listening: the listening socket.
        channel: to the gateway.
        board: the board of places.
    """
    messages = channel.messages()
    first = next(messages, None)
    if first is None:
        os._exit(_FAILED)
    settings = Settings.from_json(first["settings"])
    process = int(first["process"])
    desk = Desk(channel)
    quieten_libraries(desk.journal_error)
    listener: Listener | None = None
    try:
        spool = Spool(settings.data_dir, Disk(), settings.durability, Receipts(time.time_ns, secrets.token_bytes))
        spool.tidy()
        limits = settings.limits
        places = Places(board, process, limits.maximum_associations, limits.maximum_per_ae)
        rules = None if settings.tls is None else RenewedRules(settings.tls, lambda error: _say_tls(desk, error))
    except Exception as error:
        desk.journal_error("receiver failed", error)
        os._exit(_FAILED)
    for message in messages:
        desk.hear(message)
        if "admission" in message:
            admission = Admission.from_json(message["admission"])
            if listener is None:
                listener = Listener(listening, limits, admission, spool, desk, places, rules)
                listener.start()
                channel.send({"ready": True})
            else:
                listener.admission = admission
        if "stop" in message:
            desk.drain()
            threading.Thread(target=_end, args=(listener, spool, message["stop"]), daemon=True).start()
    # The gateway is gone: nobody would ever hear of what is received now.
    os._exit(_FAILED)


def _end(listener: Listener | None, spool: Spool, seconds: float) -> None:
    if listener is not None:
        listener.stop(seconds)
        if listener.count == 0:
            spool.close()
    os._exit(0)


def _say_tls(desk: Desk, error: KarnakError) -> None:
    desk.journal("certificate not renewed", reason=str(error))


def _die_with(parent: int) -> None:
    """Ask the system for a signal when the parent dies; the channel says the same when this is not Linux."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        # It died before it could be watched.
        os._exit(_FAILED)


def main() -> None:
    """Run the process that `supervisor.py` has started."""
    listening, channel, board, parent = map(int, sys.argv[1:5])
    _die_with(parent)
    # Whoever stops the service signals all its processes; when to end is for the gateway to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    serve(socket.socket(fileno=listening), Channel(socket.socket(fileno=channel)), board)


if __name__ == "__main__":
    main()
