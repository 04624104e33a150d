"""How datasets lie in bytes: transfer syntaxes, VR classes, and sequences that remember their encoding.

Source: PS3.5 sections 6.2, 7.1, 7.5 and annex A.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from pydicom import Dataset
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

from karnak.errors import KarnakError
from karnak.ir.selector import is_private, is_private_creator
from karnak.standard import dictionary

UNDEFINED_LENGTH = 0xFFFFFFFF
ITEM = 0xFFFEE000
ITEM_DELIMITER = 0xFFFEE00D
SEQUENCE_DELIMITER = 0xFFFEE0DD
TRAILING_PADDING = 0xFFFCFFFC
PIXEL_DATA = 0x7FE00010
SPECIFIC_CHARACTER_SET = 0x00080005

# Explicit VRs with two reserved bytes and a 32-bit length (PS3.5 7.1.2).
LONG_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"})
# VRs whose text is in the repertoire of SpecificCharacterSet (PS3.5 6.1.2.3).
REPERTOIRE_VRS = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
TEXT_VRS = REPERTOIRE_VRS | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}
# Text VRs in which a backslash does not separate values.
SINGLE_VALUE_VRS = frozenset({"LT", "ST", "UR", "UT"})
# struct codes of VRs that hold binary numbers.
NUMBER_CODES = {"FD": "d", "FL": "f", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q"}
# VRs that hold a stream of bytes or words.
BYTE_VRS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})

# Transfer syntaxes whose whole dataset is deflated: PS3.5 A.5, and JPIP Referenced Deflate (A.7) in both kinds.
DEFLATED = frozenset({"1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"})
EXPLICIT_BIG_ENDIAN = "1.2.840.10008.1.2.2"
IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"


class UnreadableInstance(KarnakError):
    """An instance whose bytes are not what its transfer syntax says; the message names an offset, no value."""


class UnwritableInstance(KarnakError):
    """An instance that cannot be written in its transfer syntax; the message holds no value."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """The two properties of a transfer syntax that decide how elements lie in bytes.

    Attributes:
        implicit: value representations are left out.
        little_endian: low bytes come first.
    """

    implicit: bool
    little_endian: bool

    @property
    def order(self) -> str:
        """The byte order as struct writes it."""
        return "<" if self.little_endian else ">"


IMPLICIT = Encoding(implicit=True, little_endian=True)
EXPLICIT = Encoding(implicit=False, little_endian=True)
BIG_ENDIAN = Encoding(implicit=False, little_endian=False)


def encoding_of(transfer_syntax_uid: str) -> Encoding:
    """Tell how the dataset of a transfer syntax is encoded (after inflating a deflated one).

    Args:
        transfer_syntax_uid: UID; unknown and private transfer syntaxes are Explicit VR Little Endian (PS3.5 A.4).
    """
    if transfer_syntax_uid == IMPLICIT_LITTLE_ENDIAN:
        return IMPLICIT
    return BIG_ENDIAN if transfer_syntax_uid == EXPLICIT_BIG_ENDIAN else EXPLICIT


class RawDataset(Dataset):
    """A dataset whose elements stay as they are put: encoded leaves, and sequences of raw datasets.

    Setting an item of a pydicom Dataset decodes private elements and others on the way; `put` does not.
    """

    def put(self, element: DataElement | RawDataElement) -> None:
        """Put an element in its place, instead of the one that was there."""
        self._dict[element.tag] = element


class ItemSequence(Sequence):
    """The items of a sequence, with what is needed to write them as they lay.

    Attributes:
        vr: "SQ", or "UN" for a sequence that was found inside an unknown value (PS3.5 6.2.2).
        undefined_length: it ends with a delimiter.
        encoding: how its items are encoded.
    """

    def __init__(self, items: Iterable[RawDataset], vr: str, undefined_length: bool, encoding: Encoding) -> None:
        super().__init__(items)
        self.vr = vr
        self.undefined_length = undefined_length
        self.encoding = encoding


def stored(dataset: Dataset, tag: int) -> DataElement | RawDataElement:
    """An element as it is stored: a leaf raw, a sequence with its ItemSequence.

    Args:
        dataset: a dataset that has the element.
        tag: its 32-bit tag.
    """
    return cast("DataElement | RawDataElement", dataset.get_item(tag))


def stored_leaf(dataset: Dataset, tag: int) -> RawDataElement | None:
    """A leaf as it is stored, or None where there is no element or a sequence.

    Args:
        dataset: where to look.
        tag: 32-bit tag.
    """
    element = stored(dataset, tag) if tag in dataset else None
    return element if isinstance(element, RawDataElement) else None


def leaf(tag: int, vr: str, value: bytes, *, undefined_length: bool = False) -> RawDataElement:
    """Make an element from encoded bytes; they are written as they are.

    Args:
        tag: 32-bit tag.
        vr: value representation.
        value: encoded value; for encapsulated pixel data, the items without the sequence delimiter.
        undefined_length: the element is encapsulated pixel data.
    """
    length = UNDEFINED_LENGTH if undefined_length else len(value)
    return RawDataElement(BaseTag(tag), vr, length, value, 0, False, True, True)


def sequence(tag: int, items: ItemSequence) -> DataElement:
    """Make a sequence element."""
    return DataElement(BaseTag(tag), "SQ", items, already_converted=True)


def effective_vr(tag: int, vr: str) -> str:
    """The VR that rules and values see: the dictionary's where a standard element was written as UN.

    Source: PS3.5 6.2.2, note 2.
    """
    if vr != "UN" or is_private(tag):
        return vr
    return implicit_vr(tag)


def implicit_vr(tag: int) -> str:
    """The VR of an element whose encoding leaves it out.

    Source: PS3.5 A.1: OW for pixel and overlay data; private elements are UN except creators.
    """
    if is_private(tag):
        return "LO" if is_private_creator(tag) else "UN"
    attribute = dictionary.by_tag(tag)
    if attribute is None:
        return "UN"
    if not attribute.vr:
        return "UN"
    return "OW" if "OW" in attribute.vr else attribute.vr[0]
