"""Deliver nowhere: everything is done as for a real destination, and what would have been sent is counted.

For trying out a profile or a configuration on live traffic.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydicom.uid import UID

from karnak.gateway.deliver.parcel import Answer, Delivered, Parcel


@dataclass(frozen=True, slots=True)
class Kind:
    """What instances are counted by.

    Attributes:
        sop_class_uid: SOP Class.
        transfer_syntax_uid: how they are encoded.
    """

    sop_class_uid: str
    transfer_syntax_uid: str

    def __str__(self) -> str:
        return f"{UID(self.sop_class_uid).name} in {UID(self.transfer_syntax_uid).name}"


@dataclass(frozen=True, slots=True)
class Amount:
    """How much would have been sent.

    Attributes:
        instances: how many.
        size: bytes of their data sets.
    """

    instances: int = 0
    size: int = 0


class VirtualDestination:
    """Takes everything and sends nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: dict[Kind, Amount] = {}

    def __str__(self) -> str:
        return "nowhere"

    @property
    def at_once(self) -> int:
        """How many parcels one call takes."""
        return 32

    @property
    def parallel(self) -> int:
        """How many calls may run at once."""
        return 1

    def deliver(self, parcels: Sequence[Parcel]) -> Sequence[Answer]:
        """Count parcels; the remark says what would have been sent."""
        return [self._count(parcel) for parcel in parcels]

    def close(self) -> None:
        """Nothing is open."""

    def report(self) -> Mapping[Kind, Amount]:
        """What would have been sent so far."""
        with self._lock:
            return dict(self._counted)

    def _count(self, parcel: Parcel) -> Answer:
        kind, size = Kind(parcel.sop_class_uid, parcel.transfer_syntax_uid), parcel.size
        with self._lock:
            before = self._counted.get(kind, Amount())
            self._counted[kind] = Amount(before.instances + 1, before.size + size)
        return Delivered(f"nothing was sent; it would have been {kind}, {size} bytes")
