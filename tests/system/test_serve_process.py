"""`karnak serve` as a program: what it says, how it stops, what it refuses, and that its output names nobody."""

import json
import os
import shlex
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydicom import dcmread

from karnak.gateway.defaults import default_source
from tests.system.programs import (
    DEIDENTIFIED,
    environment,
    free_port,
    karnak,
    node,
    run,
    server,
    storescp,
    storescu,
    to_dicom,
    to_folder,
    tool,
)
from tests.system.studies import dump, make

COMMAND = [sys.executable, "-m", "karnak", "serve"]

RAW = (
    "data_dir: data\nforward_nodes: [ { ae_title: KARNAK, sources: any, destinations: [ { name: disk, type: folder, "
    "path: out, mode: none } ] } ]\n"
)


def serve(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `karnak serve` to its end."""
    command = [*COMMAND, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=cwd, env=environment())


def outputs(folder: Path) -> list[Path]:
    """What a folder has when something has come."""
    deadline = time.monotonic() + 60
    while not (found := list(folder.rglob("*.dcm"))):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_the_built_in_configuration_takes_a_first_study(tmp_path: Path) -> None:
    port = free_port()
    text = default_source(tmp_path, os.urandom).text
    (tmp_path / "gateway.yml").write_text(text.replace("port: 11112", f"port: {port}") + "api: { port: 0 }\n")
    command = [*COMMAND, "--config", "gateway.yml"]
    with server(command, port, tmp_path / "log", env=environment(), cwd=tmp_path):
        while "storescu" not in (tmp_path / "log").read_text():
            pass
        greeting = (tmp_path / "log").read_text()
        assert f"Karnak listens on 127.0.0.1 port {port}" in greeting
        assert f"out: folder {tmp_path / 'out'}, de-identified by Basic DICOM profile for DEFAULT" in greeting
        assert f"kept in {tmp_path / 'data' / 'quarantine'}" in greeting
        # The line that it prints is one that works.
        (line,) = [line for line in greeting.splitlines() if line.strip().startswith("storescu")]
        file = make("ct", tmp_path)
        sent = run(*[str(file) if word == "file.dcm" else word for word in shlex.split(line)])
        assert sent.returncode == 0, sent.stderr
        (out,) = outputs(tmp_path / "out")
        shown = dump(out)
        assert "PatientIdentityRemoved" in shown
        assert "PLANTED" not in shown
    secret = tmp_path / "data" / "secrets" / "default.hex"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert default_source(tmp_path, os.urandom).text == text


def test_a_port_that_is_taken_is_told_and_nothing_runs(tmp_path: Path) -> None:
    with karnak(tmp_path / "first", node(to_folder("disk", "out"))) as first:
        config = (first.folder / "gateway.yml").read_text()
        (first.folder / "other.yml").write_text(config.replace("data_dir: data", "data_dir: other"))
        second = serve("--config", "other.yml", cwd=first.folder)
        same = serve("--config", "gateway.yml", cwd=first.folder)
    assert (same.returncode, same.stderr) == (2, "karnak: a gateway runs on data; stop it first\n")
    assert second.returncode == 2
    assert second.stderr.splitlines()[-1] == (
        f"karnak: can't listen on 127.0.0.1 port {first.port}: Address already in use; "
        "another program listens there: end it, or give `listen` another `port`"
    )
    assert second.stdout == ""


def test_the_line_that_it_prints_is_one_of_a_known_sender(tmp_path: Path) -> None:
    nodes = node(to_folder("disk", "out"), sources="[ { ae_title: MR07 }, { ae_title: CT01 } ]")
    with karnak(tmp_path, nodes) as gateway:
        line = f"  storescu -aet MR07 -aec KARNAK 127.0.0.1 {gateway.port} file.dcm\n"
        gateway.wait(lambda: line in gateway.log)


def test_an_index_that_can_not_be_read_is_for_the_doctor(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "index.sqlite").write_text("nothing of the kind")
    (tmp_path / "gateway.yml").write_text(RAW)
    ended = serve("--config", "gateway.yml", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines()[-1] == (
        "karnak: the index data/index.sqlite can't be used (SQLITE_NOTADB); `karnak doctor` looks at it"
    )


def test_receivers_that_can_not_run_end_the_gateway(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import os, sys\nif 'karnak.gateway.receive.process' in sys.orig_argv:\n    os._exit(7)\n"
    )
    path = os.pathsep.join([str(tmp_path / "site"), environment()["PYTHONPATH"]])
    (tmp_path / "gateway.yml").write_text("listen: { port: 0 }\napi: { port: 0 }\n" + RAW)
    ended = subprocess.run(
        [*COMMAND, "--config", "gateway.yml"],
        cwd=tmp_path,
        env=environment() | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert '"event": "receiver died", "status": "exit status 7"' in ended.stderr
    assert ended.stderr.splitlines()[-1] == (
        "karnak: the processes that receive instances don't start; the journal above says how they ended"
    )
    assert "Traceback" not in ended.stderr


def test_a_data_folder_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    (tmp_path / "gateway.yml").write_text(RAW)
    ended = serve("--config", "gateway.yml", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines()[-1] == "karnak: can't start: File exists: data"


def test_mistakes_are_shown_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "gateway.yml").write_text("data_dir: data\nforward_nods: []\n")
    for arguments, code in ((["--config", "gateway.yml"], 2), (["--config", "gateway.yml", "--check"], 1)):
        ended = serve(*arguments, cwd=tmp_path)
        assert ended.returncode == code
        assert ended.stderr == (
            "gateway.yml:2:1: G101 there is no setting `forward_nods` here\n"
            "  |\n"
            "2 | forward_nods: []\n"
            "  | ^^^^^^^^^^^^ did you mean forward_nodes?\n"
            "  = help: the settings here are api, data_dir, dicomweb, engine, forward_nodes, index, ledger, listen, "
            "projects, reload, spool, storage_commitment\n\n"
        )
    assert not (tmp_path / "data").exists()


def test_a_profile_with_mistakes_is_shown_with_its_own_lines(tmp_path: Path) -> None:
    (tmp_path / "trial.hex").write_text("0123456789abcdef0123456789abcdef")
    (tmp_path / "trial.hex").chmod(0o600)
    (tmp_path / "profile.yml").write_text("name: x\nprofileElements:\n  - { name: a, codename: basic.dicom.profil }\n")
    (tmp_path / "gateway.yml").write_text(
        "data_dir: data\nprojects: [ { name: TRIAL, profile: profile.yml, secret_file: trial.hex } ]\nforward_nodes:\n"
        + node(to_folder("disk", "out"))
    )
    ended = serve("--config", "gateway.yml", cwd=tmp_path)
    assert ended.returncode == 2
    assert "profile.yml:3:26: K104" in ended.stderr
    assert "did you mean basic.dicom.profile?" in ended.stderr


def test_a_good_configuration_passes_the_check(tmp_path: Path) -> None:
    with karnak(tmp_path / "made", node(to_folder("disk", "out"))) as made:
        checked = serve("--config", "gateway.yml", "--check", cwd=made.folder)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_the_engine_of_the_command_line_wins(tmp_path: Path) -> None:
    default, file = default_source(tmp_path, os.urandom).text, make("ct", tmp_path)
    made = []
    for engine in ("tables", "reference"):
        port = free_port()
        (tmp_path / "gateway.yml").write_text(
            "engine: tables\napi: { port: 0 }\n" + default.replace("port: 11112", f"port: {port}")
        )
        command = [*COMMAND, "--config", "gateway.yml", "--engine", engine]
        with server(command, port, tmp_path / "log", env=environment(), cwd=tmp_path):
            assert storescu(port, file).returncode == 0
            (out,) = outputs(tmp_path / "out")
        made.append(dcmread(out))
        out.unlink()
    for output in made:
        del output.InstanceCreationDate, output.InstanceCreationTime
    assert made[0] == made[1]
    ended = serve("--config", "gateway.yml", "--engine", "fast", cwd=tmp_path)
    assert ended.returncode == 2
    assert "'fast' is not one of 'tables', 'reference'" in ended.stderr


def test_a_configuration_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    ended = serve("--config", "gone.yml", cwd=tmp_path)
    assert ended.returncode == 2
    assert "gone.yml" in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_instance_in_work_be_answered(tmp_path: Path, number: signal.Signals) -> None:
    # The destination takes a second for each piece of the instance; the signal comes in between.
    with storescp(tmp_path / "scp", "--sleep-during", "1") as port:
        nodes = node(to_dicom("scp", "STORESCP", port, DEIDENTIFIED))
        with karnak(tmp_path / "karnak", nodes) as gateway:
            file = make("ct", tmp_path)
            sender = subprocess.Popen(
                [tool("storescu"), "-v", "-aec", "KARNAK", "127.0.0.1", str(gateway.port), str(file)],
                stderr=subprocess.PIPE,
                text=True,
            )
            while not any((tmp_path / "scp").iterdir()):
                pass
            gateway.process.send_signal(number)
            _, said = sender.communicate(timeout=60)
            assert "Received Store Response (Success)" in said
            assert gateway.process.wait(60) == 0
            order = [json.loads(line)["event"] for line in gateway.log.splitlines() if line.startswith("{")]
            assert order == ["listening", "stopping", "delivered", "stopped"]


def test_output_names_nobody(tmp_path: Path) -> None:
    (tmp_path / "karnak").mkdir()
    (tmp_path / "karnak" / "ids.csv").write_text("patient_id,pseudonym\nPLANTED-OTHER,P-1\n")
    table = "project: TRIAL, mode: deidentify, pseudonym: { from: csv, file: ids.csv }"
    nodes = node(
        to_folder("disk", "out"),
        to_folder("raw", "raw", "mode: none"),
        to_folder("table", "table", table),
        to_dicom("gone", "GONE", free_port()),
    )
    with karnak(tmp_path / "karnak", nodes) as gateway:
        kinds = ("ct", "mr", "sr", "us", "pdf", "enhanced")
        files = [make(kind, tmp_path) for kind in kinds]
        for file in files:
            assert storescu(gateway.port, file).returncode == 0
        gateway.wait(lambda: len(gateway.events("delivered")) == 2 * len(kinds))
        gateway.wait(lambda: len(gateway.events("rejected")) == len(kinds))
        assert gateway.stop() == 0
        identities = {"PLANTED"}
        for file in files:
            read = dcmread(file)
            identities |= {str(read.SOPInstanceUID), str(read.StudyInstanceUID), str(read.SeriesInstanceUID)}
        assert [one for one in identities if one in gateway.log] == []
        # Nothing of a patient in a database, either: the original's UIDs are there, names and identifiers are not.
        assert b"PLANTED" not in (gateway.folder / "data" / "index.sqlite").read_bytes()
        reports = [path.read_text() for path in (gateway.folder / "data").rglob("report.json")]
        assert [one for one in identities if any(one in report for report in reports)] == []
