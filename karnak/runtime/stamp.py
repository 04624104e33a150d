"""Encoded elements that stand at the root of an output whatever the plan says, ready to be written in their places."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import DataElement, RawDataElement

from karnak.runtime.always_set import INSTANCE_CREATION_DATE, INSTANCE_CREATION_TIME, PATIENT_ID
from karnak.runtime.encode import encode_dataset
from karnak.runtime.encoding import Encoding, RawDataset

_HEADER = 8


@lru_cache(maxsize=16)
def _written(now: datetime) -> tuple[bytes, bytes]:
    """A time as DA and TM, in UTC."""
    utc = now.astimezone(UTC)
    return f"{utc:%Y%m%d}".encode("ascii"), f"{utc:%H%M%S.%f}".encode("ascii")


@dataclass(frozen=True, slots=True)
class Stamp:
    """Elements in ascending order of their tags.

    Attributes:
        tags: int64, their tags.
        places: int64, offset and size of each in `data`; size 0 for an element that is removed.
        data: their bytes.
        array: the same as uint8.
        date: offset of the value of InstanceCreationDate in `data`, or -1.
        time: offset of the value of InstanceCreationTime in `data`, or -1.
        patient: offset of the value of PatientID in `data`, or -1.
    """

    tags: NDArray[np.int64]
    places: NDArray[np.int64]
    data: bytes
    array: NDArray[np.uint8]
    date: int = -1
    time: int = -1
    patient: int = -1

    def at(self, now: datetime, patient_id: bytes) -> NDArray[np.uint8]:
        """The bytes of the same elements at another time of de-identification, and in another project.

        Args:
            now: the time, with its zone.
            patient_id: the new value of PatientID, as long as the one that is there.
        """
        date, time = _written(now)
        data = bytearray(self.data)
        data[self.date : self.date + len(date)] = date
        data[self.time : self.time + len(time)] = time
        data[self.patient : self.patient + len(patient_id)] = patient_id
        return np.frombuffer(bytes(data), np.uint8)


def stamp_of(encoded: Mapping[int, bytes]) -> Stamp:
    """Join encoded elements.

    Args:
        encoded: by tag, the encoded element, or b"" for one that is removed.
    """
    tags = sorted(encoded)
    offset = 0
    places: list[tuple[int, int]] = []
    starts: dict[int, int] = {}
    for tag in tags:
        size = len(encoded[tag])
        places.append((offset, size))
        starts[tag] = offset + _HEADER
        offset += size
    data = b"".join(encoded[tag] for tag in tags)
    return Stamp(
        np.array(tags, np.int64),
        np.array(places, np.int64).reshape(len(tags), 2),
        data,
        np.frombuffer(data or b"\0", np.uint8),
        starts.get(INSTANCE_CREATION_DATE, -1),
        starts.get(INSTANCE_CREATION_TIME, -1),
        starts.get(PATIENT_ID, -1),
    )


def encoded_elements(elements: Mapping[int, RawDataElement | DataElement], encoding: Encoding) -> dict[int, bytes]:
    """Encode elements one by one.

    Raises:
        UnwritableInstance: a value is longer than its length field can say.
    """
    encoded: dict[int, bytes] = {}
    for tag, element in elements.items():
        alone = RawDataset()
        alone.put(element)
        encoded[tag] = encode_dataset(alone, encoding)
    return encoded


NOTHING = stamp_of({})
