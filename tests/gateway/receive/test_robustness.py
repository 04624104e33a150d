"""Peers that do anything: whatever comes in whatever order, nothing fails inside, and nothing half received stays."""

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karnak.gateway.receive.pdu import RELEASE_RP, RELEASE_RQ, USER_ABORT, p_data, reject
from tests.gateway.receive.door import (
    COMMITMENT,
    CT,
    VERIFICATION,
    Desk,
    Door,
    Sender,
    associate_request,
    command,
    door,
    echo_command,
    limits,
    store_command,
    store_message,
    until,
)

ACTION = command(
    RequestedSOPClassUID=COMMITMENT,
    CommandField=0x0130,
    MessageID=4,
    CommandDataSetType=1,
    RequestedSOPInstanceUID="1.2.840.10008.1.20.1.1",
    ActionTypeID=1,
)
REQUEST = associate_request(CT, VERIFICATION, COMMITMENT)
# What is right in some place, and what is right nowhere.
PIECES = [
    REQUEST,
    store_message(b"abcd" * 50, "1.2.1"),
    store_message(b"abcd" * 50, "1.2.2", maximum_pdu=30),
    b"".join(p_data(1, True, store_command(), 0)),
    b"".join(p_data(1, False, b"wxyz", 0)),
    b"".join(p_data(3, True, echo_command(), 12)),
    b"".join(p_data(5, True, ACTION, 0)),
    b"".join(p_data(5, False, b"nonsense", 0)),
    b"".join(p_data(7, True, echo_command(), 0)),
    RELEASE_RQ,
    RELEASE_RP,
    USER_ABORT,
    reject(1, 1, 1),
    b"\2\0\0\0\0\x44" + bytes(68),
    b"\4\0\0\0\0\0",
    b"\x09\0\0\0\0\0",
]


def quiet(opened: Door) -> None:
    """Nothing failed inside, nobody is left, and nothing that is not whole."""
    # The sender may have gone before anybody has taken its call.
    until(lambda: opened.listener.count == 0 and opened.half_received() == [])
    assert opened.desk.errors == []
    whole = {("1.2.1", b"abcd" * 50), ("1.2.2", b"abcd" * 50), ("1.2.3", b"wxyz"), ("1.2.3", b"abcd" * 50)}
    assert set(opened.stored()) <= whole


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with door(tmp_path_factory.mktemp("data"), limits(artim=0.3, idle=0.3)) as made:
        yield made


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with door(tmp_path_factory.mktemp("data"), limits(artim=0.3, idle=0.3)) as made:
        yield made


@settings(max_examples=150)
@given(st.lists(st.sampled_from(PIECES), max_size=8), st.booleans(), st.integers(0, 5000))
def test_any_sequence(opened: Door, pieces: list[bytes], begins_well: bool, cut: int) -> None:
    stream = (REQUEST if begins_well else b"") + b"".join(pieces)
    with Sender(opened.port) as sender:
        try:
            sender.send(stream[:cut])
            sender.send(stream[cut:])
        except ConnectionError:
            pass
    quiet(opened)


@settings(max_examples=150)
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=4))
def test_any_damage(damaged: Door, at: int, damage: bytes) -> None:
    stream = REQUEST + PIECES[1] + PIECES[5] + RELEASE_RQ
    at %= len(stream)
    with Sender(damaged.port) as sender:
        sender.send(stream[:at] + damage + stream[at + len(damage) :])
    # The sender may have gone before anybody has taken its call: nothing half-received may stay, in the end.
    until(lambda: damaged.listener.count == 0 and damaged.half_received() == [])
    assert damaged.desk.errors == []


def test_half_of_everything(opened: Door) -> None:
    """A peer that goes after each byte of a short association."""
    stream = REQUEST + b"".join(p_data(1, True, store_command(), 0)) + struct.pack(">BxLLBB", 4, 10, 6, 1, 2) + b"wxyz"
    for end in range(len(REQUEST) - 5, len(stream), 3):
        with Sender(opened.port) as sender:
            sender.send(stream[:end])
    quiet(opened)


def test_a_peer_that_reads_nothing(tmp_path: Path) -> None:
    """Answers that nobody takes fill the system's buffers; then the peer is given up, not waited for."""
    echoes = b"".join(p_data(3, True, echo_command(), 0)) * 500
    desk = Desk()
    with door(tmp_path, limits(artim=0.3, idle=0.3), desk=desk) as opened, opened.call() as sender:
        sender.socket.settimeout(5)

        def send_on() -> None:
            while True:
                sender.send(echoes)

        with pytest.raises((ConnectionError, TimeoutError)):
            send_on()
        until(lambda: opened.listener.count == 0)
    assert desk.errors == []
