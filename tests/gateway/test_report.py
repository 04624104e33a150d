"""The report and the summary tell everything but patients."""

import json
import shutil
from hashlib import sha256
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.multival import MultiValue

from karnak.gateway.report import Report, line
from karnak.gateway.results import Fate, Result
from karnak.gateway.tally import NAMED, OTHER_REASONS, Tally
from karnak.gateway.walk import Found
from karnak.runtime.outcome import Outcome
from karnak.testing.specimen import BIG_ENDIAN, Specimen, leaf, part10
from tests.gateway.batches import INSTANCES, PROJECT, Given, batch, files, work


def write(path: Path, results: list[Result], *, with_sources: bool = False) -> list[dict[str, object]]:
    with Report(path, with_sources=with_sources) as report:
        for result in results:
            report.write(result)
    return [json.loads(text) for text in path.read_text(encoding="ascii").splitlines()]


def planted_values() -> set[str]:
    """Every text of some length that identifies somebody or something in the instances."""
    texts: set[str] = set()
    for path in sorted(INSTANCES.glob("*.dcm")):
        for element in dcmread(path, force=True).iterall():
            if element.VR in ("PN", "LO", "SH", "UI", "DA", "TM", "DT", "ST", "LT") and element.value:
                values = element.value if isinstance(element.value, MultiValue) else [element.value]
                texts |= {str(value) for value in values}
    return {text for text in texts if len(text) > 3 and not text.startswith("1.2.840.10008.")}


def test_a_line_per_file_and_no_patient_in_it(tmp_path: Path) -> None:
    source = tmp_path / "in" / "Doe^Jane"
    shutil.copytree(INSTANCES, source)
    (source / "truncated.dcm").write_bytes((INSTANCES / "rtplan.dcm").read_bytes()[:-200])
    results = batch([tmp_path / "in"], tmp_path / "out", work(pseudonyms=Given("P-1")))
    lines = write(tmp_path / "report.jsonl", results)
    assert [entry["file"] for entry in lines] == list(range(1, len(results) + 1))
    assert [entry["status"] for entry in lines] == [str(result.fate) for result in results]
    text = (tmp_path / "report.jsonl").read_text()
    planted = planted_values()
    assert "CompressedSamples^CT1" in planted
    # A class of instances or a transfer syntax is no patient's; everything else of the source is.
    assert {value for value in planted if json.dumps(value)[1:-1] in text} == set()
    assert "Doe" not in text
    assert (tmp_path / "report.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_line_says_what_was_made_and_done(tmp_path: Path) -> None:
    results = batch([INSTANCES / "ct_small.dcm"], tmp_path / "out", work(count_actions=True, digests=True))
    (entry,) = write(tmp_path / "report.jsonl", results)
    original = dcmread(INSTANCES / "ct_small.dcm")
    study, series = PROJECT.uid(original.StudyInstanceUID), PROJECT.uid(original.SeriesInstanceUID)
    instance = PROJECT.uid(original.SOPInstanceUID)
    changes = entry.pop("changes")
    assert isinstance(changes, dict)
    assert changes["uid"] > 3
    assert entry == {
        "file": 1,
        "status": "forwarded",
        "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "study_instance_uid": study,
        "series_instance_uid": series,
        "sop_instance_uid": instance,
        "output": f"{study}/{series}/{instance}.dcm",
        "bytes": (tmp_path / "out" / study / series / f"{instance}.dcm").stat().st_size,
        "sha256": sha256((tmp_path / "out" / study / series / f"{instance}.dcm").read_bytes()).hexdigest(),
    }


def test_sources_are_told_to_who_asks(tmp_path: Path) -> None:
    results = batch([INSTANCES / "README.md"], None)
    assert write(tmp_path / "report.jsonl", results) == [{"file": 1, "status": "not DICOM"}]
    assert write(tmp_path / "report.jsonl", results, with_sources=True) == [
        {"file": 1, "source": str(INSTANCES / "README.md"), "status": "not DICOM"}
    ]


def test_what_only_claims_to_be_a_uid_stays_out() -> None:
    outcome = Outcome.rejected("a reason", "Doe^Jane")
    assert line(Result(Found(1, Path("x")), Fate.REJECTED, "a reason", outcome)) == {
        "file": 1,
        "status": "rejected",
        "reason": "a reason",
    }


def test_a_report_is_there_when_all_is_told_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "report.jsonl"

    def interrupted() -> None:
        with Report(path) as report:
            report.write(Result(Found(1, Path("x")), Fate.NOT_DICOM))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []
    path.write_text("the report of an earlier run\n")
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "the report of an earlier run\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_tally_counts_and_stays_small() -> None:
    tally = Tally()
    for number in range(3000):
        outcome = Outcome.rejected(f"reason {number}")
        tally.add(Result(Found(number, Path(f"{number}")), Fate.REJECTED, f"reason {number}", outcome))
    tally.add(Result(Found(3000, Path("note")), Fate.NOT_DICOM))
    assert tally.fates == {Fate.REJECTED: 3000, Fate.NOT_DICOM: 1}
    assert tally.reasons[Fate.REJECTED][OTHER_REASONS] == 2000
    assert [len(tally.named[fate]) for fate in (Fate.REJECTED, Fate.NOT_DICOM)] == [NAMED, 1]


def test_what_the_tables_leave_is_told_and_counted(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    uids = {"SOPInstanceUID": "1.2.3", "StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.2"}
    elements = [leaf("SOPClassUID", "1.2.840.10008.5.1.4.1.1.7"), *(leaf(name, uid) for name, uid in uids.items())]
    for name, patient_id in (("1", "P1"), ("2", "")):
        made = sorted([*elements, leaf("PatientID", patient_id)], key=lambda element: element.tag)
        (source / name).write_bytes(part10(Specimen(tuple(made), BIG_ENDIAN)))
    tables = work(pseudonyms=Given("P-1"))
    told, tally = [], Tally()
    for result in batch([source], tmp_path / "out", tables):
        told.append(line(result).get("fallback"))
        tally.add(result)
    assert told == ["big endian", "big endian"]
    assert tally.fallbacks == {"big endian": 2}
    results = batch([source], tmp_path / "same", work(pseudonyms=Given("P-1"), engine="reference"))
    assert [line(result).get("fallback") for result in results] == [None, None]
    assert files(tmp_path / "same") == files(tmp_path / "out")
    assert len(files(tmp_path / "out")) == 1


def test_a_tally_counts_instances_patients_and_bytes(tmp_path: Path) -> None:
    tally = Tally()
    for result in batch([INSTANCES], tmp_path / "out", work(explain=True)):
        tally.add(result)
    assert tally.fates[Fate.FORWARDED] == 6
    assert tally.patients == 6
    assert tally.size == sum(path.stat().st_size for path in (tmp_path / "out").rglob("*.dcm"))
    (uids,) = [n for decision, n in tally.decisions.items() if decision[:2] == ((0x00080018,), "uid")]
    assert uids == 6
