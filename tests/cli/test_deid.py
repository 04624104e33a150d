"""`karnak deid` as a person meets it: the real command, real files, exit codes and what is shown."""

import json
import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest
from pydicom import dcmread

from karnak.testing.specimen import BIG_ENDIAN, Specimen, leaf, part10
from tests.cli.deid_runs import AT, COMMAND, EXCLUDING, INSTANCES, PROFILE, SECRET, environment, files, karnak

# What dcmread finds in the sources and nobody may find in what Karnak says or writes.
PLANTED = ("CompressedSamples", "Lestrade", "tPhantom30sep", "id00001", "1CT1", "4MR1", "8NM1", "Last Name")


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "research.yml"
    path.write_text(PROFILE)
    return path


def by_class(folder: Path) -> dict[str, Path]:
    """The outputs in a folder, by Modality."""
    return {dcmread(path).Modality: path for path in folder.rglob("*.dcm")}


def test_a_folder(tmp_path: Path, profile: Path) -> None:
    out = tmp_path / "out"
    done = karnak(INSTANCES, "-o", out, "-p", profile, "--project", "TRIAL-1", "--pseudonym-generated", "--at", AT)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == (
        "           files  reason\n"
        "forwarded      6\n"
        "rejected       2\n"
        "               2  the instance has no PatientID (0010,0020)\n"
        "not DICOM      1\n"
        "skipped        1\n"
        "               1  DICOMDIR\n"
        "\n"
        "rejected:\n"
        f"  {INSTANCES}/rtplan_bare_big_endian.dcm: the instance has no PatientID (0010,0020)\n"
        f"  {INSTANCES}/sr_without_patient_id.dcm: the instance has no PatientID (0010,0020)\n"
        "\n"
        "not DICOM:\n"
        f"  {INSTANCES}/README.md\n"
    )
    outputs = by_class(out)
    assert sorted(outputs) == ["CT", "MR", "NM", "OT", "RTPLAN", "RTSTRUCT"]
    for path in outputs.values():
        output = dcmread(path)
        assert path.relative_to(out).parts == (
            output.StudyInstanceUID,
            output.SeriesInstanceUID,
            f"{output.SOPInstanceUID}.dcm",
        )
        assert output.PatientIdentityRemoved == "YES"
        assert output.ClinicalTrialSponsorName == "TRIAL-1"
        assert (output.InstanceCreationDate, output.InstanceCreationTime[:6]) == ("20260131", "120000")
        for planted in PLANTED:
            assert planted.encode() not in path.read_bytes()
    assert dcmread(outputs["CT"]).Manufacturer == "GE MEDICAL SYSTEMS"


def test_run_again_with_other_processes_gives_the_same_bytes(tmp_path: Path, profile: Path) -> None:
    common = ("-p", profile, "--project", "T", "--pseudonym-generated", "--at", AT)
    assert karnak(INSTANCES, "-o", tmp_path / "1", "-j", "1", *common).returncode == 1
    assert karnak(INSTANCES, "-o", tmp_path / "2", "-j", "2", *common).returncode == 1
    first = files(tmp_path / "1")
    assert len(first) == 6
    assert files(tmp_path / "2") == first
    assert karnak(INSTANCES, "-o", tmp_path / "2", *common).returncode == 1
    assert files(tmp_path / "2") == first


def test_both_engines_give_the_same_bytes_and_what_tables_leave_is_counted(tmp_path: Path, profile: Path) -> None:
    source = tmp_path / "in"
    shutil.copytree(INSTANCES, source)
    values = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "SOPInstanceUID": "1.2.3", "PatientID": "P1"}
    values |= {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.2"}
    elements = tuple(leaf(name, value) for name, value in values.items())
    (source / "big").write_bytes(part10(Specimen(elements, BIG_ENDIAN)))
    common = ("-p", profile, "--project", "T", "--pseudonym-generated", "--at", AT, "-j", "2")
    tables = karnak(source, "-o", tmp_path / "1", "--report", tmp_path / "r1", *common)
    reference = karnak(source, "-o", tmp_path / "2", "--engine", "reference", "--report", tmp_path / "r2", *common)
    assert (tables.returncode, reference.returncode) == (1, 1)
    assert len(files(tmp_path / "1")) == 7
    assert files(tmp_path / "1") == files(tmp_path / "2")
    said = "left to the reference engine: big endian (1 file)"
    assert said in tables.stdout.splitlines()
    assert "left to" not in reference.stdout
    lines = [json.loads(text) for text in (tmp_path / "r1").read_text().splitlines()]
    (big,) = [entry for entry in lines if entry.pop("fallback", None) == "big endian"]
    assert lines == [json.loads(text) for text in (tmp_path / "r2").read_text().splitlines()]
    assert big["transfer_syntax_uid"] == BIG_ENDIAN


def test_one_file_to_one_file(tmp_path: Path, profile: Path) -> None:
    common = ("-p", profile, "--project", "T", "--pseudonym", "P-001", "--at", AT)
    out = tmp_path / "new" / "mine.dcm"
    done = karnak(INSTANCES / "ct_small.dcm", "-o", out, *common)
    assert (done.returncode, done.stderr) == (0, "")
    assert dcmread(out).PatientName == "P-001"
    # The same instance in a folder has the same bytes.
    karnak(INSTANCES / "ct_small.dcm", "-o", tmp_path / "folder", *common)
    assert list(files(tmp_path / "folder").values()) == [out.read_bytes()]


def test_names_with_spaces_dashes_and_all_of_unicode(tmp_path: Path, profile: Path) -> None:
    source = tmp_path / "in" / "Müller, Jörg 山田"
    source.mkdir(parents=True)
    shutil.copy(INSTANCES / "ct_small.dcm", source / "-rf")
    shutil.copy(INSTANCES / "rtplan.dcm", source / "--output \x1b[2J\n")
    (source / "\udcff\x07note").write_text("a note")
    common = ("-p", profile, "--project", "T", "--pseudonym-generated")
    done = karnak("-o", tmp_path / "out", *common, "--", "-rf", ".", cwd=source)
    assert (done.returncode, done.stderr) == (0, "")
    assert "  \\xff\\x07note\n" in done.stdout
    assert "\x1b" not in done.stdout
    assert len(files(tmp_path / "out")) == 2
    assert all(set(name) <= set("0123456789./dcm") for name in files(tmp_path / "out"))


def test_a_truncated_file_is_rejected_and_named(tmp_path: Path, profile: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "cut.dcm").write_bytes((INSTANCES / "ct_small.dcm").read_bytes()[:20_000])
    out = tmp_path / "out"
    done = karnak(tmp_path / "in", "-o", out, "-p", profile, "--project", "T", "--pseudonym-generated")
    assert done.returncode == 1
    assert f"rejected:\n  {tmp_path}/in/cut.dcm: " in done.stdout
    assert files(out) == {}


def test_what_the_profile_excludes_is_counted_and_all_is_well(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text(EXCLUDING)
    common = ("-p", tmp_path / "p.yml", "--project", "T", "--pseudonym-generated")
    done = karnak(INSTANCES / "ct_small.dcm", INSTANCES / "rtplan.dcm", "-o", tmp_path / "out", *common)
    assert (done.returncode, done.stderr) == (0, "")
    assert "forwarded      1\nexcluded       1\n" in done.stdout
    assert sorted(by_class(tmp_path / "out")) == ["RTPLAN"]


def test_the_report_has_a_line_per_file_and_no_patient(tmp_path: Path, profile: Path) -> None:
    report = tmp_path / "report.jsonl"
    common = ("-p", profile, "--project", "T", "--pseudonym", "P-1", "--report", report)
    assert karnak(INSTANCES, "-o", tmp_path / "out", *common).returncode == 1
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert [line["status"] for line in lines] == [
        *("not DICOM", "forwarded", "skipped", "forwarded", "forwarded", "forwarded"),
        *("rejected", "forwarded", "forwarded", "rejected"),
    ]
    assert {line["output"] for line in lines if "output" in line} == set(files(tmp_path / "out"))
    for planted in (*PLANTED, "ct_small", str(INSTANCES)):
        assert planted not in report.read_text()
    karnak(INSTANCES, "-o", tmp_path / "out", *common, "--report-sources")
    assert json.loads(report.read_text().splitlines()[1])["source"] == str(INSTANCES / "ct_small.dcm")


def test_a_dry_run_shows_which_rule_decides_and_writes_nothing(tmp_path: Path, profile: Path) -> None:
    common = ("-p", profile, "--project", "T", "--pseudonym", "P-1", "--dry-run")
    done = karnak(INSTANCES / "ct_small.dcm", INSTANCES / "mr_small_implicit.dcm", *common)
    assert done.returncode == 0
    table = [line.split() for line in done.stdout.splitlines()]
    assert table[0] == ["tag", "attribute", "action", "rule", "line", "instances"]
    assert ["(0010,0010)", "PatientName", "empty", "Basic", "profile", "research.yml:8", "2"] in table
    assert ["(0010,0010)", "PatientName", "set", "(always", "set)", "2"] in table
    assert ["(0008,0018)", "SOPInstanceUID", "uid", "Basic", "profile", "research.yml:8", "2"] in table
    assert "1 more attributes are kept by a rule that says so" in done.stdout
    assert "would be forwarded      2" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["research.yml"]


def test_the_output_and_the_report_of_the_last_run_are_no_input(tmp_path: Path, profile: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    shutil.copy(INSTANCES / "ct_small.dcm", source)
    common = ("-o", source / "out", "--report", source / "r.jsonl", "-p", profile, "--project", "T", "--pseudonym", "P")
    first, second, dry = (karnak(source, *common, *more) for more in ((), (), ("--dry-run",)))
    assert first.stdout == second.stdout == "           files  reason\nforwarded      1\nrejected       0\n"
    assert "would be forwarded      1\nrejected                0\n" in dry.stdout
    assert len(files(source / "out")) == 1


def test_several_patients_under_one_pseudonym_are_warned_of(tmp_path: Path, profile: Path) -> None:
    common = ("-p", profile, "--project", "T", "--pseudonym", "P-1", "--dry-run")
    done = karnak(INSTANCES / "ct_small.dcm", INSTANCES / "rtplan.dcm", *common)
    assert done.stderr == "warning: 2 patients were given the one pseudonym of --pseudonym\n"


def test_morphing_needs_no_pseudonym_and_says_nothing_of_removal(tmp_path: Path, profile: Path) -> None:
    out = tmp_path / "out.dcm"
    done = karnak(INSTANCES / "ct_small.dcm", "-o", out, "-p", profile, "--project", "T", "--mode", "morph")
    assert (done.returncode, done.stderr) == (0, "")
    assert "PatientIdentityRemoved" not in dcmread(out)
    assert dcmread(out).PatientID == ""


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--pseudonym-csv", "ids.csv"), "P-CT"),
        (("--pseudonym-tag", "StationName"), "CT01_OC0"),
        (("--pseudonym-tag", "0008,1010", "--delimiter", "_", "--position", "1"), "OC0"),
        (("--pseudonym", "山田"), None),
    ],
)
def test_sources_of_pseudonyms(tmp_path: Path, profile: Path, options: tuple[str, ...], expected: str | None) -> None:
    (tmp_path / "ids.csv").write_text("patient_id,pseudonym\n1CT1,P-CT\n")
    common = ("-o", "out.dcm", "-p", profile, "--project", "T")
    done = karnak(INSTANCES / "ct_small.dcm", *common, *options, cwd=tmp_path)
    # ct_small is in Latin-1: what it can't write is rejected, never turned into "?".
    assert done.returncode == (1 if expected is None else 0)
    if expected is not None:
        assert dcmread(tmp_path / "out.dcm").PatientName == expected


def test_a_patient_without_pseudonym_is_rejected(tmp_path: Path, profile: Path) -> None:
    (tmp_path / "ids.csv").write_text("patient_id,pseudonym\n1CT1,P-CT\n")
    common = ("-p", profile, "--project", "T", "--pseudonym-csv", tmp_path / "ids.csv")
    done = karnak(INSTANCES, "-o", tmp_path / "out", *common)
    assert done.returncode == 1
    assert "               5  ids.csv has no pseudonym for the patient of the instance\n" in done.stdout
    assert sorted(by_class(tmp_path / "out")) == ["CT"]


def test_the_secret_may_come_from_three_places_and_is_never_said(tmp_path: Path, profile: Path) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n")
    (tmp_path / "secret").chmod(0o600)
    common = (INSTANCES / "ct_small.dcm", "-p", profile, "--project", "T", "--pseudonym", "P", "--at", AT)
    in_variable = karnak(*common, "-o", tmp_path / "1.dcm")
    in_file = karnak(*common, "-o", tmp_path / "2.dcm", "--secret-file", tmp_path / "secret", env=environment())
    in_option = karnak(*common, "-o", tmp_path / "3.dcm", "--secret", SECRET, env=environment())
    assert [done.returncode for done in (in_variable, in_file, in_option)] == [0, 0, 0]
    assert (in_variable.stderr, in_file.stderr) == ("", "")
    assert in_option.stderr.startswith("warning: --secret is seen in the list of processes")
    assert len({(tmp_path / f"{number}.dcm").read_bytes() for number in (1, 2, 3)}) == 1
    (tmp_path / "secret").chmod(0o644)
    public = karnak(*common, "-o", tmp_path / "2.dcm", "--secret-file", tmp_path / "secret", env=environment())
    assert "everybody on this machine can read" in public.stderr
    for done in (in_variable, in_file, in_option, public):
        assert SECRET not in done.stdout + done.stderr


def test_progress_is_shown_on_a_terminal(tmp_path: Path, profile: Path) -> None:
    ours, theirs = pty.openpty()
    command = (*COMMAND, INSTANCES, "-o", tmp_path / "out", "-p", profile, "--project", "T", "--pseudonym-generated")
    process = subprocess.Popen(
        list(map(str, command)),
        env=environment(KARNAK_SECRET=SECRET, TERM="xterm", COLUMNS="120"),
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:
        pass  # How Linux says that the other end is closed.
    finally:
        os.close(ours)
    assert process.wait() == 1
    text = shown.decode("utf-8")
    assert "files/s" in text
    assert "10/10" in text
    assert "forwarded" in text
