"""ISO 2022 as DICOM uses it: character sets in two registers, changed by escape sequences.

Bytes below 80 are read by the set in G0, the others by the set in G1. Nothing is guessed:
a byte or a character that the sets in reach do not have raises UnicodeError.
Source: PS3.3 C.12.1.1.2, PS3.5 6.1.2.4 and 6.1.2.5, ISO/IEC 2022.
"""

from collections.abc import Iterable
from dataclasses import dataclass

_ESCAPE = 0x1B
_CONTROLS = frozenset(b"\t\n\f\r")


@dataclass(frozen=True, slots=True)
class CodedSet:
    """A coded character set.

    Attributes:
        escape: what designates it, after the escape character.
        register: 0 for G0, 1 for G1.
        width: bytes per character.
        codec: Python's codec that has its characters, with the high bits set.
        prefix: bytes that this codec wants before each character.
    """

    escape: bytes
    register: int
    width: int
    codec: str
    prefix: bytes = b""

    def read(self, code: bytes) -> str:
        """The character that a code means.

        Raises:
            UnicodeError: it means none.
        """
        high = code if self.width == 1 else bytes(byte | 0x80 for byte in code)
        return (self.prefix + high).decode(self.codec)

    def write(self, character: str) -> bytes | None:
        """The code of a character, or None where the set does not have it."""
        if self.width == 1 and self.register == 0:
            # In JIS X 0201 the code of the tilde is an overline.
            return character.encode("ascii") if character.isascii() and (self is ASCII or character != "~") else None
        try:
            code = character.encode(self.codec)
        except UnicodeError:
            return None
        code, prefix = code[len(self.prefix) :], code[: len(self.prefix)]
        if prefix != self.prefix or len(code) != self.width or min(code) < 0xA0:
            return None
        return code if self.register else bytes(byte & 0x7F for byte in code)


ASCII = CodedSet(b"(B", 0, 1, "ascii")
ROMAJI = CodedSet(b"(J", 0, 1, "ascii")
KATAKANA = CodedSet(b")I", 1, 1, "shift_jis")
KANJI = CodedSet(b"$B", 0, 2, "euc_jp")
MORE_KANJI = CodedSet(b"$(D", 0, 2, "euc_jp", b"\x8f")
HANGUL = CodedSet(b"$)C", 1, 2, "euc_kr")
HANZI = CodedSet(b"$)A", 1, 2, "gb2312")
LATIN_1 = CodedSet(b"-A", 1, 1, "latin_1")

# Registration number -> the sets of a defined term (PS3.3 tables C.12-2 to C.12-4).
SETS: dict[str, tuple[CodedSet, ...]] = {
    "6": (ASCII,),
    "13": (ROMAJI, KATAKANA),
    "58": (HANZI,),
    "87": (KANJI,),
    "100": (LATIN_1,),
    "101": (CodedSet(b"-B", 1, 1, "iso8859_2"),),
    "109": (CodedSet(b"-C", 1, 1, "iso8859_3"),),
    "110": (CodedSet(b"-D", 1, 1, "iso8859_4"),),
    "126": (CodedSet(b"-F", 1, 1, "iso8859_7"),),
    "127": (CodedSet(b"-G", 1, 1, "iso8859_6"),),
    "138": (CodedSet(b"-H", 1, 1, "iso8859_8"),),
    "144": (CodedSet(b"-L", 1, 1, "iso8859_5"),),
    "148": (CodedSet(b"-M", 1, 1, "iso8859_9"),),
    "149": (HANGUL,),
    "159": (MORE_KANJI,),
    "166": (CodedSet(b"-T", 1, 1, "tis_620"),),
    "203": (CodedSet(b"-b", 1, 1, "iso8859_15"),),
}


class CodeExtensions:
    """The sets that the values of SpecificCharacterSet name, the first of them active at the beginning.

    Args:
        terms: the sets of each value, in order; at least one.
    """

    def __init__(self, terms: Iterable[tuple[CodedSet, ...]]) -> None:
        first, *others = terms
        initial = {coded.register: coded for coded in first if coded.width == 1}
        self._g0 = initial.get(0, ASCII)
        self._g1 = initial.get(1)
        self._sets = tuple(dict.fromkeys((self._g0, *first, *(coded for term in others for coded in term))))
        self._by_escape = {coded.escape: coded for coded in (ASCII, *self._sets)}

    def decode(self, value: bytes, delimiters: frozenset[int]) -> str:
        """Read text.

        Args:
            value: the bytes.
            delimiters: bytes that, in a set of single bytes, bring back the sets of the beginning.

        Raises:
            UnicodeError: a byte means nothing.
        """
        g0, g1 = self._g0, self._g1
        if _ESCAPE not in value and g1 is not KATAKANA:
            return value.decode((g1 or LATIN_1).codec)
        found: list[str] = []
        position = 0
        while position < len(value):
            byte = value[position]
            if byte == _ESCAPE:
                coded = self._designated(value, position + 1)
                g0, g1 = (coded, g1) if coded.register == 0 else (g0, coded)
                position += 1 + len(coded.escape)
                continue
            # Without a set in G1 the bytes are those of a writer that forgot to name Latin-1.
            active = g0 if byte < 0x80 else g1 or LATIN_1
            if byte <= 0x20 or active.width == 1:
                found.append(chr(byte) if byte < 0x80 else active.read(bytes([byte])))
                if byte in _CONTROLS or byte in delimiters:
                    g0, g1 = self._g0, self._g1
                position += 1
                continue
            code = value[position : position + 2]
            if len(code) < 2 or code[1] >> 7 != byte >> 7:
                raise UnicodeError
            found.append(active.read(code))
            position += 2
        return "".join(found)

    def _designated(self, value: bytes, position: int) -> CodedSet:
        for length in (2, 3):
            coded = self._by_escape.get(value[position : position + length])
            if coded is not None:
                return coded
        raise UnicodeError

    def encode(self, text: str) -> bytes:
        """Write text without delimiters and escape characters; at its end, the set of the beginning is in G0 again.

        Raises:
            UnicodeError: a character that the sets do not have.
        """
        g0, g1 = self._g0, self._g1
        found = bytearray()
        for character in text:
            for coded in filter(None, (g0, g1, *self._sets)):
                code = coded.write(character)
                if code is not None:
                    break
            else:
                raise UnicodeError
            if coded not in (g0, g1):
                found += b"\x1b" + coded.escape
                g0, g1 = (coded, g1) if coded.register == 0 else (g0, coded)
            found += code
        if g0 is not self._g0:
            found += b"\x1b" + self._g0.escape
        return bytes(found)
