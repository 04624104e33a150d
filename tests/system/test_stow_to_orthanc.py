"""STOW-RS to Orthanc, read back by dicomweb-client."""

from io import BytesIO
from itertools import count
from pathlib import Path

from dicomweb_client.api import DICOMwebClient
from pydicom import dcmread
from pydicom.dataset import Dataset

from karnak.gateway.deliver.credentials import Basic
from karnak.gateway.deliver.parcel import Delivered, Parcel, Refused
from karnak.gateway.deliver.service import Service
from karnak.gateway.deliver.stow import StowDestination
from karnak.testing.specimen import EXPLICIT, IMPLICIT, encoded, leaf
from tests.system.programs import orthanc

CT = "1.2.840.10008.5.1.4.1.1.2"


def parcel(number: int, syntax: str = EXPLICIT) -> Parcel:
    elements = (leaf("SOPClassUID", CT), leaf("SOPInstanceUID", f"2.25.3.{number}"), leaf("Modality", "CT"),
                leaf("PatientName", "P^1"), leaf("PatientID", "P-1"), leaf("StudyInstanceUID", "2.25.1"),
                leaf("SeriesInstanceUID", "2.25.2"), leaf("InstanceNumber", str(number)), leaf("SamplesPerPixel", 1),
                leaf("PhotometricInterpretation", "MONOCHROME2"), leaf("Rows", 64), leaf("Columns", 64),
                leaf("BitsAllocated", 16), leaf("BitsStored", 16), leaf("HighBit", 15), leaf("PixelRepresentation", 0),
                leaf("PixelData", bytes(range(256)) * 32, "OW"))  # fmt: skip
    data_set = encoded(elements, syntax)
    return Parcel((data_set[:90], memoryview(data_set)[90:]), syntax, CT, f"2.25.3.{number}", "2.25.1", "2.25.2")


def as_dataset(one: Parcel) -> Dataset:
    return dcmread(BytesIO(b"".join(one.file())))


def test_orthanc_has_what_it_said_it_has(tmp_path: Path) -> None:
    boundaries = count(1 << 127)
    users = {"AuthenticationEnabled": True, "RegisteredUsers": {"trial": "secret"}}
    with orthanc(tmp_path / "orthanc", dicomweb=True, **users) as peer:
        service = Service(f"{peer.http}/dicom-web", instances_per_request=4)
        made = StowDestination(service, lambda: f"{next(boundaries):x}", Basic("trial", "secret"))
        parcels = [parcel(1), parcel(2, IMPLICIT), parcel(3)]
        assert list(made.deliver(parcels)) == [Delivered()] * 3
        # Sent again, it is there already, and no other one.
        assert list(made.deliver(parcels[:1])) == [Delivered()]
        # One that Orthanc can't store is refused by itself.
        broken = Parcel((b"\xff" * 64,), EXPLICIT, CT, "2.25.3.9")
        good, bad, other = made.deliver([parcel(4), broken, parcel(5)])
        assert (good, other) == (Delivered(), Delivered())
        assert isinstance(bad, Refused)
        made.close()
        session_headers = {"Authorization": "Basic dHJpYWw6c2VjcmV0"}
        client = DICOMwebClient(f"{peer.http}/dicom-web", headers=session_headers)
        found = client.search_for_instances("2.25.1", "2.25.2", fields=["InstanceNumber"])
        uids = {one["00080018"]["Value"][0] for one in found}
        assert uids == {f"2.25.3.{number}" for number in range(1, 6)}
        for number in (1, 3, 4):
            (got,) = [client.retrieve_instance("2.25.1", "2.25.2", f"2.25.3.{number}")]
            assert got == as_dataset(parcel(number))
