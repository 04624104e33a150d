"""Association requests read, and accepted: a few items of bytes, done by hand.

pynetdicom's classes take 20 ms for a request with 128 presentation contexts, which is what dcmtk's storescu sends for
each association; this takes one. Of the user information only the maximum length matters to us: no role but the default
one is taken, and nothing else is negotiated. Source: PS3.8 section 9.3.2 and 9.3.3, annex D.1; PS3.7 annex D.3.3.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from karnak.gateway.receive.pdu import PduKind
from karnak.runtime.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
# Protocol version, called and calling AE titles, behind the header of six bytes.
_FIXED = struct.Struct(">Hxx16s16s32x")
_HEADER_LENGTH = 6
_ITEM = struct.Struct(">BxH")
_LENGTH = struct.Struct(">L")
# Presentation context ID, result.
_CONTEXT = struct.Struct(">BxBx")
_APPLICATION, _PROPOSED, _ANSWERED, _ABSTRACT, _TRANSFER = 0x10, 0x20, 0x21, 0x30, 0x40
_USER, _MAXIMUM_LENGTH, _CLASS, _VERSION = 0x50, 0x51, 0x52, 0x55
_ACCEPTED, _NO_ABSTRACT_SYNTAX, _NO_TRANSFER_SYNTAX = 0, 3, 4
_VERSION_1 = 1
# A P-DATA-TF PDU with two bytes of data; who takes less takes nothing.
_LEAST_PDU = 8


class MalformedRequest(Exception):
    """What came is no association request."""


@dataclass(frozen=True, slots=True)
class Context:
    """An accepted presentation context.

    Attributes:
        sop_class_uid: its abstract syntax.
        transfer_syntax_uid: how data sets in it are encoded.
    """

    sop_class_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A presentation context as it is proposed.

    Attributes:
        context_id: an odd number from 1 to 255.
        sop_class_uid: its abstract syntax.
        transfer_syntax_uids: at least one, in the proposer's order.
    """

    context_id: int
    sop_class_uid: str
    transfer_syntax_uids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """An association request.

    Attributes:
        version_known: it is made in a version of the protocol that we speak.
        called_ae: called AE title, without padding.
        calling_ae: calling AE title, without padding.
        titles: both as they came.
        application_context: its UID.
        proposals: at least one.
        maximum_pdu: bytes of the longest P-DATA-TF PDU that the peer takes, 0 for any length.
    """

    version_known: bool
    called_ae: str
    calling_ae: str
    titles: bytes
    application_context: str
    proposals: tuple[Proposal, ...]
    maximum_pdu: int


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What was agreed on.

    Attributes:
        pdu: the A-ASSOCIATE-AC PDU that says so.
        contexts: the accepted contexts by their IDs.
    """

    pdu: bytes
    contexts: Mapping[int, Context]


def read_request(pdu: bytes) -> Request:
    """Read an association request.

    Args:
        pdu: an A-ASSOCIATE-RQ PDU with its header.

    Raises:
        MalformedRequest: items run over their ends, UIDs are no text, there is no presentation context, or one without
            syntaxes, or two of one ID.
    """
    version, called, calling = _FIXED.unpack_from(pdu, _HEADER_LENGTH)
    application_context, maximum_pdu = "", 0
    proposals: dict[int, Proposal] = {}
    for kind, start, end in _items(pdu, _HEADER_LENGTH + _FIXED.size, len(pdu)):
        if kind == _APPLICATION:
            application_context = _uid(pdu[start:end])
        elif kind == _PROPOSED:
            proposal = _proposal(pdu, start, end)
            if proposal.context_id in proposals:
                raise MalformedRequest
            proposals[proposal.context_id] = proposal
        elif kind == _USER:
            maximum_pdu = _maximum_length(pdu, start, end)
    if not proposals or 0 < maximum_pdu < _LEAST_PDU:
        raise MalformedRequest
    return Request(
        version & _VERSION_1 != 0,
        _title(called),
        _title(calling),
        called + calling,
        application_context,
        tuple(proposals.values()),
        maximum_pdu,
    )


def accept(
    request: Request, is_service: Callable[[str], bool], takes: Callable[[str, str], bool], maximum_pdu: int
) -> Acceptance:
    """Agree on what is taken of that which a request proposes: each context in the first of its transfer syntaxes.

    Args:
        request: as read.
        is_service: tells whether a SOP Class is taken at all.
        takes: tells whether it is taken in a transfer syntax.
        maximum_pdu: bytes of the longest P-DATA-TF PDU that the peer may send, 0 for any length.
    """
    contexts: dict[int, Context] = {}
    answers = []
    for proposal in request.proposals:
        syntaxes = proposal.transfer_syntax_uids
        result, chosen = _NO_ABSTRACT_SYNTAX, syntaxes[0]
        if is_service(proposal.sop_class_uid):
            taken = next((syntax for syntax in syntaxes if takes(proposal.sop_class_uid, syntax)), None)
            result = _NO_TRANSFER_SYNTAX
            if taken is not None:
                result, chosen = _ACCEPTED, taken
                contexts[proposal.context_id] = Context(proposal.sop_class_uid, taken)
        # Of a context that is refused the syntax means nothing, and must be there.
        syntax_item = _item(_TRANSFER, chosen.encode("ascii"))
        answers.append(_item(_ANSWERED, _CONTEXT.pack(proposal.context_id, result) + syntax_item))
    user = (
        _item(_MAXIMUM_LENGTH, _LENGTH.pack(maximum_pdu))
        + _item(_CLASS, IMPLEMENTATION_CLASS_UID.encode("ascii"))
        + _item(_VERSION, IMPLEMENTATION_VERSION_NAME.encode("ascii"))
    )
    body = b"".join(
        (
            _FIXED.pack(_VERSION_1, request.titles[:16], request.titles[16:]),
            _item(_APPLICATION, APPLICATION_CONTEXT.encode("ascii")),
            *answers,
            _item(_USER, user),
        )
    )
    return Acceptance(struct.pack(">BxL", PduKind.ASSOCIATE_AC, len(body)) + body, contexts)


def _items(pdu: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Give the items between two places: the type of each, and where its content begins and ends."""
    while start < end:
        if end - start < _ITEM.size:
            raise MalformedRequest
        kind, length = _ITEM.unpack_from(pdu, start)
        start += _ITEM.size
        if length > end - start:
            raise MalformedRequest
        yield kind, start, start + length
        start += length


def _proposal(pdu: bytes, start: int, end: int) -> Proposal:
    if end - start < _CONTEXT.size:
        raise MalformedRequest
    context_id = pdu[start]
    abstract, transfer = "", []
    for kind, first, last in _items(pdu, start + _CONTEXT.size, end):
        if kind == _ABSTRACT:
            abstract = _uid(pdu[first:last])
        elif kind == _TRANSFER:
            transfer.append(_uid(pdu[first:last]))
    if context_id % 2 == 0 or not abstract or not transfer or not all(transfer):
        raise MalformedRequest
    return Proposal(context_id, abstract, tuple(transfer))


def _maximum_length(pdu: bytes, start: int, end: int) -> int:
    """The peer's maximum length, or 0 where it names none."""
    found = 0
    for kind, first, last in _items(pdu, start, end):
        if kind == _MAXIMUM_LENGTH:
            if last - first != _LENGTH.size:
                raise MalformedRequest
            (found,) = _LENGTH.unpack_from(pdu, first)
    return found


def _uid(value: bytes) -> str:
    try:
        return value.rstrip(b"\0 ").decode("ascii")
    except UnicodeDecodeError:
        raise MalformedRequest from None


def _title(value: bytes) -> str:
    return value.decode("latin-1").strip(" \0")


def _item(kind: int, content: bytes) -> bytes:
    return _ITEM.pack(kind, len(content)) + content
