"""Several instances per call: one association, an answer for each, and nothing forgotten where it breaks."""

import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.gateway.deliver.dicom import DicomDestination
from karnak.gateway.deliver.messages import COMMAND, MalformedResponse, command_fragments, cut, read_status
from karnak.gateway.deliver.parcel import Delivered, DeliveryError, Parcel, Refused
from karnak.testing.specimen import DEFLATED, EXPLICIT, IMPLICIT, JPEG_BASELINE, encoded, leaf
from tests.gateway.instances import SECONDARY_CAPTURE
from tests.gateway.peers import Peer, Script, accept, answers, peer, read_message, response, serve, wait_for_end

CT = "1.2.840.10008.5.1.4.1.1.2"
ELEMENTS = (leaf("SOPInstanceUID", "2.25.1"), leaf("PatientName", "P^1"), leaf("Rows", 7))


def parcel(number: int = 1, *, sop_class: str = SECONDARY_CAPTURE, syntax: str = EXPLICIT) -> Parcel:
    data_set = encoded(ELEMENTS, syntax) if syntax != JPEG_BASELINE else encoded(ELEMENTS)
    return Parcel((data_set[:9], memoryview(data_set)[9:]), syntax, sop_class, f"2.25.{number}")


def destination(to: Peer, wanted: str | None = None, **timeouts: float) -> DicomDestination:
    return DicomDestination(to.address(**timeouts), 1, wanted)


def test_each_instance_gets_its_own_answer_over_one_association() -> None:
    with peer(answers(0, 0xA700, 0xB000, 0xC123)) as to:
        made = destination(to)
        found = made.deliver([parcel(number) for number in range(4)])
        made.close()
    assert found == [
        Delivered(),
        Refused("the peer answered C-STORE with status A700H (Refused: Out of Resources)"),
        Delivered("the peer answered C-STORE with warning B000H (Coercion of Data Elements)"),
        Refused("the peer answered C-STORE with status C123H (Cannot Understand)"),
    ]
    assert to.connections == 1
    assert made.at_once >= 4


def test_one_association_is_negotiated_from_all_that_waits() -> None:
    asked: list[tuple[str, str]] = []

    def script(connection: socket.socket) -> None:
        asked.extend(accept(connection))
        for _ in range(3):
            connection.sendall(response(read_message(connection)[0], 0))
        wait_for_end(connection)

    with peer(script) as to:
        made = destination(to)
        waiting = [parcel(1, sop_class=CT), parcel(2, syntax=JPEG_BASELINE), parcel(3, syntax=IMPLICIT)]
        assert made.deliver(waiting) == [Delivered()] * 3
        made.close()
    assert to.connections == 1
    assert asked == [
        (CT, EXPLICIT),
        (CT, IMPLICIT),
        (SECONDARY_CAPTURE, JPEG_BASELINE),
        (SECONDARY_CAPTURE, IMPLICIT),
        (SECONDARY_CAPTURE, EXPLICIT),
    ]


def test_what_was_carried_before_is_proposed_after_what_waits() -> None:
    asked: list[list[tuple[str, str]]] = []

    def script(connection: socket.socket) -> None:
        asked.append(accept(connection))
        connection.sendall(response(read_message(connection)[0], 0))
        wait_for_end(connection)

    with peer(script) as to:
        made = destination(to)
        made.deliver([parcel(1, syntax=JPEG_BASELINE)])
        made.deliver([parcel(2, sop_class=CT)])
        made.close()
    assert asked[1] == [(CT, EXPLICIT), (CT, IMPLICIT), (SECONDARY_CAPTURE, JPEG_BASELINE)]


def test_what_an_association_broke_over_is_sent_again_and_what_was_answered_is_not() -> None:
    seen: list[str] = []

    def note(connection: socket.socket, answered: int) -> None:
        accept(connection)
        for _ in range(answered):
            command, _, _ = read_message(connection)
            seen.append(command.AffectedSOPInstanceUID)
            connection.sendall(response(command, 0))
        seen.append(read_message(connection)[0].AffectedSOPInstanceUID)

    with peer(lambda connection: note(connection, 1), lambda connection: note(connection, 2)) as to:
        made = destination(to)
        assert made.deliver([parcel(number) for number in range(3)]) == [Delivered()] * 3
        made.close()
    assert seen[:4] == ["2.25.0", "2.25.1", "2.25.1", "2.25.2"]
    assert to.connections == 2


def test_one_that_peers_die_of_does_not_hold_up_the_others() -> None:
    def script(connection: socket.socket) -> None:
        accept(connection)
        while True:
            command, _, _ = read_message(connection)
            if command.AffectedSOPInstanceUID == "2.25.1":
                return
            connection.sendall(response(command, 0))

    with peer(script) as to:
        made = destination(to)
        found = made.deliver([parcel(number) for number in range(3)])
        made.close()
    assert found == [Delivered(), Refused("the peer closed the connection"), Delivered()]
    # It was tried twice, and the last one needed a third association.
    assert to.connections == 3


def test_a_peer_that_goes_away_leaves_the_rest_for_later() -> None:
    def once(connection: socket.socket) -> None:
        serve(connection, 0)
        to.close()

    with peer(once) as to:
        made = destination(to)
        first, second, third = made.deliver([parcel(number) for number in range(3)])
        assert first == Delivered()
        assert second == third == Refused("no connection: Connection refused")
        with pytest.raises(DeliveryError, match="no connection: Connection refused"):
            made.deliver([parcel(4), parcel(5)])
        made.close()


def test_a_peer_that_falls_silent_leaves_the_rest_for_later() -> None:
    def script(connection: socket.socket) -> None:
        serve(connection, 0)
        wait_for_end(connection)

    with peer(script) as to:
        made = destination(to, response_timeout=0.3)
        found = made.deliver([parcel(number) for number in range(3)])
        made.close()
    assert found == [Delivered(), *[Refused("no answer to C-STORE within 0.3 s")] * 2]
    assert to.connections == 1


def takes_only(*syntaxes: str) -> tuple[Script, list[tuple[str, bytes]]]:
    """A peer that takes a few transfer syntaxes, and notes what it gets in which presentation context."""
    got: list[tuple[str, bytes]] = []

    def script(connection: socket.socket) -> None:
        accept(connection, only=syntaxes)
        while True:
            command, data, _ = read_message(connection)
            got.append((command.AffectedSOPInstanceUID, data))
            connection.sendall(response(command, 0))

    return script, got


@pytest.mark.parametrize("before", [EXPLICIT, IMPLICIT, DEFLATED])
@pytest.mark.parametrize("after", [EXPLICIT, IMPLICIT])
def test_a_peer_gets_the_uncompressed_form_that_it_takes(before: str, after: str) -> None:
    script, got = takes_only(after)
    with peer(script) as to:
        made = destination(to)
        assert made.deliver([parcel(syntax=before)]) == [Delivered()]
        assert made.deliver([parcel(syntax=before)]) == [Delivered()]
        made.close()
    assert got == [("2.25.1", encoded(ELEMENTS, after))] * 2
    assert to.connections == 1


def test_one_that_fits_no_context_is_refused_beside_others() -> None:
    script, got = takes_only(IMPLICIT)
    with peer(script) as to:
        made = destination(to)
        found = made.deliver([parcel(1), parcel(2, syntax=JPEG_BASELINE), parcel(3)])
        made.close()
    refusal = "the peer does not accept Secondary Capture Image Storage in JPEG Baseline (Process 1)"
    assert found == [Delivered(), Refused(refusal), Delivered()]
    assert [uid for uid, _ in got] == ["2.25.1", "2.25.3"]


def test_a_given_transfer_syntax_is_the_only_one() -> None:
    script, got = takes_only(EXPLICIT, IMPLICIT, JPEG_BASELINE)
    with peer(script) as to:
        made = destination(to, IMPLICIT)
        found = made.deliver([parcel(1), parcel(2, syntax=JPEG_BASELINE), parcel(3, syntax=IMPLICIT)])
        made.close()
    refusal = Refused(
        "the instance is in JPEG Baseline (Process 1) and can't be brought into Implicit VR Little Endian"
    )
    assert found == [Delivered(), refusal, Delivered()]
    assert got == [("2.25.1", encoded(ELEMENTS, IMPLICIT)), ("2.25.3", encoded(ELEMENTS, IMPLICIT))]


def test_what_can_not_be_converted_is_refused_and_the_association_goes_on() -> None:
    script, got = takes_only(IMPLICIT)
    broken = Parcel((b"\x08\0\x18\0UI\xff\xff1",), EXPLICIT, SECONDARY_CAPTURE, "2.25.8")
    with peer(script) as to:
        made = destination(to)
        found = made.deliver([parcel(1), broken, parcel(3)])
        made.close()
    assert isinstance(found[1], Refused)
    assert found[1].reason.startswith("the instance can't be brought into Implicit VR Little Endian: ")
    assert [found[0], found[2]] == [Delivered(), Delivered()]
    assert len(got) == 2
    assert to.connections == 1


def test_what_is_no_uid_is_refused_without_a_connection() -> None:
    with peer(answers()) as to:
        made = destination(to)
        found = made.deliver([Parcel((b"",), EXPLICIT, SECONDARY_CAPTURE, "DOE^JANE")])
        made.close()
    assert found == [Refused("the instance's SOP Instance UID is no UID")]
    assert to.connections == 0


def test_more_pieces_than_one_system_call_takes_arrive_in_order() -> None:
    data_set = bytes(range(256)) * 4096
    pieces = tuple(memoryview(data_set)[start : start + 701] for start in range(0, len(data_set), 701))
    messages = []
    done = threading.Event()

    def script(connection: socket.socket) -> None:
        messages.extend(serve(connection, 0, maximum_pdu=3000))
        done.set()
        wait_for_end(connection)

    with peer(script) as to:
        made = destination(to, response_timeout=60)
        assert made.deliver([Parcel(pieces, EXPLICIT, CT, "2.25.1")]) == [Delivered()]
        made.close()
    assert done.wait(10)
    ((_, data, lengths),) = messages
    assert data == data_set
    assert max(lengths) == 3000


def test_an_instance_is_not_converted_because_an_association_is_at_hand() -> None:
    script, got = takes_only(EXPLICIT, IMPLICIT, DEFLATED)
    with peer(script) as to:
        made = destination(to)
        assert made.deliver([parcel(1)]) == [Delivered()]
        assert made.deliver([parcel(2, syntax=DEFLATED)]) == [Delivered()]
        made.close()
    assert to.connections == 2
    assert got == [("2.25.1", encoded(ELEMENTS)), ("2.25.2", encoded(ELEMENTS, DEFLATED))]


def test_small_pieces_are_not_held_back() -> None:
    with peer(answers(0)) as to:
        made = destination(to)
        made.deliver([parcel()])
        ((association, _),) = made._idle
        assert association._line._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        made.close()


@given(st.lists(st.binary(max_size=40), max_size=6), st.integers(8, 64), st.booleans())
def test_pdus_hold_all_bytes_and_none_is_too_long(pieces: list[bytes], maximum: int, is_command: bool) -> None:
    kind = COMMAND if is_command else 0
    data = b"".join(cut([memoryview(piece) for piece in pieces], sum(map(len, pieces)), kind, 5, maximum))
    found, controls = b"", []
    while data:
        length = int.from_bytes(data[2:6])
        assert data[:2] == b"\4\0"
        assert length <= maximum
        assert int.from_bytes(data[6:10]) == length - 4
        assert data[10] == 5
        controls.append(data[11])
        found, data = found + data[12 : 6 + length], data[6 + length :]
    assert found == b"".join(pieces)
    assert controls == [kind] * (len(controls) - 1) + [kind | 2]


@pytest.mark.parametrize(
    "pdu",
    [
        b"\4\0\0\0\0\3\0\0\0",
        b"\4\0\0\0\0\6\0\0\0\1\1\3",
        b"\4\0\0\0\0\6\0\0\0\7\1\3",
        b"\4\0\0\0\0\7\0\0\0\3\1\2x",
    ],
)
def test_fragments_that_are_none_are_refused(pdu: bytes) -> None:
    with pytest.raises(MalformedResponse, match="malformed"):
        command_fragments(memoryview(pdu))


def test_a_response_in_pieces_is_put_together() -> None:
    from pydicom import Dataset

    asked = Dataset()
    asked.MessageID = 9
    whole = response(asked, 0xB007)[12:]
    pdus = [b"\4\0" + (len(part) + 6).to_bytes(4) + (len(part) + 2).to_bytes(4) + bytes([1, control]) + part
            for part, control in ((whole[:11], 1), (whole[11:], 3))]  # fmt: skip
    (first, more), (second, last) = (command_fragments(memoryview(pdu)) for pdu in pdus)
    assert (more, last) == (False, True)
    assert read_status(first + second, 9) == 0xB007
    with pytest.raises(MalformedResponse, match="something else"):
        read_status(first + second, 8)
