"""`karnak serve` over HTTP: instances come in by STOW-RS, and the API tells what became of them and takes orders."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import requests
from dicomweb_client.api import DICOMwebClient
from prometheus_client.parser import text_string_to_metric_families
from pydicom import dcmread

from tests.system.programs import (
    PROFILE,
    SECRET,
    environment,
    free_port,
    node,
    server,
    storescp,
    to_dicom,
    to_folder,
)

STOW_TOKEN, API_TOKEN = "token-of-the-scanner", "token-of-the-operator"
COMMAND = [sys.executable, "-m", "karnak"]
INSTANCES = Path(__file__).resolve().parents[1] / "data" / "instances"
NAMES = ("ct_small", "mr_small_implicit", "sc_rle_2frame")


@dataclass
class House:
    """A gateway with both HTTP doors."""

    folder: Path
    api: httpx.Client
    stow: str

    def store(self, *names: str) -> Any:
        """Send instances as dicomweb-client does; gives its reading of the answer."""
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {STOW_TOKEN}"
            client = DICOMwebClient(f"{self.stow}/dicomweb", session=session)
            return client.store_instances([dcmread(INSTANCES / f"{name}.dcm") for name in names])

    def get(self, path: str, **query: str) -> Any:
        answer = self.api.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.05)

    def wait_for(self, ended: int) -> None:
        """Wait until so many instances have ended everywhere; rows come a moment after the answer."""
        self.wait(lambda: sum(one["ended"] is not None for one in self.get("/api/v1/ledger/instances")) == ended)

    def metric(self, name: str, **labels: str) -> float:
        for family in text_string_to_metric_families(self.api.get("/metrics").text):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        raise AssertionError(f"there is no {name} {labels}")


@contextmanager
def house(folder: Path, *destinations: str) -> Iterator[House]:
    folder.mkdir(parents=True, exist_ok=True)
    port, api, stow = free_port(), free_port(), free_port()
    for name, text in (("trial.hex", SECRET), ("api.token", API_TOKEN), ("ct.token", STOW_TOKEN)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    (folder / "profile.yml").write_text(PROFILE)
    (folder / "gateway.yml").write_text(
        f"listen: {{ port: {port}, processes: 1 }}\n"
        "data_dir: data\n"
        f"api: {{ port: {api}, token_file: api.token }}\n"
        f"dicomweb:\n  port: {stow}\n"
        "  senders: [ { ae_title: CT01, forward_node: KARNAK, token_file: ct.token } ]\n"
        "reload: { watch: false }\n"
        "projects: [ { name: TRIAL, profile: profile.yml, secret_file: trial.hex } ]\n"
        f"forward_nodes:\n{node(*destinations)}"
    )
    command = [*COMMAND, "serve", "--config", "gateway.yml"]
    headers = {"Authorization": f"Bearer {API_TOKEN}"}
    with (
        server(command, api, folder / "log", env=environment(), cwd=folder),
        httpx.Client(base_url=f"http://127.0.0.1:{api}", headers=headers, timeout=30) as client,
    ):
        yield House(folder, client, f"http://127.0.0.1:{stow}")


def test_what_comes_by_stow_is_delivered_told_and_written_down(tmp_path: Path) -> None:
    with storescp(tmp_path / "pacs") as port:
        with house(tmp_path / "house", to_folder("disk", "out"), to_dicom("pacs", "STORESCP", port)) as made:
            made.wait(lambda: made.api.get("/readyz").status_code == 200)
            answer = made.store(*NAMES)
            originals = [dcmread(INSTANCES / f"{name}.dcm") for name in NAMES]
            stored = [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence]
            assert stored == [original.SOPInstanceUID for original in originals]
            made.wait_for(3)

            records = made.get("/api/v1/ledger/instances", calling_ae="CT01")
            assert {record["sop_instance_uid"] for record in records} == set(stored)
            assert {record["door"] for record in records} == {"stow"}
            new = {fate["new"]["sop_instance_uid"] for record in records for fate in record["fates"]}
            for folder in (tmp_path / "house" / "out", tmp_path / "pacs"):
                sent = [dcmread(path) for path in folder.rglob("*") if path.is_file()]
                assert {instance.SOPInstanceUID for instance in sent} == new
                assert all(instance.PatientIdentityRemoved == "YES" for instance in sent)
            assert not new & set(stored)

            digest = made.get("/api/v1/profiles")["profiles"][0]["digest"]
            studies = made.get("/api/v1/ledger/studies")
            assert sum(study["instances"] for study in studies) == 3
            assert {tuple(tally["programs"]) for study in studies for tally in study["tallies"]} == {(digest,)}
            assert made.metric("karnak_received_total", door="stow") == 3
            assert made.metric("karnak_received_total", door="dimse") == 0
            for name in ("disk", "pacs"):
                assert made.metric("karnak_ended_total", destination=name, door="stow", state="delivered") == 3
            assert made.metric("karnak_spool_bytes") == 0
            assert made.api.get("/metrics", headers={"Authorization": ""}).status_code == 401
        events = audited(made)
        assert events.count("received") == 3
        assert events.count("delivered") == 6
        assert "ledger read" in events
        text = "".join(path.read_text() for path in (made.folder / "data" / "audit").iterdir())
        names = [str(original.get(keyword, "")) for original in originals for keyword in ("PatientName", "PatientID")]
        assert not [name for name in [*names, *stored] if name and name in text + (made.folder / "log").read_text()]


def audited(made: House) -> list[str]:
    """The events of the audit log, which is whole."""
    done = subprocess.run(
        [*COMMAND, "doctor", "--config", "gateway.yml", "--audit"],
        cwd=made.folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "lines of the audit log are in order" in done.stdout
    files = sorted((made.folder / "data" / "audit").iterdir())
    lines = [line for path in files for line in path.read_text().splitlines()]
    return [json.loads(line)["event"] for line in lines]


def test_a_destination_that_is_down_is_seen_retried_and_given_up(tmp_path: Path) -> None:
    with house(tmp_path, to_folder("disk", "out"), to_dicom("pacs", "STORESCP", free_port())) as made:
        made.store("ct_small")
        made.wait(lambda: made.get("/api/v1/queue", state="waiting")["total"] == 1)
        (part,) = made.get("/api/v1/queue", destination="pacs")["parts"]
        assert part["cause"]
        assert part["retry_at"] > part["received"]
        assert made.metric("karnak_queue_depth", destination="pacs") == 1
        assert made.metric("karnak_retries_total", destination="pacs") >= 1
        attempts = part["attempts"]
        assert made.api.post("/api/v1/queue/retry", json={"destination": "pacs"}).json() == {"count": 1}
        made.wait(lambda: made.get("/api/v1/queue")["parts"][0]["attempts"] > attempts)
        assert made.api.post("/api/v1/queue/drop", json={"receipt": part["receipt"]}).status_code == 202
        made.wait_for(1)
        (record,) = made.get("/api/v1/ledger/instances")
        assert {fate["destination"]: fate["state"] for fate in record["fates"]} == {
            "disk": "delivered",
            "pacs": "excluded",
        }
    events = audited(made)
    assert "retried by person" in events
    assert "dropped by person" in events


def test_rules_are_read_again_by_order_and_bad_ones_are_told_and_strangers_store_nothing(tmp_path: Path) -> None:
    with house(tmp_path, to_folder("disk", "out")) as made:
        for token in ("", "Bearer wrong", f"Bearer {API_TOKEN}"):
            headers = {
                "Authorization": token,
                "Content-Type": 'multipart/related; type="application/dicom"; boundary=B',
            }
            body = b"--B\r\n\r\n" + (INSTANCES / "ct_small.dcm").read_bytes() + b"\r\n--B--"
            assert httpx.post(f"{made.stow}/dicomweb/studies", headers=headers, content=body).status_code == 401
        assert made.metric("karnak_refused_total", door="stow") == 3
        before = made.get("/api/v1/profiles")
        (tmp_path / "profile.yml").write_text(PROFILE.replace("basic.dicom.profile", "no.such.element"))
        answer = made.api.post("/api/v1/profiles/reload", json={})
        assert answer.status_code == 409
        assert answer.json()["findings"][0]["line"] == 4
        assert made.get("/api/v1/profiles") == before
        more = '  - { name: "out", codename: "action.on.specific.tags", action: "X", tags: ["(0010,0040)"] }\n'
        (tmp_path / "profile.yml").write_text(PROFILE.replace("profileElements:\n", f"profileElements:\n{more}"))
        answer = made.api.post("/api/v1/profiles/reload", json={})
        assert (answer.status_code, answer.json()["outcome"]) == (200, "activated")
        after = made.get("/api/v1/profiles")
        assert after["epoch"] == before["epoch"] + 1
        assert after["profiles"][0]["digest"] != before["profiles"][0]["digest"]
        made.store("ct_small")
        made.wait_for(1)
        (record,) = made.get("/api/v1/ledger/instances")
        assert record["fates"][0]["program"] == after["profiles"][0]["digest"]
        assert made.metric("karnak_reloads_total", outcome="activated") == 1
        assert made.metric("karnak_reloads_total", outcome="refused") == 1
