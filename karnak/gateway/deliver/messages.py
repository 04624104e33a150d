"""Messages of C-STORE: the request's command set, how both are cut into PDUs, and the status of the response.

Made by hand, since every instance needs it. Source: PS3.7 sections 6.3.1, 9.3.1 and annex E; PS3.8 section 9.3.5 and
annex E.
"""

import re
import struct
from collections.abc import Sequence

from karnak.gateway.deliver.parcel import Buffer, DeliveryError
from karnak.gateway.receive.commands import InvalidCommand, parse_command

# PDU type of P-DATA-TF, and the message control header (PS3.8 section 9.3.5 and annex E.2).
P_DATA = 4
COMMAND, LAST = 1, 2
_PDV_HEADER = struct.Struct(">BxLLBB")
_ITEM_HEADER = struct.Struct(">LBB")
_ELEMENT = struct.Struct("<HHL")
_NUMBER = struct.Struct("<H")
_C_STORE_RQ, _C_STORE_RSP, _MEDIUM_PRIORITY, _WITH_DATA_SET = 0x0001, 0x8001, 0x0000, 0x0001
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_UID_LENGTH = 64


class MalformedResponse(DeliveryError):
    """What the peer answered is no response to C-STORE."""


def is_uid(text: str) -> bool:
    """Tell whether a text is a UID; zeros in front of a component are wrong, common, and taken everywhere.

    Args:
        text: up to 64 digits and dots (PS3.5 section 9.1).
    """
    return len(text) <= _UID_LENGTH and _UID.fullmatch(text) is not None


def store_request(sop_class_uid: str, sop_instance_uid: str, message_id: int) -> bytes:
    """Encode the command set of a C-STORE-RQ (PS3.7 section 9.3.1.1).

    Args:
        sop_class_uid: Affected SOP Class UID.
        sop_instance_uid: Affected SOP Instance UID.
        message_id: 1 to 65535.
    """
    elements = (
        (0x0002, _uid_value(sop_class_uid)),
        (0x0100, _NUMBER.pack(_C_STORE_RQ)),
        (0x0110, _NUMBER.pack(message_id)),
        (0x0700, _NUMBER.pack(_MEDIUM_PRIORITY)),
        (0x0800, _NUMBER.pack(_WITH_DATA_SET)),
        (0x1000, _uid_value(sop_instance_uid)),
    )
    encoded = b"".join(_ELEMENT.pack(0, element, len(value)) + value for element, value in elements)
    return struct.pack("<HHLL", 0, 0, 4, len(encoded)) + encoded


def _uid_value(uid: str) -> bytes:
    value = uid.encode("ascii")
    return value + b"\0" * (len(value) % 2)


def cut(pieces: Sequence[Buffer], size: int, kind: int, context_id: int, maximum_pdu: int) -> list[Buffer]:
    """Cut a command set or a data set into P-DATA-TF PDUs of one PDV each; nothing is copied.

    Args:
        pieces: its bytes.
        size: how many these are.
        kind: COMMAND, or 0 for a data set.
        context_id: presentation context ID.
        maximum_pdu: bytes of a PDU's value that the peer takes, at least 8.

    Returns:
        Headers and parts of the pieces, in turn.
    """
    step = (maximum_pdu - 6) & ~1
    out: list[Buffer] = []
    full = _PDV_HEADER.pack(P_DATA, step + 6, step + 2, context_id, kind)
    # Bytes that still fit into the PDU that was begun, and bytes that no PDU holds yet.
    room, left = 0, size
    for piece in pieces:
        start, end = 0, len(piece)
        view = piece if isinstance(piece, memoryview) else memoryview(piece)
        while start < end:
            if room == 0:
                room = min(step, left)
                last = room == left
                out.append(_PDV_HEADER.pack(P_DATA, room + 6, room + 2, context_id, kind | LAST) if last else full)
                left -= room
            stop = min(start + room, end)
            out.append(view[start:stop])
            room -= stop - start
            start = stop
    return out or [_PDV_HEADER.pack(P_DATA, 6, 2, context_id, kind | LAST)]


def command_fragments(pdu: memoryview) -> tuple[bytes, bool]:
    """Take what belongs to a command set out of a P-DATA-TF PDU.

    Args:
        pdu: the whole PDU, with its header.

    Returns:
        The fragments, joined, and whether the last one is among them.

    Raises:
        MalformedResponse: its lengths don't fit, or it holds a data set, which no response has.
    """
    found = b""
    position, end = 6, len(pdu)
    while position < end:
        if end - position < _ITEM_HEADER.size:
            raise MalformedResponse("the peer's answer to C-STORE is malformed")
        length, _, control = _ITEM_HEADER.unpack_from(pdu, position)
        if length < 2 or position + 4 + length > end or not control & COMMAND:
            raise MalformedResponse("the peer's answer to C-STORE is malformed")
        found += pdu[position + 6 : position + 4 + length]
        position += 4 + length
        if control & LAST:
            return found, True
    return found, False


def read_status(command: bytes, message_id: int) -> int:
    """Read the status out of the command set of a C-STORE-RSP (PS3.7 section 9.3.1.2).

    Args:
        command: the encoded command set.
        message_id: what it must respond to.

    Raises:
        MalformedResponse: it is none, or responds to something else.
    """
    try:
        response = parse_command(command)
    except InvalidCommand:
        raise MalformedResponse("the peer's answer to C-STORE is malformed") from None
    if response.field != _C_STORE_RSP or response.message_id != message_id or response.status is None:
        raise MalformedResponse("the peer answered something else than C-STORE")
    return response.status
