"""A line sends every byte once, whatever the peer takes at a time, and waits for nobody longer than it was told."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karnak.gateway.deliver.line import AssociationLost, Line
from karnak.gateway.deliver.parcel import DeliveryError

RELEASE_RESPONSE = bytes.fromhex("06000000000400000000")


@pytest.fixture
def ends() -> Iterator[tuple[Line, socket.socket]]:
    """A line and its other end; what lies between them holds little."""
    ours, theirs = _pair()
    yield Line(ours), theirs
    ours.close()
    theirs.close()


def _pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    return ours, theirs


@given(st.lists(st.binary(max_size=300) | st.integers(0, 200_000).map(bytes), max_size=8), st.integers(1, 70_000))
@settings(max_examples=25)
def test_every_byte_arrives_once_and_in_order(pieces: list[bytes], bite: int) -> None:
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    received = bytearray()
    wanted = b"".join(pieces)

    def read() -> None:
        while len(received) < len(wanted) and (data := theirs.recv(bite)):
            received.extend(data)

    reader = threading.Thread(target=read)
    reader.start()
    Line(ours).send([memoryview(piece) for piece in pieces], 60)
    ours.shutdown(socket.SHUT_WR)
    reader.join(60)
    ours.close()
    theirs.close()
    assert bytes(received) == wanted


def test_a_peer_that_takes_nothing_is_given_up(ends: tuple[Line, socket.socket]) -> None:
    line, _ = ends
    with pytest.raises(TimeoutError):
        line.send([bytes(100_000_000)], 0.1)


def read(line: Line, deadline: float) -> tuple[int, bytes]:
    kind, pdu = line.read_pdu(deadline)
    return kind, bytes(pdu)


def test_pdus_are_read_one_by_one_however_they_come(ends: tuple[Line, socket.socket]) -> None:
    line, theirs = ends
    other = b"\x04\0" + (5).to_bytes(4) + b"12345"
    theirs.sendall(RELEASE_RESPONSE + other + RELEASE_RESPONSE[:3])
    deadline = time.monotonic() + 60
    assert read(line, deadline) == (6, RELEASE_RESPONSE)
    # What is there beyond it is no silence.
    assert not line.silent()
    assert read(line, deadline) == (4, other)
    with pytest.raises(TimeoutError):
        line.read_pdu(time.monotonic() + 0.1)
    theirs.sendall(RELEASE_RESPONSE[3:])
    assert read(line, deadline) == (6, RELEASE_RESPONSE)
    assert line.silent()
    theirs.close()
    with pytest.raises(AssociationLost, match="the peer closed the connection"):
        line.read_pdu(deadline)
    assert not line.silent()


def test_a_pdu_that_is_announced_too_long_is_not_waited_for(ends: tuple[Line, socket.socket]) -> None:
    line, theirs = ends
    theirs.sendall(b"\x04\0" + ((1 << 20) + 1).to_bytes(4))
    with pytest.raises(DeliveryError, match="malformed"):
        line.read_pdu(time.monotonic() + 60)
