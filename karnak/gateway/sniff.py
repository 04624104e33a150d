"""Telling what a file is from its first bytes: Part 10, a bare dataset, a DICOMDIR, or not DICOM.

Guessing is strict: a text or an image must never pass for a dataset. Whether the file can be
read to its end is not asked here.
"""

import struct
from dataclasses import dataclass
from enum import StrEnum

from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)

from karnak.standard.dictionary import VRS

# Enough for the file meta information or for a dozen elements.
HEAD_BYTES = 4096
PREAMBLE_BYTES = 128
_MAGIC = b"DICM"
_MEDIA_STORAGE_SOP_CLASS = b"\x02\x00\x02\x00UI"
_UNDEFINED = 0xFFFFFFFF
# VRs whose length takes 32 bits after two reserved bytes (PS3.5 section 7.1.2).
_LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
_ELEMENTS_ENOUGH = 3


class Kind(StrEnum):
    """What a file seems to be."""

    PART10 = "Part 10 file"
    HEADLESS = "Part 10 file without preamble"
    BARE = "bare dataset"
    DICOMDIR = "DICOMDIR"
    OTHER = "not DICOM"


@dataclass(frozen=True, slots=True)
class Guess:
    """What a file seems to be; for a bare dataset, in which transfer syntax."""

    kind: Kind
    transfer_syntax_uid: str | None = None


def sniff(head: bytes, size: int) -> Guess:
    """Tell what a file is.

    Args:
        head: its first HEAD_BYTES bytes, or all there are.
        size: its length in bytes.
    """
    if head[PREAMBLE_BYTES : PREAMBLE_BYTES + len(_MAGIC)] == _MAGIC:
        return Guess(Kind.DICOMDIR if _is_directory(head) else Kind.PART10)
    # File meta information without what should stand before it: its group length or its version.
    if head.startswith((b"\x02\x00\x00\x00UL", b"\x02\x00\x01\x00OB")):
        return Guess(Kind.HEADLESS)
    for syntax in (ExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian):
        if _reads_as(head, size, syntax):
            return Guess(Kind.BARE, str(syntax))
    return Guess(Kind.OTHER)


def _is_directory(head: bytes) -> bool:
    """Tell a media directory by its file meta information (PS3.10 section 8.6)."""
    at = head.find(_MEDIA_STORAGE_SOP_CLASS, PREAMBLE_BYTES)
    if at < 0 or len(head) < at + 8:
        return False
    (length,) = struct.unpack_from("<H", head, at + 6)
    return head[at + 8 : at + 8 + length].rstrip(b"\0 ") == MediaStorageDirectoryStorage.encode("ascii")


def _reads_as(head: bytes, size: int, syntax: str) -> bool:
    """Tell whether the bytes begin like a dataset: group 0008, tags that grow, lengths that fit."""
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    at, last, elements = 0, 0, 0
    while elements < _ELEMENTS_ENOUGH:
        if len(head) < at + 8:
            return elements > 0 and at == size
        group, element = struct.unpack_from(f"{order}HH", head, at)
        tag = group << 16 | element
        if tag <= last or group < 8 or (not elements and group != 8):
            return False
        start, length = at + 8, 0
        if syntax == ImplicitVRLittleEndian:
            (length,) = struct.unpack_from("<I", head, at + 4)
        else:
            vr = head[at + 4 : at + 6].decode("latin-1")
            if vr not in VRS:
                return False
            if vr in _LONG_VRS:
                if len(head) < at + 12:
                    return False
                start, (length,) = at + 12, struct.unpack_from(f"{order}I", head, at + 8)
            else:
                (length,) = struct.unpack_from(f"{order}H", head, at + 6)
        if length == _UNDEFINED:
            return elements > 0
        if length % 2 or start + length > size:
            return False
        at, last, elements = start + length, tag, elements + 1
        if at > len(head):
            return True
    return True
