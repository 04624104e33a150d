"""What an action makes of a value: UIDs, dummies, shifted dates and new text, as encoded bytes.

One function per action; each takes the original leaf and gives its replacement, or raises.
No path gives back the original value. Source: the language page, section 6.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from pydicom.dataelem import RawDataElement

from karnak.errors import KarnakError
from karnak.ir.selector import format_tag
from karnak.runtime.dates import Amount, DateError, shift
from karnak.runtime.encoding import (
    BYTE_VRS,
    NUMBER_CODES,
    REPERTOIRE_VRS,
    UNDEFINED_LENGTH,
    Encoding,
    effective_vr,
    leaf,
)
from karnak.runtime.keys import Project, scaled
from karnak.runtime.repertoire import Repertoire
from karnak.runtime.text import values_of
from karnak.standard.uids import is_registered

DUMMY_TEXT = "UNKNOWN"
_DUMMY_TEXT_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UN", "UT", "UC", "UR"})
# Where a date cannot be parsed and its type asks for a value.
_DUMMY_DATES = {"AS": "000Y", "DA": "19000101", "DT": "19000101", "TM": "000000"}
# Dummies of attributes whose values an IOD enumerates: TemporalRangeType (0040,A130), PS3.3 C.10.10.
_ENUMERATED_DUMMIES = {0x0040A130: "POINT"}
# Bytes of a word of VRs that hold streams of words; OB is padded to an even length.
_WORD_SIZES = {"OB": 2, "OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
_MAX_DUMMY_DAYS = 365
_MAX_DUMMY_SECONDS = 86400
_NUL_PADDED_VRS = frozenset({"UI", "OB", "UN"})


class ValueRefused(KarnakError):
    """An action that cannot be done to a value; the message names the tag, never the value."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What values of one dataset depend on.

    Attributes:
        project: source of UIDs and amounts.
        patient_id: PatientID of the original, which amounts are derived from.
        encoding: byte order of the dataset.
        repertoire: characters the original text is in.
        output_repertoire: characters that new text can be written in.
    """

    project: Project
    patient_id: str
    encoding: Encoding
    repertoire: Repertoire
    output_repertoire: Repertoire


def encode_text(tag: int, vr: str, text: str, repertoire: Repertoire) -> RawDataElement:
    """Make a leaf with a text value, padded to even length.

    Raises:
        TextError: a character that the repertoire does not have.
    """
    return leaf(tag, vr, text_bytes(tag, vr, text, repertoire))


def text_bytes(tag: int, vr: str, text: str, repertoire: Repertoire) -> bytes:
    """The bytes of a text value, padded to even length.

    Raises:
        TextError: a character that the repertoire does not have.
    """
    value = repertoire.encode(text, vr) if vr in REPERTOIRE_VRS else _encode_ascii(tag, text)
    if len(value) % 2:
        value += b"\0" if vr in _NUL_PADDED_VRS else b" "
    return value


def encode_value(tag: int, vr: str, text: str, encoding: Encoding, repertoire: Repertoire) -> RawDataElement:
    """Make a leaf of any VR from its text form: decimal numbers for binary VRs, GGGGEEEE for AT.

    Raises:
        ValueRefused: the text is no value of this VR.
        TextError: a character that the repertoire does not have.
    """
    parts = text.split("\\") if text else []
    try:
        if vr in NUMBER_CODES:
            number = float if vr in ("FD", "FL") else int
            code = f"{encoding.order}{len(parts)}{NUMBER_CODES[vr]}"
            return leaf(tag, vr, struct.pack(code, *(number(part) for part in parts)))
        if vr == "AT":
            words = [(int(part, 16) >> 16, int(part, 16) & 0xFFFF) for part in parts]
            return leaf(tag, vr, b"".join(struct.pack(encoding.order + "HH", *word) for word in words))
    except (ValueError, OverflowError, struct.error):
        raise ValueRefused(f"the new value of {format_tag(tag)} is no number that VR {vr} can hold") from None
    if vr in BYTE_VRS or vr == "SQ":
        raise ValueRefused(f"text cannot stand in {format_tag(tag)}, which has VR {vr}")
    return encode_text(tag, vr, text, repertoire)


def empty(element: RawDataElement) -> RawDataElement:
    """Z: the element without a value."""
    tag = int(element.tag)
    return leaf(tag, effective_vr(tag, element.VR or "UN"), b"")


def new_uid(element: RawDataElement, around: Surroundings) -> RawDataElement:
    """U: every value replaced by the project's UID for it; registered UIDs stay; the VR becomes UI.

    Raises:
        ValueRefused: the value is neither text nor number, so that no UID can be derived from it.
    """
    tag = int(element.tag)
    vr = effective_vr(tag, element.VR or "UN")
    if not element.value:
        return element
    if vr in BYTE_VRS or element.length == UNDEFINED_LENGTH:
        raise ValueRefused(f"a UID cannot stand for {format_tag(tag)}, which has VR {vr}")
    values = values_of(element, around.encoding, around.repertoire)
    if vr == "UN":
        values = element.value.decode("latin-1").strip(" \0").split("\\")
    if not any(values):
        return leaf(tag, "UI" if vr != "UN" else "UN", b"")
    mapped = [value if not value or is_registered(value) else around.project.uid(value) for value in values]
    return encode_text(tag, "UI", "\\".join(mapped), around.output_repertoire)


def dummy(element: RawDataElement, around: Surroundings) -> RawDataElement:
    """D: a value that is legal for the VR and says nothing.

    Raises:
        ValueRefused: encapsulated pixel data, for which no dummy exists.
    """
    tag = int(element.tag)
    vr = effective_vr(tag, element.VR or "UN")
    if vr in _DUMMY_TEXT_VRS:
        return encode_text(tag, vr, _ENUMERATED_DUMMIES.get(tag, DUMMY_TEXT), around.output_repertoire)
    if vr in ("DS", "IS"):
        return encode_text(tag, vr, "0", around.output_repertoire)
    if vr == "UI":
        return new_uid(element, around)
    if vr in _DUMMY_DATES:
        return _dummy_date(element, vr, around)
    if vr in NUMBER_CODES:
        return leaf(tag, vr, zeros(vr, len(element.value or b"")))
    if element.length == UNDEFINED_LENGTH:
        raise ValueRefused(f"a dummy value cannot stand for the encapsulated pixel data in {format_tag(tag)}")
    if vr == "AT":
        return leaf(tag, vr, bytes(4))
    word = _WORD_SIZES.get(vr, 2)
    words = -(-len(element.value or b"") // word)
    return leaf(tag, vr, bytes(max(1, words) * word))


def zeros(vr: str, size: int) -> bytes:
    """The dummy of binary numbers: a zero for each value, as many as the IOD may ask for, and one at least.

    Args:
        vr: a VR of NUMBER_CODES.
        size: bytes of the original value.
    """
    each = struct.calcsize(NUMBER_CODES[vr])
    return bytes(max(1, size // each) * each)


def map_dates(element: RawDataElement, around: Surroundings, change: Callable[[str], str]) -> RawDataElement:
    """Change every value of a date element; empty values and elements stay empty.

    Raises:
        DateError: a value that cannot be parsed.
    """
    tag = int(element.tag)
    vr = effective_vr(tag, element.VR or "UN")
    values = values_of(element, around.encoding, around.repertoire)
    return encode_text(tag, vr, "\\".join(change(value) if value else "" for value in values), around.output_repertoire)


def amount_in_range(around: Surroundings, min_days: int, max_days: int, min_seconds: int, max_seconds: int) -> Amount:
    """Draw both amounts of a range by PatientID; a 0 that need not be becomes 1."""

    fraction = around.project.fraction(around.patient_id)

    def draw(minimum: int, maximum: int) -> int:
        amount = scaled(fraction, minimum, maximum)
        # A zero shift would leave the real date.
        return 1 if amount == 0 and maximum > 1 else amount

    return Amount(draw(min_days, max_days), draw(min_seconds, max_seconds))


def _dummy_date(element: RawDataElement, vr: str, around: Surroundings) -> RawDataElement:
    amount = amount_in_range(around, 0, _MAX_DUMMY_DAYS, 0, _MAX_DUMMY_SECONDS)
    try:
        return map_dates(element, around, lambda value: shift(value, vr, amount))
    except DateError:
        return encode_text(int(element.tag), vr, _DUMMY_DATES[vr], around.output_repertoire)


def _encode_ascii(tag: int, text: str) -> bytes:
    try:
        return text.encode("ascii")
    except UnicodeEncodeError:
        raise ValueRefused(f"the new value of {format_tag(tag)} holds characters that its VR does not allow") from None
