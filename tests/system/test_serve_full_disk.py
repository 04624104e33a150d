"""`karnak serve` on a disk that really runs full: senders hear so, nothing is lost, and it goes on once there is room.

The disk is a small one of its own, shared with somebody whose file can grow and go.
"""

import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian

from karnak.gateway.audit_chain import verify_audit
from karnak.runtime.keys import Project
from tests.gateway.instances import SECONDARY_CAPTURE, file_bytes
from tests.system.programs import (
    PROFILE,
    SECRET,
    Karnak,
    environment,
    free_port,
    node,
    run,
    server,
    to_folder,
    tool,
)
from tests.system.small_disk import SmallDisk, small_disk

SIZE = 8 << 20
PIXELS = 400_000
ROOM = 2 << 20
TOKEN = "token-of-the-scanner"
STORED = "Received Store Response (Success)"
REFUSED = "Received Store Response (Refused: OutOfResources)"
INDEX_FULL = "the index data/index.sqlite can't be used: its disk is full, so make room there"
PROJECT = Project("TRIAL", bytes.fromhex(SECRET))


@dataclass
class House:
    """A gateway with two destinations, the folder `out` and a peer that is down at first; one folder is a small disk.

    Attributes:
        folder: of the configuration.
        disk: the small disk.
        data: the data folder, as the test sees it.
        out: the folder of the destination, as the test sees it.
        ports: for associations, the API, STOW-RS, and of the peer.
        acknowledged: SOP Instance UIDs that were answered with Success.
    """

    folder: Path
    disk: SmallDisk
    data: Path
    out: Path
    ports: tuple[int, int, int, int]
    acknowledged: list[str] = field(default_factory=list)

    @property
    def command(self) -> Sequence[str]:
        return [*self.disk.enter, sys.executable, "-m", "karnak", "serve", "--config", "gateway.yml"]

    @contextmanager
    def gateway(self) -> Iterator[Karnak]:
        port, api, _, _ = self.ports
        with server(self.command, port, self.folder / "karnak.log", env=environment(), cwd=self.folder) as process:
            yield Karnak(port, self.folder, process, api)

    @contextmanager
    def peer(self) -> Iterator[None]:
        """Let the peer come back."""
        port, received = self.ports[3], self.folder / "received"
        received.mkdir(exist_ok=True)
        command = [tool("storescp"), "-aet", "STORESCP", "+xa", "+B", "-od", str(received), str(port)]
        with server(command, port, self.folder / "storescp.log"):
            yield

    def send(self, name: int, count: int) -> tuple[int, int]:
        """Send instances with storescu, all of them whatever happens; gives how many were stored, and refused."""
        uids = [f"1.2.3.{name}.{number}" for number in range(1, count + 1)]
        files = []
        for uid in uids:
            files.append(self.folder / f"{uid}.dcm")
            files[-1].write_bytes(instance(uid))
        said = run("storescu", "-v", "--no-halt", "-aec", "KARNAK", "127.0.0.1", str(self.ports[0]), *files).stderr
        told = [line for line in said.splitlines() if "Received Store Response" in line]
        assert len(told) == count, said
        self.acknowledged += [uid for uid, line in zip(uids, told, strict=True) if STORED in line]
        return sum(STORED in line for line in told), sum(REFUSED in line for line in told)

    def post(self, uid: str) -> int:
        """Send an instance by STOW-RS; gives the status of the answer."""
        head = b"--between\r\nContent-Type: application/dicom\r\n\r\n"
        headers = {
            "Authorization": f"Bearer {TOKEN}",
            "Content-Type": 'multipart/related; type="application/dicom"; boundary=between',
        }
        body = head + instance(uid) + b"\r\n--between--\r\n"
        request = urllib.request.Request(f"http://127.0.0.1:{self.ports[2]}/dicomweb/studies", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                self.acknowledged.append(uid)
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def owed(self) -> list[Path]:
        """The files of the spool."""
        return sorted((self.data / "spool" / "ready").glob("*.dcm"))

    def half_received(self) -> list[Path]:
        """The files of what has come in part."""
        return [*(self.data / "spool" / "receiving").glob("*.part")]

    def unfinished(self) -> list[Path]:
        """The files of what is only half there, at either end; a delivery in work has some."""
        return [*self.half_received(), *self.out.rglob("*.incoming")]

    def check(self) -> None:
        """Everything that was acknowledged is at both destinations, as a whole, and nothing else is anywhere."""
        places = ([*self.out.rglob("*.dcm")], [*(self.folder / "received").iterdir()])
        for place in places:
            found = {str(read.SOPInstanceUID): read.PixelData for read in map(dcmread, place)}
            assert found == {PROJECT.uid(uid): pixels(uid) for uid in self.acknowledged}
            assert len(found) == len(place)
        assert self.unfinished() == []
        assert self.owed() == []
        assert verify_audit(self.data / "audit") is None


def pixels(uid: str) -> bytes:
    return bytes([int(uid.rpartition(".")[2])]) * PIXELS


def instance(uid: str) -> bytes:
    return file_bytes(
        str(ExplicitVRLittleEndian),
        SOPClassUID=SECONDARY_CAPTURE,
        SOPInstanceUID=uid,
        StudyInstanceUID="1.2.3",
        SeriesInstanceUID="1.2.3.4",
        PatientID="P1",
        BitsAllocated=8,
        PixelData=pixels(uid),
    )


@contextmanager
def house(folder: Path, mounted: str, minimum_free: int = 0) -> Iterator[House]:
    """Furnish a house; the small disk is mounted on one of its folders."""
    folder.mkdir(parents=True)
    for name, text in (("profile.yml", PROFILE), ("trial.hex", SECRET), ("ct.token", TOKEN)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    port, api, stow, peer = free_port(), free_port(), free_port(), free_port()
    how = "project: TRIAL, mode: deidentify, pseudonym: { from: generated }, retry: { first: 1, longest: 1 }"
    to_peer = f"name: peer, type: dicom, ae_title: STORESCP, host: 127.0.0.1, port: {peer}, {how}"
    (folder / "gateway.yml").write_text(
        f"listen: {{ port: {port} }}\n"
        "data_dir: data\n"
        f"spool: {{ minimum_free: {minimum_free} }}\n"
        f"api: {{ port: {api} }}\n"
        "reload: { watch: false }\n"
        f"dicomweb: {{ port: {stow}, senders: [ {{ ae_title: CT01, forward_node: KARNAK, token_file: ct.token }} ] }}\n"
        "projects: [ { name: TRIAL, profile: profile.yml, secret_file: trial.hex } ]\n"
        f"forward_nodes:\n{node(to_folder('disk', 'out', how), to_peer)}"
    )
    with small_disk(folder / mounted, SIZE) as disk:
        seen = {"data": folder / "data", "out": folder / "out"} | {mounted: disk.seen}
        yield House(folder, disk, seen["data"], seen["out"], (port, api, stow, peer))


def test_a_data_folder_that_runs_full_while_instances_arrive(tmp_path: Path) -> None:
    with house(tmp_path / "house", "data") as made, made.gateway() as gateway:
        theirs = made.disk.fill("theirs", leave=ROOM)
        stored, refused = made.send(1, 8)
        assert stored > 0
        assert refused > 0
        assert stored + refused == 8
        assert made.half_received() == []
        gateway.wait(lambda: made.unfinished() == [])
        # To the last byte: now nothing can be written down either.
        theirs_too = made.disk.fill("theirs, too")
        assert made.send(2, 2) == (0, 2)
        assert made.post("1.2.3.3.1") == 503
        assert made.half_received() == []
        gateway.wait(lambda: made.unfinished() == [])
        with made.peer():
            gateway.wait(lambda: gateway.events("index failed") != [])
            gateway.process.send_signal(signal.SIGHUP)
            gateway.wait(lambda: gateway.events("reloaded") != [])
            assert len(made.owed()) == stored
            theirs.unlink()
            theirs_too.unlink()
            gateway.wait(lambda: not made.owed())
            assert made.send(4, 2) == (2, 0)
            assert made.post("1.2.3.5.1") == 200
            gateway.wait(lambda: not made.owed())
            made.disk.fill("theirs")
            assert gateway.stop() == 0
        reasons = {line["reason"] for line in gateway.events("index failed")}
        assert reasons <= {INDEX_FULL, "No space left on device"}
        assert gateway.events("receiver died") == []
        made.check()


def test_room_that_must_stay_free(tmp_path: Path) -> None:
    with house(tmp_path / "house", "data", minimum_free=2 * ROOM) as made, made.gateway() as gateway:
        assert made.send(1, 2) == (2, 0)
        theirs = made.disk.fill("theirs", leave=ROOM)
        gateway.wait(lambda: made.send(2, 1) == (0, 1))
        owed, free = made.owed(), made.disk.free_bytes
        assert made.send(3, 4) == (0, 4)
        assert made.post("1.2.3.4.1") == 503
        assert made.owed() == owed
        # Index and audit log are written all the while; instances are not.
        assert free - made.disk.free_bytes < PIXELS
        with made.peer():
            # What was taken before goes its way: there is room to write down that it did.
            gateway.wait(lambda: not made.owed())
            theirs.unlink()
            gateway.wait(lambda: made.send(5, 1) == (1, 0))
            gateway.wait(lambda: not made.owed())
            assert gateway.stop() == 0
        assert gateway.events("index failed") == []
        made.check()


def test_the_folder_of_a_destination_runs_full(tmp_path: Path) -> None:
    with house(tmp_path / "house", "out") as made, made.gateway() as gateway, made.peer():
        theirs = made.disk.fill("theirs", leave=PIXELS * 2)
        assert made.send(1, 4) == (4, 0)
        full = "the folder can't be written: No space left on device"
        gateway.wait(lambda: any(line["reason"] == full for line in gateway.events("waiting")))
        # The other destination waits for nobody.
        gateway.wait(lambda: len([*(made.folder / "received").iterdir()]) == 4)
        gateway.wait(lambda: made.unfinished() == [])
        assert len([*made.out.rglob("*.dcm")]) < 4
        theirs.unlink()
        gateway.wait(lambda: not made.owed())
        assert gateway.stop() == 0
        made.check()


def test_a_start_on_a_full_disk_says_so_and_loses_nothing(tmp_path: Path) -> None:
    with house(tmp_path / "house", "data") as made:
        with made.gateway() as gateway:
            assert made.send(1, 3) == (3, 0)
            assert gateway.stop() == 0
        theirs = made.disk.fill("theirs")
        tried = subprocess.run(
            made.command, cwd=made.folder, env=environment(), capture_output=True, text=True, timeout=60, check=False
        )
        assert tried.returncode == 2
        assert tried.stderr.startswith(f"karnak: {INDEX_FULL}")
        assert len(made.owed()) == 3
        theirs.unlink()
        with made.gateway() as gateway, made.peer():
            gateway.wait(lambda: not made.owed())
            assert gateway.stop() == 0
        made.check()
