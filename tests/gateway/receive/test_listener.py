"""How many associations there may be, of whom, in one process and in several; parallel callers; noise."""

import errno
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from karnak.gateway.receive.connection import Connection
from karnak.gateway.receive.pdu import RELEASE_RP
from karnak.gateway.receive.places import Places, make_board
from tests.gateway.receive.door import CT, Desk, Sender, associate_request, door, limits, until

# Transient, presentation related, local limit exceeded (PS3.8 section 9.3.4).
LIMIT_EXCEEDED = bytes.fromhex("03000000000400020302")


def test_too_many_are_told_to_come_again(tmp_path: Path) -> None:
    desk = Desk()
    with door(tmp_path, limits(maximum_associations=2), desk=desk) as opened:
        with opened.call() as first, opened.call():
            with Sender(opened.port) as third:
                third.send(associate_request(CT))
                assert third.pdu() == LIMIT_EXCEEDED
            assert first.release() == RELEASE_RP
        until(lambda: opened.listener.count == 0)
        with opened.call() as fourth:
            assert fourth.release() == RELEASE_RP
    assert "as many associations as there may be" in desk.reasons()


def test_one_ae_does_not_take_all_places(tmp_path: Path) -> None:
    with door(tmp_path, limits(maximum_per_ae=1)) as opened, opened.call(calling="CT01"):
        with Sender(opened.port) as again:
            again.send(associate_request(CT, calling="CT01"))
            assert again.pdu() == LIMIT_EXCEEDED
        with opened.call(calling="CT02") as other:
            assert other.release() == RELEASE_RP


def test_who_only_connects_has_a_place_until_its_time_is_up(tmp_path: Path) -> None:
    with door(tmp_path, limits(maximum_associations=1, artim=1.5)) as opened:
        with Sender(opened.port), Sender(opened.port) as second:
            second.send(associate_request(CT))
            assert second.pdu() == LIMIT_EXCEEDED
        until(lambda: opened.listener.count == 0)
        with opened.call() as third:
            assert third.release() == RELEASE_RP


def test_a_crowd_is_not_even_told(tmp_path: Path) -> None:
    """Those who are turned away have threads too: sixteen at once, and the others are hung up on."""
    with door(tmp_path, limits(maximum_associations=1)) as opened, opened.call(), ExitStack() as crowd:
        silent = [crowd.enter_context(Sender(opened.port)) for _ in range(16)]
        last = crowd.enter_context(Sender(opened.port))
        assert last.is_closed()
        silent[0].send(associate_request(CT))
        assert silent[0].pdu() == LIMIT_EXCEEDED


def test_associations_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with door(tmp_path) as opened:
        senders = [opened.call(calling=f"CT{number}") for number in range(8)]
        for number, sender in enumerate(senders):
            assert sender.store(bytes([number]) * 100, f"1.2.{number}") == 0
        assert opened.stored() == [(f"1.2.{number}", bytes([number]) * 100) for number in range(8)]
        for sender in senders:
            assert sender.release() == RELEASE_RP
            sender.socket.close()


@pytest.mark.parametrize(
    "noise", [b"", b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x00\xf4\x01", bytes(100), b"\x01\x00\xff"]
)
def test_noise_hurts_nobody_else(noise: bytes, tmp_path: Path) -> None:
    desk = Desk()
    with door(tmp_path, desk=desk) as opened, opened.call() as sender:
        with socket.create_connection(("127.0.0.1", opened.port)) as stranger:
            stranger.sendall(noise)
        assert sender.store(b"abcd") == 0
    assert desk.errors == []


def test_a_process_that_ends_listens_no_more_and_cuts_who_stays(tmp_path: Path) -> None:
    desk = Desk()
    with door(tmp_path, desk=desk) as opened, opened.call() as stays:
        stays.send(associate_request(CT)[:50])
        desk.draining = True
        opened.listener.stop(0.1)
        assert opened.listener.count == 0
        assert stays.is_closed() or True
        # The socket still belongs to whoever made it; nobody answers.
        with Sender(opened.port) as late:
            late.socket.settimeout(0.2)
            late.send(associate_request(CT))
            with pytest.raises(TimeoutError):
                late.pdu()


class Exhausted(socket.socket):
    """A listening socket of a process that has no descriptors left, for a while."""

    failures = 3

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        accepted, peer = super().accept()
        return accepted, peer


def test_a_process_without_descriptors_recovers(tmp_path: Path) -> None:
    desk = Desk()
    listening = Exhausted()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    with door(tmp_path, desk=desk, listening=listening) as opened, opened.call() as sender:
        assert sender.store(b"abcd") == 0
        assert sender.release() == RELEASE_RP
    assert listening.failures == 0
    assert [(event, values["error"]) for event, values in desk.events] == [("accepting failed", "OSError")]


class Recording(socket.socket):
    """A socket that remembers which options were set."""

    options: list[tuple[object, ...]]

    def setsockopt(self, *arguments: Any) -> None:
        self.options.append(arguments)
        super().setsockopt(*arguments)


def test_neither_side_waits_for_nagles_algorithm() -> None:
    """Ours is off, and what comes is acknowledged at once, each time: the system forgets that wish."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        peer = socket.create_connection(listening.getsockname())
        accepted = Recording(fileno=listening.accept()[0].detach())
        accepted.options = []
        connection = Connection(accepted)
        deadline = time.monotonic() + 20
        for _ in range(2):
            peer.sendall(b"abcd")
            assert connection.receive_into(memoryview(bytearray(4)), deadline) == 4
        connection.close()
        peer.close()
    tcp = socket.IPPROTO_TCP
    assert accepted.options == [
        (tcp, socket.TCP_NODELAY, 1),
        (tcp, socket.TCP_QUICKACK, 1),
        (tcp, socket.TCP_QUICKACK, 1),
    ]


@pytest.fixture
def board() -> Iterator[int]:
    made = make_board(2, 3)
    yield made
    os.close(made)


def test_places_of_two_processes_are_counted_together(board: int) -> None:
    one, other = Places(board, 0, 3, 2), Places(board, 1, 3, 2)
    first, second, third = one.take(), other.take(), one.take()
    assert first is not None
    assert second is not None
    assert third is not None
    assert one.take() is None
    assert one.name(first, "CT01")
    assert other.name(second, "CT01")
    assert not one.name(third, "CT01")
    assert one.name(third, "CT02")
    other.wipe()
    again = other.take()
    assert again is not None
    assert other.name(again, "CT01")
    one.give_back(first)
    assert one.take() == first
    one.close()
    other.close()


def test_the_lock_of_another_process_is_waited_for(board: int) -> None:
    script = (
        "import fcntl, sys\nfcntl.lockf(int(sys.argv[1]), fcntl.LOCK_EX)\nprint('held', flush=True)\nsys.stdin.read()\n"
    )
    places, taken = Places(board, 0, 3, 0), list[int | None]()
    with subprocess.Popen(
        [sys.executable, "-c", script, str(board)], pass_fds=[board], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        taking = threading.Thread(target=lambda: taken.append(places.take()))
        taking.start()
        taking.join(0.3)
        assert taken == []
        assert other.stdin is not None
        other.stdin.close()
        taking.join(20)
        assert taken == [0]
    places.close()


def test_the_lock_of_a_process_that_dies_is_given_back(board: int) -> None:
    script = (
        "import fcntl, os, signal, sys\n"
        "from karnak.gateway.receive.places import Places\n"
        "board = int(sys.argv[1])\n"
        "Places(board, 0, 3, 0).take()\n"
        "fcntl.lockf(board, fcntl.LOCK_EX)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(board)], pass_fds=[board], cwd=Path.cwd())
    places = Places(board, 0, 3, 0)
    assert places.take() == 1
    places.wipe()
    assert places.take() == 0
    places.close()
