"""Part 10 files: preamble, file meta information and dataset in, the same written anew out.

Nothing of the source's preamble or file meta information is ever written but the transfer
syntax. Source: PS3.10 section 7.
"""

import struct
import zlib
from functools import cached_property, lru_cache

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
    encoding_of,
    leaf,
    stored,
    stored_leaf,
)
from karnak.runtime.repertoire import Repertoire
from karnak.runtime.text import count_of, text_of
from karnak.version import VERSION

IMPLEMENTATION_CLASS_UID = "2.25.302604139174512206284730158291471390912"
IMPLEMENTATION_VERSION_NAME = f"KARNAK_{VERSION}"
MAX_INFLATED_BYTES = 4 << 30

_SOP_CLASS_UID = 0x00080016
_SOP_INSTANCE_UID = 0x00080018
_TRANSFER_SYNTAX_UID = 0x00020010
_MEDIA_STORAGE_SOP_CLASS_UID = 0x00020002


class Instance:
    """One parsed instance; nothing changes it.

    Args:
        dataset: root dataset with raw leaves.
        transfer_syntax_uid: how it was encoded.
        media_storage_sop_class_uid: what the file meta information called it, or None.
    """

    def __init__(
        self, dataset: Dataset, transfer_syntax_uid: str, media_storage_sop_class_uid: str | None = None
    ) -> None:
        self.dataset = dataset
        self.transfer_syntax_uid = transfer_syntax_uid
        self.media_storage_sop_class_uid = media_storage_sop_class_uid

    @cached_property
    def repertoire(self) -> Repertoire:
        """The character repertoire of the root dataset."""
        return repertoire_of(self.dataset, Repertoire())

    @property
    def sop_class_uid(self) -> str | None:
        """SOP Class UID (0008,0016) as the dataset says it."""
        return self.text(_SOP_CLASS_UID)

    @property
    def sop_instance_uid(self) -> str | None:
        """SOP Instance UID (0008,0018) as the dataset says it."""
        return self.text(_SOP_INSTANCE_UID)

    def text(self, tag: int) -> str | None:
        """The value of a root element as text, or None where it is absent, empty or not text or numbers.

        Args:
            tag: 32-bit tag.

        Raises:
            TextError: its bytes are no characters of the instance's character set.
        """
        element = stored_leaf(self.dataset, tag)
        return None if element is None else text_of(element, encoding_of(self.transfer_syntax_uid), self.repertoire)

    def has(self, tag: int) -> bool:
        """Tell whether the root dataset has an element, whatever its VR or value."""
        return tag in self.dataset

    def count(self, tag: int) -> int:
        """How many values or items a root element has; 0 where it is absent or empty.

        Raises:
            TextError: its bytes are no characters of the instance's character set.
        """
        if tag not in self.dataset:
            return 0
        element = stored(self.dataset, tag)
        if not isinstance(element, RawDataElement):
            return len(element.value)
        return count_of(element, encoding_of(self.transfer_syntax_uid), self.repertoire)

    def has_anywhere(self, tag: int) -> bool:
        """Tell whether the root dataset or an item at any depth has an element."""
        return _contains(self.dataset, tag)


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


@lru_cache(maxsize=256)
def repertoire_of_value(value: bytes) -> Repertoire:
    """The repertoire that a value of SpecificCharacterSet (0008,0005) names."""
    terms = value.decode("latin-1").split("\\")
    return Repertoire(tuple(term.strip(" \0") for term in terms) if any(terms) else ())


def read_instance(data: bytes, transfer_syntax_uid: str | None = None) -> Instance:
    """Parse an instance.

    Args:
        data: a Part 10 file, or a dataset alone where its transfer syntax is given.
        transfer_syntax_uid: transfer syntax of a dataset alone, or None for a Part 10 file.

    Raises:
        UnreadableInstance: the bytes are not what they should be; the message says where.
    """
    media_storage_sop_class_uid = None
    if transfer_syntax_uid is None:
        meta, data = _split(data)
        transfer_syntax_uid = _meta_text(meta, _TRANSFER_SYNTAX_UID)
        if not transfer_syntax_uid:
            raise UnreadableInstance("the file meta information names no transfer syntax (0002,0010)")
        media_storage_sop_class_uid = _meta_text(meta, _MEDIA_STORAGE_SOP_CLASS_UID)
    if transfer_syntax_uid == DEFLATED:
        data = _inflate(data)
    dataset = decode_dataset(data, encoding_of(transfer_syntax_uid))
    return Instance(dataset, transfer_syntax_uid, media_storage_sop_class_uid)


def split_part10(data: bytes) -> tuple[str, bytes]:
    """Split a Part 10 file into its transfer syntax UID and its encoded dataset, without decoding the latter.

    Raises:
        UnreadableInstance: it is no Part 10 file.
    """
    meta, dataset = _split(data)
    transfer_syntax_uid = _meta_text(meta, _TRANSFER_SYNTAX_UID)
    if not transfer_syntax_uid:
        raise UnreadableInstance("the file meta information names no transfer syntax (0002,0010)")
    return transfer_syntax_uid, dataset


def is_part10(data: bytes) -> bool:
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
    meta = RawDataset()
    meta.put(leaf(0x00020001, "OB", b"\0\1"))
    for tag, vr, text in (
        (_MEDIA_STORAGE_SOP_CLASS_UID, "UI", sop_class_uid),
        (0x00020003, "UI", sop_instance_uid),
        (_TRANSFER_SYNTAX_UID, "UI", transfer_syntax_uid),
        (0x00020012, "UI", IMPLEMENTATION_CLASS_UID),
        (0x00020013, "SH", IMPLEMENTATION_VERSION_NAME),
    ):
        padding = b"\0" if vr == "UI" else b" "
        value = text.encode("ascii")
        meta.put(leaf(tag, vr, value + padding * (len(value) % 2)))
    encoded = encode_dataset(meta, EXPLICIT)
    group_length = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(encoded))
    if deflate and transfer_syntax_uid == DEFLATED:
        body = _deflate(body)
    return b"".join((bytes(128), b"DICM", group_length, encoded, body))


def _split(data: bytes) -> tuple[dict[int, bytes], bytes]:
    """Split a Part 10 file into the elements of group 2 and what follows them."""
    if not is_part10(data):
        raise UnreadableInstance("this is no DICOM Part 10 file: DICM is missing at offset 128")
    meta: dict[int, bytes] = {}
    position = 132
    while position + 8 <= len(data) and data[position : position + 2] == b"\x02\x00":
        group, element, vr = struct.unpack_from("<HH2s", data, position)
        name = vr.decode("latin-1")
        if name in LONG_VRS:
            start = position + 12
            length = struct.unpack_from("<I", data, position + 8)[0] if start <= len(data) else len(data)
        else:
            start = position + 8
            length = struct.unpack_from("<H", data, position + 6)[0]
        if start + length > len(data):
            tag = format_tag(group << 16 | element)
            raise UnreadableInstance(f"{tag} of the file meta information runs over the end at offset {position}")
        meta[group << 16 | element] = data[start : start + length]
        position = start + length
    return meta, data[position:]


def _meta_text(meta: dict[int, bytes], tag: int) -> str | None:
    return meta.get(tag, b"").decode("latin-1").strip(" \0") or None


def _inflate(data: bytes) -> bytes:
    """Inflate a deflated dataset (PS3.5 A.5: raw deflate, RFC 1951)."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(data, MAX_INFLATED_BYTES)
    except zlib.error:
        raise UnreadableInstance("the deflated dataset is damaged") from None
    if not inflater.eof:
        raise UnreadableInstance("the deflated dataset is cut short, or larger than 4 GiB")
    return inflated


def _deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    deflated = deflater.compress(data) + deflater.flush()
    return deflated + b"\0" * (len(deflated) % 2)
