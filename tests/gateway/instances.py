"""Small instances for the gateway's tests, made from keywords and values."""

from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


def dataset(**attributes: object) -> Dataset:
    """Make a dataset; keywords of the dictionary with their values."""
    made = Dataset()
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def dataset_bytes(**attributes: object) -> bytes:
    """Encode a dataset in Explicit VR Little Endian, without file meta information."""
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = True, False
    write_dataset(stream, dataset(**attributes))
    written = stream.getvalue()
    assert isinstance(written, bytes)
    return written


def file_bytes(transfer_syntax_uid: str, **attributes: object) -> bytes:
    """Encode an instance as a Part 10 file in an uncompressed little endian transfer syntax."""
    made = dataset(**attributes)
    stream = BytesIO()
    made.ensure_file_meta()
    made.file_meta.TransferSyntaxUID = UID(transfer_syntax_uid)
    made.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
