"""A gateway with its index in PostgreSQL: kills, a server that goes away and comes back, a second gateway."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from urllib.error import HTTPError

import pytest
from pydicom import dcmread

from tests.system.postgresql import Server, postgresql_server
from tests.system.programs import (
    DEIDENTIFIED,
    Karnak,
    environment,
    free_port,
    karnak,
    node,
    orthanc,
    storescp,
    storescu,
    to_dicom,
    to_folder,
)
from tests.system.studies import make

SOON = f"{DEIDENTIFIED}, retry: {{ first: 0.2, longest: 0.5 }}"
LATE = f"{DEIDENTIFIED}, retry: {{ first: 3600, longest: 3600 }}"


@pytest.fixture
def database() -> Iterator[Server]:
    with postgresql_server() as server:
        yield server


def index(server: Server) -> str:
    return f"index: {{ url: '{server.url}' }}\n"


def ready(gateway: Karnak) -> bool:
    try:
        found: bool = gateway.ask("/readyz")["ready"]
        return found
    except HTTPError as error:
        error.close()
        return False


def test_a_kill_in_the_middle_of_a_study_loses_nothing(tmp_path: Path, database: Server) -> None:
    files = [make("ct", tmp_path, number=number) for number in range(1, 9)]
    with orthanc(tmp_path / "orthanc") as archive:
        nodes = node(to_dicom("orthanc", "ORTHANC", archive.port, SOON))
        with karnak(tmp_path / "karnak", nodes, more=index(database)) as first:
            assert storescu(first.port, *files[:5]).returncode == 0
            os.kill(first.process.pid, signal.SIGKILL)
            first.process.wait(60)
        with karnak(tmp_path / "karnak", nodes, more=index(database)) as second:
            assert storescu(second.port, *files[5:]).returncode == 0
            second.settled()
            assert not list((second.folder / "data").glob("index.sqlite*"))
            records = second.ask("/api/v1/ledger/instances")
            assert [fate["state"] for record in records for fate in record["fates"]] == ["delivered"] * 8
            assert second.stop() == 0
            doctor = second.command("doctor")
            assert doctor.returncode == 0, doctor.stdout + doctor.stderr
        uids = [str(dcmread(BytesIO(data), stop_before_pixels=True).SOPInstanceUID) for data in archive.instances()]
        sent = [fate["new"]["sop_instance_uid"] for record in records for fate in record["fates"]]
        assert sorted(uids) == sorted(sent)


def test_an_operator_looks_at_the_queue_and_has_the_index_made_anew(tmp_path: Path, database: Server) -> None:
    nodes = node(to_dicom("archive", "STORESCP", free_port(), LATE))
    with karnak(tmp_path / "karnak", nodes, more=index(database)) as first:
        assert storescu(first.port, make("mr", tmp_path, 1), make("mr", tmp_path, 2)).returncode == 0
        # The index is written after the journal: who asks it waits for it.
        first.wait(lambda: first.ask("/api/v1/queue")["total"] == 2)
        listed = first.command("queue", "list", "--format", "json")
        parts = json.loads(listed.stdout)["parts"]
        assert [part["destination"] for part in parts] == ["archive", "archive"]
        assert first.command("queue", "drop", "--yes", parts[0]["receipt"]).returncode == 0
        first.settled(owed=1)
        assert first.stop() == 0
        rebuilt = first.command("doctor", "--rebuild")
        assert (rebuilt.returncode, rebuilt.stderr) == (0, "")
        assert rebuilt.stdout.endswith("takes in what the spool holds: 1 instances\n")
    with (
        storescp(tmp_path / "scp") as peer,
        karnak(tmp_path / "karnak", node(to_dicom("archive", "STORESCP", peer, SOON)), more=index(database)) as second,
    ):
        second.settled()
        assert len(list((tmp_path / "scp").iterdir())) == 1


def test_a_server_that_goes_away_and_comes_back_loses_nothing(tmp_path: Path, database: Server) -> None:
    """Meanwhile instances are taken into the spool; the gateway isn't started again."""
    with karnak(tmp_path / "karnak", node(to_folder("disk", "out", SOON)), more=index(database)) as gateway:
        out = gateway.folder / "out"
        assert storescu(gateway.port, make("mr", tmp_path, 1)).returncode == 0
        gateway.settled()
        assert ready(gateway)
        database.stop()
        assert storescu(gateway.port, make("mr", tmp_path, 2), make("mr", tmp_path, 3)).returncode == 0
        gateway.wait(lambda: bool(gateway.events("index failed")))
        assert not ready(gateway)
        listed = gateway.command("queue", "list")
        assert (listed.returncode, "can't be used" in listed.stderr) == (2, True), listed.stderr
        assert gateway.owed() == 2
        assert len(list(out.rglob("*.dcm"))) == 1
        database.start()
        gateway.settled()
        assert len(list(out.rglob("*.dcm"))) == 3
        gateway.wait(lambda: ready(gateway))
        records = gateway.ask("/api/v1/ledger/instances")
        assert [fate["state"] for record in records for fate in record["fates"]] == ["delivered"] * 3
        assert gateway.stop() == 0
        # What was tried again is told once.
        audit = gateway.command("doctor", "--audit")
        assert audit.returncode == 0, audit.stdout
        log = b"".join(path.read_bytes() for path in sorted((gateway.folder / "data" / "audit").iterdir()))
        assert (log.count(b'"event":"received"'), log.count(b'"event":"delivered"')) == (3, 3), log


def test_a_gateway_is_stopped_while_its_server_is_away(tmp_path: Path, database: Server) -> None:
    nodes = node(to_folder("disk", "out", SOON))
    with karnak(tmp_path / "karnak", nodes, more=index(database)) as first:
        database.stop()
        assert storescu(first.port, make("mr", tmp_path, 1)).returncode == 0
        first.wait(lambda: bool(first.events("index failed")))
        assert first.stop() == 0
        again = _serve(first.folder)
        assert (again.returncode, "can't be used" in again.stderr) == (2, True), again.stderr
    database.start()
    with karnak(tmp_path / "karnak", nodes, more=index(database)) as second:
        second.settled()
        assert len(list((second.folder / "out").rglob("*.dcm"))) == 1


def test_two_gateways_never_have_one_index(tmp_path: Path, database: Server) -> None:
    nodes = node(to_folder("disk", "out", SOON))
    with karnak(tmp_path / "one", nodes, more=index(database)) as one:
        other = tmp_path / "other"
        other.mkdir()
        for name in ("gateway.yml", "profile.yml", "trial.hex"):
            (other / name).write_bytes((one.folder / name).read_bytes())
        (other / "trial.hex").chmod(0o600)
        text = (other / "gateway.yml").read_text()
        for port in (one.port, one.api):
            text = text.replace(f"port: {port}", f"port: {free_port()}")
        (other / "gateway.yml").write_text(text)
        refused = _serve(other)
        assert refused.returncode == 2
        assert "another gateway uses the index" in refused.stderr, refused.stderr
        assert storescu(one.port, make("mr", tmp_path, 1)).returncode == 0
        one.settled()
        assert one.stop() == 0
    refused = _serve(other)
    assert refused.returncode == 2
    assert "belongs to another data folder" in refused.stderr, refused.stderr
    examined = subprocess.run(
        [sys.executable, "-m", "karnak", "doctor", "--config", "gateway.yml"],
        cwd=other, env=environment(), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (examined.returncode, "belongs to another data folder" in examined.stdout) == (1, True), examined.stdout


def _serve(folder: Path) -> subprocess.CompletedProcess[str]:
    """Start a gateway that ends at once."""
    command = [sys.executable, "-m", "karnak", "serve", "--config", "gateway.yml"]
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=120, check=False
    )
