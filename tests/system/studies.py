"""Instances of many kinds with planted identities, to be sent to the gateway.

Made from pydicom's own small test files, or from nothing where it has none. What is planted
begins with PLANTED, and must not be found in anything that leaves.
"""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from tests.system.programs import tool

PLANTED = b"PLANTED"
EXPLICIT = UID("1.2.840.10008.1.2.1")
IMPLICIT = UID("1.2.840.10008.1.2")
# Options that make storescu propose the transfer syntax of a file.
PROPOSE: Mapping[str, tuple[str, ...]] = {
    "jpeg": ("-xy",),
    "jpeg2000": ("-xw",),
    "rtstruct": ("-xi",),
    "implicit": ("-xi",),
    "big-endian": ("-xb",),
    "deflated": ("-xd",),
    "rle": ("-xr",),
}


def _bundled(name: str) -> Dataset:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str), f"pydicom's test file {name} is not installed"
    return dcmread(path, force=True)


def _from_nothing(sop_class: str, modality: str) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = EXPLICIT
    made.SOPClassUID = sop_class
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"
    made.StudyDate, made.StudyTime, made.Modality = "20200101", "120000", modality
    made.AccessionNumber, made.StudyID, made.ReferringPhysicianName = "", "", ""
    made.PatientBirthDate, made.PatientSex, made.Manufacturer = "19500101", "O", "Maker"
    made.SeriesNumber, made.InstanceNumber = 1, 1
    return made


def _pixels(made: Dataset, frames: int) -> None:
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows, made.Columns, made.NumberOfFrames = 8, 8, frames
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.PixelData = bytes(range(128)) * frames


def _ultrasound() -> Dataset:
    made = _from_nothing("1.2.840.10008.5.1.4.1.1.3.1", "US")
    _pixels(made, 3)
    made.FrameTime = "40"
    made.FrameIncrementPointer = 0x00181063
    return made


def _enhanced_ct() -> Dataset:
    made = _from_nothing("1.2.840.10008.5.1.4.1.1.2.1", "CT")
    _pixels(made, 2)
    made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL", "NONE"]
    made.ContentDate, made.ContentTime = "20200101", "120000"
    frames = []
    for number in (1, 2):
        position, content, frame = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [0, 0, number]
        content.FrameAcquisitionDateTime = "20200101120000"
        content.FrameComments = "PLANTED COMMENT"
        frame.PlanePositionSequence, frame.FrameContentSequence = Sequence([position]), Sequence([content])
        frames.append(frame)
    made.PerFrameFunctionalGroupsSequence = Sequence(frames)
    return made


def _encapsulated_pdf() -> Dataset:
    made = _from_nothing("1.2.840.10008.5.1.4.1.1.104.1", "DOC")
    made.ConversionType, made.BurnedInAnnotation, made.MIMETypeOfEncapsulatedDocument = "WSD", "YES", "application/pdf"
    made.DocumentTitle = "Report"
    made.EncapsulatedDocument = b"%PDF-1.4\n% PLANTED\n%%EOF\n"
    return made


def _recoded(syntax: UID) -> Callable[[], Dataset]:
    def make() -> Dataset:
        made = _ultrasound()
        made.file_meta.TransferSyntaxUID = syntax
        return made

    return make


KINDS: Mapping[str, Callable[[], Dataset]] = {
    "ct": lambda: _bundled("CT_small.dcm"),
    "mr": lambda: _bundled("MR_small.dcm"),
    "us": _ultrasound,
    "sr": lambda: _bundled("test-SR.dcm"),
    "rtstruct": lambda: _bundled("rtstruct.dcm"),
    "pdf": _encapsulated_pdf,
    "enhanced": _enhanced_ct,
    "jpeg": lambda: _bundled("SC_rgb_jpeg_dcmtk.dcm"),
    "jpeg2000": lambda: _bundled("JPEG2000.dcm"),
    "rle": lambda: _bundled("MR_small_RLE.dcm"),
    "implicit": lambda: _bundled("MR_small_implicit.dcm"),
    "big-endian": lambda: _bundled("MR_small_bigendian.dcm"),
    "deflated": _recoded(UID("1.2.840.10008.1.2.1.99")),
}


def make(kind: str, folder: Path, number: int = 1) -> Path:
    """Write an instance of a kind with planted identities.

    Args:
        kind: one of KINDS.
        folder: where.
        number: makes its UIDs differ from those of others of its kind.
    """
    made = KINDS[kind]()
    made.PatientName, made.PatientID = "PLANTED^NAME", "PLANTED-ID"
    made.StudyDescription, made.InstitutionName = "PLANTED STUDY", "PLANTED HOSPITAL"
    index = list(KINDS).index(kind) + 1
    made.SOPInstanceUID = f"1.2.826.0.1.3680043.8.498.7777.{index}.{number}"
    if "file_meta" not in made.__dict__ or "TransferSyntaxUID" not in made.file_meta:
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = IMPLICIT
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{kind}-{number}.dcm"
    made.save_as(path, enforce_file_format=True)
    return path


def dump(path: Path) -> str:
    """What dcmdump, a reader that is not ours, says of a file."""
    shown = subprocess.run([tool("dcmdump"), "+L", str(path)], capture_output=True, text=True, check=True, timeout=60)
    assert shown.stderr == ""
    return shown.stdout
