"""What the DIMSE door takes: storage of all kinds, nothing else."""

import pytest
from pydicom.uid import AllTransferSyntaxes

from karnak.gateway.receive.offer import is_storage, is_transfer_syntax

CT = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
WORKLIST = "1.2.840.10008.5.1.4.31"
PRIVATE = "1.3.12.2.1107.5.9.1"


@pytest.mark.parametrize(
    "uid",
    [
        CT,
        "1.2.840.10008.5.1.4.1.1.88.11",  # Basic Text SR
        "1.2.840.10008.5.1.4.1.1.481.3",  # RT Structure Set
        "1.2.840.10008.5.1.4.1.1.104.1",  # Encapsulated PDF
        "1.2.840.10008.5.1.4.1.1.1.1.1",  # Digital X-Ray Image Storage - For Processing
        "1.2.840.10008.5.1.4.1.1.6",  # Ultrasound Image Storage (Retired)
        "1.2.840.10008.5.1.4.38.1",  # Hanging Protocol Storage
        "1.2.840.10008.5.1.4.1.1.9999",  # of a later edition than ours
        PRIVATE,
    ],
)
def test_storage(uid: str) -> None:
    assert is_storage(uid)


@pytest.mark.parametrize(
    "uid",
    [
        VERIFICATION,
        WORKLIST,
        "1.2.840.10008.1.3.10",  # Media Storage Directory
        "1.2.840.10008.1.20.1",  # Storage Commitment
        "1.2.840.10008.5.1.4.1.2.2.1",  # Study Root Query/Retrieve - FIND
        "1.2.840.10008.5.1.4.1.1.201.2",  # Inventory - FIND
        "1.2.840.10008.4.2",  # the Storage Service Class itself
        "1.2.840.10008.9999",
    ],
)
def test_not_storage(uid: str) -> None:
    assert not is_storage(uid)


def test_transfer_syntaxes_are_the_standards() -> None:
    assert all(is_transfer_syntax(str(uid)) for uid in AllTransferSyntaxes)
    assert is_transfer_syntax("1.2.840.10008.1.2.4.53")  # retired: JPEG Spectral Selection
    assert not is_transfer_syntax("1.2.840.10008.1.2.6.2")  # XML
    assert not is_transfer_syntax("1.2.840.113619.5.2")  # private
    assert not is_transfer_syntax(CT)
