"""UIDs that DICOM registers: what they name, and which SOP Classes are for storage."""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from karnak.standard import sheet

DICOM_ROOT = "1.2.840.10008"


class RegisteredUid(NamedTuple):
    """A UID of PS3.6 Annex A.

    Attributes:
        uid: without padding.
        kind: what it is: "SOP Class", "Transfer Syntax", "Well-known SOP Instance", ...
        retired: the standard no longer uses it.
        storage: it is a SOP Class whose instances are sent with C-STORE.
        name: as in PS3.6.
    """

    uid: str
    kind: str
    retired: bool
    storage: bool
    name: str


@cache
def _registered() -> Mapping[str, RegisteredUid]:
    rows = (row.split("\t") for row in sheet.read("uids").rows)
    return {uid: RegisteredUid(uid, kind, retired == "R", storage == "S", name)
            for uid, kind, retired, storage, name in rows}  # fmt: skip


def is_registered(uid: str) -> bool:
    """Tell whether a UID is under the root that DICOM registers, 1.2.840.10008; such UIDs identify nobody.

    Args:
        uid: without padding.

    Source: PS3.5 section 9.2, PS3.6 Annex A.
    """
    return uid == DICOM_ROOT or uid.startswith(DICOM_ROOT + ".")


def by_uid(uid: str) -> RegisteredUid | None:
    """Find what a UID names, or None for one that the table doesn't have."""
    return _registered().get(uid)


def uid_name(uid: str) -> str | None:
    """The name of a UID, such as "CT Image Storage", or None for one that the table doesn't have."""
    found = by_uid(uid)
    return None if found is None else found.name


@cache
def storage_sop_classes() -> tuple[str, ...]:
    """All SOP Class UIDs for storage, retired ones too, in the order of the text.

    Source: PS3.4 Annexes B and GG.
    """
    return tuple(entry.uid for entry in _registered().values() if entry.storage)


@cache
def transfer_syntaxes() -> tuple[RegisteredUid, ...]:
    """All transfer syntaxes, retired ones too, in the order of the text."""
    return tuple(entry for entry in _registered().values() if entry.kind == "Transfer Syntax")
