"""One outgoing association: negotiate, send, hear the status, release.

A peer that hangs, stalls or dies ends in an error in known time, and an idle association
costs no thread. PDUs other than P-DATA-TF are built and taken apart by pynetdicom; data sets are sent from the
bytes they lie in. Source: PS3.8 section 9, PS3.7 annex D.
"""

import contextlib
import ssl
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from pydicom.uid import UID
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, A_ASSOCIATE_RQ, A_RELEASE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    A_RELEASE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import build_context

from karnak.gateway.deliver.line import MAXIMUM_RECEIVED, AssociationLost, Line
from karnak.gateway.deliver.messages import (
    COMMAND,
    P_DATA,
    MalformedResponse,
    command_fragments,
    cut,
    read_status,
    store_request,
)
from karnak.gateway.deliver.parcel import DeliveryError, Parcel
from karnak.gateway.renewed import Rules
from karnak.runtime.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

_APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
# Presentation context IDs are odd and fit into a byte (PS3.8 section 9.3.2.2).
MAXIMUM_CONTEXTS = 128
# PDU types, PS3.8 section 9.3.
_ASSOCIATE_AC, _ASSOCIATE_RJ, _RELEASE_RP = 2, 3, 6
_MAXIMUM_COMMAND = 1 << 16
# Longer PDUs don't go faster, and some peers keep a whole one in memory.
_MAXIMUM_SENT = 1 << 20
_SECONDS_TO_RELEASE = 2.0


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
        tls: gives what TLS asks for, anew for each connection; None to do without.
    """

    ae_title: str
    host: str
    port: int
    calling_ae_title: str
    connect_timeout: float
    response_timeout: float
    tls: Rules | None = None


class Association:
    """An established association, for one thread at a time."""

    def __init__(self, line: Line, peer: Peer) -> None:
        self._line = line
        self._peer = peer
        self._maximum_pdu = 0
        self._message_id = 0
        self._accepted: dict[Context, int] = {}
        self._proposed: frozenset[Context] = frozenset()

    @property
    def proposed(self) -> Collection[Context]:
        """What the peer was asked whether it takes."""
        return self._proposed

    @property
    def accepted(self) -> Mapping[Context, int]:
        """What the peer takes over this association, with the presentation context IDs."""
        return self._accepted

    @classmethod
    def request(cls, peer: Peer, contexts: Sequence[Context]) -> Self:
        """Connect to a peer and agree on what to send.

        Args:
            peer: whom to call.
            contexts: what is or may be sent, at most MAXIMUM_CONTEXTS, made of UIDs; the peer may accept none of it.

        Raises:
            DeliveryError: no connection, or a rejection.
        """
        deadline = time.monotonic() + peer.connect_timeout
        try:
            line = Line.connect(peer.host, peer.port, deadline, peer.tls() if peer.tls is not None else None)
        except TimeoutError:
            raise DeliveryError(f"no connection within {peer.connect_timeout:g} s") from None
        association = cls(line, peer)
        try:
            association._negotiate(contexts, deadline)
        except TimeoutError:
            association.abort()
            raise DeliveryError(f"no answer to the association request within {peer.connect_timeout:g} s") from None
        except ssl.SSLError:
            association.close()
            raise DeliveryError("the peer ended TLS; it may ask for a client certificate that it trusts") from None
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
            parcel: an instance of a kind that was accepted, with UIDs that are such.

        Returns:
            The status of the peer's response.

        Raises:
            AssociationLost: the peer closed or aborted the association.
            DeliveryError: the peer did not take the data or did not answer in time.
        """
        context_id = self._accepted[Context(parcel.sop_class_uid, parcel.transfer_syntax_uid)]
        self._message_id = self._message_id % 0xFFFF + 1
        command = store_request(parcel.sop_class_uid, parcel.sop_instance_uid, self._message_id)
        pieces = cut((command,), len(command), COMMAND, context_id, self._maximum_pdu)
        pieces += cut(parcel.segments, parcel.size, 0, context_id, self._maximum_pdu)
        seconds = self._peer.response_timeout
        try:
            self._line.send(pieces, seconds)
        except TimeoutError:
            raise DeliveryError(f"the peer stopped taking data for {seconds:g} s") from None
        except OSError:
            raise AssociationLost("the connection broke while the instance was sent") from None
        try:
            return self._status(time.monotonic() + seconds)
        except TimeoutError:
            raise DeliveryError(f"no answer to C-STORE within {seconds:g} s") from None
        except OSError:
            raise AssociationLost("the connection broke before the answer to C-STORE") from None

    def usable(self) -> bool:
        """Tell whether an idle association still stands: its peer has neither said nor closed anything."""
        return self._line.silent()

    def release(self) -> None:
        """End the association in good order; a peer that doesn't play along is left."""
        with contextlib.suppress(OSError, DeliveryError):
            self._line.send((A_RELEASE_RQ(A_RELEASE()).encode(),), _SECONDS_TO_RELEASE)
            deadline = time.monotonic() + _SECONDS_TO_RELEASE
            while self._line.read_pdu(deadline)[0] != _RELEASE_RP:
                pass
        self.close()

    def abort(self) -> None:
        """End the association at once."""
        with contextlib.suppress(OSError):
            pdu = A_ABORT_RQ()
            pdu.source, pdu.reason_diagnostic = 0, 0
            self._line.send((pdu.encode(),), 0)
        self.close()

    def interrupt(self) -> None:
        """Break the connection from another thread, so that whoever waits for it hears of it."""
        self._line.interrupt()

    def close(self) -> None:
        """Close the connection."""
        self._line.close()

    def _negotiate(self, contexts: Sequence[Context], deadline: float) -> None:
        self._proposed = frozenset(contexts)
        proposed = {2 * number + 1: context for number, context in enumerate(contexts)}
        self._line.send((_associate_request(self._peer, proposed),), self._peer.connect_timeout)
        kind, data = self._line.read_pdu(deadline)
        if kind == _ASSOCIATE_RJ:
            raise DeliveryError(f"the association was rejected: {_rejection(bytes(data))}")
        if kind != _ASSOCIATE_AC:
            raise DeliveryError("the peer aborted the association instead of accepting it")
        try:
            answer = A_ASSOCIATE_AC()
            answer.decode(bytes(data))
            accepted = answer.to_primitive()
            results = accepted.presentation_context_definition_results_list
            chosen = {result.context_id: result.transfer_syntax[0] for result in results if result.result == 0}
            self._maximum_pdu = min(accepted.maximum_length_received or _MAXIMUM_SENT, _MAXIMUM_SENT)
        except Exception:
            # Whatever a decoder stumbles over, the peer sent it; the exception's text may quote it.
            raise DeliveryError("the peer's answer to the association request is malformed") from None
        for context_id, context in proposed.items():
            if chosen.get(context_id) == context.transfer_syntax_uid:
                self._accepted[context] = context_id
        if self._maximum_pdu < 8:
            raise DeliveryError("the peer accepts no piece that could hold data")

    def _status(self, deadline: float) -> int:
        """Read the response to the C-STORE that was sent last."""
        command = b""
        while len(command) <= _MAXIMUM_COMMAND:
            kind, pdu = self._line.read_pdu(deadline)
            if kind != P_DATA:
                raise AssociationLost("the peer ended the association before it answered C-STORE")
            fragments, last = command_fragments(pdu)
            command += fragments
            if last:
                return read_status(command, self._message_id)
        raise MalformedResponse("the peer's answer to C-STORE is malformed")


def _associate_request(peer: Peer, proposed: Mapping[int, Context]) -> bytes:
    request = A_ASSOCIATE()
    request.application_context_name = UID(_APPLICATION_CONTEXT)
    request.calling_ae_title = peer.calling_ae_title
    request.called_ae_title = peer.ae_title
    length = MaximumLengthNotification()
    length.maximum_length_received = MAXIMUM_RECEIVED
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


def _rejection(data: bytes) -> str:
    """Say why an association was rejected, in the standard's words (PS3.8 section 9.3.4)."""
    try:
        pdu = A_ASSOCIATE_RJ()
        pdu.decode(data)
        return str(pdu.reason_str).lower()
    except Exception:
        return "for no reason that the standard knows"
