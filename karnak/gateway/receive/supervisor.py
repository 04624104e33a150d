"""The receiver processes of one port: started, listened to, started again when they die, drained at the end.

All of them accept on one listening socket, which the gateway opens. Each has a thread here that starts it and reads its
channel; the system ends the process when that thread ends, so nobody outlives the gateway.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import karnak
from karnak.gateway.journal import KEYS, Value
from karnak.gateway.listening import port_taken
from karnak.gateway.receive.admission import Admission
from karnak.gateway.receive.channel import Channel
from karnak.gateway.receive.commitment import Reporter, Transaction
from karnak.gateway.receive.places import Places, make_board
from karnak.gateway.receive.process import Settings
from karnak.gateway.receive.relay import Relay
from karnak.gateway.receive.tls import listening_rules
from karnak.gateway.route import Caller

# Before a receiver that has died is started again; doubled each time, forgotten when one has lived long enough.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0
_LONG_LIFE = 30.0
# A receiver that was told when to end gets so much longer before it is killed.
_GRACE = 5.0
_BACKLOG = 128
# Receivers that die so often while the gateway starts will not do better.
_TRIES = 4


class Hearer(Protocol):
    """The gateway, as its receivers see it; called from a thread per receiver, which waits."""

    def stored(self, receipt: str, size: int, seconds: float) -> None:
        """Hear of an instance that is safe in the spool.

        Args:
            receipt: its name there.
            size: bytes of its data set.
            seconds: from its first byte until it was safe.
        """

    def refused(self) -> None:
        """Hear of an instance that was not taken; its sender knows."""

    def gone(self) -> None:
        """Hear that a receiver is gone; it may have made instances safe that it had no time to tell of."""

    def journal(self, event: str, values: Mapping[str, Value]) -> None:
        """Write an event; the keys are known to the journal."""

    def commit(self, transaction: Transaction, caller: Caller, reporter: Reporter) -> bool:
        """Take a request for Storage Commitment.

        Args:
            transaction: what is asked.
            caller: who asks.
            reporter: its association.

        Returns:
            Whether there will be a report: the request is on disk.
        """


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket.

    Args:
        host: address to listen on; an IPv6 one has colons in it.
        port: TCP port, 0 for any free one.

    Raises:
        PortTaken: the port is taken, forbidden or not ours.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise port_taken("listen", host, port, error) from None


class Receivers:
    """The receiver processes of one listening socket.

    Args:
        listening: from `listen`; stays the caller's, who closes it after `stop`.
        processes: how many, at least 1.
        settings: what each is told once.
        admission: who may call what.
        hearer: the gateway.

    Raises:
        UnusableCertificate: the certificates in the settings can't be used.
    """

    def __init__(
        self, listening: socket.socket, processes: int, settings: Settings, admission: Admission, hearer: Hearer
    ) -> None:
        if settings.tls is not None:
            # A receiver would find out too, over and over.
            listening_rules(settings.tls)
        self._listening = listening
        self._settings = settings
        self._admission = admission
        self._full = False
        self._hearer = hearer
        self._board = make_board(processes, settings.limits.maximum_associations)
        self._places = [self._places_of(process) for process in range(processes)]
        self._lock = threading.Lock()
        self._channels: dict[int, Channel] = {}
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        # While they start: how many were ready once, and how many have died before that.
        self._starting = threading.Condition()
        self._ready = self._fallen = 0
        self._stopping = threading.Event()
        self._seconds_to_stop = 0.0
        self._closed = False
        self._threads = [
            threading.Thread(target=self._keep, args=(process,), name=f"receiver {process}", daemon=True)
            for process in range(processes)
        ]

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._listening.getsockname()[1])

    @property
    def associations(self) -> int:
        """How many associations there are now."""
        with self._lock:
            return 0 if self._closed else self._places[0].count()

    @property
    def process_ids(self) -> list[int]:
        """The processes that are running."""
        with self._lock:
            return [process.pid for process in self._running.values()]

    def start(self, seconds: float) -> bool:
        """Start all receivers and wait until each was ready once, or until they die again and again.

        Args:
            seconds: how long to wait; the callers are kept waiting by the system meanwhile.

        Returns:
            Whether they are ready.
        """
        for thread in self._threads:
            thread.start()
        needed = len(self._threads)
        with self._starting:
            self._starting.wait_for(lambda: self._ready >= needed or self._fallen >= _TRIES * needed, seconds)
            return self._ready >= needed

    def admit(self, admission: Admission) -> None:
        """Replace who may call what, for associations that are not there yet."""
        with self._lock:
            self._admission = admission
            self._tell({"admission": admission.as_json()})

    def say_full(self, full: bool) -> None:
        """Say whether there is no room on the disk: instances are refused then."""
        with self._lock:
            if full is not self._full:
                self._full = full
                self._tell({"full": full})

    def stop(self, seconds: float) -> None:
        """Accept no more, let instances that have begun be finished and answered, and end all receivers.

        Args:
            seconds: how long to wait for instances.
        """
        with self._lock:
            if self._stopping.is_set():
                return
            self._seconds_to_stop = seconds
            self._stopping.set()
            self._tell({"stop": seconds})
        deadline = time.monotonic() + seconds + _GRACE
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        with self._lock:
            for process in self._running.values():
                process.kill()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        with self._lock:
            self._closed = True
            for places in self._places:
                places.close()
            os.close(self._board)

    def _places_of(self, process: int) -> Places:
        limits = self._settings.limits
        return Places(self._board, process, limits.maximum_associations, limits.maximum_per_ae)

    def _tell(self, message: Mapping[str, object]) -> None:
        for channel in self._channels.values():
            channel.send(message)

    def _keep(self, process: int) -> None:
        """Keep one receiver running until the end."""
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                status = self._run(process)
            except OSError as error:
                # No memory or no descriptors for another process.
                self._note("receiver not started", {"reason": error.strerror})
            else:
                if self._stopping.is_set():
                    return
                self._note("receiver died", {"status": _status_words(status)})
                with suppress(Exception):
                    self._hearer.gone()
            with self._starting:
                self._fallen += 1
                self._starting.notify_all()
            self._places[process].wipe()
            if time.monotonic() - began > _LONG_LIFE:
                pause = _FIRST_PAUSE
            self._stopping.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _run(self, process: int) -> int:
        """Run a receiver to its end; gives its exit status."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                running = self._spawn(theirs.fileno())
            channel = Channel(ours)
            with self._lock:
                channel.send({"settings": self._settings.as_json(), "process": process})
                channel.send({"full": self._full})
                channel.send({"admission": self._admission.as_json()})
                if self._stopping.is_set():
                    channel.send({"stop": self._seconds_to_stop})
                self._channels[process], self._running[process] = channel, running
            relay = Relay(channel)
            try:
                self._listen_to(channel, relay)
            except ValueError:
                # What is no JSON comes from a receiver that is out of its mind.
                running.kill()
            finally:
                relay.close()
            status = _end_of(running)
            with self._lock:
                del self._channels[process], self._running[process]
            return status
        finally:
            ours.close()

    def _listen_to(self, channel: Channel, relay: Relay) -> None:
        for message in channel.messages():
            try:
                self._hear(channel, relay, message)
            except Exception as error:
                # The receiver goes on; the spool is the truth of what it has.
                self._note("message of a receiver failed", {"error": type(error).__name__})

    def _note(self, event: str, values: Mapping[str, Value]) -> None:
        """Write an event; a receiver is kept running also where nobody can write any more."""
        with suppress(Exception):
            self._hearer.journal(event, values)

    def _spawn(self, channel: int) -> subprocess.Popen[bytes]:
        listening = self._listening.fileno()
        arguments = map(str, (listening, channel, self._board, os.getpid()))
        # The same Karnak as this one, wherever it lies.
        path = [str(Path(karnak.__file__).parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "karnak.gateway.receive.process", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(listening, channel, self._board),
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
        )

    def _hear(self, channel: Channel, relay: Relay, message: Mapping[str, Any]) -> None:
        if "stored" in message:
            self._hearer.stored(message["stored"], message["bytes"], message["seconds"])
        elif "refused" in message:
            self._hearer.refused()
        elif "journal" in message:
            event, values = message["journal"]
            # The journal takes no key that it doesn't know; a receiver of another version must not stop the gateway.
            self._hearer.journal(event, {key: value for key, value in values.items() if key in KEYS})
        elif "commit" in message:
            channel.send({"kept": message["commit"], "taken": self._commit(*relay.request(message))})
        elif "reported" in message:
            relay.reported(message["reported"], message["success"])
        elif "ready" in message:
            with self._starting:
                self._ready += 1
                self._starting.notify_all()

    def _commit(self, transaction: Transaction, caller: Caller, reporter: Reporter) -> bool:
        """Pass a request on; whatever goes wrong, the requestor is told that there will be no report."""
        try:
            return self._hearer.commit(transaction, caller, reporter)
        except Exception as error:
            self._note("commitment not kept", {"error": type(error).__name__})
            return False


def _end_of(running: subprocess.Popen[bytes]) -> int:
    """Wait for a process whose channel has closed; gives its exit status."""
    try:
        return running.wait(_GRACE)
    except subprocess.TimeoutExpired:
        running.kill()
        return running.wait()


def _status_words(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"
