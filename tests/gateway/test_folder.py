"""A folder gets whole files under safe names."""

import os
import stat
from pathlib import Path

import pytest
from pydicom import dcmread

from karnak.gateway.deliver.folder import FolderDestination, relative_path, write_whole
from karnak.gateway.deliver.parcel import Answer, Delivered, Parcel, Refused
from tests.gateway.instances import SECONDARY_CAPTURE, dataset_bytes

EXPLICIT = "1.2.840.10008.1.2.1"


def parcel(sop: str = "2.25.3", series: str | None = "2.25.2", study: str | None = "2.25.1", **more: str) -> Parcel:
    return Parcel((dataset_bytes(SOPInstanceUID="2.25.3", **more),), EXPLICIT, SECONDARY_CAPTURE, sop, study, series)


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


def test_permissions_follow_the_umask_and_the_caller(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        deliver(FolderDestination(tmp_path / "a"), parcel())
        write_whole(tmp_path / "b" / "c" / "secret", b"x", file_mode=0o600, folder_mode=0o700)
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "b", "b/c", "b/c/secret")]
    assert modes == [0o755, 0o700, 0o700, 0o600]
    assert stat.S_IMODE((tmp_path / "a/2.25.1/2.25.2/2.25.3.dcm").stat().st_mode) == 0o644


def test_what_can_not_be_written_is_undelivered_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file, not a folder")
    reasons = ("File exists", "Not a directory")
    refusals = [Refused(f"the folder can't be written: {reason}") for reason in reasons]
    assert deliver(FolderDestination(tmp_path / "out"), parcel()) in refusals
    (tmp_path / "in" / "2.25.1" / "2.25.2" / "2.25.3.dcm").mkdir(parents=True)
    refusal = Refused("the folder can't be written: Is a directory")
    assert deliver(FolderDestination(tmp_path / "in"), parcel()) == refusal
    assert not [entry for entry in (tmp_path / "in").rglob("*") if entry.is_file()]


def test_a_write_that_fails_halfway_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "file", b"x")
    assert list(tmp_path.iterdir()) == []
