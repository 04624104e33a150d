"""One outgoing association: negotiate, send, hear the status, release.

A plain blocking socket with a deadline on every wait, so that a peer that hangs, stalls
or dies ends in an error in known time, and an idle association costs no thread. PDUs other
than P-DATA-TF are built and taken apart by pynetdicom; data sets are sent from the bytes they
lie in. Source: PS3.8 section 9, PS3.7 sections 6.3, 9.3.1 and annex D.
"""

import contextlib
import re
import select
import socket
import struct
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Self

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom.dsutils import decode
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ, A_RELEASE_RQ, P_DATA_TF
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    A_RELEASE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import build_context

from karnak.gateway.deliver.parcel import DeliveryError, Parcel
from karnak.runtime.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
# Presentation context IDs are odd and fit into a byte (PS3.8 section 9.3.2.2).
MAXIMUM_CONTEXTS = 128
# PDU types, PS3.8 section 9.3.
_ASSOCIATE_AC, _ASSOCIATE_RJ, _P_DATA, _RELEASE_RQ, _RELEASE_RP, _ABORT = 2, 3, 4, 5, 6, 7
# Message control header, PS3.8 annex E.2.
_COMMAND, _LAST = 1, 2
# What we tell the peer to send at most, and what we refuse to read however it is announced.
_MAXIMUM_RECEIVED = 65536
_MAXIMUM_READ = 1 << 20
# Larger pieces than this don't go faster, and each must be taken within the time for an answer.
_MAXIMUM_SENT = 1 << 17
_C_STORE_RQ, _C_STORE_RSP, _MEDIUM_PRIORITY, _WITH_DATA_SET = 0x0001, 0x8001, 0x0000, 0x0001
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_UID_LENGTH = 64
_SECONDS_TO_RELEASE = 2.0


class AssociationLost(DeliveryError):
    """The peer closed or aborted an association that was established; a new one may do."""


@dataclass(frozen=True, slots=True)
class Context:
    """One kind of instance: a SOP Class in a transfer syntax. Each is proposed as a context of its own."""

    sop_class_uid: str
    transfer_syntax_uid: str

    def __str__(self) -> str:
        return f"{UID(self.sop_class_uid).name} in {UID(self.transfer_syntax_uid).name}"


@dataclass(frozen=True, slots=True)
class Peer:
    """An application entity that takes instances, and how long it may take.

    Attributes:
        ae_title: called AE title.
        host: name or address.
        port: TCP port.
        calling_ae_title: what we call ourselves.
        connect_timeout: seconds for connecting and negotiating.
        response_timeout: seconds for taking a piece of an instance, and for the status.
    """

    ae_title: str
    host: str
    port: int
    calling_ae_title: str
    connect_timeout: float
    response_timeout: float


class Association:
    """An established association, for one thread at a time."""

    def __init__(self, connection: socket.socket, peer: Peer) -> None:
        self._connection = connection
        self._peer = peer
        self._maximum_pdu = 0
        self._message_id = 0
        self._accepted: dict[Context, int] = {}

    @property
    def accepted(self) -> Collection[Context]:
        """What the peer takes over this association."""
        return self._accepted.keys()

    @classmethod
    def request(cls, peer: Peer, needed: Context, others: Sequence[Context] = ()) -> Self:
        """Connect to a peer and agree on what to send.

        Args:
            peer: whom to call.
            needed: what must be agreed on.
            others: what may follow, up to MAXIMUM_CONTEXTS - 1.

        Raises:
            DeliveryError: no connection, a rejection, or the peer doesn't take what is needed.
        """
        _check_uid(needed.sop_class_uid, "SOP Class UID")
        _check_uid(needed.transfer_syntax_uid, "transfer syntax UID")
        deadline = time.monotonic() + peer.connect_timeout
        try:
            connection = socket.create_connection((peer.host, peer.port), peer.connect_timeout)
        except TimeoutError:
            raise DeliveryError(f"no connection within {peer.connect_timeout:g} s") from None
        except OSError as error:
            raise DeliveryError(f"no connection: {error.strerror or type(error).__name__}") from None
        association = cls(connection, peer)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            association._negotiate(needed, (needed, *others), deadline)
        except TimeoutError:
            association.abort()
            raise DeliveryError(f"no answer to the association request within {peer.connect_timeout:g} s") from None
        except (OSError, AssociationLost):
            association.close()
            raise DeliveryError("the peer closed the connection instead of accepting the association") from None
        except BaseException:
            association.abort()
            raise
        return association

    def store(self, parcel: Parcel) -> int:
        """Send an instance by C-STORE.

        Args:
            parcel: an instance of a kind that was accepted.

        Returns:
            The status of the peer's response.

        Raises:
            AssociationLost: the peer closed or aborted the association.
            DeliveryError: the peer did not take the data or did not answer in time.
        """
        _check_uid(parcel.sop_instance_uid, "SOP Instance UID")
        context_id = self._accepted[Context(parcel.sop_class_uid, parcel.transfer_syntax_uid)]
        seconds = f"{self._peer.response_timeout:g} s"
        self._message_id = self._message_id % 0xFFFF + 1
        try:
            self._connection.settimeout(self._peer.response_timeout)
            for pdu in self._pdus(_store_request(parcel, self._message_id), _COMMAND, context_id):
                self._connection.sendall(pdu)
            for pdu in self._pdus(memoryview(parcel.data_set), 0, context_id):
                self._connection.sendall(pdu)
        except TimeoutError:
            raise DeliveryError(f"the peer stopped taking data for {seconds}") from None
        except OSError:
            raise AssociationLost("the connection broke while the instance was sent") from None
        try:
            return self._status(time.monotonic() + self._peer.response_timeout)
        except TimeoutError:
            raise DeliveryError(f"no answer to C-STORE within {seconds}") from None
        except OSError:
            raise AssociationLost("the connection broke before the answer to C-STORE") from None

    def usable(self) -> bool:
        """Tell whether an idle association still stands: its peer has neither said nor closed anything."""
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        return not poll.poll(0)

    def release(self) -> None:
        """End the association in good order; a peer that doesn't play along is left."""
        with contextlib.suppress(OSError, DeliveryError):
            deadline = time.monotonic() + _SECONDS_TO_RELEASE
            self._connection.settimeout(_SECONDS_TO_RELEASE)
            self._connection.sendall(A_RELEASE_RQ(A_RELEASE()).encode())
            while self._read(deadline)[0] != _RELEASE_RP:
                pass
        self.close()

    def abort(self) -> None:
        """End the association at once."""
        with contextlib.suppress(OSError):
            self._connection.settimeout(0)
            pdu = A_ABORT_RQ()
            pdu.source, pdu.reason_diagnostic = 0, 0
            self._connection.send(pdu.encode())
        self.close()

    def interrupt(self) -> None:
        """Break the connection from another thread, so that whoever waits for it hears of it."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError):
            self._connection.close()

    def _negotiate(self, needed: Context, contexts: Sequence[Context], deadline: float) -> None:
        proposed = {2 * number + 1: context for number, context in enumerate(contexts)}
        self._connection.settimeout(self._peer.connect_timeout)
        self._connection.sendall(_associate_request(self._peer, proposed))
        kind, data = self._read(deadline)
        if kind == _ASSOCIATE_RJ:
            raise DeliveryError(f"the association was rejected: {_rejection(data)}")
        if kind != _ASSOCIATE_AC:
            raise DeliveryError("the peer aborted the association instead of accepting it")
        try:
            answer = A_ASSOCIATE_AC()
            answer.decode(data)
            accepted = answer.to_primitive()
            results = accepted.presentation_context_definition_results_list
            chosen = {result.context_id: result.transfer_syntax[0] for result in results if result.result == 0}
            self._maximum_pdu = accepted.maximum_length_received or _MAXIMUM_SENT
        except Exception:
            # Whatever a decoder stumbles over, the peer sent it; the exception's text may quote it.
            raise DeliveryError("the peer's answer to the association request is malformed") from None
        for context_id, context in proposed.items():
            if chosen.get(context_id) == context.transfer_syntax_uid:
                self._accepted[context] = context_id
        if needed not in self._accepted:
            raise DeliveryError(f"the peer does not accept {needed}")
        if self._maximum_pdu < 8:
            raise DeliveryError("the peer accepts no piece that could hold data")

    def _pdus(self, data: memoryview, kind: int, context_id: int) -> Iterator[bytes]:
        """Cut a command set or a data set into P-DATA-TF PDUs of one PDV each (PS3.8 section 9.3.5)."""
        step = (min(self._maximum_pdu, _MAXIMUM_SENT) - 6) & ~1
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            last = _LAST if start + step >= len(data) else 0
            header = struct.pack(">BxLLBB", _P_DATA, len(piece) + 6, len(piece) + 2, context_id, kind | last)
            yield b"".join((header, piece))

    def _status(self, deadline: float) -> int:
        """Read the response to the C-STORE that was sent last."""
        command = b""
        while True:
            kind, data = self._read(deadline)
            if kind != _P_DATA:
                raise AssociationLost("the peer ended the association before it answered C-STORE")
            try:
                pdu = P_DATA_TF()
                pdu.decode(data)
                for _, fragment in pdu.to_primitive().presentation_data_value_list:
                    if fragment[0] & _COMMAND:
                        command += fragment[1:]
                        if fragment[0] & _LAST:
                            return self._status_of(decode(BytesIO(command), True, True))
            except DeliveryError:
                raise
            except Exception:
                raise DeliveryError("the peer's answer to C-STORE is malformed") from None
            if len(command) > _MAXIMUM_READ:
                raise DeliveryError("the peer's answer to C-STORE is malformed")

    def _status_of(self, command: Dataset) -> int:
        answered = command.get("MessageIDBeingRespondedTo")
        if command.get("CommandField") != _C_STORE_RSP or answered != self._message_id or "Status" not in command:
            raise DeliveryError("the peer answered something else than C-STORE")
        return int(command.Status)

    def _read(self, deadline: float) -> tuple[int, bytes]:
        """Read one PDU.

        Returns:
            Its type and the whole of it.
        """
        header = self._read_bytes(6, deadline)
        kind, length = struct.unpack(">BxL", header)
        if length > _MAXIMUM_READ:
            raise DeliveryError("the peer's answer is malformed")
        return kind, header + self._read_bytes(length, deadline)

    def _read_bytes(self, count: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < count:
            # A peer that drips bytes gets no more time than one that is silent.
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            self._connection.settimeout(remaining)
            received = self._connection.recv(count - len(data))
            if not received:
                raise AssociationLost("the peer closed the connection")
            data += received
        return bytes(data)


def _associate_request(peer: Peer, proposed: Mapping[int, Context]) -> bytes:
    request = A_ASSOCIATE()
    request.application_context_name = UID(_APPLICATION_CONTEXT)
    request.calling_ae_title = peer.calling_ae_title
    request.called_ae_title = peer.ae_title
    length = MaximumLengthNotification()
    length.maximum_length_received = _MAXIMUM_RECEIVED
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    request.user_information = [length, implementation, version]
    proposals = []
    for context_id, context in proposed.items():
        proposals.append(build_context(context.sop_class_uid, [context.transfer_syntax_uid]))
        proposals[-1].context_id = context_id
    request.presentation_context_definition_list = proposals
    return A_ASSOCIATE_RQ(request).encode()


def _store_request(parcel: Parcel, message_id: int) -> memoryview:
    """Encode the command set of a C-STORE-RQ, in Implicit VR Little Endian (PS3.7 sections 6.3.1 and 9.3.1.1)."""
    elements = (
        (0x0002, _uid_value(parcel.sop_class_uid)),
        (0x0100, struct.pack("<H", _C_STORE_RQ)),
        (0x0110, struct.pack("<H", message_id)),
        (0x0700, struct.pack("<H", _MEDIUM_PRIORITY)),
        (0x0800, struct.pack("<H", _WITH_DATA_SET)),
        (0x1000, _uid_value(parcel.sop_instance_uid)),
    )
    encoded = b"".join(struct.pack("<HHL", 0, element, len(value)) + value for element, value in elements)
    return memoryview(struct.pack("<HHLL", 0, 0, 4, len(encoded)) + encoded)


def _uid_value(uid: str) -> bytes:
    value = uid.encode("ascii")
    return value + b"\0" * (len(value) % 2)


def _check_uid(uid: str, what: str) -> None:
    # Zeros in front of a component are wrong (PS3.5 section 9.1), common, and taken everywhere.
    if len(uid) > _UID_LENGTH or not _UID.fullmatch(uid):
        raise DeliveryError(f"the instance's {what} is no UID")


def _rejection(data: bytes) -> str:
    """Say why an association was rejected, in the standard's words (PS3.8 section 9.3.4)."""
    try:
        pdu = A_ASSOCIATE_RJ()
        pdu.decode(data)
        return str(pdu.reason_str).lower()
    except Exception:
        return "for no reason that the standard knows"
