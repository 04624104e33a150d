"""`karnak queue` and `karnak doctor` beside a gateway that runs, was killed, and starts again, with peers of dcmtk."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pydicom import dcmread

from tests.system.programs import (
    DEIDENTIFIED,
    Karnak,
    environment,
    free_port,
    karnak,
    node,
    server,
    storescp,
    storescu,
    to_dicom,
    to_folder,
    tool,
)
from tests.system.studies import make

# Nobody waits for the second try of a test.
PATIENTLY = f"{DEIDENTIFIED}, retry: {{ first: 3600, longest: 7200 }}"


def command(gateway: Karnak, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "karnak", *arguments, "--config", str(gateway.folder / "gateway.yml")]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, env=environment(), cwd=gateway.folder)


def listed(gateway: Karnak) -> list[dict[str, Any]]:
    """What is owed."""
    parts: list[dict[str, Any]] = json.loads(command(gateway, "queue", "list", "--format", "json").stdout)["parts"]
    return parts


def test_what_a_dead_destination_is_owed_is_seen_retried_and_dropped(tmp_path: Path) -> None:
    port = free_port()
    sent = [make("ct", tmp_path), make("mr", tmp_path)]
    nodes = node(to_dicom("archive", "STORESCP", port, PATIENTLY), to_folder("disk", "out"))
    with karnak(tmp_path / "house", nodes) as gateway:
        assert storescu(gateway.port, sent[0]).returncode == 0
        gateway.wait(lambda: [part["state"] for part in listed(gateway)] == ["waiting"])
        # The first has found out that nobody is there; the second stands behind it.
        assert storescu(gateway.port, sent[1]).returncode == 0
        gateway.wait(lambda: [part["destination"] for part in listed(gateway)] == ["archive", "archive"])
        first, second = listed(gateway)
        assert (first["attempts"], first["cause"]) == (1, "no connection: Connection refused")
        assert (second["attempts"], second["state"]) == (0, "routed")
        kept, dropped = first["receipt"], second["receipt"]
        looked = command(gateway, "doctor")
        assert (looked.returncode, "owed to archive: 1 routed, 1 waiting" in looked.stdout) == (0, True), looked.stdout
        refused = command(gateway, "doctor", "--rebuild")
        assert (refused.returncode, "stop it first" in refused.stderr) == (2, True)

        done = command(gateway, "queue", "drop", "--yes", dropped)
        assert done.stdout == "1 delivery: the gateway does it within seconds\n"
        gateway.settled(1)
        assert [part["receipt"] for part in listed(gateway)] == [kept]
        (tmp_path / "archive").mkdir()
        archive = [tool("storescp"), "-aet", "STORESCP", "+xa", "+B", "-od", str(tmp_path / "archive"), str(port)]
        with server(archive, port, tmp_path / "archive.log"):
            assert command(gateway, "queue", "retry", kept).returncode == 0
            gateway.settled()
        assert listed(gateway) == []
        assert len(list((tmp_path / "archive").iterdir())) == 1
        assert len(list((tmp_path / "house" / "out").rglob("*.dcm"))) == 2


def test_a_killed_gateway_with_a_broken_index_delivers_what_it_took(tmp_path: Path) -> None:
    port = free_port()
    house = tmp_path / "house"
    nodes = node(to_dicom("archive", "STORESCP", port, PATIENTLY), to_folder("disk", "out"))
    with karnak(house, nodes) as gateway:
        assert storescu(gateway.port, make("ct", tmp_path), make("mr", tmp_path)).returncode == 0
        gateway.wait(lambda: len(list((house / "out").rglob("*.dcm"))) == 2)
        gateway.process.kill()
        gateway.process.wait()
    first = set((house / "out").rglob("*.dcm"))
    for path in (house / "data").glob("index.sqlite*"):
        # What is in the log beside it would mend it.
        path.unlink()
    (house / "data" / "index.sqlite").write_bytes(b"no database" * 1000)
    broken = command(gateway, "doctor")
    assert (broken.returncode, "SQLITE_NOTADB" in broken.stdout) == (1, True)
    rebuilt = command(gateway, "doctor", "--rebuild")
    assert (rebuilt.returncode, "what the spool holds: 2 instances" in rebuilt.stdout) == (0, True), rebuilt.stderr
    with storescp(tmp_path / "archive") as new_port:
        nodes = nodes.replace(f"port: {port}", f"port: {new_port}")
        with karnak(house, nodes) as gateway:
            gateway.settled()
            assert command(gateway, "doctor").returncode == 0
    archived = {dcmread(path).SOPInstanceUID for path in (tmp_path / "archive").iterdir()}
    # The folder was given them a second time: the same instances, under the same names.
    assert set((house / "out").rglob("*.dcm")) == first
    assert archived == {dcmread(path).SOPInstanceUID for path in first}
    assert len(archived) == 2
