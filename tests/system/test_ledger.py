"""`karnak ledger` beside a gateway that runs, and after it: its patients, and what the audit log says of who looked."""

import json
from pathlib import Path

import pytest

from tests.system.programs import karnak, node, storescu, to_folder
from tests.system.studies import make

LEDGER = "ledger: { patient_identifiers: encrypted, key_env: LEDGER_KEY }\n"


def test_whose_instance_this_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGER_KEY", "0123456789abcdef" * 4)
    with karnak(tmp_path / "karnak", node(to_folder("disk", "out")), more=LEDGER) as gateway:
        assert storescu(gateway.port, make("ct", tmp_path)).returncode == 0
        gateway.settled()
        gateway.wait(lambda: gateway.ask("/api/v1/ledger/instances")[0]["fates"][0]["state"] == "delivered")
        (record,) = gateway.ask("/api/v1/ledger/instances")
        sent = record["fates"][0]["new"]["study_instance_uid"]
        assert "PLANTED" not in json.dumps(record)
        running = gateway.command("ledger", sent, "--patients", "--format", "json")
        assert (running.returncode, running.stderr) == (0, "")
        (told,) = json.loads(running.stdout)["instances"]
        assert told.pop("patients") == [{"patient_id": "PLANTED-ID", "issuer": None}]
        # The command and the API say the same.
        assert told == record
        assert gateway.stop() == 0
        stopped = gateway.command("ledger", "--patients")
        assert "PLANTED-ID" in stopped.stdout
        assert "PLANTED" not in gateway.command("ledger").stdout
        data = gateway.folder / "data"
        log = b"".join(path.read_bytes() for path in sorted((data / "audit").iterdir()))
        events = [json.loads(line)["event"] for line in log.splitlines()]
        assert events.count("patients read") == 2
        assert events[-2:] == ["patients read", "ledger read"]
        assert gateway.command("doctor", "--audit").returncode == 0
        kept = b"".join(path.read_bytes() for path in data.rglob("*") if path.is_file())
        assert b"PLANTED" not in kept
