"""Storage Commitment for tests: requests as data and bytes, and pynetdicom as the SCU."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ssl import SSLContext

import pytest
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import N_EVENT_REPORT
from pynetdicom.transport import AssociationSocket

from karnak.gateway.receive.commitment import COMMITMENT_INSTANCE, Reference
from karnak.gateway.receive.pdu import p_data
from tests.gateway.receive.door import COMMITMENT, command


def information(*instances: Reference, uid: str | None = "1.2.99") -> Dataset:
    made = Dataset()
    if uid is not None:
        made.TransactionUID = uid
    made.ReferencedSOPSequence = []
    for sop_class, sop_instance in instances:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_instance
        made.ReferencedSOPSequence.append(item)
    return made


def encoded(dataset: Dataset, syntax: str) -> bytes:
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = UID(syntax).is_little_endian, UID(syntax).is_implicit_VR
    write_dataset(stream, dataset)
    return bytes(stream.getvalue())


def pairs(sequence: list[Dataset]) -> list[Reference]:
    return [(str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID)) for item in sequence]


def action(
    information: bytes | None, sop_class: str = COMMITMENT, instance: str = COMMITMENT_INSTANCE, kind: int = 1
) -> bytes:
    request = command(
        RequestedSOPClassUID=sop_class,
        CommandField=0x0130,
        MessageID=4,
        CommandDataSetType=0x0101 if information is None else 1,
        RequestedSOPInstanceUID=instance,
        ActionTypeID=kind,
    )
    return b"".join(p_data(1, True, request, 0)) + b"".join(p_data(1, False, information or b"", 1 << 16))


class Scu:
    """pynetdicom as the SCU; it listens for reports too."""

    def __init__(self, port: int = 0) -> None:
        self.reports: list[tuple[int, Dataset]] = []
        self.heard = threading.Event()
        self.status = 0x0000
        self.port = port
        self.ae = AE("CT01")
        self.ae.acse_timeout = self.ae.dimse_timeout = self.ae.network_timeout = 20
        self.ae.add_requested_context(COMMITMENT)
        self.ae.add_supported_context(COMMITMENT, scu_role=False, scp_role=True)

    def hear(self, event: evt.Event) -> tuple[int, None]:
        assert isinstance(event.request, N_EVENT_REPORT)
        assert event.request.EventTypeID is not None
        self.reports.append((event.request.EventTypeID, event.event_information))
        self.heard.set()
        return self.status, None

    def associate(self, port: int) -> Association:
        return self.ae.associate(
            "127.0.0.1", port, ae_title="KARNAK", evt_handlers=[(evt.EVT_N_EVENT_REPORT, self.hear)]
        )

    def ask(self, association: Association, *instances: Reference) -> None:
        status, _ = association.send_n_action(information(*instances), 1, COMMITMENT, COMMITMENT_INSTANCE)
        assert status.Status == 0

    @contextmanager
    def listening(self, tls: SSLContext | None = None) -> Iterator[None]:
        """Take reports over new associations."""
        server = self.ae.start_server(
            ("127.0.0.1", self.port),
            block=False,
            ssl_context=tls,
            evt_handlers=[(evt.EVT_N_EVENT_REPORT, self.hear)],
        )
        assert server is not None
        try:
            yield
        finally:
            server.shutdown()

    def only_report(self) -> tuple[int, list[Reference], list[Reference]]:
        assert self.heard.wait(30)
        ((event_type, found),) = self.reports
        return event_type, pairs(found.get("ReferencedSOPSequence", [])), pairs(found.get("FailedSOPSequence", []))


def close_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have pynetdicom close its sockets always: where the peer has gone before, it forgets them (3.0.4)."""

    def close(association: AssociationSocket) -> None:
        if association.socket is not None:
            with suppress(OSError):
                association.socket.shutdown(socket.SHUT_RDWR)
            association.socket.close()

    monkeypatch.setattr(AssociationSocket, "_shutdown_socket", close)
