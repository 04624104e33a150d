"""`karnak doctor`: says what is wrong and what to do, and mends the index."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from karnak.errors import KarnakError
from karnak.gateway.audit import AuditEntry, AuditEvent, AuditLog
from karnak.gateway.house_lock import HouseLock, HouseTaken
from tests.cli.gateway_house import configure, fill, index_at, karnak


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return configure(tmp_path)


@pytest.fixture
def receipts(config: Path) -> list[str]:
    return fill(config.parent)


def test_a_healthy_house(config: Path, receipts: list[str]) -> None:
    done = karnak("doctor", "--config", config)
    assert done.exit_code == 0
    assert done.stdout.splitlines()[2:] == [
        "     ok  3 instances in the spool",
        "     ok  owed to pacs: 1 routed, 1 waiting",
        "     ok  owed to research: 3 routed",
    ]


def test_problems_come_with_advice_and_an_exit_code(config: Path, receipts: list[str]) -> None:
    (config.parent / "data" / "spool" / "ready" / f"{receipts[0]}.dcm").unlink()
    done = karnak("doctor", "--config", config)
    assert done.exit_code == 1
    at = done.stdout.splitlines().index("PROBLEM  1 instance owed to destinations, but not in the spool any more")
    assert done.stdout.splitlines()[at + 1] == f"         such as {receipts[0]}"
    assert done.stdout.splitlines()[at + 2].endswith(f"karnak queue drop {receipts[0]} ...")
    shown = json.loads(karnak("doctor", "--config", config, "--format", "json").stdout)
    assert [finding["receipts"] for finding in shown["findings"] if finding["severity"] == "problem"] == [receipts[:1]]
    # What the advice says helps.
    assert karnak("queue", "drop", "--config", config, "--yes", receipts[0]).exit_code == 0
    assert karnak("doctor", "--config", config).exit_code == 0


def test_a_broken_index_is_made_anew(config: Path, receipts: list[str]) -> None:
    data = config.parent / "data"
    (data / "index.sqlite").write_bytes(b"no database" * 1000)
    assert karnak("doctor", "--config", config).exit_code == 1
    done = karnak("doctor", "--config", config, "--rebuild")
    assert done.exit_code == 0
    aside, made = done.stdout.splitlines()
    (old,) = data.glob("index.sqlite.*.old")
    assert aside == f"the index could not be read; it is now {old}, and its ledger with it"
    assert made == "the index is made anew; the next start takes in what the spool holds: 3 instances"
    assert old.read_bytes() == b"no database" * 1000
    with index_at(config.parent) as index:
        assert index.unknown(receipts) == receipts
    assert karnak("doctor", "--config", config).exit_code == 0


def test_nothing_is_rebuilt_under_a_running_gateway(config: Path, receipts: list[str]) -> None:
    with HouseLock(config.parent / "data"):
        assert "a gateway runs on" in karnak("doctor", "--config", config).stdout
        with pytest.raises(HouseTaken, match="stop it first"):
            karnak("doctor", "--config", config, "--rebuild")
    with index_at(config.parent) as index:
        assert index.unknown(receipts) == []


def test_a_data_folder_that_can_t_be_used_is_told(config: Path) -> None:
    (config.parent / "data").mkdir()
    (config.parent / "data" / "spool").write_text("")
    with pytest.raises(KarnakError, match="the data folder .*data can't be used: File exists"):
        karnak("doctor", "--config", config)


def test_the_audit_log_is_checked(config: Path, receipts: list[str]) -> None:
    folder = config.parent / "data" / "audit"
    log = AuditLog(folder, lambda: datetime(2026, 1, 2, tzinfo=UTC))
    log.write(*(AuditEntry.of(event) for event in list(AuditEvent)[:2]))
    log.close()
    done = karnak("doctor", "--config", config, "--audit")
    assert done.exit_code == 0
    assert "2 lines of the audit log are in order" in done.stdout
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes().replace(b"2026-01-02", b"2026-01-03", 1))
    done = karnak("doctor", "--config", config, "--audit")
    assert done.exit_code == 1
    assert f"PROBLEM  the audit log was changed: {file.name}:1: " in done.stdout


def test_two_things_at_once_are_a_mistake(config: Path) -> None:
    assert karnak("doctor", "--config", config, "--rebuild", "--audit").exit_code == 2


def test_things_that_don_t_go_together(config: Path) -> None:
    for two in (("--rebuild", "--audit"), ("--audit", "--read-back", "5"), ("--read-back", "5", "--rebuild")):
        done = karnak("doctor", "--config", config, *two)
        assert done.exit_code == 2
        assert "name one" in done.stderr
    assert karnak("doctor", "--config", config, "--read-back", "0").exit_code == 2


def test_nothing_to_read_back(config: Path, receipts: list[str]) -> None:
    done = karnak("doctor", "--config", config, "--read-back", "5")
    assert done.exit_code == 0
    assert done.stdout == ("   note  no destination of the configuration is a DICOMweb service: nothing to read back\n")
