"""The head of a spooled file: file meta information that says who sent the instance, when, and how long it is.

What has an element of its own stands there; the rest is JSON in Private Information
(0002,0102), and so is a value that its element can't hold as it is (an AE title with a
letter that is not ASCII). Reading gives back exactly what was written. The length of the
data set is put in when all of it is there: a file without it, or of another length, is torn.
Source: PS3.10 section 7.1.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

from karnak.errors import KarnakError
from karnak.runtime.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

PRIVATE_INFORMATION_CREATOR_UID = "2.25.261349696396279481834037889997468514560"

Door = Literal["dimse", "stow"]

_PREAMBLE = bytes(128) + b"DICM"
_SHORT = struct.Struct("<HH2sH")
_LONG = struct.Struct("<HH2sHI")
_GROUP_LENGTH = struct.Struct("<HH2sHI")
_LONG_VRS = frozenset({b"OB", b"UN", b"OW", b"UT", b"SQ"})
_UID_LENGTH, _AE_LENGTH = 64, 16
_PRIVATE_CREATOR, _PRIVATE_INFORMATION = 0x0100, 0x0102
# Field of an arrival -> (element of group 0002 that is read, VR, characters that it holds).
_FIELDS: Mapping[str, tuple[int, bytes, int]] = {
    "sop_class_uid": (0x0002, b"UI", _UID_LENGTH),
    "sop_instance_uid": (0x0003, b"UI", _UID_LENGTH),
    "transfer_syntax_uid": (0x0010, b"UI", _UID_LENGTH),
    "calling_ae": (0x0017, b"AE", _AE_LENGTH),
    "called_ae": (0x0018, b"AE", _AE_LENGTH),
}
# The length stands right after these, at the end of a field that even 2^64 fits in; JSON allows the spaces.
_BEFORE_SIZE = b'{"size":'
_SIZE_DIGITS = 20
_UNFINISHED = b"null".rjust(_SIZE_DIGITS)


class DamagedFile(KarnakError):
    """A file of the spool is not what was written there, or not written by Karnak; the message says how it differs."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """All that must be known to route an instance again.

    Attributes:
        called_ae: AE title that was called.
        calling_ae: AE title of the sender.
        address: IP address of the sender.
        door: by what it came in.
        sop_class_uid: as the command, or the request, says it.
        sop_instance_uid: as the command, or the request, says it.
        transfer_syntax_uid: of the data set.
        received: when it came, in UTC.
    """

    called_ae: str
    calling_ae: str
    address: str
    door: Door
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    received: datetime


@dataclass(frozen=True, slots=True)
class Head:
    """Preamble and file meta information of a file that is being received.

    Attributes:
        data: the bytes.
        size_at: where the length of the data set is to be written, once it is known.
    """

    data: bytes
    size_at: int


def make_head(arrival: Arrival) -> Head:
    """Write the head of a file whose data set is still to come.

    Args:
        arrival: what it says.
    """
    frame = _frame(
        arrival.sop_class_uid,
        arrival.transfer_syntax_uid,
        arrival.calling_ae,
        arrival.called_ae,
        arrival.address,
        arrival.door,
    )
    sop_instance_uid = _shown(arrival.sop_instance_uid, _UID_LENGTH)
    changing = {"received": arrival.received.astimezone(UTC).isoformat()}
    if sop_instance_uid != arrival.sop_instance_uid:
        changing["sop_instance_uid"] = arrival.sop_instance_uid
    information = frame.information + json.dumps(changing).encode("ascii")[1:]
    information += b" " * (len(information) % 2)
    before = b"".join(
        (
            frame.before_instance,
            _text(0x0003, b"UI", sop_instance_uid),
            frame.after_instance,
            _LONG.pack(2, _PRIVATE_INFORMATION, b"OB", 0, len(information)),
        )
    )
    front = _PREAMBLE + _GROUP_LENGTH.pack(2, 0, b"UL", 4, len(before) + len(information)) + before
    return Head(front + information, len(front) + len(_BEFORE_SIZE))


def size_field(size: int) -> bytes:
    """What is written at `size_at` for a data set of so many bytes."""
    return str(size).encode("ascii").rjust(_SIZE_DIGITS)


def read_head(data: memoryview) -> tuple[Arrival, int]:
    """Read the head of a whole file.

    Args:
        data: the file.

    Returns:
        What it says, and where the data set begins.

    Raises:
        DamagedFile: it is torn, no DICOM, or was not written by Karnak.
    """
    elements, start = _elements(data)
    if _as_text(elements.get(_PRIVATE_CREATOR, b"")) != PRIVATE_INFORMATION_CREATOR_UID:
        raise DamagedFile("the file was not written by Karnak's receiver: its file meta information is another's")
    try:
        said = json.loads(elements[_PRIVATE_INFORMATION])
        size = said.pop("size")
        values = {name: _as_text(elements[element]) for name, (element, _, _) in _FIELDS.items()} | said
        arrival = Arrival(**values | {"received": datetime.fromisoformat(values["received"]).astimezone(UTC)})
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DamagedFile("the private information (0002,0102) of the file meta information is damaged") from None
    if arrival.door not in get_args(Door) or not all(isinstance(value, str) for value in values.values()):
        raise DamagedFile("the private information (0002,0102) of the file meta information is damaged")
    if size is None:
        raise DamagedFile("the file was never received to its end")
    if size != len(data) - start:
        raise DamagedFile(f"the file is torn: its data set has {len(data) - start} bytes and had {size}")
    return arrival, start


class _Frame(NamedTuple):
    """What the heads of an association's instances have in common.

    Attributes:
        before_instance: elements before the SOP Instance UID.
        after_instance: those after it, but for the private information.
        information: the private information up to what changes.
    """

    before_instance: bytes
    after_instance: bytes
    information: bytes


@lru_cache(maxsize=256)
def _frame(
    sop_class_uid: str, transfer_syntax_uid: str, calling_ae: str, called_ae: str, address: str, door: str
) -> _Frame:
    said = {
        "sop_class_uid": sop_class_uid,
        "transfer_syntax_uid": transfer_syntax_uid,
        "calling_ae": calling_ae,
        "called_ae": called_ae,
    }
    shown = {name: _shown(value, _FIELDS[name][2]) for name, value in said.items()}
    rest = {name: value for name, value in said.items() if value != shown[name]} | {"address": address, "door": door}
    after_instance = (
        _text(0x0010, b"UI", shown["transfer_syntax_uid"]),
        _IMPLEMENTATION,
        _text(0x0016, b"AE", shown["calling_ae"]),
        _text(0x0017, b"AE", shown["calling_ae"]),
        _text(0x0018, b"AE", shown["called_ae"]),
        _CREATOR,
    )
    return _Frame(
        _VERSION + _text(0x0002, b"UI", shown["sop_class_uid"]),
        b"".join(after_instance),
        _BEFORE_SIZE + _UNFINISHED + b"," + json.dumps(rest).encode("ascii")[1:-1] + b",",
    )


def _shown(text: str, room: int) -> str:
    """A value as its element holds it: ASCII, not too long, without what is padding there."""
    return text.encode("ascii", "replace")[:room].decode("ascii").strip(" \0")


def _text(element: int, vr: bytes, text: str) -> bytes:
    value = text.encode("ascii")
    value += (b"\0" if vr == b"UI" else b" ") * (len(value) % 2)
    return _SHORT.pack(2, element, vr, len(value)) + value


def _as_text(value: bytes) -> str:
    return value.decode("latin-1").strip(" \0")


def _elements(data: memoryview) -> tuple[dict[int, bytes], int]:
    """The elements of group 0002, and where they end."""
    if bytes(data[128 : len(_PREAMBLE)]) != b"DICM":
        raise DamagedFile("the file is no DICOM file: DICM is missing at offset 128")
    found: dict[int, bytes] = {}
    position, size = len(_PREAMBLE), len(data)
    while position + _SHORT.size <= size:
        group, element, vr, length = _SHORT.unpack_from(data, position)
        if group != 2:
            break
        start = position + _SHORT.size
        if vr in _LONG_VRS:
            start = position + _LONG.size
            length = _LONG.unpack_from(data, position)[4] if start <= size else size
        if start + length > size:
            raise DamagedFile(f"the file is torn: its file meta information runs over the end at offset {position}")
        found[element] = bytes(data[start : start + length])
        position = start + length
    return found, position


# What every file says.
_VERSION = _LONG.pack(2, 0x0001, b"OB", 0, 2) + b"\0\1"
_IMPLEMENTATION = _text(0x0012, b"UI", IMPLEMENTATION_CLASS_UID) + _text(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME)
_CREATOR = _text(_PRIVATE_CREATOR, b"UI", PRIVATE_INFORMATION_CREATOR_UID)
