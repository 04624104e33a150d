"""PDUs out of a byte stream, and the short ones that an acceptor sends.

The parser touches no socket: it lends room for bytes, is told how many came, and gives what they hold. A P-DATA-TF
PDU is never waited for: its fragments are handed on piece by piece, as views of the one buffer, so memory doesn't grow
with the length of a PDU or of an instance. Every length is checked before it is believed. Source: PS3.8 section 9.3
and annex E.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

# An association request with all 128 contexts, each in all transfer syntaxes of the standard, has room in it.
BUFFER_SIZE = 1 << 18
# A receive into less room than this is not worth its system call.
_LEAST_ROOM = 1 << 16
_HEADER = struct.Struct(">BxL")
# Item length, presentation context ID, message control header.
_PDV = struct.Struct(">LBB")
_P_DATA_OUT = struct.Struct(">BxLLBB")
_SHORT = struct.Struct(">BxLxBBB")
_COMMAND, _LAST = 1, 2
_SHORT_LENGTH = 4
# Fixed fields of A-ASSOCIATE-RQ and -AC.
_ASSOCIATE_LENGTH = 68


class PduKind(IntEnum):
    """The PDU types."""

    ASSOCIATE_RQ = 1
    ASSOCIATE_AC = 2
    ASSOCIATE_RJ = 3
    P_DATA = 4
    RELEASE_RQ = 5
    RELEASE_RP = 6
    ABORT = 7


# A member of an enumeration takes longer to look up.
_P_DATA = PduKind.P_DATA.value


class AbortReason(IntEnum):
    """Why the service provider aborts (PS3.8 table 9-26)."""

    NOT_SPECIFIED = 0
    UNRECOGNIZED_PDU = 1
    UNEXPECTED_PDU = 2
    INVALID_PARAMETER = 6


class InvalidPdu(Exception):
    """The peer's bytes are no PDUs; nothing more can be read from it.

    Attributes:
        reason: what it is to be told.
    """

    def __init__(self, reason: AbortReason) -> None:
        super().__init__(reason.name)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Pdu:
    """A whole PDU that is not P-DATA-TF.

    Attributes:
        kind: its type.
        data: all its bytes, with the header.
    """

    kind: PduKind
    data: bytes


class Fragment(NamedTuple):
    """A piece of a command set or a data set.

    Attributes:
        context_id: of its presentation context.
        is_command: it belongs to a command set.
        is_last: the command set or data set ends with it.
        data: its bytes; valid until the parser is asked for room again.
    """

    context_id: int
    is_command: bool
    is_last: bool
    data: memoryview


class PduParser:
    """Takes a byte stream apart, however it is cut into pieces.

    Args:
        maximum_pdu: bytes of the longest P-DATA-TF PDU that may come, 0 for any length (PS3.8 annex D.1).
        buffer_size: bytes that are held at most; any other PDU that is longer is refused.
    """

    def __init__(self, maximum_pdu: int, buffer_size: int = BUFFER_SIZE) -> None:
        self._maximum_pdu = maximum_pdu
        self._buffer = memoryview(bytearray(buffer_size))
        self._start = self._end = 0
        # Bytes that are still to come of the P-DATA-TF PDU, and of its fragment, that are being read.
        self._pdu_left = self._fragment_left = 0
        self._in_fragment = False
        self._context_id = self._control = 0

    @property
    def is_empty(self) -> bool:
        """Nothing of a PDU has come that is not all there."""
        return self._start == self._end and not self._pdu_left

    def room(self) -> memoryview:
        """Lend the place where the next bytes go; fragments given before are invalid from now on."""
        if self._start == self._end:
            self._start = self._end = 0
        elif self._start and len(self._buffer) - self._end < _LEAST_ROOM:
            rest = bytes(self._buffer[self._start : self._end])
            self._buffer[: len(rest)] = rest
            self._start, self._end = 0, len(rest)
        return self._buffer[self._end :]

    def received(self, count: int) -> None:
        """Note that so many bytes were put into the room that was lent."""
        self._end += count

    def next(self) -> Pdu | Fragment | None:
        """Give what comes next.

        Returns:
            A PDU, a piece of a fragment, or None when more bytes are needed.

        Raises:
            InvalidPdu: an unknown type or an impossible length.
        """
        # Called for every piece of every instance: one function, with names of its own for what it looks at often.
        while True:
            start, there = self._start, self._end - self._start
            if self._in_fragment:
                left = self._fragment_left
                count = min(left, there)
                if not count and left:
                    return None
                self._start = end = start + count
                self._pdu_left -= count
                self._fragment_left = left = left - count
                self._in_fragment = left > 0
                control = self._control
                is_last = left == 0 and control & _LAST != 0
                return Fragment(self._context_id, control & _COMMAND != 0, is_last, self._buffer[start:end])
            if self._pdu_left:
                if not self._begin_fragment(there):
                    return None
                continue
            if there < _HEADER.size:
                return None
            kind, length = _HEADER.unpack_from(self._buffer, start)
            if kind != _P_DATA:
                return self._whole(kind, length)
            if length < _PDV.size or (self._maximum_pdu and length > self._maximum_pdu):
                raise InvalidPdu(AbortReason.INVALID_PARAMETER)
            self._start = start + _HEADER.size
            self._pdu_left = length

    def _whole(self, kind: int, length: int) -> Pdu | None:
        match kind:
            case PduKind.ASSOCIATE_RQ | PduKind.ASSOCIATE_AC:
                fits = _ASSOCIATE_LENGTH <= length <= len(self._buffer) - _HEADER.size
            case PduKind.ASSOCIATE_RJ | PduKind.RELEASE_RQ | PduKind.RELEASE_RP | PduKind.ABORT:
                fits = length == _SHORT_LENGTH
            case _:
                raise InvalidPdu(AbortReason.UNRECOGNIZED_PDU)
        if not fits:
            raise InvalidPdu(AbortReason.INVALID_PARAMETER)
        end = self._start + _HEADER.size + length
        if end > self._end:
            return None
        data = bytes(self._buffer[self._start : end])
        self._start = end
        return Pdu(PduKind(kind), data)

    def _begin_fragment(self, there: int) -> bool:
        """Read the head of a presentation data value; says whether it was there."""
        if self._pdu_left < _PDV.size:
            raise InvalidPdu(AbortReason.INVALID_PARAMETER)
        if there < _PDV.size:
            return False
        length, self._context_id, self._control = _PDV.unpack_from(self._buffer, self._start)
        # The length counts the context ID and the control header, and not itself.
        self._fragment_left = length - 2
        if self._fragment_left < 0 or self._fragment_left > self._pdu_left - _PDV.size:
            raise InvalidPdu(AbortReason.INVALID_PARAMETER)
        self._start += _PDV.size
        self._pdu_left -= _PDV.size
        self._in_fragment = True
        return True


RELEASE_RQ = _SHORT.pack(PduKind.RELEASE_RQ, _SHORT_LENGTH, 0, 0, 0)
RELEASE_RP = _SHORT.pack(PduKind.RELEASE_RP, _SHORT_LENGTH, 0, 0, 0)
# Source 0: the service user; its reason means nothing (PS3.8 table 9-26).
USER_ABORT = _SHORT.pack(PduKind.ABORT, _SHORT_LENGTH, 0, 0, 0)


def provider_abort(reason: AbortReason) -> bytes:
    """Make an A-ABORT PDU whose source is the service provider (PS3.8 section 9.3.8)."""
    return _SHORT.pack(PduKind.ABORT, _SHORT_LENGTH, 0, 2, reason)


def reject(result: int, source: int, reason: int) -> bytes:
    """Make an A-ASSOCIATE-RJ PDU.

    Args:
        result: 1 for good, 2 for now.
        source: 1 the service user, 2 the provider's ACSE, 3 the provider's presentation functions.
        reason: by source, PS3.8 section 9.3.4.
    """
    return _SHORT.pack(PduKind.ASSOCIATE_RJ, _SHORT_LENGTH, result, source, reason)


def p_data(context_id: int, is_command: bool, data: bytes, maximum_pdu: int) -> Iterator[bytes]:
    """Cut a command set or a data set into P-DATA-TF PDUs of one fragment each.

    Args:
        context_id: of its presentation context.
        is_command: it is a command set.
        data: encoded; of nothing nothing is made.
        maximum_pdu: what the peer takes, at least 8, or 0 for any length.
    """
    # Fragments have an even number of bytes (PS3.8 annex E.1).
    step = (maximum_pdu - _PDV.size) & ~1 if maximum_pdu else max(len(data), 1)
    kind = _COMMAND if is_command else 0
    for start in range(0, len(data), step):
        piece = data[start : start + step]
        last = _LAST if start + step >= len(data) else 0
        head = _P_DATA_OUT.pack(PduKind.P_DATA, len(piece) + _PDV.size, len(piece) + 2, context_id, kind | last)
        yield head + piece
