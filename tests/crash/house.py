"""A gateway that is struck again and again while it is sent instances, and then left alone.

Two destinations: a folder and dcmtk's storescp, which is down in some rounds.
"""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Literal

from karnak.gateway.store.database import IndexUnavailable, index_url, open_database
from karnak.gateway.store.queue import Choice, Queue
from karnak.gateway.store.rows import Wish
from tests.crash.edges import Strike
from tests.crash.load import TOKEN, Kind, Log, letter, send_round, store
from tests.crash.start import start
from tests.system.programs import PROFILE, SECRET, environment, free_port, server, tool

Originals = Literal["remove", "keep"]
ORIGINALS: tuple[Originals, ...] = ("remove", "keep")

SECONDS = 60.0
# How long a blow may take to fall, and how long it is looked at what it has done.
_PATIENCE, _AFTERMATH = 4.0, 0.5
_SITE = Path(__file__).parent / "site"
# In every so many rounds the peer is down.
_DOWN = 5
# The number of the round without a blow.
_LAST = 10_000


@dataclass
class CrashHouse:
    """A data folder with a gateway that comes and goes.

    Attributes:
        folder: of the configuration.
        port: that it listens on for associations.
        stow_port: that it listens on for STOW-RS.
        peer_port: that its peer listens on.
        originals: what becomes of originals that are not owed any more.
        log: what was sent, and what was acknowledged.
        fallen: blows that fell.
        cut: receipts of files that were cut off.
    """

    folder: Path
    port: int
    stow_port: int
    peer_port: int
    originals: Originals
    log: Log = field(default_factory=Log)
    fallen: list[Strike] = field(default_factory=list)
    cut: set[str] = field(default_factory=set)

    def round(self, strike: Strike, number: int) -> None:
        """Start the gateway with a blow that waits for it, send, and see it fall; whatever is left is killed."""
        counter = self.folder / f"counter-{number}"
        edge = strike.edge
        spec = {
            "module": f"karnak.gateway.{edge.module}",
            "owner": edge.owner,
            "method": edge.method,
            "telling": edge.telling,
            "phase": strike.phase,
            "turn": strike.turn,
            "action": strike.action,
            "counter": str(counter),
        }

        def has_fallen() -> bool:
            # The counter is written anew at each call.
            count = counter.read_text() if counter.exists() else ""
            return int(count or 0) >= strike.turn

        down = edge.down or number % _DOWN == _DOWN - 1
        path = os.pathsep.join([str(_SITE), environment()["PYTHONPATH"]])
        more = {"KARNAK_STRIKE": json.dumps(spec), "PYTHONPATH": path}
        with nullcontext() if down else self._peer(), self._gateway(more) as process:
            if self._opens(process):
                send_round(self.log, number, self.folder, self.port, self.stow_port, _PATIENCE * 2)
                if down:
                    self._meddle(number)
                deadline = time.monotonic() + _PATIENCE
                fell = False
                while process.is_alive() and time.monotonic() < deadline and (down or self.owed()):
                    if not fell and has_fallen():
                        fell, deadline = True, time.monotonic() + _AFTERMATH
                    time.sleep(0.02)
        if has_fallen():
            self.fallen.append(strike)

    def finish(self) -> None:
        """Start the gateway once more, leave it alone until nothing is owed, and stop it as an operator does."""
        with self._peer(), self._gateway({}) as process:
            assert self._opens(process), self.journal
            # What a blow has left half written at a destination goes with the next delivery.
            store(self.log, [letter(self.log, _LAST, "1", Kind.PLAIN)], self.folder / "send-1", self.port, SECONDS)
            deadline = time.monotonic() + SECONDS
            while self.owed():
                assert time.monotonic() < deadline, f"still owed: {self.owed()}\n{self.journal[-3000:]}"
                time.sleep(0.05)
            process.terminate()
            process.join(SECONDS)
            assert process.exitcode == 0

    @property
    def journal(self) -> str:
        return (self.folder / "karnak.log").read_text(errors="replace")

    def owed(self) -> list[str]:
        """The names of the files in the spool."""
        ready = self.folder / "data" / "spool" / "ready"
        return sorted(path.name for path in ready.iterdir()) if ready.is_dir() else []

    def _meddle(self, number: int) -> None:
        """Do what happens while a peer is down: a newer version comes, people want things, a file is cut off."""
        newer = letter(self.log, number, "1.2", Kind.TWICE)
        store(self.log, [newer], self.folder / "send-1", self.port, _PATIENCE * 2)
        dropped, spoiled = (self.log.instances[f"1.2.3.{number}.{name}"] for name in ("3.2", "3.3"))
        with suppress(IndexUnavailable):
            database = open_database(index_url(self.folder / "data"), upgrade=False)
            try:
                Queue(database).wish(Choice("peer"), Wish.RETRY)
                dropped.released = True
                Queue(database).wish(Choice("peer", dropped.study), Wish.DROP)
            finally:
                database.close()
        for path in (self.folder / "data" / "spool" / "ready").glob("*.dcm"):
            data = path.read_bytes()
            if data.endswith(spoiled.versions[0]):
                spoiled.released = True
                self.cut.add(path.stem)
                # Another file in its place: who reads the whole one goes on reading it.
                (self.folder / "cut").write_bytes(data[:-1])
                (self.folder / "cut").replace(path)

    @contextmanager
    def _peer(self) -> Iterator[None]:
        received = self.folder / "received"
        command = [tool("storescp"), "-aet", "STORESCP", "+xa", "+B", "-od", str(received), str(self.peer_port)]
        with server(command, self.peer_port, self.folder / "storescp.log"):
            yield

    @contextmanager
    def _gateway(self, more: Mapping[str, str]) -> Iterator[ForkServerProcess]:
        process = start(self.folder, {**environment(), **more})
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.ident or 0, signal.SIGKILL)
            process.kill()
            process.join(SECONDS)
            process.close()

    def _opens(self, process: ForkServerProcess) -> bool:
        """Wait until it listens; false where it has died before."""
        deadline = time.monotonic() + SECONDS
        while process.is_alive():
            assert time.monotonic() < deadline, self.journal[-3000:]
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.02)
                continue
            return True
        return False


def crash_house(folder: Path, originals: Originals) -> CrashHouse:
    """Furnish a house."""
    folder.mkdir(parents=True)
    (folder / "received").mkdir()
    (folder / "profile.yml").write_text(PROFILE)
    for name, text in (("trial.hex", SECRET), ("ct.token", TOKEN)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    port, stow, peer = free_port(), free_port(), free_port()
    common = "mode: deidentify, project: TRIAL, pseudonym: { from: generated }, retry: { first: 1, longest: 1 }"
    to_peer = f"type: dicom, ae_title: STORESCP, host: 127.0.0.1, port: {peer}"
    (folder / "gateway.yml").write_text(
        f"listen: {{ port: {port}, drain_timeout: 5 }}\n"
        "data_dir: data\n"
        "api: { enabled: false }\n"
        "reload: { watch: false }\n"
        f"spool: {{ originals: {originals} }}\n"
        f"dicomweb: {{ port: {stow}, senders: [ {{ ae_title: CT01, forward_node: TRIAL1, token_file: ct.token }} ] }}\n"
        "projects: [ { name: TRIAL, profile: profile.yml, secret_file: trial.hex } ]\n"
        "forward_nodes:\n"
        "  - ae_title: TRIAL1\n"
        "    sources: any\n"
        "    destinations:\n"
        f"      - {{ name: disk, type: folder, path: out, {common} }}\n"
        f"      - {{ name: peer, {to_peer}, sop_classes: [SecondaryCaptureImageStorage], {common} }}\n"
    )
    return CrashHouse(folder, port, stow, peer, originals)
