"""`karnak ledger`: what came in and what became of it; patients for who has the key; each look is noted."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from karnak.cli import configured
from karnak.cli import ledger as command
from karnak.gateway import looking
from karnak.gateway.api.caller import NoAnswer
from karnak.gateway.disk import Disk
from karnak.gateway.house_lock import HouseLock
from karnak.gateway.house_plan import ApiPlan
from karnak.gateway.patient_cipher import Patient, PatientCipher
from karnak.gateway.premises import NoPremises
from karnak.gateway.receipts import Receipts
from karnak.gateway.spool import Spool
from karnak.gateway.states import State
from karnak.gateway.store.rows import Change, Entry, NewUids
from tests.cli.gateway_house import configure, index_at, karnak
from tests.gateway.arrivals import START, arrival
from tests.gateway.store.entries import LATER

KEY = "ab" * 32
DOE = Patient("DOE-1", "HOSPITAL")
NEW = NewUids("2.25.100", "2.25.101", "2.25.102")
SENT = "2.25.100"


def sealed(key: str, patient: Patient, uid: str) -> bytes:
    return PatientCipher(bytes.fromhex(key), os.urandom).encrypt(patient, uid)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two studies: one of two instances of one patient, of which one was delivered; one with another key."""
    made = configure(tmp_path)
    (tmp_path / "ledger.hex").write_text(KEY)
    (tmp_path / "ledger.hex").chmod(0o600)
    section = "ledger: { patient_identifiers: encrypted, key_file: ledger.hex }\n"
    made.write_text(section + made.read_text())
    Spool(tmp_path / "data", Disk(), "os", Receipts(lambda: 0, bytes)).close()
    with index_at(tmp_path) as index:
        for number, (study, patient) in enumerate(
            [
                ("1.9.0", sealed(KEY, DOE, "1.2.0")),
                ("1.9.0", sealed(KEY, DOE, "1.2.1")),
                ("1.9.1", sealed("cd" * 32, DOE, "1.2.2")),
            ]
        ):
            came = arrival(sop_instance_uid=f"1.2.{number}", received=START.replace(minute=number))
            index.add([Entry(f"r{number}", came, 10, ("pacs",), study, f"{study}.5", patient)])
        index.note([Change("r0", "pacs", State.DELIVERED, LATER, "taken", None, "d" * 8, NEW)])
    return made


def noted(config: Path) -> list[tuple[str, str]]:
    """Event and actor of the lines of the audit log."""
    lines = b"".join(path.read_bytes() for path in sorted((config.parent / "data" / "audit").glob("*.jsonl")))
    return [(entry["event"], entry["actor"]) for entry in map(json.loads, lines.splitlines())]


def cells(text: str) -> list[list[str]]:
    return [re.split(r"  +", line) for line in text.splitlines()]


def test_studies_are_listed_the_last_received_first(config: Path) -> None:
    done = karnak("ledger", "--config", config)
    assert (done.exit_code, done.stderr) == (0, "")
    assert cells(done.stdout) == [
        ["Study", "Instances", "Last received", "Destination", "States", "Sent as", "Causes"],
        ["1.9.1", "1", "2026-01-02T03:02:05Z", "pacs", "1 routed"],
        ["1.9.0", "2", "2026-01-02T03:01:05Z", "pacs", "1 delivered, 1 routed", "2.25.102", "1 taken"],
    ]
    assert noted(config) == [("ledger read", "local")]


@pytest.mark.parametrize("uid", ["1.9.0", "1.9.0.5", "1.2.0", "2.25.102", "2.25.101", "2.25.100"])
def test_any_uid_leads_to_instances(config: Path, uid: str) -> None:
    done = karnak("ledger", uid, "--state", "delivered", "--config", config)
    assert cells(done.stdout)[1:] == [
        ["r0", "1.2.0", "2026-01-02T03:00:05Z", "pacs", "delivered", SENT, "taken"],
    ]
    gone = karnak("ledger", uid, "--since", "2026-01-02T04:01+01:00", "--until", "2026-01-02T03:01", "--config", config)
    assert (gone.exit_code, gone.stdout, gone.stderr) == (1, "", "karnak: the ledger knows nothing of it\n")


def test_series_for_programs(config: Path) -> None:
    done = karnak("ledger", "--by", "series", "--limit", "1", "--format", "json", "--config", config)
    (series,) = json.loads(done.stdout)["series"]
    assert (series["uid"], series["study_instance_uid"], series["instances"]) == ("1.9.1.5", "1.9.1", 1)
    assert "patients" not in series
    assert done.stderr == "the last 1 series; more with --limit\n"


def test_who_has_the_key_sees_patients_and_the_log_says_so(config: Path) -> None:
    done = karnak("ledger", "--patients", "--config", config)
    assert [line[-1] for line in cells(done.stdout)] == ["Patient", "(encrypted with another key)", "DOE-1 of HOSPITAL"]
    told = karnak("ledger", SENT, "--patients", "--format", "json", "--config", config)
    (instance,) = json.loads(told.stdout)["instances"]
    assert instance["patients"] == [{"patient_id": "DOE-1", "issuer": "HOSPITAL"}]
    assert noted(config) == [("patients read", "local")] * 2
    assert karnak("doctor", "--audit", "--config", config).exit_code == 0


def test_without_a_key_there_are_none(config: Path) -> None:
    config.write_text(config.read_text().replace("ledger: {", "ledger: {} #"))
    with pytest.raises(NoPremises, match="the ledger keeps no identifiers of patients"):
        karnak("ledger", "--patients", "--config", config)
    assert "DOE" not in karnak("ledger", "--config", config).output
    config.write_text(config.read_text().replace("ledger: {} #", "ledger: {"))
    (config.parent / "ledger.hex").unlink()
    refused = karnak("ledger", "--patients", "--config", config)
    assert (refused.exit_code, "the file ledger.hex can't be read" in refused.stderr) == (2, True)
    assert noted(config) == [("ledger read", "local")]


def test_what_a_sender_wrote_does_nothing_to_a_terminal(config: Path) -> None:
    with index_at(config.parent) as index:
        evil = Patient("\x1b[2J\x07", None)
        came = arrival(sop_instance_uid="1.3\x1b[0m")
        index.add([Entry("r9", came, 1, ("pacs",), "1.9.9", None, sealed(KEY, evil, "1.3\x1b[0m"))])
    done = karnak("ledger", "1.9.9", "--patients", "--config", config)
    assert "\x1b" not in done.stdout
    assert "\\x1b[2J\\x07" in done.stdout


def test_a_table_on_a_terminal(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[list[str]] = []

    def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        shown.append([*headings])
        shown.extend([*row] for row in rows)

    monkeypatch.setattr(command, "_show_table", table)
    monkeypatch.setattr(command, "_on_terminal", lambda: True)
    assert karnak("ledger", "1.2.0", "--config", config).stdout == ""
    assert shown[1:] == [["r0", "1.2.0", "2026-01-02T03:00:05Z", "pacs", "delivered", SENT, "taken"]]


def test_a_table_says_what_it_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    command._show_table(("Receipt", "Cause"), [("r0", "no [answer]")])
    assert [line.split() for line in capsys.readouterr().out.splitlines() if "r0" in line] == [["r0", "no", "[answer]"]]


def test_a_gateway_that_runs_notes_the_look(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []
    status = 200

    def ask(gate: ApiPlan, method: str, path: str, body: object) -> tuple[int, bytes]:
        asked.append((gate.port, method, path, body))
        return status, b""

    monkeypatch.setattr(looking, "ask", ask)
    with HouseLock(config.parent / "data"):
        assert karnak("ledger", "--patients", "--config", config).exit_code == 0
        assert asked == [(8081, "POST", "/api/v1/ledger/looks", {"patients": True})]
        status = 403
        with pytest.raises(NoAnswer, match="did not note the look"):
            karnak("ledger", "--config", config)
        config.write_text(config.read_text() + "api: { enabled: false }\n")
        with pytest.raises(NoPremises, match="no API to ask"):
            karnak("ledger", "--config", config)
    assert noted(config) == []


def test_times_are_understood_or_told(config: Path) -> None:
    refused = karnak("ledger", "--since", "Monday", "--config", config)
    assert (refused.exit_code, "without a zone it is UTC" in refused.stderr) == (2, True)


def test_the_key_is_only_read_where_it_is_wanted(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("read")

    monkeypatch.setattr(command, "patient_key_of", never)
    assert karnak("ledger", "--config", config).exit_code == 0
    assert configured.patient_key_of(config) == bytes.fromhex(KEY)
