"""Destinations of one transfer syntax: what arrives is in it, with the same values; what can't be is refused alone."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from karnak.gateway.deliver.converting import Converting
from karnak.gateway.deliver.folder import FolderDestination
from karnak.gateway.deliver.layout import Layout
from karnak.gateway.deliver.parcel import Answer, Delivered, DeliveryError, Parcel, Refused
from karnak.testing.specimen import EXPLICIT, IMPLICIT, encoded, leaf
from tests.gateway.instances import SECONDARY_CAPTURE

JPEG = "1.2.840.10008.1.2.4.50"
DEFLATED = "1.2.840.10008.1.2.1.99"


def parcel(number: int, syntax: str = EXPLICIT) -> Parcel:
    data_set = encoded(
        [leaf("SOPClassUID", SECONDARY_CAPTURE), leaf("SOPInstanceUID", f"2.25.{number}"), leaf("PatientName", "P^1")],
        EXPLICIT if syntax == JPEG else syntax,
    )
    return Parcel((data_set[:20], data_set[20:]), syntax, SECONDARY_CAPTURE, f"2.25.{number}")


class Peer:
    """A destination that remembers what it gets."""

    at_once, parallel = 5, 3

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.parcels: list[Parcel] = []
        self.closed = False

    def __str__(self) -> str:
        return "the peer"

    def deliver(self, parcels: Sequence[Parcel]) -> Sequence[Answer]:
        if not self.answers:
            raise DeliveryError("no connection")
        self.parcels += parcels
        return [self.answers.pop(0) for _ in parcels]

    def close(self) -> None:
        self.closed = True


def test_each_answer_is_for_its_own_instance() -> None:
    peer = Peer(Delivered("first"), Refused("second"))
    made = Converting(peer, IMPLICIT)
    broken = Parcel((b"\xff" * 9,), EXPLICIT, SECONDARY_CAPTURE, "2.25.9")
    found = made.deliver([parcel(1, JPEG), parcel(2), broken, parcel(3, IMPLICIT)])
    words = "the instance is in JPEG Baseline (Process 1) and can't be brought into Implicit VR Little Endian"
    assert [found[0], found[1], found[3]] == [Refused(words), Delivered("first"), Refused("second")]
    assert isinstance(found[2], Refused)
    assert [(one.sop_instance_uid, one.transfer_syntax_uid) for one in peer.parcels] == [
        ("2.25.2", IMPLICIT),
        ("2.25.3", IMPLICIT),
    ]
    assert [one.data_set for one in peer.parcels] == [parcel(number, IMPLICIT).data_set for number in (2, 3)]
    assert (made.at_once, made.parallel, str(made)) == (5, 3, "the peer")
    made.close()
    assert peer.closed


def test_nobody_is_called_for_nothing_and_failures_pass() -> None:
    made = Converting(Peer(), IMPLICIT)
    assert isinstance(made.deliver([parcel(1, JPEG)])[0], Refused)
    with pytest.raises(DeliveryError, match="no connection"):
        made.deliver([parcel(1)])


@pytest.mark.parametrize("target", [EXPLICIT, IMPLICIT, DEFLATED])
def test_a_folder_gets_files_in_it(target: str, tmp_path: Path) -> None:
    made = Converting(FolderDestination(tmp_path, Layout.parse("{SOPInstanceUID}.dcm")), target)
    assert made.deliver([parcel(1), parcel(2, IMPLICIT)]) == [Delivered(), Delivered()]
    for number in (1, 2):
        read = dcmread(BytesIO((tmp_path / f"2.25.{number}.dcm").read_bytes()))
        assert (read.file_meta.TransferSyntaxUID, read.PatientName) == (target, "P^1")
