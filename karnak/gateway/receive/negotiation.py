"""What the DIMSE door takes: every storage SOP Class, known or not, in every transfer syntax of the standard.

Association requests are read, and answers to them made, by pynetdicom.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
    SOPClassCommonExtendedNegotiation,
)
from pynetdicom.presentation import PresentationContext, build_context, negotiate_as_acceptor

from karnak.runtime.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from karnak.standard.uids import by_uid, is_registered

VERIFICATION = "1.2.840.10008.1.1"
STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
_STORAGE_SERVICE_CLASS = "1.2.840.10008.4.2"
_IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
_STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."
# Retired transfer syntaxes that no longer are data sets as PS3.5 knows them: MIME, XML and Papyrus.
_STRANGE_TRANSFER_SYNTAXES = frozenset({"1.2.840.10008.1.2.6.1", "1.2.840.10008.1.2.6.2", "1.2.840.10008.1.20"})


# What is no image is not compressed either.
_PLAIN = frozenset({_IMPLICIT_LITTLE_ENDIAN, "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"})
# A P-DATA-TF PDU with two bytes of data; who takes less takes nothing.
_LEAST_PDU = 8


class MalformedRequest(Exception):
    """What came is no association request."""


@dataclass(frozen=True, slots=True)
class Context:
    """An accepted presentation context.

    Attributes:
        sop_class_uid: its abstract syntax.
        transfer_syntax_uid: how data sets in it are encoded.
    """

    sop_class_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What was agreed on.

    Attributes:
        pdu: the A-ASSOCIATE-AC PDU that says so.
        contexts: the accepted contexts by their IDs.
        maximum_pdu: bytes of the longest P-DATA-TF PDU that the peer takes, 0 for any length.
    """

    pdu: bytes
    contexts: Mapping[int, Context]
    maximum_pdu: int


def read_request(pdu: bytes) -> A_ASSOCIATE:
    """Read an association request.

    Args:
        pdu: an A-ASSOCIATE-RQ PDU with its header.

    Raises:
        MalformedRequest: it is none.
    """
    try:
        decoded = A_ASSOCIATE_RQ()
        decoded.decode(pdu)
        request = decoded.to_primitive()
        if request.maximum_length_received and request.maximum_length_received < _LEAST_PDU:
            raise ValueError
        # Asked for now, so that what is missing is missed here.
        _ = (request.calling_ae_title, request.called_ae_title, request.application_context_name)
        contexts = request.presentation_context_definition_list
        if not contexts or not all(one.abstract_syntax and one.transfer_syntax for one in contexts):
            raise ValueError
    except Exception:
        # Whatever a decoder stumbles over, the peer sent it; the exception's text may quote it.
        raise MalformedRequest from None
    return request


def accept(request: A_ASSOCIATE, maximum_pdu: int) -> Acceptance:
    """Agree on what is supported of that which an association request proposes.

    Args:
        request: as read.
        maximum_pdu: bytes of the longest P-DATA-TF PDU that the peer may send, 0 for any length.
    """
    contexts, _ = negotiate_as_acceptor(
        request.presentation_context_definition_list,
        supported_contexts(request, (VERIFICATION, STORAGE_COMMITMENT)),
    )
    length = MaximumLengthNotification()
    length.maximum_length_received = maximum_pdu
    implementation = ImplementationClassUIDNotification()
    implementation.implementation_class_uid = UID(IMPLEMENTATION_CLASS_UID)
    version = ImplementationVersionNameNotification()
    version.implementation_version_name = IMPLEMENTATION_VERSION_NAME
    answer = A_ASSOCIATE()
    answer.application_context_name = UID(APPLICATION_CONTEXT)
    answer.calling_ae_title, answer.called_ae_title = request.calling_ae_title, request.called_ae_title
    answer.result, answer.result_source = 0, 1
    answer.presentation_context_definition_results_list = contexts
    answer.user_information = [length, implementation, version]
    accepted = {
        one.context_id: Context(str(one.abstract_syntax), str(one.transfer_syntax[0]))
        for one in contexts
        if one.context_id is not None and one.result == 0
    }
    return Acceptance(A_ASSOCIATE_AC(answer).encode(), accepted, request.maximum_length_received or 0)


def is_storage(sop_class_uid: str) -> bool:
    """Tell whether instances of a SOP Class are stored: as the standard says, or, where it is silent, by its place.

    Private SOP Classes are taken for storage; a service that isn't would be of no use to its caller.
    """
    known = by_uid(sop_class_uid)
    if known is not None:
        return known.storage
    return not is_registered(sop_class_uid) or sop_class_uid.startswith(_STORAGE_ROOT)


def is_transfer_syntax(uid: str) -> bool:
    """Tell whether data sets in a transfer syntax can be taken: the standard's, retired ones included."""
    known = by_uid(uid)
    return known is not None and known.kind == "Transfer Syntax" and uid not in _STRANGE_TRANSFER_SYNTAXES


def supported_contexts(request: A_ASSOCIATE, services: Collection[str] = (VERIFICATION,)) -> list[PresentationContext]:
    """Say what is supported of that which an association request proposes.

    Each SOP Class is taken in the transfer syntax that its sender names first.

    Args:
        request: the request.
        services: SOP Classes that are taken beside storage.
    """
    proposed: dict[str, dict[str, None]] = {}
    for context in request.presentation_context_definition_list:
        sop_class = str(context.abstract_syntax)
        if sop_class in services or is_storage(sop_class):
            takes = _PLAIN.__contains__ if sop_class == STORAGE_COMMITMENT else is_transfer_syntax
            known = filter(takes, map(str, context.transfer_syntax))
            proposed.setdefault(sop_class, {}).update(dict.fromkeys(known))
    # A SOP Class of which we know no transfer syntax is refused for that; an empty list can't be said.
    return [
        build_context(sop_class, list(transfer_syntaxes) or [_IMPLICIT_LITTLE_ENDIAN])
        for sop_class, transfer_syntaxes in proposed.items()
    ]


def storage_items(contexts: Iterable[PresentationContext]) -> dict[UID, SOPClassCommonExtendedNegotiation]:
    """Tell pynetdicom that what isn't verification is storage; by itself it knows no private SOP Classes.

    Source: PS3.7 section D.3.3.6; nothing of it goes to the peer.
    """
    items: dict[UID, SOPClassCommonExtendedNegotiation] = {}
    for context in contexts:
        uid = context.abstract_syntax
        if uid is not None and uid != VERIFICATION:
            item = SOPClassCommonExtendedNegotiation()
            item.sop_class_uid = uid
            item.service_class_uid = UID(_STORAGE_SERVICE_CLASS)
            items[uid] = item
    return items
