"""Destinations that refuse, hang, die or fail: the instance waits for them, and nobody else suffers."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.gateway.peers import answers, peer
from tests.system.programs import DEIDENTIFIED, Karnak, free_port, karnak, node, storescp, storescu, to_dicom, to_folder
from tests.system.studies import PLANTED, make

IMPATIENT = f"{DEIDENTIFIED}, connect_timeout: 1, response_timeout: 1"
SUCCESS = "Received Store Response (Success)"


@contextmanager
def beside_a_folder(folder: Path, ae_title: str, port: int, how: str = IMPATIENT) -> Iterator[Karnak]:
    """A gateway with one destination that is in trouble and a folder that isn't."""
    nodes = node(to_dicom("trouble", ae_title, port, how), to_folder("disk", "out"))
    with karnak(folder / "karnak", nodes) as gateway:
        yield gateway


def check_failure(gateway: Karnak, path: Path, reason: str) -> None:
    """The sender's part is done, the folder has the instance, it is still owed to the other, the journal says why."""
    sent = storescu(gateway.port, path)
    assert SUCCESS in sent.stderr
    gateway.wait(lambda: bool(gateway.events("waiting")) and bool(gateway.events("delivered")))
    assert len(list((gateway.folder / "out").rglob("*.dcm"))) == 1
    waiting = gateway.events("waiting")[0]
    assert (waiting["destination"], waiting["reason"], waiting["count"]) == ("trouble", reason, 1)
    assert gateway.owed() == 1
    assert not (gateway.folder / "data" / "quarantine").exists()


def test_nobody_listens(tmp_path: Path) -> None:
    with beside_a_folder(tmp_path, "GONE", free_port()) as gateway:
        check_failure(gateway, make("ct", tmp_path), "no connection: Connection refused")


def test_the_association_is_refused(tmp_path: Path) -> None:
    with storescp(tmp_path / "scp", "--refuse") as port, beside_a_folder(tmp_path, "STORESCP", port) as gateway:
        check_failure(gateway, make("ct", tmp_path), "the association was rejected: no reason given")


def test_the_peer_accepts_tcp_and_is_silent(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        beside_a_folder(tmp_path, "SILENT", silent.getsockname()[1]) as gateway,
    ):
        check_failure(gateway, make("ct", tmp_path), "no answer to the association request within 1 s")


def test_the_peer_hangs_before_its_answer(tmp_path: Path) -> None:
    with (
        storescp(tmp_path / "scp", "--sleep-during", "600") as port,
        beside_a_folder(tmp_path, "STORESCP", port) as gateway,
    ):
        check_failure(gateway, make("ct", tmp_path), "no answer to C-STORE within 1 s")


@pytest.mark.parametrize("when", ["--abort-during", "--abort-after"])
def test_the_peer_dies_halfway(tmp_path: Path, when: str) -> None:
    with storescp(tmp_path / "scp", when) as port, beside_a_folder(tmp_path, "STORESCP", port) as gateway:
        sent = storescu(gateway.port, make("ct", tmp_path))
        assert SUCCESS in sent.stderr
        gateway.wait(lambda: bool(gateway.events("waiting")) and bool(gateway.events("delivered")))
        assert len(list((gateway.folder / "out").rglob("*.dcm"))) == 1
        assert gateway.events("waiting")[0]["reason"] in {
            "the peer ended the association before it answered C-STORE",
            "the connection broke while the instance was sent",
            "the connection broke before the answer to C-STORE",
            "the peer closed the connection",
        }


def test_the_peer_answers_with_a_failure(tmp_path: Path) -> None:
    with peer(answers(0xC123)) as failing, beside_a_folder(tmp_path, "FAILING", failing.address().port) as gateway:
        reason = "the peer answered C-STORE with status C123H (Cannot Understand)"
        check_failure(gateway, make("ct", tmp_path), reason)


def test_a_warning_is_a_delivery(tmp_path: Path) -> None:
    with peer(answers(0xB000)) as warning, beside_a_folder(tmp_path, "WARNING", warning.address().port) as gateway:
        sent = storescu(gateway.port, make("ct", tmp_path))
        assert SUCCESS in sent.stderr
        gateway.settled()
        assert [one["reason"] for one in gateway.events("remark")] == [
            "the peer answered C-STORE with warning B000H (Coercion of Data Elements)"
        ]


def test_the_peer_does_not_take_the_transfer_syntax(tmp_path: Path) -> None:
    # +xe and its like make storescp prefer one of the uncompressed syntaxes; JPEG is not among them.
    with storescp(tmp_path / "scp", "+x=") as port, beside_a_folder(tmp_path, "STORESCP", port) as gateway:
        sent = storescu(gateway.port, make("jpeg", tmp_path), options=("-xy",))
        assert SUCCESS in sent.stderr
        gateway.wait(lambda: bool(gateway.events("waiting")))
        assert gateway.events("waiting")[0]["reason"] == (
            "the peer does not accept Secondary Capture Image Storage in JPEG Baseline (Process 1)"
        )
        # What it takes, it gets, whatever waits before it.
        assert storescu(gateway.port, make("ct", tmp_path)).returncode == 0
        gateway.settled(owed=1)
        assert len(list((tmp_path / "scp").iterdir())) == 1


def test_a_disk_that_can_not_be_written(tmp_path: Path) -> None:
    with karnak(tmp_path / "karnak", node(to_folder("disk", "out"), to_folder("other", "other"))) as gateway:
        (gateway.folder / "out").write_text("a file where the folder should be")
        sent = storescu(gateway.port, make("ct", tmp_path))
        assert SUCCESS in sent.stderr
        gateway.wait(lambda: bool(gateway.events("waiting")) and bool(gateway.events("delivered")))
        assert len(list((gateway.folder / "other").rglob("*.dcm"))) == 1
        assert {one["destination"] for one in gateway.events("waiting")} == {"disk"}


def test_an_instance_without_pseudonym_is_kept_and_not_sent(tmp_path: Path) -> None:
    (tmp_path / "karnak").mkdir()
    (tmp_path / "karnak" / "ids.csv").write_text("patient_id,pseudonym\nsomebody else,P-1\n")
    how = "project: TRIAL, mode: deidentify, pseudonym: { from: csv, file: ids.csv }"
    with karnak(tmp_path / "karnak", node(to_folder("table", "table", how), to_folder("disk", "out"))) as gateway:
        path = make("ct", tmp_path)
        sent = storescu(gateway.port, path)
        assert SUCCESS in sent.stderr
        gateway.settled()
        assert not (gateway.folder / "table").exists()
        # The other destination has its own pseudonyms, and the instance.
        assert len(list((gateway.folder / "out").rglob("*.dcm"))) == 1
        (rejected,) = gateway.events("rejected")
        (kept,) = (gateway.folder / "data" / "quarantine").glob(f"*/{rejected['receipt']}")
        report = json.loads((kept / "report.json").read_text())
        assert [part for part in report["parts"] if part["state"] == "rejected"] == [
            {
                "destination": "table",
                "state": "rejected",
                "profile": "System test",
                "cause": "ids.csv has no pseudonym for the patient of the instance",
            }
        ]
        assert (report["calling_ae"], report["called_ae"]) == ("CT01", "KARNAK")
        assert PLANTED.decode() not in json.dumps(report)
        assert dcmread(kept / "instance.dcm").SOPInstanceUID == dcmread(path).SOPInstanceUID
        assert dcmread(kept / "instance.dcm").PatientID == "PLANTED-ID"
        assert PLANTED.decode() not in gateway.log


def test_exclusions_are_no_failures(tmp_path: Path) -> None:
    mr_only = f"{DEIDENTIFIED}, condition: \"tagValueIsPresent(#Tag.Modality, 'MR')\""
    sr_only = f"{DEIDENTIFIED}, sop_classes: [ Comprehensive SR Storage ]"
    nodes = node(
        to_folder("mr", "mr", mr_only),
        to_folder("sr", "sr", sr_only),
        to_folder("off", "off", f"{DEIDENTIFIED}, enabled: false"),
    )
    with karnak(tmp_path / "karnak", nodes) as gateway:
        for kind in ("ct", "mr", "sr"):
            sent = storescu(gateway.port, make(kind, tmp_path))
            assert SUCCESS in sent.stderr
        gateway.settled()
        assert (len(gateway.events("delivered")), len(gateway.events("excluded"))) == (2, 4)
        assert len(list((gateway.folder / "mr").rglob("*.dcm"))) == 1
        assert len(list((gateway.folder / "sr").rglob("*.dcm"))) == 1
        assert not (gateway.folder / "off").exists()


def test_mode_none_sends_what_came(tmp_path: Path) -> None:
    with storescp(tmp_path / "scp") as port:
        nodes = node(to_dicom("scp", "STORESCP", port, "mode: none"), to_folder("raw", "raw", "mode: none"))
        with karnak(tmp_path / "karnak", nodes) as gateway:
            path = make("us", tmp_path)
            assert storescu(gateway.port, path).returncode == 0
            gateway.settled()
            (received,) = (tmp_path / "scp").iterdir()
            (written,) = (gateway.folder / "raw").rglob("*.dcm")
            # storescp keeps to the byte what it gets, and so do we.
            ends = [_data_set(one.read_bytes()) for one in (received, written)]
            assert ends[0] == ends[1]
            assert dcmread(written) == dcmread(path)
            # Its UIDs are the patient's own, so the journal doesn't have them.
            assert str(dcmread(path).SOPInstanceUID) not in gateway.log


def _data_set(file: bytes) -> bytes:
    return file[132 + 12 + int.from_bytes(file[140:144], "little") :]


def test_many_associations_at_once(tmp_path: Path) -> None:
    files = [make("mr", tmp_path, number=number) for number in range(1, 41)]
    with storescp(tmp_path / "scp", "--fork") as port:
        nodes = node(
            to_dicom("scp", "STORESCP", port, f"{DEIDENTIFIED}, maximum_associations: 4"), to_folder("disk", "out")
        )
        with karnak(tmp_path / "karnak", nodes) as gateway:
            with ThreadPoolExecutor(8) as senders:
                sent = list(senders.map(lambda i: storescu(gateway.port, *files[i::8]), range(8)))
            assert [one.returncode for one in sent] == [0] * 8
            assert sum(one.stderr.count(SUCCESS) for one in sent) == 40
            gateway.settled()
            assert len(list((gateway.folder / "out").rglob("*.dcm"))) == 40
            assert len(list((tmp_path / "scp").iterdir())) == 40


def test_a_destination_that_hangs_does_not_hold_up_other_senders(tmp_path: Path) -> None:
    with storescp(tmp_path / "scp", "--sleep-during", "600") as port:
        patient = f"{DEIDENTIFIED}, connect_timeout: 60, response_timeout: 60"
        nodes = node(to_dicom("trouble", "STORESCP", port, patient), ae_title="SLOW") + node(
            to_folder("disk", "out"), ae_title="FAST"
        )
        with karnak(tmp_path / "karnak", nodes, ", drain_timeout: 0.1") as gateway:
            assert storescu(gateway.port, make("ct", tmp_path), called="SLOW").returncode == 0
            for number in range(1, 4):
                assert storescu(gateway.port, make("mr", tmp_path, number=number), called="FAST").returncode == 0
            gateway.settled(owed=1)
            assert len(list((gateway.folder / "out").rglob("*.dcm"))) == 3
            assert gateway.stop() == 0
