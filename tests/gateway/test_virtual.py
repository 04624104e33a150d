"""Nothing is sent, and what would have been is counted and said."""

from karnak.gateway.deliver.parcel import Delivered, Parcel
from karnak.gateway.deliver.virtual import Amount, Kind, VirtualDestination
from karnak.testing.specimen import EXPLICIT, IMPLICIT
from tests.gateway.instances import SECONDARY_CAPTURE

CT = "1.2.840.10008.5.1.4.1.1.2"


def test_what_would_have_been_sent_is_counted_by_kind() -> None:
    nowhere = VirtualDestination()
    parcels = [Parcel((bytes(10), bytes(5)), EXPLICIT, CT, "1.2.1"), Parcel((bytes(7),), EXPLICIT, CT, "1.2.2"),
               Parcel((bytes(3),), IMPLICIT, SECONDARY_CAPTURE, "1.2.3")]  # fmt: skip
    assert nowhere.deliver(parcels[:1]) == [
        Delivered("nothing was sent; it would have been CT Image Storage in Explicit VR Little Endian, 15 bytes")
    ]
    assert [type(answer) for answer in nowhere.deliver(parcels[1:])] == [Delivered, Delivered]
    assert nowhere.report() == {
        Kind(CT, EXPLICIT): Amount(2, 22),
        Kind(SECONDARY_CAPTURE, IMPLICIT): Amount(1, 3),
    }
    nowhere.close()
