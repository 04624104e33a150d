"""What an operator sees and does: destinations that are down, kills, new rules, the queue, the metrics."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from pydicom import dcmread

from tests.system.programs import (
    DEIDENTIFIED,
    PROFILE,
    Karnak,
    free_port,
    karnak,
    node,
    orthanc,
    server,
    storescp,
    storescu,
    to_dicom,
    to_folder,
    tool,
)
from tests.system.studies import make

SOON = f"{DEIDENTIFIED}, retry: {{ first: 0.2, longest: 0.5 }}"
LATE = f"{DEIDENTIFIED}, retry: {{ first: 3600, longest: 3600 }}"
KEEP_STATION = "  - { name: station, codename: action.on.specific.tags, action: K, tags: [ StationName ] }\n"


def written(gateway: Karnak, folder: str = "out") -> list[Path]:
    return sorted((gateway.folder / folder).rglob("*.dcm"))


def test_a_destination_that_comes_back_gets_everything(tmp_path: Path) -> None:
    port = free_port()
    with karnak(
        tmp_path / "karnak", node(to_dicom("archive", "STORESCP", port, SOON), to_folder("disk", "out"))
    ) as gateway:
        files = [make("mr", tmp_path, number=number) for number in range(1, 6)]
        assert storescu(gateway.port, *files).returncode == 0
        gateway.wait(lambda: len(written(gateway)) == 5)
        assert gateway.owed() == 5
        with storescp_at(tmp_path / "scp", port):
            gateway.settled()
            assert len(list((tmp_path / "scp").iterdir())) == 5
        metrics = gateway.ask("/metrics")
        assert 'karnak_ended_total{destination="archive",door="dimse",state="delivered"} 5.0' in metrics
        assert "karnak_spool_bytes 0.0" in metrics
        assert 'karnak_received_total{door="dimse"} 5.0' in metrics


@contextmanager
def storescp_at(folder: Path, port: int) -> Iterator[None]:
    """dcmtk's storescp on a port that was chosen before."""
    folder.mkdir()
    command = [tool("storescp"), "-aet", "STORESCP", "+xa", "+B", "-od", str(folder), str(port)]
    with server(command, port, folder.parent / "scp.log"):
        yield


def test_a_kill_in_the_middle_of_a_study_loses_nothing(tmp_path: Path) -> None:
    """Kill -9 while a study comes in; the sender sends what was not acknowledged; count at Orthanc."""
    files = [make("ct", tmp_path, number=number) for number in range(1, 13)]
    with orthanc(tmp_path / "orthanc") as archive:
        nodes = node(to_dicom("orthanc", "ORTHANC", archive.port, SOON))
        with karnak(tmp_path / "karnak", nodes) as first:
            acknowledged = [file for file in files[:8] if storescu(first.port, file).returncode == 0]
            os.kill(first.process.pid, signal.SIGKILL)
            first.process.wait(60)
            config = (first.folder / "gateway.yml").read_text()
        assert len(acknowledged) == 8
        with karnak(tmp_path / "karnak", nodes) as second:
            # The same data folder: the ports are others.
            assert config.split("data_dir")[1].split("\n")[0] in (second.folder / "gateway.yml").read_text()
            assert storescu(second.port, *files[8:]).returncode == 0
            second.settled()
            uids = {str(dcmread(BytesIO(data), stop_before_pixels=True).SOPInstanceUID) for data in archive.instances()}
        assert len(uids) == len(archive.instances()) == 12


def dcmread_bytes(data: bytes):  # type: ignore[no-untyped-def]
    from io import BytesIO

    return dcmread(BytesIO(data), stop_before_pixels=True)


def test_new_rules_come_in_and_bad_ones_do_not(tmp_path: Path) -> None:
    with karnak(tmp_path / "karnak", node(to_folder("disk", "out"))) as gateway:
        profile = gateway.folder / "profile.yml"
        before = gateway.ask("/api/v1/profiles")
        assert before["epoch"] == 1
        profile.write_text(PROFILE.replace("basic.dicom.profile", "basic.dicom.profil"))
        gateway.wait(lambda: bool(gateway.events("reload refused")))
        refused = gateway.events("reload refused")[0]["reason"]
        assert refused.startswith("K104 ")
        assert "profile.yml:4:" in refused
        assert gateway.ask("/api/v1/profiles") == before
        checked = gateway.command("reload")
        assert (checked.returncode, "did you mean basic.dicom.profile?" in checked.stderr) == (1, True)
        # The last good rules are in force.
        file = make("ct", tmp_path)
        assert storescu(gateway.port, file).returncode == 0
        gateway.settled()
        assert "StationName" not in dcmread(written(gateway)[0])
        profile.write_text(PROFILE.replace("  - {", KEEP_STATION + "  - {", 1))
        gateway.wait(lambda: gateway.ask("/api/v1/profiles")["epoch"] > 1)
        after = gateway.ask("/api/v1/profiles")
        assert after["profiles"][0]["digest"] != before["profiles"][0]["digest"]
        assert storescu(gateway.port, file).returncode == 0
        gateway.settled()
        assert dcmread(written(gateway)[0]).StationName == dcmread(file).StationName
        # The ledger says which rules made what.
        records = gateway.ask("/api/v1/ledger/instances")
        digests = [record["fates"][0]["program"] for record in records]
        assert digests == [after["profiles"][0]["digest"], before["profiles"][0]["digest"]]
        again = gateway.command("reload")
        assert (again.returncode, again.stdout) == (0, f"new rules are active, epoch {after['epoch'] + 1}\n")
        gateway.process.send_signal(signal.SIGHUP)
        gateway.wait(lambda: gateway.ask("/api/v1/profiles")["epoch"] == after["epoch"] + 2)


def test_an_operator_looks_at_the_queue_retries_and_drops(tmp_path: Path) -> None:
    port = free_port()
    with karnak(tmp_path / "karnak", node(to_dicom("archive", "STORESCP", port, LATE))) as gateway:
        files = [make("mr", tmp_path, number=number) for number in (1, 2)]
        assert storescu(gateway.port, files[0]).returncode == 0
        # The index is written after the journal: who asks it waits for it.
        gateway.wait(lambda: gateway.ask("/api/v1/queue?state=waiting")["total"] == 1)
        assert len(gateway.events("waiting")) == 1
        (part,) = gateway.ask("/api/v1/queue?destination=archive&state=waiting")["parts"]
        assert part["cause"] == "no connection: Connection refused"
        listed = gateway.command("queue", "list", "--format", "json")
        assert [row["receipt"] for row in json.loads(listed.stdout)["parts"]] == [part["receipt"]]
        assert storescu(gateway.port, files[1]).returncode == 0
        gateway.wait(lambda: gateway.ask("/api/v1/queue?state=routed")["total"] == 1)
        (other,) = gateway.ask("/api/v1/queue?state=routed")["parts"]
        assert gateway.command("queue", "drop", "--yes", other["receipt"]).returncode == 0
        gateway.settled(owed=1)
        assert gateway.ask("/api/v1/queue")["total"] == 1
        with storescp_at(tmp_path / "scp", port):
            assert gateway.command("queue", "retry", "--destination", "archive").returncode == 0
            gateway.settled()
            assert len(list((tmp_path / "scp").iterdir())) == 1
        assert gateway.ask("/readyz")["ready"] is True
        assert gateway.stop() == 0
        doctor = gateway.command("doctor")
        assert doctor.returncode == 0, doctor.stdout + doctor.stderr
        audit = gateway.command("doctor", "--audit")
        assert audit.returncode == 0, audit.stdout + audit.stderr


def test_a_lost_index_is_made_anew_from_the_spool(tmp_path: Path) -> None:
    port = free_port()
    nodes = node(to_dicom("archive", "STORESCP", port, LATE))
    with karnak(tmp_path / "karnak", nodes) as first:
        assert storescu(first.port, make("mr", tmp_path)).returncode == 0
        first.wait(lambda: len(first.events("waiting")) == 1)
        assert first.stop() == 0
        for path in (first.folder / "data").glob("index.sqlite*"):
            path.unlink()
        rebuilt = first.command("doctor", "--rebuild")
        assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    with (
        storescp(tmp_path / "scp") as peer,
        karnak(tmp_path / "karnak", node(to_dicom("archive", "STORESCP", peer, SOON))) as second,
    ):
        second.settled()
        assert len(list((tmp_path / "scp").iterdir())) == 1
