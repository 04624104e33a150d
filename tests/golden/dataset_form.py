"""Datasets in one comparable form, read from Part 10 bytes with pydicom or from the reference engine's JSON.

Nothing here uses the engine under test: what it wrote is read by somebody else.
"""

import base64
import hashlib
import io
import struct
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydicom import dcmread
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.datadict import dictionary_VR, private_dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragments
from pydicom.tag import BaseTag

NUMBERS = {"FL": "f", "FD": "d", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q"}
SINGLE_TEXT = frozenset({"LT", "ST", "UT", "UR"})
TEXT = SINGLE_TEXT | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "PN", "SH", "TM", "UC", "UI"}
IN_CHARACTER_SET = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
DELIMITERS = set(b"\\\r\n\t\f^=")
PADDING = "".join(map(chr, range(33)))
WORD_SIZE = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}


@dataclass(frozen=True, slots=True)
class Blob:
    """Binary content by its length (or the lengths of its fragments) and SHA-256."""

    lengths: tuple[int, ...]
    sha256: str
    fragments: bool = False
    data: bytes = field(default=b"", compare=False, repr=False)

    @property
    def zero(self) -> bool:
        return self.data != b"" and not any(self.data)


@dataclass(frozen=True, slots=True)
class Element:
    """One data element: exactly one of values, blob and items has content; none has where it is empty.

    Attributes:
        vr: value representation.
        values: text without padding, or numbers; AT as eight hexadecimal digits.
        blob: content of a binary VR.
        items: content of a sequence.
        raw: the encoded bytes where the reader had them.
    """

    vr: str
    values: tuple[str | int | float, ...] = ()
    blob: Blob | None = None
    items: tuple[Mapping[str, "Element"], ...] = ()
    raw: bytes = field(default=b"", compare=False, repr=False)

    @property
    def empty(self) -> bool:
        return not self.values and self.blob is None and not self.items


Elements = Mapping[str, Element]


@dataclass(frozen=True, slots=True)
class Form:
    """A whole instance: its transfer syntax and its elements by "GGGGEEEE", group 2 left out."""

    transfer_syntax: str
    elements: Elements


def from_reference(output: Mapping[str, Any]) -> Form:
    """Read one output of the reference engine that holds a dataset."""
    return Form(output["transferSyntax"], _from_json(output["dataset"]))


def _from_json(dataset: Mapping[str, Any]) -> Elements:
    return {tag: _element_from_json(entry) for tag, entry in dataset.items()}


def _element_from_json(entry: Mapping[str, Any]) -> Element:
    vr = entry["vr"]
    if "Fragments" in entry:
        return Element(vr, blob=Blob(tuple(entry["Fragments"]), entry["Sha256"], fragments=True))
    if "InlineBinary" in entry:
        return Element(vr, blob=_blob(base64.b64decode(entry["InlineBinary"])))
    if "Sha256" in entry:
        return Element(vr, blob=Blob((entry["Length"],), entry["Sha256"]))
    if vr == "SQ":
        return Element(vr, items=tuple(_from_json(item) for item in entry.get("Value", ())))
    return Element(vr, _values_of(vr, entry.get("Value", ())))


def _values_of(vr: str, values: Any) -> tuple[str | int | float, ...]:
    """Bring values to one form: an element that has only empty values is empty."""
    kept = tuple("" if value is None else value for value in values)
    if vr == "FL":
        kept = tuple(struct.unpack("<f", struct.pack("<f", value))[0] for value in kept)
    return () if all(value == "" for value in kept) else kept


def _blob(data: bytes) -> Blob:
    return Blob((len(data),), hashlib.sha256(data).hexdigest(), data=data)


def from_part10(data: bytes) -> Form:
    """Read a Part 10 file, or a bare dataset in a default encoding."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = dcmread(io.BytesIO(data), force=True)
        little = dataset.original_encoding[1] is not False
        syntax = str(dataset.file_meta.get("TransferSyntaxUID", ""))
        return Form(syntax, dict(_elements(dataset, little, ["iso8859"], _pixel_representation(dataset, 0))))


def _pixel_representation(dataset: Dataset, inherited: int) -> int:
    if 0x00280103 not in dataset:
        return inherited
    value = dataset.get_item(0x00280103).value
    return int(any(value)) if isinstance(value, bytes) else int(value or 0)


def _elements(dataset: Dataset, little: bool, encodings: list[str], signed: int) -> Iterator[tuple[str, Element]]:
    encodings = _encodings(dataset, encodings)
    signed = _pixel_representation(dataset, signed)
    for tag in sorted(dataset.keys()):
        if tag.group == 2 or tag.element == 0:
            continue
        item = dataset.get_item(tag)
        yield f"{tag:08X}", _element(dataset, item, little, encodings, signed)


def _encodings(dataset: Dataset, inherited: list[str]) -> list[str]:
    if 0x00080005 not in dataset:
        return inherited
    value = dataset.get_item(0x00080005).value
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    text = value if isinstance(value, str) else "\\".join(value or [])
    return convert_encodings([part.strip() for part in text.rstrip(" \0").split("\\")])


def _element(
    dataset: Dataset, item: DataElement | RawDataElement, little: bool, encodings: list[str], signed: int
) -> Element:
    vr = _vr(dataset, item, signed)
    if vr == "SQ":
        items = tuple(dict(_elements(nested, little, encodings, signed)) for nested in (dataset[item.tag].value or ()))
        return Element("SQ", items=items)
    if isinstance(item, DataElement) and not isinstance(item.value, bytes | None):
        return _converted(vr, item.value)
    raw: bytes = item.value or b""
    if not raw:
        return Element(vr)
    if isinstance(item, RawDataElement) and item.length == 0xFFFFFFFF:
        fragments = list(generate_fragments(raw))
        digest = hashlib.sha256(b"".join(fragments)).hexdigest()
        return Element(vr, blob=Blob(tuple(map(len, fragments)), digest, fragments=True), raw=raw)
    return decode(vr, raw, little, encodings)


def _converted(vr: str, value: Any) -> Element:
    """An element that the reader has turned into Python values already, for its own needs."""
    values = [value] if isinstance(value, str | int | float) else list(value)
    return Element(vr, _values_of(vr, [part if vr in NUMBERS else str(part) for part in values]))


def decode(vr: str, raw: bytes, little: bool, encodings: list[str]) -> Element:
    """Read the encoded bytes of one element that is no sequence."""
    order = "<" if little else ">"
    if vr in NUMBERS:
        letter = NUMBERS[vr]
        count = len(raw) // struct.calcsize(letter)
        return Element(vr, struct.unpack_from(f"{order}{count}{letter}", raw), raw=raw)
    if vr == "AT":
        words = struct.unpack_from(f"{order}{len(raw) // 2}H", raw)
        return Element(vr, tuple(f"{g:04X}{e:04X}" for g, e in zip(words[::2], words[1::2], strict=True)), raw=raw)
    if vr in TEXT:
        return Element(vr, _values_of(vr, _text(vr, raw, encodings)), raw=raw)
    if not little and vr in WORD_SIZE:
        size = WORD_SIZE[vr]
        raw = b"".join(raw[i : i + size][::-1] for i in range(0, len(raw), size))
    return Element(vr, blob=_blob(raw), raw=raw)


def _text(vr: str, raw: bytes, encodings: list[str]) -> list[str]:
    if vr in IN_CHARACTER_SET:
        text = decode_bytes(raw, encodings, DELIMITERS)
    else:
        text = raw.decode("iso8859")
    # The reference engine trims control characters as it trims padding.
    return [text.rstrip(PADDING)] if vr in SINGLE_TEXT else [value.strip(PADDING) for value in text.split("\\")]


def _creator(dataset: Dataset, tag: BaseTag) -> str:
    """Name who reserved the block of a private element, "" where nobody did."""
    block = tag.group << 16 | tag.element >> 8
    value = dataset.get_item(block).value if block in dataset else b""
    return (value.decode("iso8859") if isinstance(value, bytes) else str(value or "")).strip(" \0")


def _vr(dataset: Dataset, item: DataElement | RawDataElement, signed: int) -> str:
    vr = item.VR
    if vr is None:
        tag = item.tag
        if tag.is_private_creator:
            return "LO"
        try:
            if tag.is_private:
                vr = private_dictionary_VR(tag, _creator(dataset, tag))
            else:
                vr = dictionary_VR(tag)
        except KeyError:
            return "UN"
    if vr == "US or SS":
        return "SS" if signed else "US"
    if vr == "OB or OW":
        return "OW"
    if vr == "US or OW":
        return "OW"
    if vr == "US or SS or OW":
        return "OW"
    return str(vr)
