"""A folder gets whole files under safe names."""

import fcntl
import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydicom import dcmread

from karnak.gateway.deliver.folder import FolderDestination, relative_path
from karnak.gateway.deliver.layout import Layout, LayoutError
from karnak.gateway.deliver.messages import is_uid
from karnak.gateway.deliver.parcel import Answer, Delivered, Parcel, Refused
from tests.gateway.instances import SECONDARY_CAPTURE, dataset_bytes

EXPLICIT = "1.2.840.10008.1.2.1"


def parcel(sop: str = "2.25.3", series: str | None = "2.25.2", study: str | None = "2.25.1", **more: str) -> Parcel:
    data_set = dataset_bytes(SOPInstanceUID=sop if is_uid(sop) else "2.25.3", **more)
    return Parcel((data_set,), EXPLICIT, SECONDARY_CAPTURE, sop, study, series)


def deliver(folder: FolderDestination, one: Parcel) -> Answer:
    (answer,) = folder.deliver((one,))
    return answer


def test_a_file_lies_under_its_uids_and_holds_the_data_set_to_the_byte(tmp_path: Path) -> None:
    sent = parcel(PatientName="P-1")
    assert deliver(FolderDestination(tmp_path / "out"), sent) == Delivered()
    path = tmp_path / "out" / "2.25.1" / "2.25.2" / "2.25.3.dcm"
    assert path.read_bytes().endswith(sent.data_set)
    read = dcmread(path)
    assert read.PatientName == "P-1"
    assert read.file_meta.TransferSyntaxUID == EXPLICIT
    assert read.file_meta.MediaStorageSOPClassUID == SECONDARY_CAPTURE
    assert read.file_meta.MediaStorageSOPInstanceUID == "2.25.3"
    assert [entry for entry in (tmp_path / "out").rglob("*") if entry.is_file()] == [path]


def test_the_same_instance_replaces_its_file_and_a_change_is_remarked(tmp_path: Path) -> None:
    folder = FolderDestination(tmp_path)
    deliver(folder, parcel())
    assert deliver(folder, parcel()) == Delivered()
    replaced = Delivered("replaced an earlier file of the same instance")
    assert deliver(folder, parcel(PatientName="P-2")) == replaced
    assert dcmread(tmp_path / "2.25.1" / "2.25.2" / "2.25.3.dcm").PatientName == "P-2"


@pytest.mark.parametrize(
    "uid",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        ".",
        "1..2",
        "1.2\0",
        "1.2\n",
        "DOE^JANE",
        "1" * 65,
        "1.2/3",
        "\u0661.\u0662",
    ],
)
def test_what_is_no_uid_names_no_path(uid: str) -> None:
    for path in (relative_path(parcel(sop=uid)), relative_path(parcel(series=uid)), relative_path(parcel(study=uid))):
        assert len(path.parts) == 3
        assert sum(part.startswith("not-a-uid-") for part in path.parts) == 1
        # Every path has a dot; that "." itself names nothing shows in the number of parts.
        assert uid == "." or uid not in str(path)


def test_different_bad_uids_keep_different_files() -> None:
    assert relative_path(parcel(sop="a")) != relative_path(parcel(sop="b"))


def test_instances_without_study_have_their_place() -> None:
    assert relative_path(parcel(study=None, series=None)) == Path("without-study", "without-series", "2.25.3.dcm")


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        deliver(FolderDestination(tmp_path / "a"), parcel())
    finally:
        os.umask(before)
    places = [tmp_path / "a", tmp_path / "a/2.25.1", tmp_path / "a/2.25.1/2.25.2/2.25.3.dcm"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in places] == [0o750, 0o750, 0o640]


def test_what_can_not_be_written_is_undelivered_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file, not a folder")
    reasons = ("File exists", "Not a directory")
    refusals = [Refused(f"the folder can't be written: {reason}") for reason in reasons]
    assert deliver(FolderDestination(tmp_path / "out"), parcel()) in refusals
    (tmp_path / "in" / "2.25.1" / "2.25.2" / "2.25.3.dcm").mkdir(parents=True)
    refusal = Refused("the folder can't be written: Is a directory")
    assert deliver(FolderDestination(tmp_path / "in"), parcel()) == refusal
    assert not [entry for entry in (tmp_path / "in").rglob("*") if entry.is_file()]


def folder_with(tmp_path: Path, layout: str) -> FolderDestination:
    return FolderDestination(tmp_path / "out", Layout.parse(layout))


def written(tmp_path: Path) -> dict[str, str]:
    """The files of a destination: path and SOP Instance UID."""
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    return {str(path.relative_to(tmp_path / "out")): str(dcmread(path).file_meta.MediaStorageSOPInstanceUID)
            for path in files}  # fmt: skip


def test_a_layout_names_files_by_attributes_of_what_is_written(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "{PatientID}/{StudyDate}-{Modality}/{SeriesNumber}/{InstanceNumber}.dcm")
    one = parcel("2.25.3", PatientID="P-1", StudyDate="20260504", Modality="CT", SeriesNumber="3", InstanceNumber="12")
    assert deliver(folder, one) == Delivered()
    assert written(tmp_path) == {"P-1/20260504-CT/3/12.dcm": "2.25.3"}


def test_instances_of_one_name_lie_beside_each_other_whatever_their_order(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "{PatientID}.dcm")
    first, second, third = (parcel(f"2.25.{number}", PatientID="P-1") for number in (3, 4, 5))
    assert [*folder.deliver([first, second, third])] == [Delivered()] * 3
    found = written(tmp_path)
    assert found["P-1.dcm"] == "2.25.3"
    assert sorted(found.values()) == ["2.25.3", "2.25.4", "2.25.5"]
    names = {uid: name for name, uid in found.items()}
    assert names["2.25.4"] == "P-1-" + hashlib.sha256(b"2.25.4").hexdigest()[:12] + ".dcm"
    # Sent again, each replaces its own file.
    assert [*folder.deliver([third, second, first])] == [Delivered()] * 3
    changed = parcel("2.25.4", PatientID="P-1", PatientName="P-2")
    assert deliver(folder, changed) == Delivered("replaced an earlier file of the same instance")
    assert written(tmp_path) == found
    # What is no instance of ours is left alone.
    (tmp_path / "out" / "P-2.dcm").write_text("notes")
    assert deliver(folder, parcel("2.25.6", PatientID="P-2")) == Delivered()
    assert (tmp_path / "out" / "P-2.dcm").read_text() == "notes"


def test_many_threads_lose_no_file(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "{PatientID}/{Modality}.dcm")
    parcels = [parcel(f"2.25.{number}", PatientID=f"P-{number % 3}", Modality="CT") for number in range(60)]
    with ThreadPoolExecutor(6) as threads:
        answers = [*threads.map(lambda start: folder.deliver(parcels[start : start + 5]), range(0, 60, 5))]
    assert all(answer == Delivered() for call in answers for answer in call)
    assert sorted(written(tmp_path).values()) == sorted(one.sop_instance_uid for one in parcels)


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.dcm").write_text("not ours")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "P-1").symlink_to(outside)
    (tmp_path / "out" / "P-2.dcm").symlink_to(outside / "secret.dcm")
    folder = folder_with(tmp_path, "{PatientID}/{SOPInstanceUID}.dcm")
    reason = "a link lies where a folder is needed, and links are not followed"
    assert deliver(folder, parcel(PatientID="P-1")) == Refused(f"the folder can't be written: {reason}")
    flat = folder_with(tmp_path, "{PatientID}.dcm")
    assert deliver(flat, parcel(PatientID="P-2")) == Delivered()
    assert (outside / "secret.dcm").read_text() == "not ours"
    assert [path.name for path in outside.iterdir()] == ["secret.dcm"]
    # The folder itself may be a link: that is the configuration's choice.
    (tmp_path / "link").symlink_to(outside)
    assert deliver(FolderDestination(tmp_path / "link"), parcel()) == Delivered()
    assert (outside / "2.25.1" / "2.25.2" / "2.25.3.dcm").is_file()


def test_one_that_can_not_be_written_leaves_the_others(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "P-2").write_text("a file, not a folder")
    folder = folder_with(tmp_path, "{PatientID}/{SOPInstanceUID}.dcm")
    broken = Parcel((b"no data set",), EXPLICIT, SECONDARY_CAPTURE, "2.25.9")
    found = folder.deliver(
        [parcel("2.25.3", PatientID="P-1"), parcel(PatientID="P-2"), broken, parcel("2.25.4", PatientID="P-1")]
    )
    assert found == [
        Delivered(),
        Refused("the folder can't be written: Not a directory"),
        Refused("the instance can't be read, so its file can't be named by its attributes"),
        Delivered(),
    ]
    assert sorted(path.name for path in (tmp_path / "out" / "P-1").iterdir()) == ["2.25.3.dcm", "2.25.4.dcm"]


def test_a_file_and_its_name_are_safe_before_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is synced before it gets its name, and every folder after its last change."""
    steps: list[tuple[str, str]] = []
    sync, rename, make = os.fsync, os.replace, os.mkdir

    def named(descriptor: int) -> str:
        return Path(f"/proc/self/fd/{descriptor}").resolve().name

    def note_sync(descriptor: int) -> None:
        steps.append(("sync", named(descriptor)))
        sync(descriptor)

    def note_rename(old: str, new: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        steps.append(("rename", new))
        rename(old, new, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    def note_make(name: str, mode: int, *, dir_fd: int) -> None:
        steps.append(("make", name))
        make(name, mode, dir_fd=dir_fd)

    # The executor compiles itself when it is first used, and keeps what it has compiled on the disk.
    folder_with(tmp_path / "before", "{PatientID}/{SOPInstanceUID}.dcm").deliver([parcel("2.25.1", PatientID="P-1")])
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "replace", note_rename)
    monkeypatch.setattr(os, "mkdir", note_make)
    folder = folder_with(tmp_path, "{PatientID}/{SOPInstanceUID}.dcm")
    folder.deliver([parcel("2.25.3", PatientID="P-1"), parcel("2.25.4", PatientID="P-1")])
    first, second = (f".{hashlib.sha256(uid).hexdigest()[:32]}-0.incoming" for uid in (b"2.25.3", b"2.25.4"))
    assert steps == [
        ("make", "P-1"),
        ("sync", "out"),
        ("make", ".karnak-incoming"),
        ("sync", first),
        ("rename", "2.25.3.dcm"),
        ("sync", second),
        ("rename", "2.25.4.dcm"),
        ("sync", "P-1"),
    ]


def left_behind(root: Path, uid: str) -> Path:
    """What a crash leaves of an instance that was being written."""
    left = root / ".karnak-incoming" / f".{hashlib.sha256(uid.encode()).hexdigest()[:32]}-0.incoming"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"half of an instance that was longer" * 1000)
    return left


def test_what_a_crash_has_left_goes_with_the_first_delivery_whichever_it_is(tmp_path: Path) -> None:
    same, other = left_behind(tmp_path, "2.25.3"), left_behind(tmp_path, "2.25.4")
    foreign = same.with_name("notes.txt")
    foreign.touch()
    folder = FolderDestination(tmp_path, Layout.parse("{SOPInstanceUID}.dcm"))
    assert deliver(folder, parcel("2.25.3")) == Delivered()
    assert [*same.parent.iterdir()] == [foreign]
    assert (tmp_path / "2.25.3.dcm").read_bytes() == b"".join(parcel("2.25.3").file())
    assert not other.exists()


def test_what_another_process_writes_stays(tmp_path: Path) -> None:
    left = left_behind(tmp_path, "2.25.4")
    with left.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert deliver(FolderDestination(tmp_path), parcel("2.25.3")) == Delivered()
    assert left.exists()


def test_no_layout_and_no_value_names_the_folder_of_unfinished_files(tmp_path: Path) -> None:
    with pytest.raises(LayoutError):
        Layout.parse(".karnak-incoming/{SOPInstanceUID}.dcm")
    folder = FolderDestination(tmp_path, Layout.parse("{PatientID}/{SOPInstanceUID}.dcm"))
    assert deliver(folder, parcel(PatientID=".karnak-incoming")) == Delivered()
    assert not [*(tmp_path / ".karnak-incoming").iterdir()]


def test_a_disk_that_is_full_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = os.fsync

    def full(descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(28, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    folder = FolderDestination(tmp_path / "out")
    assert deliver(folder, parcel()) == Refused("the folder can't be written: No space left on device")
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]

    def broken(descriptor: int) -> None:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode) and list((tmp_path / "out").rglob("*.dcm")):
            raise OSError(5, "Input/output error")
        sync(descriptor)

    # A name that may be lost is no delivery.
    monkeypatch.setattr(os, "fsync", broken)
    assert deliver(folder, parcel()) == Refused("the folder can't be written: Input/output error")
