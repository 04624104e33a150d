"""The head of a Part 10 file, read while the file comes in: what must be known before its data set is stored.

Preamble and file meta information are held in memory, up to a limit, and the data set is not.
Source: PS3.10 section 7.1.
"""

import re
import struct
from dataclasses import dataclass

from karnak.errors import KarnakError
from karnak.runtime.encoding import DEFLATED, LONG_VRS

MAXIMUM_HEAD = 64 << 10

_PREFIX = slice(128, 132)
_FIRST = 132
# Group, element, VR, and two bytes that are the length where the VR has a short one (PS3.5 section 7.1.2).
_SHORT = struct.Struct("<HH2s2x")
_SHORT_LENGTH = struct.Struct("<H")
_LENGTH = struct.Struct("<I")
_LONG_VRS = frozenset(vr.encode("ascii") for vr in LONG_VRS)
_GROUP_LENGTH, _SOP_CLASS, _SOP_INSTANCE, _TRANSFER_SYNTAX = 0x0000, 0x0002, 0x0003, 0x0010
_UID = re.compile(r"[0-9][0-9.]{0,63}")


class NotPart10(KarnakError):
    """The bytes are no Part 10 file that says what it is."""


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What a file says of itself before its data set.

    Attributes:
        sop_class_uid: Media Storage SOP Class UID (0002,0002).
        sop_instance_uid: Media Storage SOP Instance UID (0002,0003).
        transfer_syntax_uid: Transfer Syntax UID (0002,0010).
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str


class HeadReader:
    """Takes the pieces of a file until its head is whole.

    Args:
        maximum: bytes that preamble and file meta information may have together.

    Attributes:
        meta: what the head says, once it is whole.
    """

    def __init__(self, maximum: int = MAXIMUM_HEAD) -> None:
        self._maximum = maximum
        self._held = bytearray()
        self._position = _FIRST
        self._found: dict[int, bytes] = {}
        self.meta: FileMeta | None = None

    def feed(self, piece: memoryview) -> list[memoryview]:
        """Take the next piece, while `meta` is None.

        Args:
            piece: bytes of the file; may be used anew afterwards.

        Returns:
            What belongs to the data set, where the head is whole now.

        Raises:
            NotPart10: this is no Part 10 file, its head is too long, or it does not say what it is.
        """
        # The element after the head is looked at, too.
        taken = min(len(piece), self._maximum + _SHORT.size - len(self._held))
        self._held += piece[:taken]
        prefix = self._held[_PREFIX]
        if prefix != b"DICM"[: len(prefix)]:
            raise NotPart10("this is no DICOM Part 10 file: DICM is missing at offset 128")
        if not self._walk():
            if taken < len(piece):
                raise NotPart10(f"the file meta information is longer than {self._maximum} bytes")
            return []
        self.meta = self._read()
        return [view for view in (memoryview(bytes(self._held[self._position :])), piece[taken:]) if view]

    def _walk(self) -> bool:
        """Go over the elements that are there; tell whether those of group 0002 are all."""
        held = self._held
        while self._position + _SHORT.size <= len(held):
            if self._position == self._end_of_deflated():
                return True
            group, element, vr = _SHORT.unpack_from(held, self._position)
            if group != 2:
                return True
            start = self._position + _SHORT.size
            if vr in _LONG_VRS:
                start += _LENGTH.size
                if start > len(held):
                    return False
                length = _LENGTH.unpack_from(held, start - _LENGTH.size)[0]
            else:
                length = _SHORT_LENGTH.unpack_from(held, start - _SHORT_LENGTH.size)[0]
            if start + length > self._maximum:
                raise NotPart10(f"the file meta information is longer than {self._maximum} bytes")
            if start + length > len(held):
                return False
            self._found[element] = bytes(held[start : start + length])
            self._position = start + length
        return False

    def _end_of_deflated(self) -> int | None:
        """Where the head ends as its group length says; deflated bytes may look like an element of group 0002."""
        length = self._found.get(_GROUP_LENGTH, b"")
        if self._text(_TRANSFER_SYNTAX) not in DEFLATED or len(length) != _LENGTH.size:
            return None
        end: int = _FIRST + _SHORT.size + _LENGTH.size + _LENGTH.unpack(length)[0]
        return end

    def _text(self, element: int) -> str:
        return self._found.get(element, b"").decode("latin-1").strip(" \0")

    def _read(self) -> FileMeta:
        uids = [self._text(element) for element in (_SOP_CLASS, _SOP_INSTANCE, _TRANSFER_SYNTAX)]
        if not all(map(_UID.fullmatch, uids)):
            raise NotPart10("the file meta information lacks SOP Class, SOP Instance or transfer syntax, or has no UID")
        return FileMeta(*uids)
