"""A batch loses no file from sight, writes whole outputs under new names, and says nothing of patients."""

import os
import shutil
import signal
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread

from karnak.gateway.batch import run
from karnak.gateway.contents import contents
from karnak.gateway.results import Decision, Fate
from karnak.runtime.keys import Project
from karnak.runtime.part10 import Instance
from tests.gateway.batches import INSTANCES, KEEP, PROJECT, batch, files, work
from tests.gateway.instances import SECONDARY_CAPTURE, file_bytes

EXPLICIT = "1.2.840.10008.1.2.1"


def made(number: int, **attributes: object) -> bytes:
    """A small instance of one study; equal numbers have equal UIDs."""
    return file_bytes(
        EXPLICIT,
        **{
            "SOPClassUID": SECONDARY_CAPTURE,
            "SOPInstanceUID": f"1.2.3.{number}",
            "StudyInstanceUID": "1.2.3",
            "SeriesInstanceUID": "1.2.3.4",
            "PatientID": "PLANTED-ID",
            "PatientName": "Planted^Name",
        }
        | attributes,
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


def test_every_file_has_its_fate(source: Path, tmp_path: Path) -> None:
    shutil.copytree(INSTANCES, source, dirs_exist_ok=True)
    (source / "truncated.dcm").write_bytes((INSTANCES / "rtplan.dcm").read_bytes()[:-200])
    (source / "unreadable").symlink_to("/proc/self/mem")
    results = batch([source], tmp_path / "out")
    assert {result.found.path.name: (result.fate, result.reason) for result in results} == {
        "README.md": (Fate.NOT_DICOM, None),
        "ct_small.dcm": (Fate.FORWARDED, None),
        "dicomdir_empty.dcm": (Fate.SKIPPED, "DICOMDIR"),
        "mr_small_implicit.dcm": (Fate.FORWARDED, None),
        "nm_jpeg2000.dcm": (Fate.FORWARDED, None),
        "rtplan.dcm": (Fate.FORWARDED, None),
        "rtplan_bare_big_endian.dcm": (Fate.REJECTED, "the instance has no PatientID (0010,0020)"),
        "rtstruct_bare_implicit.dcm": (Fate.FORWARDED, None),
        "sc_rle_2frame.dcm": (Fate.FORWARDED, None),
        "sr_without_patient_id.dcm": (Fate.REJECTED, "the instance has no PatientID (0010,0020)"),
        "truncated.dcm": (Fate.REJECTED, next(r.reason for r in results if r.found.path.name == "truncated.dcm")),
        "unreadable": (Fate.REJECTED, "a file could not be read or written: input/output error"),
    }
    assert [result.found.number for result in results] == list(range(1, 13))


def test_outputs_are_named_by_their_new_uids(source: Path, tmp_path: Path) -> None:
    (source / "Planted^Name.dcm").write_bytes(made(1))
    (result,) = batch([source], tmp_path / "out")
    name = "/".join(map(PROJECT.uid, ("1.2.3", "1.2.3.4", "1.2.3.1"))) + ".dcm"
    assert result.name == Path(name)
    written = files(tmp_path / "out")
    assert list(written) == [name]
    output = dcmread(tmp_path / "out" / name)
    assert (output.SOPInstanceUID, output.StudyInstanceUID) == (PROJECT.uid("1.2.3.1"), PROJECT.uid("1.2.3"))
    assert output.PatientName == PROJECT.pseudonym("PLANTED-ID", None)
    assert b"PLANTED-ID" not in written[name]
    assert b"Planted^Name" not in written[name]
    assert result.size == len(written[name])


def test_two_processes_do_what_one_does(tmp_path: Path) -> None:
    one = batch([INSTANCES], tmp_path / "1", jobs=1)
    two = batch([INSTANCES], tmp_path / "2", jobs=2)
    assert one == two
    assert files(tmp_path / "1") == files(tmp_path / "2")
    assert len(files(tmp_path / "1")) == 6


def test_a_second_run_gives_the_same_bytes(tmp_path: Path) -> None:
    batch([INSTANCES], tmp_path / "out")
    first = files(tmp_path / "out")
    batch([INSTANCES], tmp_path / "out")
    assert files(tmp_path / "out") == first


def test_mapped_files_give_what_read_ones_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = batch([INSTANCES], tmp_path / "read")
    monkeypatch.setattr("karnak.gateway.batch.contents", partial(contents, read_at_most=1))
    assert batch([INSTANCES], tmp_path / "mapped") == read
    assert files(tmp_path / "mapped") == files(tmp_path / "read")


def test_both_engines_write_the_same(tmp_path: Path) -> None:
    tables = batch([INSTANCES], tmp_path / "tables")
    reference = batch([INSTANCES], tmp_path / "reference", work(engine="reference"))
    assert [(r.fate, r.name, r.sha256) for r in tables] == [(r.fate, r.name, r.sha256) for r in reference]
    assert files(tmp_path / "tables") == files(tmp_path / "reference")


def test_actions_are_counted_for_who_asks(tmp_path: Path) -> None:
    one = [INSTANCES / "ct_small.dcm"]
    (plain,), (counted,) = batch(one, None), batch(one, None, work(count_actions=True))
    assert plain.actions == {}
    assert counted.actions["uid"] > 3


def test_digests_are_worked_out_for_who_asks(tmp_path: Path) -> None:
    one = [INSTANCES / "ct_small.dcm"]
    (plain,), (asked,) = batch(one, tmp_path / "plain"), batch(one, tmp_path / "asked", work(digests=True))
    (written,) = files(tmp_path / "asked").values()
    assert (plain.sha256, asked.sha256) == (b"", sha256(written).digest())


def test_an_output_folder_inside_the_input_is_not_input(source: Path) -> None:
    (source / "a.dcm").write_bytes(made(1))
    for _ in range(2):
        results = batch([source], source / "out")
        assert [result.fate for result in results] == [Fate.FORWARDED]
    assert len(files(source / "out")) == 1


@pytest.mark.parametrize("digests", [False, True])
def test_a_dry_run_finds_what_comes_twice(source: Path, tmp_path: Path, digests: bool) -> None:
    for name, rows in (("a", 1), ("b", 1), ("c", 2)):
        (source / name).write_bytes(made(1, Rows=rows))
    fates = [Fate.FORWARDED, Fate.DUPLICATE, Fate.REJECTED]
    assert [result.fate for result in batch([source], None, work(digests=digests))] == fates
    assert [result.fate for result in batch([source], tmp_path / "out", work(digests=digests))] == fates


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_same_instance_twice_is_written_once(source: Path, tmp_path: Path, jobs: int) -> None:
    for name in ("a", "b"):
        (source / name).write_bytes(made(1))
    first, second = batch([source], tmp_path / "out", jobs=jobs)
    assert (first.fate, second.fate) == (Fate.FORWARDED, Fate.DUPLICATE)
    assert second.first == first.found
    assert len(files(tmp_path / "out")) == 1


@pytest.mark.parametrize("jobs", [1, 2])
def test_of_two_instances_with_one_uid_the_first_stays(source: Path, tmp_path: Path, jobs: int) -> None:
    (source / "a").write_bytes(made(1, Rows=1))
    (source / "b").write_bytes(made(1, Rows=2))
    first, second = batch([source], tmp_path / "out", jobs=jobs)
    assert (first.fate, second.fate) == (Fate.FORWARDED, Fate.REJECTED)
    assert second.reason == "it gives other content under the same UIDs as an earlier file, whose output was kept"
    (path,) = (tmp_path / "out").rglob("*.dcm")
    assert dcmread(path).Rows == 1


def test_uids_that_the_rules_keep_cannot_lead_out_of_the_folder(source: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Invalid value for VR UI"):
        (source / "a").write_bytes(made(1, StudyInstanceUID="../../../evil", SeriesInstanceUID="/evil"))
    (result,) = batch([source], tmp_path / "out", work(KEEP, "morph"))
    assert result.fate is Fate.FORWARDED
    (written,) = files(tmp_path / "out")
    assert "evil" not in written
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_a_dry_run_decides_the_same_and_writes_nothing(tmp_path: Path) -> None:
    assert batch([INSTANCES], None) == batch([INSTANCES], tmp_path / "out", work(digests=True))
    explained = batch([INSTANCES], None, work(explain=True))
    (ct,) = (result for result in explained if result.found.path.name == "ct_small.dcm")
    assert ct.decisions[Decision((0x00100010,), "empty", "basic", 3)] == 1
    assert ct.decisions[Decision((0x00100010,), "set", None, 0)] == 1


def test_one_output_can_have_a_name_of_its_own(tmp_path: Path) -> None:
    named = work(output_name=Path("mine.dcm"))
    (result,) = batch([INSTANCES / "ct_small.dcm"], tmp_path, named)
    assert result.name == Path("mine.dcm")
    assert list(files(tmp_path)) == ["mine.dcm"]


@dataclass(frozen=True)
class Deadly:
    """Kills the process that works on one patient, as the system does when memory runs out."""

    patient: str

    def pseudonym(self, instance: Instance, project: Project) -> str:
        if instance.text(0x00100020) == self.patient:
            os.kill(os.getpid(), signal.SIGKILL)
        return "P"


@dataclass(frozen=True)
class Faulty:
    """Fails as code does that has a defect, with a value in the message."""

    def pseudonym(self, instance: Instance, project: Project) -> str:
        raise ZeroDivisionError(instance.text(0x00100020))


def test_a_killed_process_costs_its_own_instance_only(source: Path, tmp_path: Path) -> None:
    for number in range(8):
        (source / f"{number}").write_bytes(made(number, PatientID=f"P{number}"))
    results = batch([source], tmp_path / "out", work(pseudonyms=Deadly("P3")), jobs=2)
    assert [result.fate for result in results] == [Fate.FORWARDED] * 3 + [Fate.REJECTED] + [Fate.FORWARDED] * 4
    assert results[3].reason == "the process that worked on it died (killed by SIGKILL)"
    assert len(files(tmp_path / "out")) == 7


def test_a_defect_rejects_and_its_message_stays_untold(source: Path, tmp_path: Path) -> None:
    (source / "a").write_bytes(made(1))
    (result,) = batch([source], tmp_path / "out", work(pseudonyms=Faulty()))
    assert result.fate is Fate.REJECTED
    assert result.reason is not None
    assert result.reason.startswith(
        "a defect of Karnak stopped it, please report it: ZeroDivisionError at test_batch.py:"
    )
    assert "PLANTED" not in result.reason
    assert files(tmp_path / "out") == {}


@pytest.mark.parametrize("jobs", [1, 2])
def test_stopping_leaves_whole_files_and_nothing_else(source: Path, tmp_path: Path, jobs: int) -> None:
    for number in range(40):
        (source / f"{number:02}").write_bytes(made(number))
    with closing(run(work(), [source], tmp_path / "out", jobs=jobs)) as results:
        names = [str(next(results).name) for _ in range(5)]
    stopped = files(tmp_path / "out")
    assert sorted(stopped) == sorted(names)
    batch([source], tmp_path / "out")
    complete = files(tmp_path / "out")
    assert len(complete) == 40
    assert stopped.items() <= complete.items()


def test_an_output_that_cannot_be_placed_is_rejected_and_the_rest_goes_on(source: Path, tmp_path: Path) -> None:
    for number in range(3):
        (source / f"{number}").write_bytes(made(number, StudyInstanceUID=f"1.2.{number}"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / PROJECT.uid("1.2.1")).write_bytes(b"a file where a folder should be")
    results = batch([source], tmp_path / "out")
    assert [result.fate for result in results] == [Fate.FORWARDED, Fate.REJECTED, Fate.FORWARDED]
    assert results[1].reason == "its output could not be written: not a directory"


def test_patients_are_told_apart_without_naming_them(source: Path, tmp_path: Path) -> None:
    for number, patient in enumerate(["A", "A", "B"]):
        (source / f"{number}").write_bytes(made(number, PatientID=patient))
    results = batch([source], tmp_path / "out")
    assert [results[0].patient == result.patient for result in results] == [True, True, False]


# Names as people and devices give them: names of patients, spaces, leading dashes, all of Unicode.
file_names = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40
).filter(lambda name: name not in (".", "..") and len(name.encode("utf-8")) <= 200)


@given(names=st.lists(file_names | st.sampled_from(["-rf", "--output", "Doe^Jane", " ", "DICOMDIR"]), unique=True))
def test_output_names_do_not_depend_on_source_names(names: list[str]) -> None:
    used = names[:3]
    with TemporaryDirectory() as temporary:
        source, output = Path(temporary, "in"), Path(temporary, "out")
        source.mkdir()
        for number, name in enumerate(used):
            (source / name).write_bytes(made(number))
        batch([source], output)
        written = sorted(files(output))
    series = f"{PROJECT.uid('1.2.3')}/{PROJECT.uid('1.2.3.4')}"
    assert written == sorted(f"{series}/{PROJECT.uid(f'1.2.3.{number}')}.dcm" for number in range(len(used)))
