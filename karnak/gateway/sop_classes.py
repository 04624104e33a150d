"""SOP Classes as people name them in a configuration: by UID, by keyword or by name."""

import re
from collections.abc import Mapping
from functools import cache

from karnak.standard.uids import by_uid, storage_sop_classes

# PS3.5 section 9.1.
_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
_UID_LENGTH = 64


def _key(name: str) -> str:
    """Make a keyword of a name, for comparison: CTImageStorage of "CT Image Storage"."""
    return re.sub("[^A-Za-z0-9]", "", name.removesuffix(" (Retired)")).casefold()


@cache
def _by_name() -> Mapping[str, str]:
    return {_key(entry.name): entry.uid for entry in map(by_uid, storage_sop_classes()) if entry is not None}


def storage_names() -> tuple[str, ...]:
    """The names of all SOP Classes for storage, as PS3.6 has them."""
    return tuple(entry.name for entry in map(by_uid, storage_sop_classes()) if entry is not None and entry.name)


def sop_class_uid(text: str) -> str | None:
    """Find the UID of a SOP Class.

    Args:
        text: its UID (private ones too), its name or its keyword.

    Returns:
        The UID, or None where no SOP Class for storage is called so.
    """
    text = text.strip()
    if len(text) <= _UID_LENGTH and _UID.fullmatch(text):
        known = by_uid(text)
        return text if known is None or known.storage else None
    return _by_name().get(_key(text))
