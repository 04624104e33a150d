"""A door with all that belongs to it in this process, and a peer that speaks in bytes."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from ssl import SSLContext
from typing import Any, Self

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom.dsutils import encode
from pynetdicom.pdu import A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import build_context

from karnak.gateway.disk import Disk
from karnak.gateway.journal import KEYS, Value
from karnak.gateway.receive.admission import Admission, Limits
from karnak.gateway.receive.commands import Command, parse_command
from karnak.gateway.receive.commitment import Reporter, Transaction
from karnak.gateway.receive.listener import Listener
from karnak.gateway.receive.pdu import RELEASE_RQ, USER_ABORT, p_data
from karnak.gateway.receive.places import Places, make_board
from karnak.gateway.receive.reception import Spooling
from karnak.gateway.route import Caller, ForwardNode
from karnak.gateway.spool import Spool
from tests.gateway.peers import read_pdu

CT = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
COMMITMENT = "1.2.840.10008.1.20.1"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
ANYONE = Admission((ForwardNode("KARNAK", None, ()),))
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@dataclass
class Desk:
    """A reception that remembers what it hears."""

    full: bool = False
    draining: bool = False
    receipts: list[str] = field(default_factory=list)
    events: list[tuple[str, dict[str, Value]]] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    asked: list[tuple[Transaction, Caller, Reporter]] = field(default_factory=list)
    refusals: int = 0
    takes_transactions: bool = True
    changed: threading.Condition = field(default_factory=threading.Condition)

    def is_full(self) -> bool:
        return self.full

    def is_draining(self) -> bool:
        return self.draining

    def now(self) -> datetime:
        return NOON

    def refused(self) -> None:
        self.refusals += 1

    def stored(self, receipt: str, size: int, seconds: float) -> None:
        with self.changed:
            self.receipts.append(receipt)
            self.changed.notify_all()

    def journal(self, event: str, **values: Value) -> None:
        assert values.keys() <= KEYS
        with self.changed:
            self.events.append((event, values))
            self.changed.notify_all()

    def journal_error(self, event: str, error: BaseException, **values: Value) -> None:
        self.errors.append(error)
        self.journal(event, error=type(error).__name__, **values)

    def commit(self, transaction: Transaction, caller: Caller, reporter: Reporter) -> bool:
        with self.changed:
            self.asked.append((transaction, caller, reporter))
            self.changed.notify_all()
        return self.takes_transactions

    def wait(self, condition: Callable[[], object]) -> None:
        """Wait until something is so."""
        with self.changed:
            assert self.changed.wait_for(lambda: bool(condition()), 20), self

    def reasons(self) -> list[Value]:
        """Why associations were rejected or ended, and requests refused."""
        return [values.get("reason") for _, values in self.events]


@dataclass
class Door:
    """An open door."""

    port: int
    desk: Desk
    listener: Listener
    folder: Path

    def stored(self) -> list[tuple[str, bytes]]:
        """What is safe, in order: SOP Instance UIDs and data sets."""
        return stored_in(self.folder)

    def half_received(self) -> list[Path]:
        """What is not whole."""
        return half_received_in(self.folder)

    def call(self, *sop_classes: str, **options: Any) -> "Sender":
        """Call it, and have an association."""
        made = Sender(self.port)
        made.associate(*sop_classes, **options)
        return made


def stored_in(folder: Path) -> list[tuple[str, bytes]]:
    """What is safe in a spool, in order: SOP Instance UIDs and data sets."""
    spool = Spool(folder, Disk(), "os", lambda: "unused")
    found = []
    for receipt in spool.stored():
        held = spool.open(receipt)
        found.append((held.arrival.sop_instance_uid, bytes(held.data_set())))
        held.close()
    return found


def half_received_in(folder: Path) -> list[Path]:
    """What is not whole in a spool."""
    return list((folder / "spool" / "receiving").glob("*.part"))


def until(condition: Callable[[], object]) -> None:
    """Wait until something is so that nobody tells."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def limits(**changes: Any) -> Limits:
    """Limits that no test meets by accident."""
    return Limits(**{"maximum_associations": 20, "artim": 20.0, "idle": 20.0, **changes})


@contextmanager
def door(
    folder: Path,
    bounds: Limits | None = None,
    admission: Admission = ANYONE,
    desk: Desk | None = None,
    spool: Spooling | None = None,
    tls: Callable[[], SSLContext] | None = None,
    listening: socket.socket | None = None,
) -> Iterator[Door]:
    """Open a door into a spool in a folder."""
    bounds, desk = bounds or limits(), desk or Desk()
    numbers = count()
    spool = spool or Spool(folder, Disk(), "os", lambda: f"{next(numbers):026x}")
    board = make_board(1, bounds.maximum_associations)
    places = Places(board, 0, bounds.maximum_associations, bounds.maximum_per_ae)
    with listening or socket.create_server(("127.0.0.1", 0)) as listening:
        listener = Listener(listening, bounds, admission, spool, desk, places, tls)
        listener.start()
        try:
            yield Door(listening.getsockname()[1], desk, listener, folder)
        finally:
            desk.draining = True
            listener.stop(10)
            assert listener.count == 0


def associate_request(
    *sop_classes: str,
    called: str = "KARNAK",
    calling: str = "CT01",
    syntax: str = EXPLICIT,
    maximum_pdu: int = 16384,
    application_context: str = "1.2.840.10008.3.1.1.1",
) -> bytes:
    """Make an A-ASSOCIATE-RQ PDU; contexts have the IDs 1, 3, 5, ..."""
    request = A_ASSOCIATE()
    request.application_context_name = UID(application_context)
    request.calling_ae_title, request.called_ae_title = calling, called
    length = MaximumLengthNotification()
    length.maximum_length_received = maximum_pdu
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID("1.2.3.4")
    request.user_information = [length, implementation]
    contexts = [build_context(sop_class, syntax) for sop_class in sop_classes]
    for number, context in enumerate(contexts):
        context.context_id = 2 * number + 1
    request.presentation_context_definition_list = contexts
    return A_ASSOCIATE_RQ(request).encode()


def command(**attributes: object) -> bytes:
    """Encode a command set."""
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    encoded = encode(made, True, True)
    assert encoded is not None
    return struct.pack("<HHLL", 0, 0, 4, len(encoded)) + encoded


def store_command(uid: str = "1.2.3", sop_class: str = CT, message_id: int = 1, has_data_set: bool = True) -> bytes:
    """The command set of a C-STORE request."""
    return command(
        AffectedSOPClassUID=sop_class,
        CommandField=1,
        MessageID=message_id,
        Priority=0,
        CommandDataSetType=1 if has_data_set else 0x0101,
        AffectedSOPInstanceUID=uid,
    )


def echo_command(message_id: int = 1) -> bytes:
    """The command set of a C-ECHO request."""
    return command(AffectedSOPClassUID=VERIFICATION, CommandField=0x30, MessageID=message_id, CommandDataSetType=0x0101)


def store_message(
    data: bytes, uid: str = "1.2.3", maximum_pdu: int = 0, context_id: int = 1, message_id: int = 1, sop_class: str = CT
) -> bytes:
    """A C-STORE request as PDUs."""
    request = store_command(uid, sop_class, message_id)
    return b"".join(p_data(context_id, True, request, maximum_pdu)) + b"".join(
        p_data(context_id, False, data, maximum_pdu)
    )


class Sender:
    """A peer that sends bytes and reads PDUs."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def associate(self, *sop_classes: str, **options: Any) -> None:
        """Have an association."""
        self.send(associate_request(*(sop_classes or (CT, VERIFICATION)), **options))
        kind, _ = read_pdu(self.socket)
        assert kind == 2

    def answer(self) -> Command:
        """Read the next response or request."""
        encoded = b""
        while True:
            kind, pdu = read_pdu(self.socket)
            assert (kind, pdu[11] & 1) == (4, 1), pdu
            encoded += pdu[12:]
            if pdu[11] & 2:
                return parse_command(encoded)

    def status(self) -> int | None:
        """Read the next response's status."""
        return self.answer().status

    def store(self, data: bytes, uid: str = "1.2.3") -> int | None:
        """Send an instance and read its status."""
        self.send(store_message(data, uid))
        return self.status()

    def pdu(self) -> bytes:
        """Read the next PDU."""
        return read_pdu(self.socket)[1]

    def is_closed(self) -> bool:
        """Wait until the other side has closed the connection."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def release(self) -> bytes:
        """Release the association; gives the answer."""
        self.send(RELEASE_RQ)
        return self.pdu()

    def abort(self) -> None:
        self.send(USER_ABORT)
