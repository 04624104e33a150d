"""A gateway that is struck again and again while it is sent instances, and what must hold when it is left alone.

Two destinations: a folder and dcmtk's storescp. Instances are sent by C-STORE over several associations; what was
answered with Success is acknowledged, and owed.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian

from karnak.dsl.compile import compile_profile
from karnak.runtime.deidentify import deidentify
from karnak.runtime.keys import Project
from karnak.runtime.part10 import split_part10
from tests.crash.edges import Strike
from tests.gateway.instances import SECONDARY_CAPTURE, file_bytes
from tests.system.programs import PROFILE, SECRET, environment, free_port, run, storescp

PLANTED = b"PLANTED"
SECONDS = 60.0
SENDERS = 2
INSTANCES = 3
# How long a blow may take to fall.
_PATIENCE = 4.0
_SITE = Path(__file__).parent / "site"
PROJECT = Project("TRIAL", bytes.fromhex(SECRET))


@dataclass
class CrashHouse:
    """A data folder with a gateway that comes and goes.

    Attributes:
        folder: of the configuration.
        port: that it listens on.
        acknowledged: encoded data sets that were answered with Success, by SOP Instance UID.
        sent: how many were sent.
        fallen: blows that fell.
    """

    folder: Path
    port: int
    acknowledged: dict[str, bytes] = field(default_factory=dict)
    sent: int = 0
    fallen: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def round(self, strike: Strike, number: int) -> None:
        """Start the gateway with a blow that waits for it, send, and see it fall; whatever is left is killed."""
        counter = self.folder / f"counter-{number}"
        edge = strike.edge
        spec = {
            "module": edge.module,
            "owner": edge.owner,
            "method": edge.method,
            "phase": strike.phase,
            "turn": strike.turn,
            "action": strike.action,
            "counter": str(counter),
        }
        with self._gateway({"KARNAK_STRIKE": json.dumps(spec), "PYTHONPATH": str(_SITE)}) as process:
            if self._opens(process):
                self._send(number)
                deadline = time.monotonic() + _PATIENCE
                while process.poll() is None and time.monotonic() < deadline and not self._is_empty():
                    time.sleep(0.02)
        self.fallen += counter.exists() and int(counter.read_text()) >= strike.turn

    def finish(self) -> None:
        """Start the gateway once more, leave it alone until nothing is owed, and stop it as an operator does."""
        with self._gateway({}) as process:
            assert self._opens(process), self.log
            deadline = time.monotonic() + SECONDS
            while not self._is_empty():
                assert time.monotonic() < deadline, f"still owed: {self._owed()}\n{self.log[-3000:]}"
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            assert process.wait(SECONDS) == 0

    def check(self) -> None:
        """Every acknowledged instance is at every destination, once, as it should be; nothing else is anywhere."""
        program = compile_profile(self.folder / "profile.yml")
        outputs = {
            "folder": _by_uid((self.folder / "out").rglob("*.dcm")),
            "storescp": _by_uid(path for path in (self.folder / "received").iterdir() if path.is_file()),
        }
        for name, found in outputs.items():
            missing = [uid for uid in self.acknowledged if PROJECT.uid(uid) not in found]
            assert missing == [], f"{name} lacks {len(missing)} of {len(self.acknowledged)} acknowledged instances"
            for uid, original in self.acknowledged.items():
                data = found[PROJECT.uid(uid)]
                assert PLANTED not in data
                assert _data_set(data) == _expected(original, data, program), name
            # What was not acknowledged may have arrived all the same: a sender can't know, and sends again.
            assert all(PLANTED not in data for data in found.values())
        kept = self.folder / "data"
        assert self._owed() == []
        assert [*(kept / "spool" / "receiving").glob("**/*.part")] == []
        assert [*(kept / "quarantine").glob("*/*")] == []
        strays = [p for p in (self.folder / "out").rglob("*") if p.is_file() and p.suffix != ".dcm"]
        assert strays == [], strays

    @property
    def log(self) -> str:
        return (self.folder / "karnak.log").read_text(errors="replace")

    def _owed(self) -> list[str]:
        ready = self.folder / "data" / "spool" / "ready"
        return sorted(os.listdir(ready)) if ready.is_dir() else []  # noqa: PTH208

    def _is_empty(self) -> bool:
        return not self._owed()

    @contextmanager
    def _gateway(self, more: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "karnak", "serve", "--config", "gateway.yml"]
        with (self.folder / "karnak.log").open("ab") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, env=_with(environment(), more), stdout=log, stderr=log, start_new_session=True
            )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(SECONDS)

    def _opens(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait until it listens; false where it has died before."""
        deadline = time.monotonic() + SECONDS
        while process.poll() is None:
            assert time.monotonic() < deadline, self.log[-3000:]
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.02)
                continue
            return True
        return False

    def _send(self, number: int) -> None:
        threads = [threading.Thread(target=self._sender, args=(number, sender)) for sender in range(SENDERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _sender(self, number: int, sender: int) -> None:
        """Send with dcmtk's storescu, over one association; it stops at the first failure."""
        originals: dict[str, bytes] = {}
        files = []
        for count in range(INSTANCES):
            uid = f"1.2.3.{number}.{sender}.{count}"
            data = file_bytes(
                str(ExplicitVRLittleEndian),
                SOPClassUID=SECONDARY_CAPTURE,
                SOPInstanceUID=uid,
                StudyInstanceUID=f"1.2.3.{number}",
                SeriesInstanceUID=f"1.2.3.{number}.{sender}",
                PatientID=f"PLANTED{number}",
                PatientName="PLANTED^NAME",
                SeriesDescription="PLANTED " * 8,
                BitsAllocated=8,
                PixelData=bytes(5000),
            )
            originals[uid] = split_part10(data)[1]
            files.append(self.folder / f"send-{sender}-{count}.dcm")
            files[-1].write_bytes(data)
        patience = str(round(_PATIENCE * 2))
        options = ("-v", "-aec", "TRIAL1", "-ta", patience, "-td", patience)
        said = run("storescu", *options, "127.0.0.1", str(self.port), *files).stderr
        told = said.count("Received Store Response (Success)")
        with self._lock:
            self.sent += said.count("Sending file:")
            self.acknowledged |= dict(islice(originals.items(), told))


def _with(settings: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    found = dict(settings) | dict(more)
    found["PYTHONPATH"] = os.pathsep.join(filter(None, [more.get("PYTHONPATH"), settings["PYTHONPATH"]]))
    return found


def _by_uid(paths: "Iterator[Path]") -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in paths:
        data = path.read_bytes()
        uid = str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)
        assert uid not in found, "an instance is there twice"
        found[uid] = data
    return found


def _data_set(data: bytes) -> bytes:
    return split_part10(data)[1]


def _expected(original: bytes, output: bytes, program: "object") -> bytes:
    """What the rules make of an original at the time that its output tells."""
    from io import BytesIO

    read = dcmread(BytesIO(output), stop_before_pixels=True)
    when = datetime.strptime(read.InstanceCreationDate + read.InstanceCreationTime, "%Y%m%d%H%M%S.%f")
    outcome = deidentify(
        original,
        program,  # type: ignore[arg-type]
        PROJECT,
        pseudonym=str(read.PatientName),
        now=when.replace(tzinfo=UTC),
        transfer_syntax_uid=str(ExplicitVRLittleEndian),
    )
    assert outcome.data is not None, outcome.reason
    return _data_set(outcome.data)


@contextmanager
def crash_house(folder: Path) -> Iterator[CrashHouse]:
    """A house whose storescp outlives all blows."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "profile.yml").write_text(PROFILE)
    (folder / "trial.hex").write_text(SECRET)
    (folder / "trial.hex").chmod(0o600)
    port = free_port()
    with storescp(folder / "received") as peer:
        common = "mode: deidentify, project: TRIAL, pseudonym: { from: generated }"
        (folder / "gateway.yml").write_text(
            f"listen: {{ port: {port}, drain_timeout: 5 }}\n"
            "data_dir: data\n"
            "api: { enabled: false }\n"
            "projects: [ { name: TRIAL, profile: profile.yml, secret_file: trial.hex } ]\n"
            "forward_nodes:\n"
            "  - ae_title: TRIAL1\n"
            "    sources: any\n"
            "    destinations:\n"
            f"      - {{ name: disk, type: folder, path: out, {common} }}\n"
            f"      - {{ name: peer, type: dicom, ae_title: STORESCP, host: 127.0.0.1, port: {peer}, {common} }}\n"
        )
        yield CrashHouse(folder, port)
