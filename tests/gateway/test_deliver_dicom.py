"""Delivery by C-STORE: bytes arrive as they are, and no peer can hold us longer than it may."""

import socket
import threading

import pytest

from karnak.gateway.deliver import dicom
from karnak.gateway.deliver.association import Context
from karnak.gateway.deliver.dicom import DicomDestination
from karnak.gateway.deliver.parcel import DeliveryError, Parcel, Refused
from tests.gateway.instances import SECONDARY_CAPTURE
from tests.gateway.peers import (
    ABORT,
    REJECT_CALLED_AE_TITLE,
    Message,
    Peer,
    Script,
    accept,
    answers,
    peer,
    read_message,
    read_pdu,
    response,
    serve,
    wait_for_end,
)

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
JPEG = "1.2.840.10008.1.2.4.50"


BYTES = bytes(range(256)) * 4


def parcel(data_set: bytes = BYTES, sop_class: str = SECONDARY_CAPTURE, syntax: str = EXPLICIT) -> Parcel:
    return Parcel((data_set,), syntax, sop_class, "2.25.1")


def deliver(made: DicomDestination, one: Parcel) -> str | None:
    """Deliver one parcel: its remark, or an error where it was refused."""
    (answer,) = made.deliver((one,))
    if isinstance(answer, Refused):
        raise DeliveryError(answer.reason)
    return answer.remark


def destination(to: Peer, maximum: int = 1, **timeouts: float) -> DicomDestination:
    return DicomDestination(to.address(**timeouts), maximum)


@pytest.mark.parametrize("maximum_pdu", [0, 16382, 4096, 1025, 1 << 30])
@pytest.mark.parametrize("size", [2, 1018, 1020, 200_000])
def test_the_data_set_arrives_to_the_byte_in_pdus_that_the_peer_takes(maximum_pdu: int, size: int) -> None:
    messages: list[Message] = []
    done = threading.Event()

    def script(connection: socket.socket) -> None:
        messages.extend(serve(connection, 0, maximum_pdu=maximum_pdu))
        done.set()
        wait_for_end(connection)

    sent = parcel((bytes(range(256)) * 800)[:size])
    with peer(script) as to:
        made = destination(to)
        assert deliver(made, sent) is None
        made.close()
    assert done.wait(5)
    ((command, data, lengths),) = messages
    assert data == sent.data_set
    assert command.AffectedSOPClassUID == SECONDARY_CAPTURE
    assert command.AffectedSOPInstanceUID == "2.25.1"
    assert command.CommandField == 0x0001
    assert max(lengths) <= (maximum_pdu or 1 << 20)
    # A fragment has an even number of bytes (PS3.8 annex E.2).
    assert not [length for length in lengths if length % 2]


def test_an_association_is_used_again_for_the_same_kind_of_instance() -> None:
    with peer(answers(0, 0, 0, 0)) as to:
        made = destination(to)
        for _ in range(3):
            deliver(made, parcel())
        made.close()
    assert to.connections == 1


def test_another_transfer_syntax_gets_another_association_and_the_limit_holds() -> None:
    released = threading.Event()

    def first(connection: socket.socket) -> None:
        serve(connection, 0)
        with pytest.raises(EOFError):
            read_message(connection)
        released.set()

    with peer(first, answers(0, 0)) as to:
        made = destination(to, maximum=1)
        deliver(made, parcel())
        deliver(made, parcel(syntax=JPEG))
        # With one association allowed, the idle one was released before the next was asked for.
        assert released.is_set()
        made.close()
    assert to.connections == 2


def test_a_new_association_proposes_what_earlier_ones_carried() -> None:
    with peer(answers(0), answers(0, 0, 0, 0)) as to:
        made = destination(to)
        for syntax in (EXPLICIT, JPEG, EXPLICIT, JPEG):
            deliver(made, parcel(syntax=syntax))
        made.close()
    assert to.connections == 2


def test_a_kind_that_a_peer_refuses_is_not_proposed_again() -> None:
    def refuses(connection: socket.socket) -> None:
        accept(connection, result=4)

    with peer(refuses, answers(0, 0)) as to:
        made = destination(to)
        with pytest.raises(DeliveryError, match="does not accept"):
            deliver(made, parcel(syntax=JPEG))
        deliver(made, parcel())
        association, _ = made._idle[0]
        assert list(association.accepted) == [
            Context(SECONDARY_CAPTURE, EXPLICIT),
            Context(SECONDARY_CAPTURE, IMPLICIT),
        ]
        made.close()


def test_an_idle_association_is_released_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dicom, "KEEP_IDLE", 0.1)
    released = threading.Event()

    def script(connection: socket.socket) -> None:
        serve(connection, 0)
        assert read_pdu(connection)[0] == 5
        released.set()

    with peer(script) as to:
        made = destination(to)
        deliver(made, parcel())
        assert released.wait(10)
        made.close()


def test_associations_are_used_in_parallel_up_to_the_limit() -> None:
    together = threading.Barrier(3)

    def script(connection: socket.socket) -> None:
        accept(connection)
        command, _, _ = read_message(connection)
        together.wait(10)
        connection.sendall(response(command, 0))
        wait_for_end(connection)

    with peer(script) as to:
        made = destination(to, maximum=3)
        threads = [threading.Thread(target=deliver, args=(made, parcel())) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert not together.broken
        made.close()
    assert to.connections == 3


def _note_error(made: DicomDestination, errors: list[str]) -> None:
    try:
        deliver(made, parcel())
    except DeliveryError as error:
        errors.append(str(error))


def test_no_more_associations_than_the_limit() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def script(connection: socket.socket) -> None:
        asked.set()
        go_on.wait(10)
        answers(0)(connection)

    errors: list[str] = []
    with peer(script) as to:
        made = destination(to, maximum=1, connect_timeout=10, response_timeout=0.2)
        first = threading.Thread(target=_note_error, args=(made, errors))
        first.start()
        assert asked.wait(10)
        with pytest.raises(DeliveryError, match=r"all 1 associations stayed busy for 0.2 s"):
            deliver(made, parcel())
        go_on.set()
        first.join(10)
        made.close()
    assert errors == []
    assert to.connections == 1


@pytest.mark.parametrize(
    ("status", "remark"),
    [
        (0x0000, None),
        (0xB000, "the peer answered C-STORE with warning B000H (Coercion of Data Elements)"),
        (0xB006, "the peer answered C-STORE with warning B006H (Element Discarded)"),
        (0xB123, "the peer answered C-STORE with warning B123H (Unknown Status)"),
    ],
)
def test_success_and_warnings_are_delivered(status: int, remark: str | None) -> None:
    with peer(answers(status)) as to:
        made = destination(to)
        assert deliver(made, parcel()) == remark
        made.close()


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (0xA700, r"A700H \(Refused: Out of Resources\)"),
        (0xA900, r"A900H \(Data Set Does Not Match SOP Class\)"),
        (0xC123, r"C123H \(Cannot Understand\)"),
        (0x0122, r"0122H \(Refused: SOP Class Not Supported\)"),
        (0x0111, "0111H"),
        (0x1234, r"1234H \(Unknown Status\)"),
        (0xFE00, "FE00H"),
        (0xFF00, "FF00H"),
    ],
)
def test_any_other_status_is_undelivered(status: int, message: str) -> None:
    with peer(answers(status)) as to:
        made = destination(to)
        with pytest.raises(DeliveryError, match=message):
            deliver(made, parcel())
        made.close()


def silent(connection: socket.socket) -> None:
    wait_for_end(connection)


def rejects(connection: socket.socket) -> None:
    read_pdu(connection)
    connection.sendall(REJECT_CALLED_AE_TITLE)


def rejects_strangely(connection: socket.socket) -> None:
    read_pdu(connection)
    connection.sendall(bytes.fromhex("03000000000400010963"))


def aborts_the_request(connection: socket.socket) -> None:
    read_pdu(connection)
    connection.sendall(ABORT)


def closes_at_once(connection: socket.socket) -> None:
    read_pdu(connection)


def answers_nonsense(connection: socket.socket) -> None:
    read_pdu(connection)
    connection.sendall(b"\x02\x00\x00\x00\x00\x4a" + bytes(68) + b"\x21\x00\x00\x02\x01\x00")


def announces_too_much(connection: socket.socket) -> None:
    read_pdu(connection)
    connection.sendall(b"\x02\x00\xff\xff\xff\xff")
    wait_for_end(connection)


def accepts_nothing(connection: socket.socket) -> None:
    accept(connection, result=3)
    wait_for_end(connection)


def accepts_and_is_silent(connection: socket.socket) -> None:
    accept(connection)
    wait_for_end(connection)


def drips(connection: socket.socket) -> None:
    accept(connection)
    command, _, _ = read_message(connection)
    for byte in response(command, 0):
        connection.sendall(bytes([byte]))
        threading.Event().wait(0.1)


def answers_another_message(connection: socket.socket) -> None:
    accept(connection)
    command, _, _ = read_message(connection)
    command.MessageID = 4711
    connection.sendall(response(command, 0))
    wait_for_end(connection)


def answers_with_noise(connection: socket.socket) -> None:
    accept(connection)
    read_message(connection)
    connection.sendall(b"\x04\x00\x00\x00\x00\x0a" + b"\x00\x00\x00\x06\x01\x03\xff\xff\xff\xff")
    wait_for_end(connection)


NOTHING_ACCEPTED = (
    "the peer does not accept Secondary Capture Image Storage in Explicit VR Little Endian, "
    "nor in Implicit VR Little Endian"
)


@pytest.mark.parametrize(
    ("script", "message", "connections"),
    [
        (silent, "no answer to the association request within 0.3 s", 1),
        (rejects, "the association was rejected: called ae title not recognised", 1),
        (rejects_strangely, "the association was rejected: for no reason that the standard knows", 1),
        (aborts_the_request, "the peer aborted the association instead of accepting it", 1),
        (closes_at_once, "the peer closed the connection instead of accepting the association", 1),
        (answers_nonsense, "the peer's answer to the association request is malformed", 1),
        (announces_too_much, "the peer's answer is malformed", 1),
        (accepts_nothing, NOTHING_ACCEPTED, 1),
        (accepts_and_is_silent, "no answer to C-STORE within 0.3 s", 1),
        (drips, "no answer to C-STORE within 0.3 s", 1),
        (answers_another_message, "the peer answered something else than C-STORE", 1),
        (answers_with_noise, "the peer's answer to C-STORE is malformed", 1),
    ],
)
def test_a_peer_that_misbehaves_is_named_in_time(script: Script, message: str, connections: int) -> None:
    with peer(script) as to:
        made = destination(to, connect_timeout=0.3, response_timeout=0.3)
        with pytest.raises(DeliveryError) as caught:
            deliver(made, parcel())
        made.close()
    assert str(caught.value) == message
    assert to.connections == connections


def test_a_peer_that_stops_taking_data_is_left() -> None:
    def stalls(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        accept(connection)
        threading.Event().wait(10)

    with peer(stalls) as to:
        made = destination(to, response_timeout=0.3)
        with pytest.raises(DeliveryError, match=r"the peer stopped taking data for 0.3 s"):
            deliver(made, parcel(bytes(20_000_000)))
        made.close()
    assert to.connections == 1


def dies_in_the_data(connection: socket.socket) -> None:
    accept(connection)
    read_pdu(connection)
    read_pdu(connection)


def dies_before_the_answer(connection: socket.socket) -> None:
    accept(connection)
    read_message(connection)


def aborts_before_the_answer(connection: socket.socket) -> None:
    accept(connection)
    read_message(connection)
    connection.sendall(ABORT)


@pytest.mark.parametrize("script", [dies_in_the_data, dies_before_the_answer, aborts_before_the_answer])
def test_a_peer_that_dies_halfway_is_tried_once_more(script: Script) -> None:
    big = parcel(bytes(1_000_000))
    with peer(script, answers(0)) as to:
        made = destination(to)
        assert deliver(made, big) is None
        made.close()
    assert to.connections == 2
    with peer(script) as to:
        made = destination(to)
        with pytest.raises(DeliveryError, match="the connection broke|the peer (closed|ended)"):
            deliver(made, big)
        made.close()
    assert to.connections == 2


def test_an_association_that_broke_while_idle_is_replaced() -> None:
    closed = threading.Event()

    def once(connection: socket.socket) -> None:
        serve(connection, 0)
        connection.shutdown(socket.SHUT_RDWR)
        closed.set()

    with peer(once, answers(0)) as to:
        made = destination(to)
        deliver(made, parcel())
        assert closed.wait(5)
        deliver(made, parcel())
        made.close()
    assert to.connections == 2


def test_nobody_listens() -> None:
    with peer(silent) as to:
        address = to.address()
    made = DicomDestination(address, 1)
    with pytest.raises(DeliveryError, match="no connection: Connection refused"):
        deliver(made, parcel())


@pytest.mark.parametrize("uid", ["", "not a uid", "1." * 40, "1..2", "1.2\n"])
def test_what_is_no_uid_is_not_sent(uid: str) -> None:
    with peer(accepts_and_is_silent) as to:
        made = destination(to)
        with pytest.raises(DeliveryError, match="the instance's SOP Class UID is no UID"):
            deliver(made, parcel(sop_class=uid))
        with pytest.raises(DeliveryError, match="the instance's SOP Instance UID is no UID"):
            deliver(made, Parcel((BYTES,), EXPLICIT, SECONDARY_CAPTURE, uid))
        made.close()


def test_an_instance_uid_with_zeros_in_front_passes() -> None:
    with peer(answers(0)) as to:
        made = destination(to)
        deliver(made, Parcel((BYTES,), EXPLICIT, "1.2.3", "1.02.840"))
        made.close()


def test_closing_ends_a_delivery_that_waits() -> None:
    reached = threading.Event()
    errors: list[str] = []

    def script(connection: socket.socket) -> None:
        accept(connection)
        read_message(connection)
        reached.set()
        wait_for_end(connection)

    with peer(script) as to:
        made = destination(to, response_timeout=600)
        thread = threading.Thread(target=_note_error, args=(made, errors))
        thread.start()
        assert reached.wait(5)
        made.close()
        thread.join(10)
    assert errors == ["the gateway is being stopped"]
    assert to.connections == 1
