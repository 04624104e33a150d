"""PDUs come out of a stream the same, however it is cut; what has a wrong length comes out as an error."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.gateway.receive.pdu import (
    BUFFER_SIZE,
    RELEASE_RP,
    RELEASE_RQ,
    USER_ABORT,
    AbortReason,
    Fragment,
    InvalidPdu,
    Pdu,
    PduKind,
    PduParser,
    p_data,
    provider_abort,
    reject,
)

# One fragment: its context, its control header and its bytes, whole.
Told = tuple[int, bool, bool, bytes] | Pdu | AbortReason


def tell(stream: bytes, cuts: list[int], maximum_pdu: int = 0, buffer_size: int = 300) -> list[Told]:
    """What a parser says about a stream that comes in pieces; the pieces of a fragment are put together."""
    parser = PduParser(maximum_pdu, buffer_size)
    told: list[Told] = []
    open_fragment = b""
    ends = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    for start, end in pairwise(ends):
        piece = stream[start:end]
        while piece:
            room = parser.room()
            count = min(len(room), len(piece))
            room[:count] = piece[:count]
            piece = piece[count:]
            parser.received(count)
            try:
                while (found := parser.next()) is not None:
                    if isinstance(found, Pdu):
                        told.append(found)
                        continue
                    open_fragment += bytes(found.data)
                    if not parser._in_fragment:
                        told.append((found.context_id, found.is_command, found.is_last, open_fragment))
                        open_fragment = b""
            except InvalidPdu as error:
                return [*told, error.reason]
    return told


def pdv(context_id: int, control: int, data: bytes) -> bytes:
    return struct.pack(">LBB", len(data) + 2, context_id, control) + data


def pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BxL", kind, len(body)) + body


fragments = st.tuples(st.integers(0, 255), st.integers(0, 3), st.binary(max_size=400))
data_pdus = st.lists(fragments, min_size=1, max_size=4)
others = st.sampled_from(
    [RELEASE_RQ, RELEASE_RP, USER_ABORT, reject(1, 1, 7), pdu(1, bytes(68)), pdu(1, bytes(range(256)) + bytes(38))]
)
cuts = st.lists(st.integers(0, 4000), max_size=30)


@given(st.lists(data_pdus | others, max_size=6), cuts)
def test_every_cut_tells_the_same(pdus: list[list[tuple[int, int, bytes]] | bytes], where: list[int]) -> None:
    stream, expected = b"", list[Told]()
    for one in pdus:
        if isinstance(one, bytes):
            stream += one
            expected.append(Pdu(PduKind(one[0]), one))
        else:
            stream += pdu(4, b"".join(pdv(*fragment) for fragment in one))
            expected += [(context, control & 1 == 1, control & 2 == 2, data) for context, control, data in one]
    assert tell(stream, where) == expected


@given(st.binary(max_size=200) | st.lists(data_pdus, max_size=2).map(repr).map(str.encode), cuts)
def test_every_cut_of_noise_tells_the_same(stream: bytes, where: list[int]) -> None:
    assert tell(stream, where) == tell(stream, [])


@given(st.lists(data_pdus, min_size=1, max_size=3), st.integers(0, 2000), st.integers(0, 255), cuts)
def test_every_cut_of_damage_tells_the_same(
    pdus: list[list[tuple[int, int, bytes]]], at: int, byte: int, where: list[int]
) -> None:
    stream = bytearray(b"".join(pdu(4, b"".join(pdv(*fragment) for fragment in one)) for one in pdus))
    stream[at % len(stream)] = byte
    assert tell(bytes(stream), where) == tell(bytes(stream), [])


def test_byte_by_byte() -> None:
    stream = pdu(4, pdv(3, 0, b"abc") + pdv(3, 2, b"")) + RELEASE_RQ
    assert tell(stream, list(range(len(stream)))) == [
        (3, False, False, b"abc"),
        (3, False, True, b""),
        Pdu(PduKind.RELEASE_RQ, RELEASE_RQ),
    ]


def test_a_fragment_is_handed_on_before_it_is_complete() -> None:
    parser = PduParser(0)
    start = pdu(4, pdv(1, 2, bytes(1000)))[:112]
    room = parser.room()
    room[: len(start)] = start
    parser.received(len(start))
    assert parser.next() == Fragment(1, False, False, memoryview(bytes(100)))
    assert parser.next() is None


def test_pieces_are_views_of_one_buffer() -> None:
    parser = PduParser(0)
    stream = pdu(4, pdv(1, 2, b"abcd"))
    room = parser.room()
    room[: len(stream)] = stream
    parser.received(len(stream))
    found = parser.next()
    assert isinstance(found, Fragment)
    room[12] = ord("x")
    assert bytes(found.data) == b"xbcd"


def test_a_fragment_longer_than_the_buffer_passes_through_it() -> None:
    data = bytes(range(256)) * 40
    assert tell(pdu(4, pdv(1, 3, data)), [], buffer_size=100) == [(1, True, True, data)]


@pytest.mark.parametrize(
    ("stream", "reason"),
    [
        (b"GET / HTTP/1.0\r\n", AbortReason.UNRECOGNIZED_PDU),
        (pdu(0, b""), AbortReason.UNRECOGNIZED_PDU),
        (pdu(8, b""), AbortReason.UNRECOGNIZED_PDU),
        # Short PDUs have four bytes, nothing else.
        (pdu(3, bytes(5)), AbortReason.INVALID_PARAMETER),
        (pdu(5, bytes(3)), AbortReason.INVALID_PARAMETER),
        (pdu(6, bytes(0)), AbortReason.INVALID_PARAMETER),
        (pdu(7, bytes(8)), AbortReason.INVALID_PARAMETER),
        # An association request has its fixed fields, and an end.
        (pdu(1, bytes(67)), AbortReason.INVALID_PARAMETER),
        (pdu(2, bytes(67)), AbortReason.INVALID_PARAMETER),
        (b"\1\0\xff\xff\xff\xff", AbortReason.INVALID_PARAMETER),
        # P-DATA-TF: no item, half an item head, more than is allowed.
        (pdu(4, b""), AbortReason.INVALID_PARAMETER),
        (pdu(4, bytes(5)), AbortReason.INVALID_PARAMETER),
        (pdu(4, pdv(1, 2, bytes(95))), AbortReason.INVALID_PARAMETER),
        # Items: too short for their own head, longer than their PDU, and bytes behind the last.
        (pdu(4, struct.pack(">LBB", 1, 1, 0)), AbortReason.INVALID_PARAMETER),
        (pdu(4, struct.pack(">LBB", 0, 1, 0)), AbortReason.INVALID_PARAMETER),
        (pdu(4, struct.pack(">LBB", 3, 1, 0)), AbortReason.INVALID_PARAMETER),
        (pdu(4, struct.pack(">LBB", 0xFFFFFFFF, 1, 0) + bytes(20)), AbortReason.INVALID_PARAMETER),
    ],
)
def test_wrong_types_and_lengths(stream: bytes, reason: AbortReason) -> None:
    assert tell(stream, list(range(len(stream))), maximum_pdu=100) == [reason]


def test_a_request_longer_than_the_buffer_is_refused_by_its_length() -> None:
    assert tell(pdu(1, bytes(295))[:100], [], buffer_size=300) == [AbortReason.INVALID_PARAMETER]
    assert tell(pdu(1, bytes(294)), [], buffer_size=300) == [Pdu(PduKind.ASSOCIATE_RQ, pdu(1, bytes(294)))]


def test_bytes_behind_the_last_item_are_refused() -> None:
    stream = pdu(4, pdv(1, 2, b"ab") + b"\0\0")
    assert tell(stream, []) == [(1, False, True, b"ab"), AbortReason.INVALID_PARAMETER]


def test_the_longest_pdu_is_what_was_announced() -> None:
    assert tell(pdu(4, pdv(1, 2, bytes(94))), [], maximum_pdu=100) == [(1, False, True, bytes(94))]


def test_room_never_ends() -> None:
    """A request that fills the buffer to its last byte, behind something else, is still read."""
    request = pdu(1, bytes(BUFFER_SIZE - 6))
    assert tell(RELEASE_RQ + request + RELEASE_RQ, [7, 10], buffer_size=BUFFER_SIZE) == [
        Pdu(PduKind.RELEASE_RQ, RELEASE_RQ),
        Pdu(PduKind.ASSOCIATE_RQ, request),
        Pdu(PduKind.RELEASE_RQ, RELEASE_RQ),
    ]


@given(st.binary(min_size=1, max_size=500), st.just(0) | st.integers(8, 600), st.booleans())
def test_what_is_cut_comes_together_again(data: bytes, maximum_pdu: int, is_command: bool) -> None:
    pdus = list(p_data(5, is_command, data, maximum_pdu))
    if maximum_pdu:
        assert all(len(one) - 6 <= maximum_pdu for one in pdus)
    told = tell(b"".join(pdus), [], maximum_pdu)
    assert [one[:3] for one in told if isinstance(one, tuple)] == [
        (5, is_command, number == len(pdus) - 1) for number in range(len(pdus))
    ]
    assert b"".join(one[3] for one in told if isinstance(one, tuple)) == data


def test_short_pdus_are_those_of_the_standard() -> None:
    assert bytes.fromhex("05000000000400000000") == RELEASE_RQ
    assert bytes.fromhex("06000000000400000000") == RELEASE_RP
    assert bytes.fromhex("07000000000400000000") == USER_ABORT
    assert bytes.fromhex("07000000000400000206") == provider_abort(AbortReason.INVALID_PARAMETER)
    assert bytes.fromhex("03000000000400020302") == reject(2, 3, 2)
