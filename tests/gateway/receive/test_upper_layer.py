"""The state table, held against pynetdicom's of the whole standard, and played through with bytes."""

from pathlib import Path
from typing import cast

import pytest
from pynetdicom import fsm

from karnak.gateway.disk import Disk
from karnak.gateway.receive.association import Association
from karnak.gateway.receive.connection import Connection
from karnak.gateway.receive.pdu import RELEASE_RP, RELEASE_RQ, USER_ABORT, p_data
from karnak.gateway.receive.upper_layer import NEXT, READING, TABLE, Event, State
from karnak.gateway.spool import Spool
from tests.gateway.receive.door import VERIFICATION, Desk, Door, Sender, associate_request, door, echo_command, limits

ACCEPT, REJECT = 2, 3
FROM_PEER = (
    Event.ASSOCIATE_AC,
    Event.ASSOCIATE_RJ,
    Event.ASSOCIATE_RQ,
    Event.P_DATA,
    Event.RELEASE_RQ,
    Event.RELEASE_RP,
    Event.ABORT,
    Event.CLOSED,
    Event.INVALID_PDU,
)


def test_every_cell_is_that_of_the_standard() -> None:
    for (event, state), action in TABLE.items():
        assert fsm.TRANSITION_TABLE[(f"Evt{event.value}", f"Sta{state.value}")] == action.value, (event, state)


def test_whatever_a_peer_does_has_a_cell_wherever_it_is_read() -> None:
    assert {(event, state) for event in FROM_PEER for state in READING} <= TABLE.keys()


def test_no_cell_of_the_states_that_read_is_missing() -> None:
    """But what only a requestor can do: ask for an association, and answer as one."""
    ours = {(f"Evt{event.value}", f"Sta{state.value}") for event, state in TABLE}
    theirs = {cell for cell in fsm.TRANSITION_TABLE if cell[1] in {f"Sta{state.value}" for state in READING}}
    assert theirs == ours & theirs


def test_every_state_is_reached_and_left() -> None:
    reached = {NEXT[action] for action in TABLE.values()}
    assert reached == set(State)
    assert {state for _, state in TABLE} == set(State)


AC = b"\2\0\0\0\0\x44" + bytes(68)
RJ = bytes.fromhex("03000000000400010101")
RQ = associate_request(VERIFICATION)
ECHO = b"".join(p_data(1, True, echo_command(), 0))
NONSENSE = b"\x63\0\0\0\0\0"
SHORT = b"\5\0\0\0\0\1\0"
UNEXPECTED = bytes.fromhex("07000000000400000202")
UNRECOGNIZED = bytes.fromhex("07000000000400000201")
INVALID = bytes.fromhex("07000000000400000206")


@pytest.mark.parametrize("first", [AC, RJ, ECHO, RELEASE_RQ, RELEASE_RP, NONSENSE, SHORT])
def test_before_a_request_all_else_is_aborted_by_the_user(first: bytes, tmp_path: Path) -> None:
    with door(tmp_path) as opened, Sender(opened.port) as sender:
        sender.send(first)
        assert sender.pdu() == USER_ABORT


def test_an_abort_or_nothing_before_a_request_ends_it(tmp_path: Path) -> None:
    with door(tmp_path, limits(artim=0.2)) as opened:
        with Sender(opened.port) as sender:
            sender.abort()
            assert sender.is_closed()
        with Sender(opened.port) as sender:
            assert sender.is_closed()


def test_a_request_that_comes_too_slowly_ends_it(tmp_path: Path) -> None:
    with door(tmp_path, limits(artim=0.2)) as opened, Sender(opened.port) as sender:
        sender.send(RQ[:-1])
        assert sender.is_closed()


@pytest.mark.parametrize(
    ("second", "answer"),
    [
        (AC, UNEXPECTED),
        (RJ, UNEXPECTED),
        (RQ, UNEXPECTED),
        (RELEASE_RP, UNEXPECTED),
        (NONSENSE, UNRECOGNIZED),
        (SHORT, INVALID),
        (b"\4\0\0\0\0\0", INVALID),
        (b"\4\0\0\0\0\6\0\0\0\3\1\0", INVALID),
        # A presentation context that nobody has accepted.
        (b"".join(p_data(3, True, echo_command(), 0)), INVALID),
    ],
)
def test_what_an_association_has_no_place_for_is_aborted_by_the_provider(
    second: bytes, answer: bytes, tmp_path: Path
) -> None:
    desk = Desk()
    with door(tmp_path, desk=desk) as opened, opened.call(VERIFICATION) as sender:
        sender.send(second)
        assert sender.pdu() == answer
        desk.wait(lambda: desk.reasons() == ["the peer sent what it must not send"])


def test_a_peer_that_floods_after_an_error_is_read_to_its_end(tmp_path: Path) -> None:
    """A connection that is closed with bytes unread is reset, and takes the A-ABORT with it."""
    with door(tmp_path) as opened, opened.call(VERIFICATION) as sender:
        sender.send(NONSENSE + bytes(4 << 20))
        assert sender.pdu() == UNRECOGNIZED


class Flood:
    """A connection over which comes a request, then as much nonsense as there is room for, five times."""

    def __init__(self) -> None:
        self.rooms: list[int] = []
        self.sent: list[bytes] = []

    def receive_into(self, room: memoryview, deadline: float) -> int:
        self.rooms.append(len(room))
        if len(self.rooms) == 7:
            return 0
        count = len(RQ) if len(self.rooms) == 1 else len(room)
        room[:count] = (RQ if len(self.rooms) == 1 else NONSENSE + bytes(count))[:count]
        return count

    def send(self, data: bytes, deadline: float) -> bool:
        self.sent.append(data)
        return True

    def close(self) -> None:
        pass


def test_there_is_room_for_all_that_floods(tmp_path: Path) -> None:
    flood = Flood()
    spool = Spool(tmp_path, Disk(), "os", lambda: "unused")
    Association(cast(Connection, flood), "127.0.0.1", limits(), lambda caller: None, spool, Desk()).run()
    assert len(flood.rooms) == 7
    assert all(flood.rooms)
    assert flood.sent[1:] == [UNRECOGNIZED]


def test_release(tmp_path: Path) -> None:
    desk = Desk()
    with door(tmp_path, desk=desk) as opened, opened.call(VERIFICATION) as sender:
        assert sender.release() == RELEASE_RP
        # Nothing that comes now matters, but for what needs an A-ABORT again.
        sender.send(ECHO + RELEASE_RQ + RELEASE_RP + AC + RJ)
        sender.send(RQ)
        assert sender.pdu() == UNEXPECTED
        sender.send(NONSENSE)
        assert sender.pdu() == UNRECOGNIZED
    assert desk.events == []


def test_after_a_release_the_peer_has_so_long_to_close(tmp_path: Path) -> None:
    with door(tmp_path, limits(artim=0.2)) as opened, opened.call(VERIFICATION) as sender:
        assert sender.release() == RELEASE_RP
        assert sender.is_closed()


def test_after_an_abort_the_peer_may_abort(tmp_path: Path) -> None:
    with door(tmp_path) as opened, opened.call(VERIFICATION) as sender:
        sender.send(AC + USER_ABORT)
        assert sender.pdu() == UNEXPECTED
        assert sender.is_closed()


@pytest.mark.parametrize("ending", ["abort", "close"])
def test_an_association_that_is_ended_from_outside(ending: str, tmp_path: Path) -> None:
    desk = Desk()
    with door(tmp_path, desk=desk) as opened, opened.call(VERIFICATION) as sender:
        if ending == "abort":
            sender.abort()
        sender.socket.close()
        reason = {"abort": "aborted by the peer", "close": "the connection was lost"}[ending]
        desk.wait(lambda: desk.reasons() == [reason])


def test_silence_is_aborted_by_the_user(tmp_path: Path) -> None:
    desk = Desk()
    with door(tmp_path, limits(idle=0.2), desk=desk) as opened, opened.call(VERIFICATION) as sender:
        assert sender.pdu() == USER_ABORT
        assert desk.reasons() == ["silent for too long"]


def leave(opened: Door, sender: Sender) -> None:
    """Let the process want to end, and hear that it wants to release."""
    opened.desk.draining = True
    for association in opened.listener._associations:
        association.hasten()
    assert sender.pdu() == RELEASE_RQ


def test_a_process_that_ends_releases(tmp_path: Path) -> None:
    desk = Desk()
    with door(tmp_path, desk=desk) as opened, opened.call(VERIFICATION) as sender:
        leave(opened, sender)
        # Data that was on its way: nobody answers it.
        sender.send(ECHO)
        sender.send(RELEASE_RP)
        assert sender.is_closed()
        assert desk.events == []


def test_release_collision(tmp_path: Path) -> None:
    desk = Desk()
    with door(tmp_path, desk=desk) as opened, opened.call(VERIFICATION) as sender:
        leave(opened, sender)
        sender.send(RELEASE_RQ)
        # The acceptor answers only when it was answered.
        sender.send(RELEASE_RP)
        assert sender.pdu() == RELEASE_RP
        sender.socket.close()
    assert desk.events == []


@pytest.mark.parametrize("before", [b"", RELEASE_RQ])
@pytest.mark.parametrize(
    ("then", "answer"), [(AC, UNEXPECTED), (RJ, UNEXPECTED), (RQ, UNEXPECTED), (NONSENSE, UNRECOGNIZED)]
)
def test_nonsense_during_release(before: bytes, then: bytes, answer: bytes, tmp_path: Path) -> None:
    desk = Desk()
    with door(tmp_path, desk=desk) as opened, opened.call(VERIFICATION) as sender:
        leave(opened, sender)
        sender.send(before + then)
        assert sender.pdu() == answer


@pytest.mark.parametrize("then", [ECHO, RELEASE_RQ])
def test_a_collided_release_bears_no_more(then: bytes, tmp_path: Path) -> None:
    desk = Desk()
    with door(tmp_path, desk=desk) as opened, opened.call(VERIFICATION) as sender:
        leave(opened, sender)
        sender.send(RELEASE_RQ + then)
        assert sender.pdu() == UNEXPECTED


@pytest.mark.parametrize("before", [b"", RELEASE_RQ])
def test_a_release_without_answer_is_aborted(before: bytes, tmp_path: Path) -> None:
    desk = Desk()
    with door(tmp_path, limits(artim=0.3), desk=desk) as opened, opened.call(VERIFICATION) as sender:
        leave(opened, sender)
        sender.send(before)
        assert sender.pdu() == USER_ABORT


@pytest.mark.parametrize("before", [b"", RELEASE_RQ])
@pytest.mark.parametrize("how", [USER_ABORT, b""])
def test_a_peer_that_goes_during_release(before: bytes, how: bytes, tmp_path: Path) -> None:
    desk = Desk()
    with door(tmp_path, desk=desk) as opened, opened.call(VERIFICATION) as sender:
        leave(opened, sender)
        sender.send(before + how)
        sender.socket.close()
        desk.wait(desk.reasons)
    assert desk.reasons() == ["aborted by the peer" if how else "the connection was lost"]
