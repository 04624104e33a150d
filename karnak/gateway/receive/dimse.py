"""The DIMSE door: an SCP for C-ECHO and C-STORE.

It takes every storage SOP Class, private and unknown ones too, in every transfer syntax of the
standard. Whether an association may come in is asked before it is
accepted; what becomes of an instance is asked before C-STORE is answered. The data set is
passed on as it was received, not decoded here. One association's trouble stays its own.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.pdu_primitives import A_ASSOCIATE
from pynetdicom.transport import ThreadedAssociationServer

from karnak.errors import KarnakError
from karnak.gateway.answers import StoreStatus
from karnak.gateway.receive.negotiation import storage_items, supported_contexts
from karnak.gateway.receive.offer import VERIFICATION
from karnak.gateway.route import Caller, Refusal
from karnak.runtime.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

# What pynetdicom calls us; what we answer to is decided by `admit`.
_OUR_AE_TITLE = "KARNAK"
# ErrorComment (0000,0902) is an LO (PS3.7 annex E.1).
_COMMENT_LENGTH = 64
_SECONDS_BETWEEN_LOOKS = 0.02


class ListenError(KarnakError):
    """The port can't be listened on."""


@dataclass(frozen=True, slots=True)
class Received:
    """An instance as it came in.

    Attributes:
        caller: who sent it.
        data_set: the encoded data set, as received.
        transfer_syntax_uid: how it is encoded, as negotiated.
        sop_class_uid: Affected SOP Class UID of the command.
        sop_instance_uid: Affected SOP Instance UID of the command.
    """

    caller: Caller
    data_set: bytes = field(repr=False)
    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoreAnswer:
    """What the sender of an instance is told.

    Attributes:
        status: the status of the C-STORE response.
        comment: a few words without patient values, or "".
    """

    status: StoreStatus
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one listener bears.

    Attributes:
        maximum_associations: how many at once; more are told to come again.
        maximum_pdu: bytes of the longest PDU that peers may send, 0 for any length.
        request_timeout: seconds from the connection to the association request.
        idle_timeout: seconds of silence after which a connection is cut.
    """

    maximum_associations: int
    maximum_pdu: int
    request_timeout: float
    idle_timeout: float


class DimseReceiver:
    """A listening SCP.

    Args:
        host: address to listen on.
        port: TCP port, 0 for any free one.
        limits: what it bears.
        admit: says whether a caller may have an association; called before it is accepted.
        take: deals with an instance and says how to answer; called from many threads.
    """

    def __init__(
        self,
        host: str,
        port: int,
        limits: Limits,
        admit: Callable[[Caller], Refusal | None],
        take: Callable[[Received], StoreAnswer],
    ) -> None:
        self._address = (host, port)
        self._limits = limits
        self._admit = admit
        self._take = take
        self._server: ThreadedAssociationServer | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        # Associations between the receipt of an instance and the last byte of its answer.
        self._answering: set[Association] = set()

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.server_address[1]) if self._server is not None else self._address[1]

    def start(self) -> None:
        """Listen.

        Raises:
            ListenError: the port is taken, forbidden or not ours.
        """
        _silence_pynetdicom()
        ae = AE(_OUR_AE_TITLE)
        ae.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
        ae.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        ae.maximum_associations = self._limits.maximum_associations
        ae.maximum_pdu_size = self._limits.maximum_pdu
        ae.acse_timeout = self._limits.request_timeout
        ae.dimse_timeout = self._limits.idle_timeout
        ae.network_timeout = self._limits.idle_timeout
        # For each association its own, see `_on_request`; pynetdicom wants one to begin with.
        ae.add_supported_context(VERIFICATION)
        handlers: list[evt.EventHandlerType] = [
            (evt.EVT_CONN_OPEN, self._on_connection),
            (evt.EVT_REQUESTED, self._on_request),
            (evt.EVT_SOP_COMMON, lambda event: storage_items(event.assoc.acceptor.supported_contexts)),
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_PDU_SENT, self._on_sent),
        ]
        try:
            self._server = ae.start_server(self._address, block=False, evt_handlers=handlers)
        except (OSError, OverflowError) as error:
            host, port = self._address
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise ListenError(f"can't listen on {host} port {port}: {reason}") from None

    def stop(self, seconds: float) -> None:
        """Stop listening, let running instances be answered, and end all associations.

        Args:
            seconds: how long to wait for running instances.
        """
        server = self._server
        if server is None:
            return
        self._stopping.set()
        server.shutdown()
        deadline = time.monotonic() + seconds
        while self._answering_alive() and time.monotonic() < deadline:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        for association in server.active_associations:
            association.abort()
        self._server = None

    def _answering_alive(self) -> bool:
        with self._lock:
            # A sender that has gone away never gets its answer.
            self._answering = {association for association in self._answering if association.is_established}
            return bool(self._answering)

    def _on_connection(self, event: evt.Event) -> None:
        # Without it a peer that stops in the middle of a PDU holds its thread for ever.
        wrapper = event.assoc.dul.socket
        if wrapper is not None and wrapper.socket is not None:
            wrapper.socket.settimeout(self._limits.idle_timeout)

    def _on_request(self, event: evt.Event) -> None:
        association = event.assoc
        refusal = self._admit(_caller(association))
        if refusal is not None:
            association.acse.send_reject(0x01, 0x01, refusal.value)
            association.kill()
            return
        association.acceptor.supported_contexts = supported_contexts(_request(association))

    def _on_store(self, event: evt.Event) -> Dataset:
        with self._lock:
            self._answering.add(event.assoc)
        request = event.request
        assert isinstance(request, C_STORE)
        if self._stopping.is_set():
            return _status(StoreAnswer(StoreStatus.UNDELIVERED, "the gateway is being stopped"))
        received = Received(
            _caller(event.assoc),
            request.DataSet.getvalue() if request.DataSet is not None else b"",
            str(event.context.transfer_syntax),
            str(request.AffectedSOPClassUID),
            str(request.AffectedSOPInstanceUID),
        )
        answer = self._take(received)
        # The sender was silent because it waited for us: its silence begins now.
        event.assoc.dul._idle_timer.restart()
        return _status(answer)

    def _on_sent(self, event: evt.Event) -> None:
        # An acceptor sends P-DATA only to answer.
        if isinstance(event.pdu, P_DATA_TF):
            with self._lock:
                self._answering.discard(event.assoc)


def _status(answer: StoreAnswer) -> Dataset:
    status = Dataset()
    status.Status = int(answer.status)
    if answer.comment:
        status.ErrorComment = answer.comment[:_COMMENT_LENGTH]
    return status


def _request(association: Association) -> A_ASSOCIATE:
    request = association.requestor.primitive
    assert isinstance(request, A_ASSOCIATE)
    return request


def _caller(association: Association) -> Caller:
    request = _request(association)
    return Caller(
        (request.called_ae_title or "").strip(),
        (request.calling_ae_title or "").strip(),
        association.requestor.address,
    )


def _silence_pynetdicom() -> None:
    """Keep pynetdicom's own log to itself: it would repeat UIDs and, at its finest, data sets."""
    _config.LOG_HANDLER_LEVEL = "none"
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
