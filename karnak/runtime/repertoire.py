"""Character repertoires: text of an instance in and out of bytes, without loss or not at all.

A character that cannot be written raises; nothing ever becomes "?". The tables of escape
sequences and Python codecs are pydicom's. Source: PS3.3 C.12.1.1.2, PS3.5 6.1.2.
"""

import re

from pydicom.charset import (
    CODES_TO_ENCODINGS,
    STAND_ALONE_ENCODINGS,
    default_encoding,
    encode_string,
    handled_encodings,
    python_encoding,
)

from karnak.errors import KarnakError

_DELIMITERS = {"PN": r"([\\^=])", "": r"([\\\r\n\f\t])"}
_SINGLE_BYTE_KATAKANA = "shift_jis"


class TextError(KarnakError):
    """Text that a character set cannot hold, or bytes that it cannot mean; the message holds neither."""


class Repertoire:
    """The characters that one dataset can hold.

    Args:
        terms: values of SpecificCharacterSet (0008,0005), padding trimmed; empty for the default repertoire.
    """

    def __init__(self, terms: tuple[str, ...] = ()) -> None:
        self.terms = terms
        self._unknown = [term for term in terms if term and term not in python_encoding]
        names = [python_encoding.get(term, default_encoding) for term in terms or ("",)]
        # A set that takes no code extensions stands alone (PS3.3 table C.12-5).
        alone = terms[0] in STAND_ALONE_ENCODINGS if terms else False
        self._encodings = names[:1] if alone else names

    def _check_known(self) -> None:
        if self._unknown:
            raise TextError(f"the instance's character set is unknown: {self._unknown[0][:16]!r}")

    def decode(self, value: bytes) -> str:
        """Turn the bytes of a text value into characters.

        Args:
            value: bytes of one element, all values of it.

        Raises:
            TextError: bytes that are no characters of this repertoire.
        """
        if value.isascii() and b"\x1b" not in value:
            return value.decode("ascii")
        self._check_known()
        try:
            if b"\x1b" not in value:
                return value.decode(self._encodings[0])
            return "".join(self._decode_fragment(part) for part in re.findall(rb"^[^\x1b]+|\x1b[^\x1b]*", value))
        except (UnicodeError, LookupError):
            raise TextError("a text holds bytes that its character set does not know") from None

    def _decode_fragment(self, fragment: bytes) -> str:
        if fragment[:1] != b"\x1b":
            return fragment.decode(self._encodings[0])
        size = 4 if fragment[:3] in (b"\x1b$(", b"\x1b$)") else 3
        encoding = CODES_TO_ENCODINGS[fragment[:size]]
        if encoding != default_encoding and encoding not in self._encodings:
            raise LookupError(encoding)
        if encoding in handled_encodings:
            return fragment.decode(encoding)
        # A delimiter ends what an escape sequence began (PS3.5 6.1.2.5.3).
        head, *rest = re.split(rb"([\\^=\r\n\f\t])", fragment[size:], maxsplit=1)
        return head.decode(encoding) + b"".join(rest).decode(self._encodings[0])

    def encode(self, text: str, vr: str) -> bytes:
        """Turn characters into bytes, not padded.

        Args:
            text: all values of one element.
            vr: value representation, which says where code extensions are reset.

        Raises:
            TextError: a character that this repertoire does not have.
        """
        single_byte_katakana = self._encodings[0] == _SINGLE_BYTE_KATAKANA
        if text.isascii() and "\x1b" not in text and not (single_byte_katakana and "~" in text):
            return text.encode("ascii")
        self._check_known()
        pieces = re.split(_DELIMITERS.get(vr, _DELIMITERS[""]), text)
        encoded = b"".join(self._encode_piece(piece) for piece in pieces)
        if self.decode(encoded) != text:
            raise TextError("a new value holds characters that the instance's character set cannot write")
        return encoded

    def _encode_piece(self, piece: str) -> bytes:
        encodings = self._encodings
        if not all(any(_can_write(character, name) for name in encodings) for character in piece):
            raise TextError("a new value holds characters that the instance's character set cannot write")
        if encodings == [default_encoding]:
            encodings = ["ascii"]
        return encode_string(piece, encodings)


def _can_write(character: str, encoding: str) -> bool:
    try:
        size = len(character.encode("ascii" if encoding == default_encoding else encoding))
    except UnicodeError:
        return False
    return size == 1 or encoding != _SINGLE_BYTE_KATAKANA
