"""SOP Classes as people name them: by UID, by keyword, by name, or in short."""

import re
from collections.abc import Mapping
from functools import cache

from karnak.standard.uids import RegisteredUid, by_uid, storage_sop_classes

# PS3.5 section 9.1.
_UID = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
_UID_LENGTH = 64
_IMAGES = "1.2.840.10008.5.1.4.1.1."
# Defined terms of Modality (0008,0060) that stand for one SOP Class before all others; PS3.3 section C.7.3.1.1.1.
SHORT_NAMES: Mapping[str, str] = {
    "CR": f"{_IMAGES}1",
    "CT": f"{_IMAGES}2",
    "DX": f"{_IMAGES}1.1",
    "ECG": f"{_IMAGES}9.1.1",
    "ES": f"{_IMAGES}77.1.1",
    "GM": f"{_IMAGES}77.1.2",
    "IO": f"{_IMAGES}1.3",
    "KO": f"{_IMAGES}88.59",
    "MG": f"{_IMAGES}1.2",
    "MR": f"{_IMAGES}4",
    "NM": f"{_IMAGES}20",
    "OP": f"{_IMAGES}77.1.5.1",
    "OPT": f"{_IMAGES}77.1.5.4",
    "PR": f"{_IMAGES}11.1",
    "PT": f"{_IMAGES}128",
    "REG": f"{_IMAGES}66.1",
    "RF": f"{_IMAGES}12.2",
    "RTDOSE": f"{_IMAGES}481.2",
    "RTIMAGE": f"{_IMAGES}481.1",
    "RTPLAN": f"{_IMAGES}481.5",
    "RTSTRUCT": f"{_IMAGES}481.3",
    "SC": f"{_IMAGES}7",
    "SEG": f"{_IMAGES}66.4",
    "SM": f"{_IMAGES}77.1.6",
    "US": f"{_IMAGES}6.1",
    "XA": f"{_IMAGES}12.1",
    "XC": f"{_IMAGES}77.1.4",
}


def _key(name: str) -> str:
    """Make a keyword of a name, for comparison: CTImageStorage of "CT Image Storage"."""
    return re.sub("[^A-Za-z0-9]", "", name.removesuffix(" (Retired)")).casefold()


@cache
def _entries() -> tuple[RegisteredUid, ...]:
    found = [entry for entry in map(by_uid, storage_sop_classes()) if entry is not None and entry.name]
    # Where a retired one has the name of its successor, the successor is meant.
    return tuple(sorted(found, key=lambda entry: not entry.retired))


@cache
def _by_name() -> Mapping[str, str]:
    short = {name.casefold(): uid for name, uid in SHORT_NAMES.items()}
    stems = {_key(re.sub("( Image)? Storage$", "", entry.name)): entry.uid for entry in _entries()}
    return stems | short | {_key(entry.name): entry.uid for entry in _entries()}


def storage_names() -> tuple[str, ...]:
    """The names of all SOP Classes for storage, as PS3.6 has them."""
    return tuple(entry.name for entry in _entries())


def names_with(word: str) -> tuple[str, ...]:
    """The names that have a word in them, of SOP Classes that are not retired."""
    return tuple(e.name for e in _entries() if not e.retired and word.casefold() in e.name.casefold().split())


def sop_class_uid(text: str) -> str | None:
    """Find the UID of a SOP Class.

    Args:
        text: its UID (private ones too), its name, its keyword, either of them without "Image Storage", or the
            modality that stands for it.

    Returns:
        The UID, or None where no SOP Class for storage is called so.
    """
    text = text.strip()
    if len(text) <= _UID_LENGTH and _UID.fullmatch(text):
        known = by_uid(text)
        return text if known is None or known.storage else None
    return _by_name().get(_key(text))
