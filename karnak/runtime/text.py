"""Values as text, the way expressions read them; never for writing.

Source: PS3.5 section 6.2; the language page, section 4.
"""

import struct

from pydicom.dataelem import RawDataElement

from karnak.runtime.encoding import (
    NUMBER_CODES,
    REPERTOIRE_VRS,
    SINGLE_VALUE_VRS,
    TEXT_VRS,
    Encoding,
    effective_vr,
)
from karnak.runtime.repertoire import Repertoire

# One value of these VRs is its characters and no more.
_PLAIN_VRS = TEXT_VRS - REPERTOIRE_VRS - SINGLE_VALUE_VRS
_TRAILING_ONLY = frozenset({"LT", "ST", "UT", "UC", "UR"})


def values_of(element: RawDataElement, encoding: Encoding, repertoire: Repertoire) -> list[str]:
    """All values of an element as text, padding trimmed; none where it is empty or holds neither text nor numbers.

    Args:
        element: a leaf.
        encoding: byte order of its dataset.
        repertoire: character repertoire of its dataset.

    Raises:
        TextError: its bytes are no characters of the repertoire.
    """
    vr = effective_vr(int(element.tag), element.VR or "UN")
    return values_in(element.value or b"", vr, encoding, repertoire)


def values_in(value: bytes, vr: str, encoding: Encoding, repertoire: Repertoire) -> list[str]:
    """All values in the bytes of an element, as `values_of` gives them.

    Args:
        value: the encoded value.
        vr: the VR that rules see.
        encoding: byte order of its dataset.
        repertoire: character repertoire of its dataset.

    Raises:
        TextError: the bytes are no characters of the repertoire.
    """
    if vr in NUMBER_CODES:
        return [_number_text(number, vr) for number in _numbers(value, NUMBER_CODES[vr], encoding)]
    if vr == "AT":
        words = _numbers(value, "H", encoding)
        return [f"{int(g):04X}{int(e):04X}" for g, e in zip(words[::2], words[1::2], strict=False)]
    if vr not in TEXT_VRS:
        return []
    text = repertoire.decode(value, vr) if vr in REPERTOIRE_VRS else value.decode("latin-1")
    if vr in SINGLE_VALUE_VRS:
        text = text.rstrip(" \0")
        return [text] if text else []
    values = [part.rstrip(" \0") if vr in _TRAILING_ONLY else part.strip(" \0") for part in text.split("\\")]
    return values if any(values) else []


def text_of(element: RawDataElement, encoding: Encoding, repertoire: Repertoire) -> str | None:
    """The values of an element joined with a backslash, or None where there are none.

    Raises:
        TextError: its bytes are no characters of the repertoire.
    """
    return "\\".join(values_of(element, encoding, repertoire)) or None


def text_in(value: bytes, vr: str, encoding: Encoding, repertoire: Repertoire) -> str | None:
    """The values in the bytes of an element joined with a backslash, or None where there are none.

    Raises:
        TextError: the bytes are no characters of the repertoire.
    """
    if vr in _PLAIN_VRS:
        if b"\\" not in value:
            return value.decode("latin-1").strip(" \0") or None
    elif vr in REPERTOIRE_VRS:
        text = repertoire.decode(value, vr)
        if "\\" not in text:
            return (text.rstrip(" \0") if vr in _TRAILING_ONLY else text.strip(" \0")) or None
    return "\\".join(values_in(value, vr, encoding, repertoire)) or None


def count_of(element: RawDataElement, encoding: Encoding, repertoire: Repertoire) -> int:
    """How many values an element has, none where it is only padding; 1 for what is neither text nor numbers.

    Raises:
        TextError: its bytes are no characters of the repertoire.
    """
    vr = effective_vr(int(element.tag), element.VR or "UN")
    if vr in TEXT_VRS:
        return len(values_of(element, encoding, repertoire))
    return len(values_of(element, encoding, repertoire)) or int(bool(element.value))


def _numbers(value: bytes, code: str, encoding: Encoding) -> tuple[float, ...]:
    count = len(value) // struct.calcsize(code)
    return struct.unpack_from(f"{encoding.order}{count}{code}", value)


def _number_text(number: float, vr: str) -> str:
    if vr != "FL":
        return repr(number)
    # The shortest decimal that is the same 32-bit number.
    for digits in range(1, 10):
        text = f"{number:.{digits}g}"
        if struct.pack("<f", float(text)) == struct.pack("<f", number):
            return repr(float(text))
    return repr(number)
