"""What the DIMSE door takes: every storage SOP Class, known or not, in every transfer syntax of the standard.

Beside storage it takes C-ECHO and requests for Storage Commitment.
"""

from karnak.standard.uids import by_uid, is_registered

VERIFICATION = "1.2.840.10008.1.1"
STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"
# What is no image is not compressed either.
_PLAIN = frozenset({"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"})
_STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."
# Retired transfer syntaxes that no longer are data sets as PS3.5 knows them: MIME, XML and Papyrus.
_STRANGE_TRANSFER_SYNTAXES = frozenset({"1.2.840.10008.1.2.6.1", "1.2.840.10008.1.2.6.2", "1.2.840.10008.1.20"})


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


def is_service(sop_class_uid: str) -> bool:
    """Tell whether a SOP Class is taken at all."""
    return sop_class_uid in (VERIFICATION, STORAGE_COMMITMENT) or is_storage(sop_class_uid)


def takes(sop_class_uid: str, transfer_syntax_uid: str) -> bool:
    """Tell whether a SOP Class that is a service is taken in a transfer syntax."""
    if sop_class_uid == STORAGE_COMMITMENT:
        return transfer_syntax_uid in _PLAIN
    return is_transfer_syntax(transfer_syntax_uid)
