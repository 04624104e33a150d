"""What the DIMSE door takes, in pynetdicom's words."""

from collections.abc import Iterable

from pydicom.uid import UID
from pynetdicom.pdu_primitives import A_ASSOCIATE, SOPClassCommonExtendedNegotiation
from pynetdicom.presentation import PresentationContext, build_context

from karnak.gateway.receive.offer import VERIFICATION, is_storage, is_transfer_syntax

_STORAGE_SERVICE_CLASS = "1.2.840.10008.4.2"
_IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"


def supported_contexts(request: A_ASSOCIATE) -> list[PresentationContext]:
    """Say what is supported of that which an association request proposes.

    Each SOP Class is taken in the transfer syntax that its sender names first.
    """
    proposed: dict[str, dict[str, None]] = {}
    for context in request.presentation_context_definition_list:
        sop_class = str(context.abstract_syntax)
        if sop_class == VERIFICATION or is_storage(sop_class):
            known = filter(is_transfer_syntax, map(str, context.transfer_syntax))
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
