"""What must hold once a struck gateway was left alone: nothing lost, doubled or leaked, and nothing left behind."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian

from karnak.dsl.compile import compile_profile
from karnak.gateway.audit_chain import verify_audit
from karnak.gateway.store.database import index_url, open_database
from karnak.gateway.store.queue import Queue
from karnak.runtime.deidentify import deidentify
from karnak.runtime.keys import Project
from karnak.runtime.part10 import split_part10
from karnak.runtime.program import Program
from tests.crash.house import CrashHouse
from tests.crash.load import KEPT_BACK, PLANTED, Kind, Sent
from tests.system.programs import SECRET

_PROJECT = Project("TRIAL", bytes.fromhex(SECRET))


def check(house: CrashHouse) -> None:
    """Every acknowledged instance is at every destination, once, as it should be, or kept back; that is all."""
    program = compile_profile(house.folder / "profile.yml")
    found = {
        "disk": _by_uid((house.folder / "out").rglob("*.dcm")),
        "peer": _by_uid(path for path in (house.folder / "received").iterdir() if path.is_file()),
    }
    for name, outputs in found.items():
        new_uids = {_PROJECT.uid(uid): sent for uid, sent in house.log.instances.items()}
        owed = {uid for uid, sent in new_uids.items() if _is_owed(sent, name)}
        lacking = owed - outputs.keys()
        assert not lacking, f"{name} lacks {len(lacking)} of {len(owed)} acknowledged instances"
        for uid, data in outputs.items():
            assert PLANTED not in data
            # What was not acknowledged may have arrived all the same: a sender can't know, and sends again.
            sent = new_uids[uid]
            assert _may_get(sent, name), f"{name} has an instance that is {sent.kind}"
            least = max(sent.acknowledged - 1, 0) if uid in owed else 0
            expected = [_expected(original, data, program) for original in sent.versions[least:]]
            assert split_part10(data)[1] in expected, f"{name} has another form of an instance that is {sent.kind}"
    _check_kept_back(house)
    _check_originals(house)
    _check_left_behind(house)


def _is_owed(sent: Sent, name: str) -> bool:
    # A person has dropped it for the peer alone; what was cut off is nobody's any more.
    ended = sent.released and (name == "peer" or sent.kind is Kind.SPOILED)
    return sent.acknowledged > 0 and not ended and _may_get(sent, name)


def _may_get(sent: Sent, name: str) -> bool:
    return sent.kind not in KEPT_BACK and (sent.kind is not Kind.EXCLUDED or name == "disk")


def _check_kept_back(house: CrashHouse) -> None:
    """What no destination may get is in quarantine, as it came, with a report; nothing else is."""
    quarantine = {path.name: path for path in (house.folder / "data" / "quarantine").glob("*/*")}
    assert all(
        {file.name for file in path.iterdir()} == {"instance.dcm", "report.json"} for path in quarantine.values()
    )
    assert house.cut <= quarantine.keys(), "a file that was cut off is gone"
    whole = [path for receipt, path in quarantine.items() if receipt not in house.cut]
    kept = [split_part10((path / "instance.dcm").read_bytes())[1] for path in whole]
    meant = [sent for sent in house.log.instances.values() if sent.kind in KEPT_BACK]
    assert {sent.versions[0] for sent in meant if sent.acknowledged} <= set(kept)
    assert set(kept) <= {sent.versions[0] for sent in meant}
    for path in quarantine.values():
        report = (path / "report.json").read_text()
        assert json.loads(report)["receipt"] == path.name
        assert PLANTED.decode() not in report


def _check_originals(house: CrashHouse) -> None:
    """Originals are kept where the configuration says so, each that was acknowledged, and else nowhere."""
    kept = {split_part10(path.read_bytes())[1] for path in (house.folder / "data" / "kept").rglob("*.dcm")}
    if house.originals == "remove":
        assert not kept
        return
    ended = [s for s in house.log.instances.values() if s.kind not in KEPT_BACK | {Kind.SPOILED}]
    # Which of several versions were acknowledged before the last one is not told apart.
    assert {sent.versions[sent.acknowledged - 1] for sent in ended if sent.acknowledged} <= kept


def _check_left_behind(house: CrashHouse) -> None:
    """Spool and index are empty, no file is left anywhere that has no place there, and the audit log is whole."""
    assert house.owed() == []
    data = house.folder / "data"
    strays = [path for path in (house.folder / "out").rglob("*") if path.is_file() and path.suffix != ".dcm"]
    strays += (data / "spool" / "receiving").glob("*.part")
    strays += (path for path in (data / "kept").rglob("*") if path.is_file() and path.suffix != ".dcm")
    assert strays == []
    database = open_database(index_url(data), upgrade=False)
    try:
        assert Queue(database).depths() == {}
    finally:
        database.close()
    assert verify_audit(data / "audit") is None
    assert PLANTED.decode() not in house.journal


def _by_uid(paths: Iterable[Path]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in paths:
        data = path.read_bytes()
        uid = str(dcmread(path, stop_before_pixels=True).SOPInstanceUID)
        assert uid not in found, "an instance is there twice"
        found[uid] = data
    return found


def _expected(original: bytes, output: bytes, program: Program) -> bytes:
    """What the rules make of an original at the time that its output tells."""
    read = dcmread(BytesIO(output), stop_before_pixels=True)
    when = datetime.strptime(read.InstanceCreationDate + read.InstanceCreationTime, "%Y%m%d%H%M%S.%f")
    outcome = deidentify(
        original,
        program,
        _PROJECT,
        pseudonym=str(read.PatientName),
        now=when.replace(tzinfo=UTC),
        transfer_syntax_uid=str(ExplicitVRLittleEndian),
    )
    assert outcome.data is not None, outcome.reason
    return split_part10(outcome.data)[1]
