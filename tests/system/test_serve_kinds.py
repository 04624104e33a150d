"""storescu -> Karnak -> storescp, Orthanc and a folder, for every kind: all arrive, nobody is recognised."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from karnak.runtime.keys import Project
from tests.system.programs import (
    SECRET,
    Karnak,
    Orthanc,
    karnak,
    node,
    orthanc,
    storescp,
    storescu,
    to_dicom,
    to_folder,
)
from tests.system.studies import KINDS, PLANTED, PROPOSE, dump, make

PROJECT = Project("TRIAL", bytes.fromhex(SECRET))


@dataclass(frozen=True)
class House:
    """A gateway with one destination of each sort."""

    gateway: Karnak
    orthanc: Orthanc
    received: Path
    written: Path


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    with orthanc(folder / "orthanc") as archive, storescp(folder / "received") as port:
        destinations = node(
            to_dicom("storescp", "STORESCP", port),
            to_dicom("orthanc", "ORTHANC", archive.port),
            to_folder("disk", "out"),
        )
        with karnak(folder / "karnak", destinations) as gateway:
            yield House(gateway, archive, folder / "received", gateway.folder / "out")


@pytest.mark.parametrize("kind", KINDS)
def test_an_instance_arrives_everywhere_and_nothing_of_its_patient(kind: str, house: House, tmp_path: Path) -> None:
    path = make(kind, tmp_path)
    original = dcmread(path)
    assert PLANTED in path.read_bytes() or kind == "deflated"
    sent = storescu(house.gateway.port, path, options=PROPOSE.get(kind, ()))
    assert sent.returncode == 0, sent.stderr
    assert "Received Store Response (Success)" in sent.stderr
    house.gateway.settled()

    uid = PROJECT.uid(original.SOPInstanceUID)
    study, series = PROJECT.uid(original.StudyInstanceUID), PROJECT.uid(original.SeriesInstanceUID)
    written = house.written / study / series / f"{uid}.dcm"
    (received,) = house.received.glob(f"*{uid}*")
    (archived,) = [one for one in house.orthanc.instances() if dcmread(BytesIO(one)).SOPInstanceUID == uid]
    for data in (written.read_bytes(), received.read_bytes(), archived):
        read = dcmread(BytesIO(data))
        _check(read, original)
        if kind != "deflated":
            assert PLANTED not in data
    # A reader that isn't ours: whole, and without a trace.
    assert "PLANTED" not in dump(written) + dump(received)
    assert "PLANTED" not in house.gateway.log
    assert original.SOPInstanceUID not in house.gateway.log


def _check(read: Dataset, original: Dataset) -> None:
    assert read.PatientIdentityRemoved == "YES"
    assert read.PatientName == PROJECT.pseudonym("PLANTED-ID", None)
    assert read.PatientID == PROJECT.patient_id(PROJECT.pseudonym("PLANTED-ID", None))
    assert read.SOPClassUID == original.SOPClassUID
    assert read.file_meta.TransferSyntaxUID == original.file_meta.TransferSyntaxUID
    for keyword in ("PixelData", "Rows", "Columns", "NumberOfFrames", "MIMETypeOfEncapsulatedDocument"):
        if keyword in original and keyword in read:
            assert read[keyword].value == original[keyword].value
    assert ("PixelData" in read) == ("PixelData" in original)


def test_an_instance_keeps_its_uids_between_sendings(house: House, tmp_path: Path) -> None:
    before = {path.name for path in house.written.rglob("*.dcm")}
    path = make("ct", tmp_path, number=99)
    for _ in range(2):
        assert storescu(house.gateway.port, path).returncode == 0
        house.gateway.settled()
    after = {path.name for path in house.written.rglob("*.dcm")}
    assert after - before == {PROJECT.uid(dcmread(path).SOPInstanceUID) + ".dcm"}


def test_one_association_can_carry_everything(house: House, tmp_path: Path) -> None:
    files = [make(kind, tmp_path, number=5) for kind in ("ct", "mr", "sr", "pdf", "enhanced")]
    sent = storescu(house.gateway.port, *files)
    assert sent.returncode == 0, sent.stderr
    assert sent.stderr.count("Received Store Response (Success)") == len(files)
    house.gateway.settled()
    names = {path.name for path in house.written.rglob("*.dcm")}
    assert {PROJECT.uid(dcmread(path).SOPInstanceUID) + ".dcm" for path in files} <= names
