"""Finds Study Instance UID (0020,000D) in a data set while it streams by, in constant memory.

Elements before it are skipped by their lengths, sequences of undefined length item by item. What
makes no sense ends the search: whether the data set can be read is for others to say.
Source: PS3.5 sections 7.1 and 7.5, A.4, A.5.
"""

import struct
import zlib
from collections.abc import Generator

from karnak.runtime.encoding import (
    DEFLATED,
    IMPLICIT,
    ITEM,
    ITEM_DELIMITER,
    LONG_VRS,
    SEQUENCE_DELIMITER,
    UNDEFINED_LENGTH,
    Encoding,
    encoding_of,
)
from karnak.runtime.part10 import STUDY_INSTANCE_UID

_LONG_VRS = frozenset(vr.encode("ascii") for vr in LONG_VRS)
_MAXIMUM_UID = 128
_MAXIMUM_DEPTH = 64
_INFLATED_PIECE = 64 << 10

# What the search asks for: so many bytes to look at, or, where negative, so many to pass over.
_Search = Generator[int, bytes, None]


class StudySeeker:
    """Looks into the pieces of one data set.

    Args:
        transfer_syntax_uid: how it is encoded.

    Attributes:
        done: the search has ended.
        study_instance_uid: what was found, or None.
    """

    def __init__(self, transfer_syntax_uid: str) -> None:
        self.done = False
        self.study_instance_uid: str | None = None
        self._encoding = encoding_of(transfer_syntax_uid)
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS) if transfer_syntax_uid in DEFLATED else None
        self._held = bytearray()
        self._search = self._elements(self._encoding, 0)
        self._wanted = next(self._search)

    def feed(self, piece: memoryview) -> None:
        """Look into the next piece; after the end of the search it is ignored."""
        if self._inflater is None:
            self._look(piece)
            return
        left: bytes | memoryview = piece
        try:
            while left and not self.done:
                self._look(memoryview(self._inflater.decompress(left, _INFLATED_PIECE)))
                left = self._inflater.unconsumed_tail
        except zlib.error:
            self.done = True

    def _look(self, piece: memoryview) -> None:
        while piece and not self.done:
            if self._wanted < 0:
                passed = min(-self._wanted, len(piece))
                self._wanted += passed
                piece = piece[passed:]
                if self._wanted == 0:
                    self._go_on(b"")
                continue
            taken = min(self._wanted - len(self._held), len(piece))
            self._held += piece[:taken]
            piece = piece[taken:]
            if len(self._held) == self._wanted:
                found = bytes(self._held)
                self._held.clear()
                self._go_on(found)

    def _go_on(self, found: bytes) -> None:
        try:
            self._wanted = self._search.send(found)
            while self._wanted == 0:
                self._wanted = self._search.send(b"")
        except StopIteration:
            self.done = True

    def _elements(self, encoding: Encoding, depth: int) -> _Search:
        """Go over the elements of the data set, or of an item of undefined length, up to its end."""
        while not self.done:
            header = yield 8
            group, element, length = struct.unpack(encoding.order + "HHI", header)
            tag = group << 16 | element
            if (tag == ITEM_DELIMITER) if depth else (tag > STUDY_INSTANCE_UID or group < 8):
                return
            vr = b"" if encoding.implicit else header[4:6]
            if vr in _LONG_VRS:
                length = struct.unpack(encoding.order + "I", (yield 4))[0]
            elif vr:
                length = struct.unpack(encoding.order + "H", header[6:])[0]
            if tag == STUDY_INSTANCE_UID and not depth:
                if length <= _MAXIMUM_UID:
                    self.study_instance_uid = (yield length).decode("latin-1").strip(" \0")
                return
            if length != UNDEFINED_LENGTH:
                yield -length
            else:
                # What is UN and has no length is implicit little endian inside (PS3.5 section 6.2.2).
                yield from self._items(IMPLICIT if vr == b"UN" else encoding, depth + 1)

    def _items(self, encoding: Encoding, depth: int) -> _Search:
        """Go over the items, or fragments, of an element of undefined length."""
        while not self.done:
            group, element, length = struct.unpack(encoding.order + "HHI", (yield 8))
            tag = group << 16 | element
            if tag == SEQUENCE_DELIMITER:
                return
            if tag != ITEM or depth > _MAXIMUM_DEPTH:
                self.done = True
            elif length == UNDEFINED_LENGTH:
                yield from self._elements(encoding, depth)
            else:
                yield -length
