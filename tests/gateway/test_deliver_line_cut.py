"""Peers that reject for every reason, answer with every status, and cut the line or fall silent at every byte."""

import socket
from collections.abc import Callable
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karnak.gateway.deliver.dicom import DicomDestination
from karnak.gateway.deliver.parcel import Delivered, DeliveryError, Parcel, Refused
from tests.gateway.instances import SECONDARY_CAPTURE
from tests.gateway.peers import Peer, accept, answers, peer, read_message, read_pdu, response, wait_for_end

EXPLICIT = "1.2.840.10008.1.2.1"
DATA = bytes(range(256)) * 1200
CLOSED = "the peer closed the connection instead of accepting the association"

# Source and reason of a rejection, and what the standard calls it (PS3.8 table 9-21).
REJECTIONS = {
    (1, 1): "no reason given",
    (1, 2): "application context name not supported",
    (1, 3): "calling ae title not recognised",
    (1, 7): "called ae title not recognised",
    (2, 1): "no reason given",
    (2, 2): "protocol version not supported",
    (3, 1): "temporary congestion",
    (3, 2): "local limit exceeded",
}
# Warnings that C-STORE knows (PS3.4 table B.2-1), and those of any DIMSE service (PS3.7 section C.3).
WARNINGS = {0x0107, 0x0116, *range(0xB000, 0xC000)}
# Failures that the standards name: PS3.7 annex C, PS3.4 table B.2-1.
FAILURES = (0x0105, 0x0106, 0x0110, 0x0111, 0x0112, 0x0113, 0x0114, 0x0115, 0x0117, 0x0118, 0x0119, 0x0120, 0x0121,
            0x0122, 0x0123, 0x0124, 0x0210, 0x0211, 0x0212, 0x0213, *range(0xA700, 0xA800), *range(0xA900, 0xAA00),
            *range(0xC000, 0xD000))  # fmt: skip


def parcel(number: int = 1) -> Parcel:
    return Parcel((DATA[:10], memoryview(DATA)[10:]), EXPLICIT, SECONDARY_CAPTURE, f"2.25.{number}")


def destination(to: Peer, seconds: float = 10) -> DicomDestination:
    return DicomDestination(to.address(connect_timeout=seconds, response_timeout=seconds), 1)


def failure(to: Peer, seconds: float = 10) -> str:
    """What is said of a parcel that was not delivered."""
    made = destination(to, seconds)
    try:
        (answer,) = made.deliver([parcel()])
    except DeliveryError as error:
        return str(error)
    finally:
        made.close()
    assert isinstance(answer, Refused)
    return answer.reason


@pytest.mark.parametrize("result", [1, 2])
@pytest.mark.parametrize(("source", "reason"), REJECTIONS)
def test_each_reason_of_a_rejection_is_named(result: int, source: int, reason: int) -> None:
    def script(connection: socket.socket) -> None:
        read_pdu(connection)
        connection.sendall(pack(">BxLxBBB", 3, 4, result, source, reason))

    with peer(script) as to:
        assert failure(to) == f"the association was rejected: {REJECTIONS[source, reason]}"
    assert to.connections == 1


def asked_for(statuses: list[int]) -> list[Delivered | Refused]:
    """What a peer's statuses mean, over one association as long as it holds."""
    found: list[Delivered | Refused] = []
    with peer(answers(*statuses)) as to:
        made = destination(to)
        for start in range(0, len(statuses), 32):
            small = Parcel((DATA[:10],), EXPLICIT, SECONDARY_CAPTURE, "2.25.1")
            found += made.deliver([small] * len(statuses[start : start + 32]))
        made.close()
    assert to.connections == 1
    return found


def test_no_failure_is_a_delivery() -> None:
    found = asked_for(list(FAILURES))
    for status, answer in zip(FAILURES, found, strict=True):
        assert isinstance(answer, Refused)
        assert answer.reason.startswith(f"the peer answered C-STORE with status {status:04X}H (")


def test_warnings_are_deliveries_with_a_remark() -> None:
    statuses = [0x0107, 0x0116, 0xB000, 0xB006, 0xB007, 0xBFFF]
    found = asked_for(statuses)
    for status, answer in zip(statuses, found, strict=True):
        assert isinstance(answer, Delivered)
        assert answer.remark is not None
        assert answer.remark.startswith(f"the peer answered C-STORE with warning {status:04X}H (")


@settings(max_examples=5)
@given(st.lists(st.integers(0, 0xFFFF), min_size=32, max_size=32))
def test_any_status_is_a_delivery_or_none(statuses: list[int]) -> None:
    delivered = [isinstance(answer, Delivered) for answer in asked_for(statuses)]
    assert delivered == [status == 0 or status in WARNINGS for status in statuses]


class Recorder:
    """Keeps what a script would have sent, to be sent in part."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.sent = b""

    def recv(self, count: int) -> bytes:
        return self._connection.recv(count)

    def sendall(self, data: bytes) -> None:
        self.sent += data


def acceptance(connection: socket.socket) -> bytes:
    """Read an association request, and make the answer to it."""
    recorder = Recorder(connection)
    accept(recorder)  # type: ignore[arg-type]
    return recorder.sent


def refusals_at_each_byte(script: Callable[[socket.socket], bytes], times: int) -> list[str]:
    """Let a peer break off at each byte of what a script makes; what is said of a parcel then.

    Args:
        script: reads what comes before, and makes the bytes.
        times: how often a parcel is sent.
    """
    whole = 0

    def breaks_off(connection: socket.socket) -> None:
        nonlocal whole
        answer = script(connection)
        whole = len(answer)
        connection.sendall(answer[: (to.connections - 1) // times])

    found: list[str] = []
    with peer(breaks_off) as to:
        while not found or len(found) < whole:
            found.append(failure(to))
    assert to.connections == times * whole
    return found


def test_an_acceptance_that_breaks_off_at_any_byte_is_none() -> None:
    found = refusals_at_each_byte(acceptance, 1)
    assert len(found) > 100
    assert set(found) == {CLOSED}


def stored(connection: socket.socket) -> bytes:
    """Take an instance, and make the response."""
    accept(connection)
    return response(read_message(connection)[0], 0)


def test_a_response_that_breaks_off_at_any_byte_is_no_delivery() -> None:
    found = refusals_at_each_byte(stored, 2)
    assert len(found) > 50
    assert set(found) == {"the peer closed the connection"}


@pytest.mark.parametrize("count", [0, 1, 5, 6, 40, -1])
@pytest.mark.parametrize(
    ("script", "message"),
    [(acceptance, "no answer to the association request within 0.2 s"), (stored, "no answer to C-STORE within 0.2 s")],
)
def test_a_peer_that_falls_silent_at_a_byte_is_left(
    script: Callable[[socket.socket], bytes], message: str, count: int
) -> None:
    def falls_silent(connection: socket.socket) -> None:
        connection.sendall(script(connection)[:count])
        wait_for_end(connection)

    with peer(falls_silent) as to:
        assert failure(to, 0.2) == message
    assert to.connections == 1


@settings(max_examples=30)
@given(st.integers(0, len(DATA)))
def test_an_instance_that_breaks_off_at_any_byte_is_sent_again_whole(count: int) -> None:
    taken = []

    def breaks_off(connection: socket.socket) -> None:
        accept(connection)
        left = count
        while left and (got := connection.recv(min(left, 65536))):
            left -= len(got)

    def takes(connection: socket.socket) -> None:
        accept(connection)
        command, data, _ = read_message(connection)
        taken.append(data)
        connection.sendall(response(command, 0))
        wait_for_end(connection)

    with peer(breaks_off, takes) as to:
        made = destination(to)
        assert made.deliver([parcel()]) == [Delivered()]
        made.close()
    assert taken == [DATA]
    assert to.connections == 2
