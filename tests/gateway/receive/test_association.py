"""C-ECHO and C-STORE by a peer that speaks in bytes: what is kept, what is answered, what is thrown away."""

import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karnak.gateway.disk import Disk
from karnak.gateway.receive.admission import Admission
from karnak.gateway.receive.commands import Command
from karnak.gateway.receive.pdu import RELEASE_RP, RELEASE_RQ, USER_ABORT, p_data
from karnak.gateway.receiving import Receiving
from karnak.gateway.route import ForwardNode
from karnak.gateway.route import Sender as Source
from karnak.gateway.spool import Arrival, Spool
from tests.gateway.receive.door import (
    COMMITMENT,
    CT,
    EXPLICIT,
    NOON,
    VERIFICATION,
    Desk,
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

DATA = bytes(range(256)) * 5
CHUNKS = (1, 7, 100, 1000)


def test_echo(tmp_path: Path) -> None:
    with door(tmp_path) as opened, opened.call(CT, VERIFICATION) as sender:
        sender.send(b"".join(p_data(3, True, echo_command(7), 0)))
        assert sender.answer() == Command(0x8030, 7, False, VERIFICATION, status=0)
        assert sender.release() == RELEASE_RP


def test_an_instance_is_safe_before_success(tmp_path: Path) -> None:
    desk = Desk()
    with door(tmp_path, desk=desk) as opened, opened.call() as sender:
        sender.send(store_message(DATA, "1.2.3", message_id=9))
        assert sender.answer() == Command(0x8001, 9, False, CT, "1.2.3", status=0)
        assert opened.stored() == [("1.2.3", DATA)]
        desk.wait(lambda: desk.receipts)
        spool = opened.listener._spool
        assert isinstance(spool, Spool)
        held = spool.open(desk.receipts[0])
        assert held.arrival == Arrival("KARNAK", "CT01", "127.0.0.1", "dimse", CT, "1.2.3", EXPLICIT, NOON)
        held.close()
        assert sender.release() == RELEASE_RP
    assert desk.events == []


class Halting:
    """A spool whose `keep` waits to be let go, or fails."""

    def __init__(self, spool: Spool, halt: Callable[[str], None]) -> None:
        self._spool = spool
        self._halt = halt

    def begin(self, arrival: Arrival) -> Receiving:
        self._halt("begin")
        made = self._spool.begin(arrival)
        halt = self._halt

        class Halted(Receiving):
            __slots__ = ()

            def write(self, piece: bytes | bytearray | memoryview) -> None:
                halt("write")
                super().write(piece)

            def keep(self) -> str:
                halt("keep")
                return super().keep()

        made.__class__ = Halted
        return made


def halting(folder: Path, halt: Callable[[str], None]) -> Halting:
    return Halting(Spool(folder, Disk(), "os", iter(map(str, range(10**6))).__next__), halt)


def test_no_answer_while_it_is_not_safe(tmp_path: Path) -> None:
    let_go, reached = threading.Event(), threading.Event()

    def halt(step: str) -> None:
        if step == "keep":
            reached.set()
            assert let_go.wait(20)

    with door(tmp_path, spool=halting(tmp_path, halt)) as opened, opened.call() as sender:
        sender.send(store_message(DATA))
        assert reached.wait(20)
        sender.socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            sender.socket.recv(1)
        sender.socket.settimeout(20)
        let_go.set()
        assert sender.status() == 0


@pytest.mark.parametrize("step", ["begin", "write", "keep"])
@pytest.mark.parametrize(("error", "status"), [(OSError(28, "x"), 0xA700), (ValueError("SECRET"), 0x0110)])
def test_a_spool_that_fails_costs_one_instance(step: str, error: Exception, status: int, tmp_path: Path) -> None:
    desk, broken = Desk(), [True]

    def halt(now: str) -> None:
        if broken[0] and now == step:
            raise error

    with door(tmp_path, desk=desk, spool=halting(tmp_path, halt)) as opened, opened.call() as sender:
        assert sender.store(DATA, "1.2.3") == status
        assert opened.stored() == []
        assert opened.half_received() == []
        broken[0] = False
        assert sender.store(DATA, "1.2.4") == 0
        assert opened.stored() == [("1.2.4", DATA)]
    assert desk.errors == [error]
    assert "SECRET" not in str(desk.events)
    assert len(desk.receipts) == 1


def test_a_full_disk_refuses_and_lives_on(tmp_path: Path) -> None:
    desk = Desk(full=True)
    with door(tmp_path, desk=desk) as opened, opened.call() as sender:
        assert sender.store(DATA * 100) == 0xA700
        desk.full = False
        assert sender.store(DATA) == 0
        assert opened.stored() == [("1.2.3", DATA)]
        assert sender.release() == RELEASE_RP
    assert desk.reasons() == ["there is no room on the disk"]


def test_a_process_that_ends_refuses_new_instances(tmp_path: Path) -> None:
    desk = Desk()
    with door(tmp_path, desk=desk) as opened, opened.call() as sender:
        desk.draining = True
        assert sender.store(DATA) == 0xA700
        assert opened.stored() == []


def test_an_instance_that_has_begun_is_finished_and_answered(tmp_path: Path) -> None:
    desk = Desk()
    with door(tmp_path, desk=desk) as opened, opened.call() as sender:
        message = store_message(DATA)
        sender.send(message[:-1])
        until(opened.half_received)
        desk.draining = True
        stopping = threading.Thread(target=opened.listener.stop, args=(20,))
        stopping.start()
        sender.socket.settimeout(0.5)
        with pytest.raises(TimeoutError):
            sender.socket.recv(1)
        sender.socket.settimeout(20)
        sender.send(message[-1:])
        assert sender.status() == 0
        assert sender.pdu() == RELEASE_RQ
        sender.send(RELEASE_RP)
        stopping.join(20)
    assert opened.stored() == [("1.2.3", DATA)]


def test_what_is_larger_than_is_taken(tmp_path: Path) -> None:
    desk = Desk()
    with door(tmp_path, limits(maximum_instance=len(DATA)), desk=desk) as opened, opened.call() as sender:
        assert sender.store(DATA + b"\0\0", "1.2.3") == 0xA700
        assert sender.store(DATA, "1.2.4") == 0
        assert opened.stored() == [("1.2.4", DATA)]
        assert opened.half_received() == []
        assert sender.release() == RELEASE_RP
    assert desk.reasons() == ["the instance is larger than is taken here"]


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (b"".join(p_data(1, True, store_command(has_data_set=False), 0)), 0xC000),
        (b"".join(p_data(1, True, store_command(), 0)) + struct.pack(">BxLLBB", 4, 6, 2, 1, 2), 0xC000),
        # Another SOP Class than that of the context, storage or not.
        (store_message(DATA, sop_class="1.2.840.10008.5.1.4.1.1.4"), 0x0122),
        (store_message(DATA, context_id=3), 0x0122),
        (store_message(DATA, context_id=3, sop_class=VERIFICATION), 0x0122),
        (store_message(DATA, context_id=5, sop_class=COMMITMENT), 0x0122),
        (b"".join(p_data(1, True, echo_command(), 0)), 0x0122),
        (store_message(DATA, uid="1.2.3.4.5.6").replace(b"1.2.3.4.5.6", b"../../etc/x"), 0x0117),
        # C-FIND with an identifier.
        (
            b"".join(p_data(1, True, command(CommandField=0x20, MessageID=1, CommandDataSetType=1), 0))
            + b"".join(p_data(1, False, DATA, 0)),
            0x0211,
        ),
    ],
)
def test_refused_requests(message: bytes, status: int, tmp_path: Path) -> None:
    with door(tmp_path) as opened, opened.call(CT, VERIFICATION, COMMITMENT) as sender:
        sender.send(message)
        assert sender.status() == status
        # The association lives on.
        assert sender.store(DATA, "1.2.9") == 0
        assert opened.stored() == [("1.2.9", DATA)]


def test_a_cancel_is_not_answered(tmp_path: Path) -> None:
    with door(tmp_path) as opened, opened.call() as sender:
        cancel = command(CommandField=0x0FFF, MessageIDBeingRespondedTo=1, CommandDataSetType=0x0101)
        sender.send(b"".join(p_data(1, True, cancel, 0)))
        sender.send(b"".join(p_data(3, True, echo_command(5), 0)))
        assert sender.answer().message_id == 5


@pytest.mark.parametrize(
    "message",
    [
        # A data set without a command, a command within a data set, and within a command of another context.
        b"".join(p_data(1, False, DATA, 0)),
        b"".join(p_data(1, True, store_command(), 0)) * 2,
        b"".join(p_data(1, True, store_command(), 0)) + b"".join(p_data(3, False, DATA, 0)),
        next(iter(p_data(1, True, store_command(), 20))) + b"".join(p_data(3, True, echo_command(), 0)),
        next(iter(p_data(1, True, store_command(), 20))) + b"".join(p_data(1, False, DATA, 0)),
        # Command sets that are none, or too long, or answer what nobody asked.
        b"".join(p_data(1, True, b"nonsense", 0)),
        b"".join(list(p_data(1, True, bytes(20000), 1000))[:-1]),
        b"".join(
            p_data(1, True, command(CommandField=0x8001, MessageIDBeingRespondedTo=1, CommandDataSetType=0x0101), 0)
        ),
        b"".join(
            p_data(1, True, command(CommandField=0x8100, MessageIDBeingRespondedTo=1, CommandDataSetType=0x0101), 0)
        ),
    ],
)
def test_who_breaks_the_rules_of_dimse_is_aborted(message: bytes, tmp_path: Path) -> None:
    desk = Desk()
    with door(tmp_path, desk=desk) as opened, opened.call() as sender:
        sender.send(message)
        assert sender.pdu() == USER_ABORT
        assert opened.stored() == []
        assert opened.half_received() == []
    assert desk.reasons() == ["the peer breaks the rules of DIMSE"]


@pytest.mark.parametrize("how", ["abort", "close", "release"])
def test_nothing_stays_of_an_instance_that_breaks_off(how: str, tmp_path: Path) -> None:
    with door(tmp_path) as opened, opened.call() as sender:
        sender.send(store_message(DATA)[:-1] if how == "close" else b"".join(p_data(1, True, store_command(), 0)))
        if how != "close":
            sender.send(struct.pack(">BxLLBB", 4, 10, 6, 1, 0) + b"abcd")
        until(opened.half_received)
        if how == "release":
            assert sender.release() == RELEASE_RP
        if how == "abort":
            sender.abort()
        sender.socket.close()
        until(lambda: not opened.half_received())
        assert opened.stored() == []


def test_a_sender_that_stalls_within_an_instance_is_cut_off(tmp_path: Path) -> None:
    desk = Desk()
    with door(tmp_path, limits(idle=0.2), desk=desk) as opened, opened.call() as sender:
        sender.send(store_message(DATA)[:-1])
        assert sender.pdu() == USER_ABORT
        assert opened.half_received() == []
    assert desk.reasons() == ["silent for too long"]


def test_a_slow_sender_is_waited_for(tmp_path: Path) -> None:
    """In all it takes longer than the limit for silence."""
    with door(tmp_path, limits(idle=1.5)) as opened, opened.call() as sender:
        message = store_message(b"abcd")
        pause = threading.Event()
        for start in range(0, len(message), 12):
            sender.send(message[start : start + 12])
            pause.wait(0.15)
        assert sender.status() == 0
        assert opened.stored() == [("1.2.3", b"abcd")]


@pytest.mark.parametrize("what", [store_message(bytes(5000)), store_message(bytes(5000), maximum_pdu=8), RELEASE_RQ])
def test_a_sender_that_drips_is_cut_off(what: bytes, tmp_path: Path) -> None:
    desk = Desk()
    pause = threading.Event()
    with door(tmp_path, limits(idle=0.5, minimum_rate=1000), desk=desk) as opened, opened.call() as sender:
        sender.socket.setblocking(False)
        with suppress(ConnectionError):
            for byte in what[:-1]:
                sender.socket.sendall(bytes([byte]))
                pause.wait(0.1)
                with suppress(BlockingIOError):
                    assert sender.socket.recv(100) == USER_ABORT
                    break
        desk.wait(desk.reasons)
        until(lambda: opened.half_received() == [])
    assert desk.reasons() == ["too slow"]


def test_a_sender_may_pause_between_messages(tmp_path: Path) -> None:
    pause = threading.Event()
    with door(tmp_path, limits(idle=1.5, minimum_rate=1 << 20)) as opened, opened.call() as sender:
        for number in range(5):
            pause.wait(0.8)
            assert sender.store(b"abcd", f"1.2.{number}") == 0


def test_a_slow_disk_is_not_taken_for_a_silent_sender(tmp_path: Path) -> None:
    def halt(step: str) -> None:
        if step == "keep":
            threading.Event().wait(2)

    with door(tmp_path, limits(idle=1.5), spool=halting(tmp_path, halt)) as opened, opened.call() as sender:
        assert sender.store(DATA) == 0
        threading.Event().wait(0.3)
        assert sender.release() == RELEASE_RP


@pytest.fixture(scope="module")
def stream() -> bytes:
    """An association from request to release, with instances and an echo, cut into PDUs in several ways."""
    made = associate_request(CT, VERIFICATION)
    for number, maximum in enumerate((0, 8, 300)):
        made += store_message(DATA[: 300 + number], f"1.2.{number}", maximum, message_id=number)
    both = store_message(b"wxyz", "1.2.3", message_id=3)
    end = 6 + int.from_bytes(both[2:6], "big")
    command_pdv, data_pdv = both[6:end], both[end + 6 :]
    # A command set and its data set in one PDU.
    made += struct.pack(">BxL", 4, len(command_pdv) + 10) + command_pdv + data_pdv
    return made + b"".join(p_data(3, True, echo_command(4), 9)) + RELEASE_RQ


def play(stream: bytes, cuts: list[int], folder: Path) -> tuple[list[tuple[int | None, int]], list[tuple[str, bytes]]]:
    """Send a stream in pieces, and tell what was answered and what is stored."""
    with door(folder) as opened, Sender(opened.port) as sender:
        bounds = sorted({0, len(stream), *(cut % len(stream) for cut in cuts)})
        for start, end in pairwise(bounds):
            sender.send(stream[start:end])
        assert sender.pdu()[0] == 2
        answers = [sender.answer() for _ in range(5)]
        assert sender.pdu() == RELEASE_RP
        return [(answer.status, answer.message_id) for answer in answers], opened.stored()


EXPECTED = (
    [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4)],
    [("1.2.0", DATA[:300]), ("1.2.1", DATA[:301]), ("1.2.2", DATA[:302]), ("1.2.3", b"wxyz")],
)


def test_byte_by_byte(stream: bytes, tmp_path: Path) -> None:
    assert play(stream, list(range(len(stream))), tmp_path) == EXPECTED


def test_all_at_once(stream: bytes, tmp_path: Path) -> None:
    assert play(stream, [], tmp_path) == EXPECTED


@settings(max_examples=25)
@given(cuts=st.lists(st.integers(0, 10**6), max_size=40))
def test_in_any_pieces(stream: bytes, cuts: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    assert play(stream, cuts, tmp_path_factory.mktemp("spool")) == EXPECTED


def test_answers_are_cut_to_what_the_peer_takes(tmp_path: Path) -> None:
    with door(tmp_path) as opened, opened.call(maximum_pdu=20) as sender:
        sender.send(store_message(DATA, message_id=5))
        assert sender.answer() == Command(0x8001, 5, False, CT, "1.2.3", status=0)


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({"called": "NOBODY"}, "03000000000400010107"),
        ({"calling": "THIEF"}, "03000000000400010103"),
        ({"application_context": "1.2.3"}, "03000000000400010102"),
    ],
)
def test_rejections(options: dict[str, Any], answer: str, tmp_path: Path) -> None:
    admission = Admission((ForwardNode("KARNAK", (Source("CT01", "127.0.0.1"),), ()),))
    with door(tmp_path, admission=admission) as opened:
        with Sender(opened.port) as sender:
            sender.send(associate_request(CT, **options))
            assert sender.pdu() == bytes.fromhex(answer)
        with opened.call() as sender:
            assert sender.release() == RELEASE_RP


def test_another_version_of_the_protocol_is_rejected(tmp_path: Path) -> None:
    request = bytearray(associate_request(CT))
    request[6:8] = b"\0\2"
    with door(tmp_path) as opened, Sender(opened.port) as sender:
        sender.send(bytes(request))
        assert sender.pdu() == bytes.fromhex("03000000000400010202")


def test_a_sender_at_another_address_is_rejected(tmp_path: Path) -> None:
    admission = Admission((ForwardNode("KARNAK", (Source("CT01", "192.0.2.1"),), ()),))
    with door(tmp_path, admission=admission) as opened, Sender(opened.port) as sender:
        sender.send(associate_request(CT))
        assert sender.pdu() == bytes.fromhex("03000000000400010103")


def test_admission_is_replaced_while_associations_last(tmp_path: Path) -> None:
    with door(tmp_path) as opened, opened.call() as old:
        opened.listener.admission = Admission((ForwardNode("OTHER", None, ()),))
        assert old.store(DATA) == 0
        with Sender(opened.port) as sender:
            sender.send(associate_request(CT))
            assert sender.pdu() == bytes.fromhex("03000000000400010107")
        with opened.call(called="OTHER") as new:
            assert new.store(DATA) == 0


@pytest.mark.parametrize("damage", [b"\x10\0\xff\xff", b"\x20\0\0\1\0", b"\x50\0\0\4\x51\0\0\4"])
def test_a_request_that_cannot_be_read_is_aborted(damage: bytes, tmp_path: Path) -> None:
    body = associate_request(CT)[6:74] + damage
    with door(tmp_path) as opened, Sender(opened.port) as sender:
        sender.send(struct.pack(">BxL", 1, len(body)) + body)
        assert sender.pdu() == USER_ABORT


@settings(max_examples=60)
@given(at=st.integers(0, 10**4), byte=st.integers(0, 255))
def test_a_damaged_request_gets_some_answer(at: int, byte: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    request = bytearray(associate_request(CT, VERIFICATION))
    # The header's length apart: the rest would never come.
    request[6 + at % (len(request) - 6)] = byte
    desk = Desk()
    with door(tmp_path_factory.mktemp("spool"), desk=desk) as opened, Sender(opened.port) as sender:
        sender.send(bytes(request))
        assert sender.pdu()[0] in (2, 3, 7)
    assert desk.errors == []


def test_an_instance_larger_than_any_buffer_in_one_fragment(tmp_path: Path) -> None:
    piece = Random(1).randbytes(1 << 20)
    with door(tmp_path, limits(maximum_pdu=0)) as opened, opened.call() as sender:
        sender.send(b"".join(p_data(1, True, store_command(), 0)))
        # One fragment of 20 MiB.
        sender.send(struct.pack(">BxLLBB", 4, 20 * len(piece) + 6, 20 * len(piece) + 2, 1, 2))
        for _ in range(20):
            sender.send(piece)
        assert sender.status() == 0
        (part,) = (tmp_path / "spool" / "ready").iterdir()
        assert part.stat().st_size > 20 * len(piece)
        with part.open("rb") as stored:
            stored.seek(-2 * len(piece), 2)
            assert stored.read() == 2 * piece
