"""A parcel: an instance that is ready to leave, and what a destination must know to take it.

Everything in a parcel is what the destination will see. It is sent as it is: no destination
decodes, transcodes or changes it.
"""

from dataclasses import dataclass
from typing import Protocol

from karnak.errors import KarnakError
from karnak.runtime.part10 import wrap_part10


class DeliveryError(KarnakError):
    """A destination did not take an instance; the message says why, without patient values."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """An instance that is ready to leave.

    Attributes:
        data_set: the encoded data set, without file meta information.
        transfer_syntax_uid: how it is encoded.
        sop_class_uid: SOP Class.
        sop_instance_uid: SOP Instance UID.
        study_instance_uid: Study Instance UID, or None where the SOP Class has none.
        series_instance_uid: Series Instance UID, or None where the SOP Class has none.
    """

    data_set: bytes
    transfer_syntax_uid: str
    sop_class_uid: str
    sop_instance_uid: str
    study_instance_uid: str | None = None
    series_instance_uid: str | None = None

    def file(self) -> bytes:
        """Give the instance as a Part 10 file with file meta information of its own."""
        return wrap_part10(self.data_set, self.transfer_syntax_uid, self.sop_class_uid, self.sop_instance_uid)


class Destination(Protocol):
    """Something that takes parcels, from several threads at once."""

    def deliver(self, parcel: Parcel) -> str | None:
        """Hand a parcel over; when this returns, the destination has it.

        Returns:
            What the destination had to remark on, or None.

        Raises:
            DeliveryError: it has not, or has not said so.
        """
        ...

    def close(self) -> None:
        """Let go of connections; nothing is delivered afterwards."""
        ...
