"""Receiver processes: several on one port, killed, started again, drained, and never without their gateway."""

import errno
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

from karnak.gateway.journal import Value
from karnak.gateway.listening import PortTaken, port_taken
from karnak.gateway.receive.admission import Admission, Limits
from karnak.gateway.receive.channel import Channel
from karnak.gateway.receive.commitment import Reporter, Transaction
from karnak.gateway.receive.pdu import RELEASE_RP, RELEASE_RQ, p_data
from karnak.gateway.receive.places import make_board
from karnak.gateway.receive.process import Settings
from karnak.gateway.receive.relay import Relay
from karnak.gateway.receive.supervisor import Receivers, listen
from karnak.gateway.receive.tls import TlsFiles
from karnak.gateway.route import Caller, ForwardNode
from karnak.gateway.route import Sender as Source
from tests.gateway.receive.commitments import action, encoded, information
from tests.gateway.receive.door import (
    ANYONE,
    COMMITMENT,
    CT,
    EXPLICIT,
    Sender,
    associate_request,
    limits,
    store_command,
    store_message,
    until,
)
from tests.gateway.receive.house import House, house
from tests.system.programs import environment

LIMIT_EXCEEDED = bytes.fromhex("03000000000400020302")
# None of them is needed to receive, and each costs memory in every process.
NOT_NEEDED = {
    "pynetdicom",
    "numba",
    "sqlalchemy",
    "starlette",
    "uvicorn",
    "lark",
    "pydantic",
    "yaml",
    "httpx",
    "click",
    "rich",
}


def test_instances_come_in_by_several_processes(tmp_path: Path) -> None:
    with house(tmp_path, processes=2) as gateway:
        assert len(set(gateway.running.process_ids)) == 2
        senders = [gateway.call(calling=f"CT{number}") for number in range(6)]
        assert gateway.running.associations == 6
        for number, sender in enumerate(senders):
            assert sender.store(bytes([number]) * 50, f"1.2.{number}") == 0
        for sender in senders:
            assert sender.release() == RELEASE_RP
            sender.socket.close()
        assert gateway.content() == [(f"1.2.{number}", bytes([number]) * 50) for number in range(6)]
        gateway.wait(lambda: len(gateway.receipts) == 6)
        assert gateway.size == 300
        until(lambda: gateway.running.associations == 0)
    assert gateway.events == []


def test_the_limit_holds_for_all_processes_together(tmp_path: Path) -> None:
    with house(tmp_path, 2, limits(maximum_associations=3)) as gateway:
        senders = [gateway.call() for _ in range(3)]
        with Sender(gateway.port) as more:
            more.send(associate_request(CT))
            assert more.pdu() == LIMIT_EXCEEDED
        senders[0].socket.close()
        until(lambda: gateway.running.associations == 2)
        with gateway.call() as again:
            assert again.store(b"abcd") == 0
        for sender in senders:
            sender.socket.close()


def test_what_the_gateway_says_holds_from_then_on(tmp_path: Path) -> None:
    with house(tmp_path) as gateway, gateway.call() as sender:
        gateway.running.say_full(True)
        until(lambda: sender.store(b"abcd") == 0xA700)
        gateway.wait(lambda: gateway.refusals)
        gateway.running.say_full(False)
        until(lambda: sender.store(b"abcd") == 0)
        gateway.running.admit(Admission((ForwardNode("OTHER", None, ()),)))

        def is_let_in() -> bool:
            with Sender(gateway.port) as new:
                new.send(associate_request(CT, called="OTHER"))
                return new.pdu()[0] == 2

        until(is_let_in)
        with Sender(gateway.port) as new:
            new.send(associate_request(CT))
            assert new.pdu() == bytes.fromhex("03000000000400010107")
        gateway.wait(lambda: "association rejected" in gateway.names())
    assert {"request refused", "association rejected"} <= set(gateway.names())


def test_a_receiver_that_is_killed_is_started_again(tmp_path: Path) -> None:
    with house(tmp_path) as gateway:
        (first,) = gateway.running.process_ids
        with gateway.call() as sender:
            assert sender.store(b"safe", "1.2.1") == 0
            sender.send(store_message(bytes(100_000), "1.2.2")[:-1])
            until(gateway.half_received)
            os.kill(first, signal.SIGKILL)
            assert sender.is_closed()
        gateway.wait(lambda: gateway.events == [("receiver died", {"status": "signal 9"})])
        gateway.wait(lambda: gateway.deaths == 1)
        # Callers wait in the system's queue until it is back; its place on the board is free again.
        with gateway.call() as sender:
            assert sender.store(b"also", "1.2.3") == 0
            assert gateway.running.associations == 1
        assert gateway.running.process_ids != [first]
        assert gateway.half_received() == []
        assert gateway.content() == [("1.2.1", b"safe"), ("1.2.3", b"also")]


def test_one_that_dies_leaves_the_others_alone(tmp_path: Path) -> None:
    with house(tmp_path, processes=2) as gateway:
        with gateway.call() as sender:
            sender.send(store_message(b"abcd")[:-1])
            until(gateway.half_received)
            (part,) = gateway.half_received()
            holder = next(pid for pid in gateway.running.process_ids if _has_open(pid, part))
            (other,) = set(gateway.running.process_ids) - {holder}
            os.kill(other, signal.SIGKILL)
            gateway.wait(lambda: gateway.names() == ["receiver died"])
            # The new one has tidied the spool.
            until(lambda: gateway.running._ready == 3)
            sender.send(store_message(b"abcd")[-1:])
            assert sender.status() == 0
        assert gateway.content() == [("1.2.3", b"abcd")]


def _has_open(pid: int, path: Path) -> bool:
    return any(entry.resolve() == path for entry in Path(f"/proc/{pid}/fd").iterdir())


def test_an_instance_that_has_begun_is_finished_before_the_end(tmp_path: Path) -> None:
    with house(tmp_path) as gateway, gateway.call() as sender, gateway.call() as idle:
        message = store_message(b"abcd" * 1000)
        sender.send(message[:-1])
        until(gateway.half_received)
        stopping = threading.Thread(target=gateway.running.stop, args=(20,))
        stopping.start()
        assert idle.pdu() == RELEASE_RQ
        idle.send(RELEASE_RP)
        sender.send(message[-1:])
        assert sender.status() == 0
        assert sender.pdu() == RELEASE_RQ
        sender.send(RELEASE_RP)
        stopping.join(20)
        assert not stopping.is_alive()
        gateway.wait(lambda: gateway.receipts)
        assert gateway.content() == [("1.2.3", b"abcd" * 1000)]


def test_who_does_not_finish_is_cut(tmp_path: Path) -> None:
    with house(tmp_path) as gateway, gateway.call() as sender:
        sender.send(store_message(b"abcd")[:-1])
        until(gateway.half_received)
        gateway.running.stop(0.2)
        assert sender.pdu()[0] == 7
        assert gateway.half_received() == []


@pytest.mark.parametrize("channels_stay", [False, True])
def test_no_receiver_outlives_its_gateway(channels_stay: bool, tmp_path: Path) -> None:
    """Nor where another process still holds the gateway's ends of the channels, so that they don't close."""
    script = (
        "import os, subprocess, sys, time\n"
        "from pathlib import Path\n"
        "from tests.gateway.receive.house import house\n"
        "with house(Path(sys.argv[1]), 2) as gateway:\n"
        "    for channel in gateway.running._channels.values():\n"
        "        os.set_inheritable(channel._end.fileno(), sys.argv[2] == 'True')\n"
        "    holder = subprocess.Popen(['sleep', '120'], close_fds=False, stdout=subprocess.DEVNULL)\n"
        "    print(gateway.port, holder.pid, *gateway.running.process_ids, flush=True)\n"
        "    time.sleep(600)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path), str(channels_stay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as gateway:
        assert gateway.stdout is not None
        port, holder, *pids = map(int, gateway.stdout.readline().split())
        try:
            with Sender(port) as sender:
                sender.associate()
                gateway.kill()
                assert sender.is_closed()
            until(lambda: not any(map(_lives, pids)))
            assert _lives(holder)
        finally:
            os.kill(holder, signal.SIGKILL)


def test_a_receiver_waits_for_the_gateways_word(tmp_path: Path) -> None:
    """A service manager signals all processes at once; instances in work are still finished."""
    with house(tmp_path) as gateway, gateway.call() as sender:
        (pid,) = gateway.running.process_ids
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
        assert sender.store(b"abcd") == 0
        assert gateway.running.process_ids == [pid]


def test_keys_that_the_journal_does_not_know_stay_out(tmp_path: Path) -> None:
    with house(tmp_path) as gateway:
        (channel,) = gateway.running._channels.values()
        gateway.running._hear(channel, Relay(channel), {"journal": ["event", {"reason": "known", "patient": "SECRET"}]})
        assert gateway.events == [("event", {"reason": "known"})]


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _start_alone(listening: socket.socket, theirs: socket.socket, board: int, parent: int) -> subprocess.Popen[bytes]:
    descriptors = (listening.fileno(), theirs.fileno(), board)
    arguments = map(str, (*descriptors, parent))
    command = [sys.executable, "-m", "karnak.gateway.receive.process", *arguments]
    return subprocess.Popen(command, pass_fds=descriptors, env=environment())


@pytest.mark.parametrize("parent_offset", [0, 1])
def test_a_receiver_whose_channel_closes_or_whose_parent_is_another_ends(parent_offset: int, tmp_path: Path) -> None:
    board = make_board(1, 20)
    ours, theirs = socket.socketpair()
    with listen("127.0.0.1", 0) as listening, ours, theirs:
        process = _start_alone(listening, theirs, board, os.getpid() + parent_offset)
        theirs.close()
        if not parent_offset:
            channel = Channel(ours)
            channel.send({"settings": Settings(tmp_path, "os", limits()).as_json(), "process": 0})
            channel.send({"admission": Admission(()).as_json()})
            assert next(channel.messages()) == {"ready": True}
            channel.close()
            ours.close()
        assert process.wait(60) == 1
    os.close(board)


def test_a_receiver_loads_little() -> None:
    script = f"import sys, karnak.gateway.receive.process; print(sorted({NOT_NEEDED!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment(), check=True)
    assert done.stdout == "[]\n"


def _peak(pid: int) -> int:
    """The most memory that a process has had, in kB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def test_memory_does_not_grow_with_the_instance(tmp_path: Path) -> None:
    piece = bytes(range(256)) * (1 << 12)
    with house(tmp_path, bounds=limits(maximum_pdu=0)) as gateway, gateway.call() as sender:
        (pid,) = gateway.running.process_ids
        assert sender.store(b"abcd", "1.2.1") == 0
        before = _peak(pid)
        sender.send(b"".join(p_data(1, True, store_command("1.2.2"), 0)))
        # 300 MiB in one fragment.
        length = 300 * len(piece)
        sender.send(struct.pack(">BxLLBB", 4, length + 6, length + 2, 1, 2))
        for _ in range(300):
            sender.send(piece)
        assert sender.status() == 0
        assert _peak(pid) - before < 4_000
        gateway.wait(lambda: len(gateway.receipts) == 2)
        assert gateway.size == length + 4


def test_a_gateway_that_fails_does_not_stop_its_receivers(tmp_path: Path) -> None:
    class Failing(House):
        def stored(self, receipt: str, size: int, seconds: float) -> None:
            raise ValueError("SECRET")

        def commit(self, transaction: Transaction, caller: Caller, reporter: Reporter) -> bool:
            raise ValueError("SECRET")

    made = Failing(tmp_path)
    with house(tmp_path) as gateway:
        gateway.running._hearer = made
        with gateway.call() as sender:
            assert sender.store(b"abcd") == 0
            assert sender.store(b"abcd") == 0
        made.wait(lambda: len(made.events) >= 2)
        with gateway.call(COMMITMENT) as sender:
            sender.send(action(encoded(information(("1.2", "1.2.3")), EXPLICIT)))
            assert sender.status() == 0x0213
        made.wait(lambda: "commitment not kept" in made.names())
    assert "SECRET" not in str(made.events)
    assert set(made.names()) <= {
        "message of a receiver failed", "association ended", "commitment not kept", "request refused",
    }  # fmt: skip


def test_a_journal_that_fails_does_not_stop_restarts(tmp_path: Path) -> None:
    class Mute(House):
        def journal(self, event: str, values: Mapping[str, Value]) -> None:
            raise OSError("no room")

    with house(tmp_path) as gateway:
        gateway.running._hearer = Mute(tmp_path)
        (first,) = gateway.running.process_ids
        os.kill(first, signal.SIGKILL)
        with gateway.call() as sender:
            assert sender.store(b"abcd") == 0
            assert gateway.running.process_ids != [first]


def test_a_receiver_that_talks_nonsense_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with house(tmp_path) as gateway:
        (first,) = gateway.running.process_ids
        spawn, spawned = gateway.running._spawn, list[subprocess.Popen[bytes]]()

        def spawn_mad(channel: int) -> subprocess.Popen[bytes]:
            if spawned:
                return spawn(channel)
            script = "import os, sys, time; os.write(int(sys.argv[1]), b'nonsense\\n'); time.sleep(600)"
            spawned.append(subprocess.Popen([sys.executable, "-c", script, str(channel)], pass_fds=[channel]))
            return spawned[0]

        monkeypatch.setattr(gateway.running, "_spawn", spawn_mad)
        os.kill(first, signal.SIGKILL)
        with gateway.call() as sender:
            assert sender.store(b"abcd") == 0
        assert [process.returncode for process in spawned] == [-signal.SIGKILL]
        assert gateway.names()[:2] == ["receiver died", "receiver died"]


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        with pytest.raises(PortTaken) as taken:
            listen("127.0.0.1", port)
    assert str(taken.value) == (
        f"can't listen on 127.0.0.1 port {port}: Address already in use; "
        "another program listens there: end it, or give `listen` another `port`"
    )
    with pytest.raises(PortTaken, match="it is no address of this machine: mend `host` of `listen`$"):
        listen("192.0.2.1", port)
    forbidden = port_taken("api", "::", 80, PermissionError(errno.EACCES, "Permission denied"))
    assert "ports below 1024 are not for everyone: give `api` another `port`" in str(forbidden)
    assert str(port_taken("api", "::", 80, OSError("?"))).endswith("look at `api` of the configuration")


def test_receivers_that_die_at_once_are_told_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = House(tmp_path)
    with listen("127.0.0.1", 0) as listening:
        receivers = Receivers(listening, 2, Settings(tmp_path, "os", limits()), ANYONE, made)
        monkeypatch.setattr(receivers, "_spawn", lambda _: subprocess.Popen([sys.executable, "-c", "exit(7)"]))
        assert not receivers.start(600)
        receivers.stop(5)
    assert ("receiver died", {"status": "exit status 7"}) in made.events


def test_settings_and_admission_pass_through_json() -> None:
    limits = Limits(3, 2, 1 << 14, 5, 1.5, 2.5)
    for tls in (None, TlsFiles(Path("c"), Path("k")), TlsFiles(Path("c"), Path("k"), Path("a"), False)):
        settings = Settings(Path("/data"), "fsync", limits, tls)
        assert Settings.from_json(json.loads(json.dumps(settings.as_json()))) == settings
    admission = Admission(
        (ForwardNode("A", None, ()), ForwardNode("B", (Source("CT", None), Source("MR", "mr.example")), ())),
    )
    assert Admission.from_json(json.loads(json.dumps(admission.as_json()))) == admission


def test_a_line_that_breaks_off_is_no_message() -> None:
    ours, theirs = socket.socketpair()
    one, other = Channel(ours), Channel(theirs)
    assert one.send({"a": 1})
    ours.sendall(b'{"b": 2}\n{"c": 3')
    one.close()
    assert list(other.messages()) == [{"a": 1}, {"b": 2}]
    assert not other.send({"d": 4})
    other.close()
