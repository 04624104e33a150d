"""Transfer syntaxes as people name them: by UID, by name, or by keyword."""

import re
from collections.abc import Mapping
from functools import cache

from karnak.standard.uids import transfer_syntaxes


def _key(name: str) -> str:
    """Make what is compared: explicitvrlittleendian of "Explicit VR Little Endian" and of its keyword."""
    return re.sub("[^a-z0-9]", "", name.casefold())


@cache
def _by_name() -> Mapping[str, str]:
    return {_key(entry.name): entry.uid for entry in transfer_syntaxes()}


def transfer_syntax_uid(text: str) -> str | None:
    """Find the UID of a transfer syntax of the standard.

    Args:
        text: its UID, its name, or its keyword.

    Returns:
        The UID, or None where no transfer syntax is called so.
    """
    text = text.strip()
    return text if any(entry.uid == text for entry in transfer_syntaxes()) else _by_name().get(_key(text))
