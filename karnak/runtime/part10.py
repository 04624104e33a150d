"""Part 10 files: preamble, file meta information and dataset in, the same written anew out.

Nothing of the source's preamble or file meta information is ever written but the transfer
syntax. Source: PS3.10 section 7.
"""

import struct
import zlib
from collections.abc import Iterable
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING

from pydicom import Dataset
from pydicom.dataelem import RawDataElement

from karnak.ir.selector import format_tag
from karnak.runtime.decode import decode_dataset
from karnak.runtime.encode import encode_dataset
from karnak.runtime.encoding import (
    DEFLATED,
    EXPLICIT,
    LONG_VRS,
    SPECIFIC_CHARACTER_SET,
    RawDataset,
    UnreadableInstance,
    UnwritableInstance,
    encoding_of,
    leaf,
    stored,
    stored_leaf,
)
from karnak.runtime.refusal import element_name
from karnak.runtime.repertoire import DEFAULT_REPERTOIRE, Repertoire, repertoire_of_value
from karnak.runtime.text import count_of, text_of
from karnak.version import VERSION

if TYPE_CHECKING:
    from karnak.runtime.scanned import ScannedInstance

IMPLEMENTATION_CLASS_UID = "2.25.302604139174512206284730158291471390912"
IMPLEMENTATION_VERSION_NAME = f"KARNAK_{VERSION}"
MAX_INFLATED_BYTES = 4 << 30

SOP_CLASS_UID = 0x00080016
SOP_INSTANCE_UID = 0x00080018
STUDY_INSTANCE_UID = 0x0020000D
SERIES_INSTANCE_UID = 0x0020000E
PATIENT_ID = 0x00100020
# The UIDs of an output that its outcome names.
OUTPUT_UIDS = (SOP_CLASS_UID, SOP_INSTANCE_UID, STUDY_INSTANCE_UID, SERIES_INSTANCE_UID)
_TRANSFER_SYNTAX_UID = 0x00020010
_MEDIA_STORAGE_SOP_CLASS_UID = 0x00020002
_MEDIA_STORAGE_SOP_INSTANCE_UID = 0x00020003
_NO_TRANSFER_SYNTAX = "the file meta information names no transfer syntax (0002,0010)"
_PREAMBLE = bytes(128) + b"DICM"
_GROUP_LENGTH = struct.Struct("<HH2sHI")
_META_HEADER = struct.Struct("<HH2sH")
_LENGTH = struct.Struct("<I")
# The elements of group 2 that are read; the others are the source's own.
_META_READ = frozenset(
    tag & 0xFFFF for tag in (_TRANSFER_SYNTAX_UID, _MEDIA_STORAGE_SOP_CLASS_UID, _MEDIA_STORAGE_SOP_INSTANCE_UID)
)
_LONG_VR_BYTES = frozenset(vr.encode("ascii") for vr in LONG_VRS)


class Instance:
    """One instance whose bytes were found well formed; nothing changes it.

    Args:
        dataset: root dataset with raw leaves; None where `scanned` is given, and decoded on demand.
        transfer_syntax_uid: how it was encoded.
        media_storage_sop_class_uid: what the file meta information called it, or None.
        scanned: its index, which answers faster than the dataset; None to ask the dataset.
    """

    def __init__(
        self,
        dataset: Dataset | None,
        transfer_syntax_uid: str,
        media_storage_sop_class_uid: str | None = None,
        scanned: "ScannedInstance | None" = None,
    ) -> None:
        self._dataset = dataset
        self.transfer_syntax_uid = transfer_syntax_uid
        self.media_storage_sop_class_uid = media_storage_sop_class_uid
        self.scanned = scanned

    @property
    def dataset(self) -> Dataset:
        """The root dataset, with raw leaves."""
        if self._dataset is None:
            assert self.scanned is not None
            self._dataset = decode_dataset(self.scanned.encoded(), self.scanned.encoding)
        return self._dataset

    def decoded(self) -> "Instance":
        """The same instance without its index, so that every answer comes from the dataset."""
        return Instance(self.dataset, self.transfer_syntax_uid, self.media_storage_sop_class_uid)

    @cached_property
    def repertoire(self) -> Repertoire:
        """The character repertoire of the root dataset."""
        return repertoire_of(self.dataset, DEFAULT_REPERTOIRE)

    @property
    def sop_class_uid(self) -> str | None:
        """SOP Class UID (0008,0016) as the dataset says it."""
        return self.text(SOP_CLASS_UID)

    @property
    def sop_instance_uid(self) -> str | None:
        """SOP Instance UID (0008,0018) as the dataset says it."""
        return self.text(SOP_INSTANCE_UID)

    def text(self, tag: int) -> str | None:
        """The value of a root element as text, or None where it is absent, empty or not text or numbers.

        Args:
            tag: 32-bit tag.

        Raises:
            TextError: its bytes are no characters of the instance's character set.
        """
        if self.scanned is not None:
            return self.scanned.text(tag)
        element = stored_leaf(self.dataset, tag)
        return None if element is None else text_of(element, encoding_of(self.transfer_syntax_uid), self.repertoire)

    def has(self, tag: int) -> bool:
        """Tell whether the root dataset has an element, whatever its VR or value."""
        return tag in self.dataset if self.scanned is None else self.scanned.has(tag)

    def count(self, tag: int) -> int:
        """How many values or items a root element has; 0 where it is absent or empty.

        Raises:
            TextError: its bytes are no characters of the instance's character set.
        """
        if self.scanned is not None:
            return self.scanned.count(tag)
        if tag not in self.dataset:
            return 0
        element = stored(self.dataset, tag)
        if not isinstance(element, RawDataElement):
            return len(element.value)
        return count_of(element, encoding_of(self.transfer_syntax_uid), self.repertoire)

    def has_anywhere(self, tag: int) -> bool:
        """Tell whether the root dataset or an item at any depth has an element."""
        return _contains(self.dataset, tag) if self.scanned is None else self.scanned.has_anywhere(tag)


def _contains(dataset: Dataset, tag: int) -> bool:
    if tag in dataset:
        return True
    elements = [stored(dataset, other) for other in list(dataset.keys())]
    sequences = [element for element in elements if not isinstance(element, RawDataElement)]
    return any(_contains(item, tag) for element in sequences for item in element.value)


def repertoire_of(dataset: Dataset, inherited: Repertoire) -> Repertoire:
    """The repertoire that a dataset names, or the one of the dataset around it (PS3.5 7.5.3)."""
    element = stored_leaf(dataset, SPECIFIC_CHARACTER_SET)
    return inherited if element is None else repertoire_of_value(element.value or b"")


def read_instance(data: bytes | memoryview, transfer_syntax_uid: str | None = None) -> Instance:
    """Read an instance: little endian ones are indexed, big endian ones decoded.

    Args:
        data: a Part 10 file, or a dataset alone where its transfer syntax is given; a mapped file is not copied.
        transfer_syntax_uid: transfer syntax of a dataset alone, or None for a Part 10 file.

    Raises:
        UnreadableInstance: the bytes are not what they should be; the message says where.
    """
    view = memoryview(data)
    start, media_storage_sop_class_uid = 0, None
    if transfer_syntax_uid is None:
        meta, start = _split(view)
        transfer_syntax_uid = _meta_text(meta, _TRANSFER_SYNTAX_UID)
        if not transfer_syntax_uid:
            raise UnreadableInstance(_NO_TRANSFER_SYNTAX)
        media_storage_sop_class_uid = _meta_text(meta, _MEDIA_STORAGE_SOP_CLASS_UID)
    if transfer_syntax_uid in DEFLATED:
        view, start = memoryview(inflate_dataset(view[start:])), 0
    encoding = encoding_of(transfer_syntax_uid)
    if not encoding.little_endian:
        dataset = decode_dataset(bytes(view[start:]), encoding)
        _refuse_foreign(dataset.keys())
        return Instance(dataset, transfer_syntax_uid, media_storage_sop_class_uid)
    scanned = _scanner()(view, start, len(view), encoding)
    _refuse_foreign(scanned.first_tags())
    return Instance(None, transfer_syntax_uid, media_storage_sop_class_uid, scanned)


@cache
def _scanner() -> "type[ScannedInstance]":
    """What indexes instances; loaded when the first comes, for it brings the compiler with it."""
    from karnak.runtime.scanned import ScannedInstance

    return ScannedInstance


def decode_instance(data: bytes | memoryview, transfer_syntax_uid: str | None = None) -> Instance:
    """Read an instance by decoding all of it, as `read_instance` does with big endian ones.

    Args:
        data: as for `read_instance`.
        transfer_syntax_uid: as for `read_instance`.

    Raises:
        UnreadableInstance: the bytes are not what they should be; the message says where.
    """
    media_storage_sop_class_uid = None
    body = bytes(data)
    if transfer_syntax_uid is None:
        meta, start = _split(memoryview(body))
        transfer_syntax_uid, body = _meta_text(meta, _TRANSFER_SYNTAX_UID), body[start:]
        if not transfer_syntax_uid:
            raise UnreadableInstance(_NO_TRANSFER_SYNTAX)
        media_storage_sop_class_uid = _meta_text(meta, _MEDIA_STORAGE_SOP_CLASS_UID)
    if transfer_syntax_uid in DEFLATED:
        body = inflate_dataset(body)
    dataset = decode_dataset(body, encoding_of(transfer_syntax_uid))
    _refuse_foreign(dataset.keys())
    return Instance(dataset, transfer_syntax_uid, media_storage_sop_class_uid)


def _refuse_foreign(tags: Iterable[int]) -> None:
    """Refuse a dataset with elements of a command or of file meta information: they would be passed on as they are."""
    for tag in tags:
        if tag >> 16 in (0, 2):
            raise UnreadableInstance(f"{element_name(tag)} of group {tag >> 16:04X} does not belong into a dataset")


def split_part10(data: bytes) -> tuple[str, bytes]:
    """Split a Part 10 file into its transfer syntax UID and its encoded dataset, without decoding the latter.

    Raises:
        UnreadableInstance: it is no Part 10 file.
    """
    meta, start = _split(memoryview(data))
    transfer_syntax_uid = _meta_text(meta, _TRANSFER_SYNTAX_UID)
    if not transfer_syntax_uid:
        raise UnreadableInstance(_NO_TRANSFER_SYNTAX)
    return transfer_syntax_uid, data[start:]


def media_storage_sop_instance_uid(data: bytes | memoryview) -> str | None:
    """The SOP Instance UID that the file meta information names, or None; also where this is no Part 10 file."""
    try:
        meta, _ = _split(memoryview(data))
    except UnreadableInstance:
        return None
    return _meta_text(meta, _MEDIA_STORAGE_SOP_INSTANCE_UID)


def is_part10(data: bytes | memoryview) -> bool:
    """Tell whether bytes begin as a Part 10 file does: 128 bytes and "DICM"."""
    return data[128:132] == b"DICM"


def write_part10(dataset: Dataset, transfer_syntax_uid: str, sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """Write a Part 10 file with a zeroed preamble and new file meta information.

    Args:
        dataset: root dataset with raw leaves.
        transfer_syntax_uid: how to encode it.
        sop_class_uid: for Media Storage SOP Class UID (0002,0002).
        sop_instance_uid: for Media Storage SOP Instance UID (0002,0003).

    Raises:
        UnwritableInstance: a value does not fit.
    """
    body = encode_dataset(dataset, encoding_of(transfer_syntax_uid))
    return wrap_part10(body, transfer_syntax_uid, sop_class_uid, sop_instance_uid, deflate=True)


def wrap_part10(
    body: bytes, transfer_syntax_uid: str, sop_class_uid: str, sop_instance_uid: str, *, deflate: bool = False
) -> bytes:
    """Put a zeroed preamble and new file meta information before an encoded dataset.

    Args:
        body: the encoded dataset.
        transfer_syntax_uid: how it is encoded.
        sop_class_uid: for Media Storage SOP Class UID (0002,0002).
        sop_instance_uid: for Media Storage SOP Instance UID (0002,0003).
        deflate: `body` is still to be deflated where the transfer syntax asks for it.
    """
    if deflate and transfer_syntax_uid in DEFLATED:
        body = deflate_dataset(body)
    return file_head(transfer_syntax_uid, sop_class_uid, sop_instance_uid) + body


def file_head(transfer_syntax_uid: str, sop_class_uid: str, sop_instance_uid: str) -> bytes:
    """A zeroed preamble and new file meta information (PS3.10 7.1).

    Args:
        transfer_syntax_uid: how the dataset after it is encoded.
        sop_class_uid: for Media Storage SOP Class UID (0002,0002).
        sop_instance_uid: for Media Storage SOP Instance UID (0002,0003).
    """
    before, after = _meta_around(transfer_syntax_uid, sop_class_uid)
    instance = _meta_element(_MEDIA_STORAGE_SOP_INSTANCE_UID, "UI", sop_instance_uid)
    size = len(before) + len(instance) + len(after)
    return b"".join((_PREAMBLE, _GROUP_LENGTH.pack(2, 0, b"UL", 4, size), before, instance, after))


@lru_cache(maxsize=1024)
def _meta_around(transfer_syntax_uid: str, sop_class_uid: str) -> tuple[bytes, bytes]:
    """What stands before and after Media Storage SOP Instance UID."""
    before = encode_dataset(_version(), EXPLICIT) + _meta_element(_MEDIA_STORAGE_SOP_CLASS_UID, "UI", sop_class_uid)
    after = (
        _meta_element(_TRANSFER_SYNTAX_UID, "UI", transfer_syntax_uid)
        + _meta_element(0x00020012, "UI", IMPLEMENTATION_CLASS_UID)
        + _meta_element(0x00020013, "SH", IMPLEMENTATION_VERSION_NAME)
    )
    return before, after


def _version() -> RawDataset:
    meta = RawDataset()
    meta.put(leaf(0x00020001, "OB", b"\0\1"))
    return meta


def _meta_element(tag: int, vr: str, text: str) -> bytes:
    try:
        value = text.encode("ascii")
    except UnicodeEncodeError:
        raise UnwritableInstance(f"the UID for {format_tag(tag)} holds characters that no UID has") from None
    value += (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
    return _META_HEADER.pack(tag >> 16, tag & 0xFFFF, vr.encode("ascii"), len(value)) + value


def _split(data: memoryview) -> tuple[dict[int, bytes], int]:
    """Transfer syntax and SOP Class as the elements of group 2 say them, and where the dataset begins."""
    if not is_part10(data):
        raise UnreadableInstance("this is no DICOM Part 10 file: DICM is missing at offset 128")
    meta: dict[int, bytes] = {}
    position = 132
    size = len(data)
    while position + 8 <= size:
        group, element, vr, length = _META_HEADER.unpack_from(data, position)
        if group != 2:
            break
        start = position + 8
        if vr in _LONG_VR_BYTES:
            start = position + 12
            length = _LENGTH.unpack_from(data, position + 8)[0] if start <= size else size
        after = start + length
        if after > size:
            name = element_name(group << 16 | element)
            raise UnreadableInstance(f"{name} of the file meta information runs over the end at offset {position}")
        if element in _META_READ:
            meta[group << 16 | element] = bytes(data[start:after])
        position = after
    return meta, position


def _meta_text(meta: dict[int, bytes], tag: int) -> str | None:
    return meta.get(tag, b"").decode("latin-1").strip(" \0") or None


def inflate_dataset(data: bytes | memoryview) -> bytes:
    """Inflate a deflated dataset (PS3.5 A.5: raw deflate, RFC 1951)."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(data, MAX_INFLATED_BYTES)
    except zlib.error:
        raise UnreadableInstance("the deflated dataset is damaged") from None
    if not inflater.eof:
        raise UnreadableInstance("the deflated dataset is cut short, or larger than 4 GiB")
    return inflated


def deflate_dataset(data: bytes) -> bytes:
    """Deflate an encoded dataset, to even length (PS3.5 A.5)."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = deflater.compress(data) + deflater.flush()
    return deflated + b"\0" * (len(deflated) % 2)
