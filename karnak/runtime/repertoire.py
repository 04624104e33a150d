"""Character repertoires: text of an instance in and out of bytes, without loss or not at all.

A character that cannot be written raises; nothing ever becomes "?".
Source: PS3.3 C.12.1.1.2, PS3.5 6.1.2.
"""

import re
from functools import lru_cache

from karnak.errors import KarnakError
from karnak.runtime.code_extensions import SETS, CodedSet, CodeExtensions

# Sets that take no code extensions: PS3.3 table C.12-5.
_STAND_ALONE = {"ISO_IR 192": "utf-8", "GB18030": "gb18030", "GBK": "gbk"}
_TERM = re.compile(r"ISO(?:_IR| 2022 IR) (\d+)", re.ASCII)
# What ends, beside control characters, that which an escape sequence began (PS3.5 6.1.2.5.3).
_DELIMITERS = {"PN": "\\^=", "LT": "", "ST": "", "UT": ""}


class TextError(KarnakError):
    """Text that a character set cannot hold, or bytes that it cannot mean; the message holds neither."""


class Repertoire:
    """The characters that one dataset can hold.

    Args:
        terms: values of SpecificCharacterSet (0008,0005), padding trimmed; empty for the default repertoire.
    """

    def __init__(self, terms: tuple[str, ...] = ()) -> None:
        self.terms = terms
        self._codec = _STAND_ALONE.get(terms[0]) if terms else None
        named = [_sets_of(term) for term in terms or ("",)]
        known = [sets for sets in named if sets is not None]
        self._extensions = CodeExtensions(known) if len(known) == len(named) else None

    def _known(self) -> CodeExtensions:
        if self._extensions is None:
            raise TextError("the instance's character set is none of DICOM's")
        return self._extensions

    def decode(self, value: bytes, vr: str) -> str:
        """Turn the bytes of a text value into characters.

        Args:
            value: bytes of one element, all values of it.
            vr: value representation, which says where code extensions are reset.

        Raises:
            TextError: bytes that are no characters of this repertoire.
        """
        if value.isascii() and b"\x1b" not in value:
            return value.decode("ascii")
        try:
            if self._codec is not None:
                return value.decode(self._codec)
            return self._known().decode(value, frozenset(_delimiters(vr).encode("ascii")))
        except UnicodeError:
            raise TextError("a text holds bytes that its character set does not know") from None

    def encode(self, text: str, vr: str) -> bytes:
        """Turn characters into bytes, not padded.

        Args:
            text: all values of one element.
            vr: value representation, which says where code extensions are reset.

        Raises:
            TextError: a character that this repertoire does not have.
        """
        if "\x1b" in text:
            raise TextError("a new value holds an escape character")
        # ASCII is in every set of DICOM but for the tilde, which a set of terms that nobody knows may lack, too.
        if text.isascii() and "~" not in text:
            return text.encode("ascii")
        try:
            if self._codec is not None:
                return text.encode(self._codec)
            pieces = re.split(f"([{re.escape(_delimiters(vr))}\r\n\f\t])", text)
            return b"".join(map(self._known().encode, pieces))
        except UnicodeError:
            raise TextError("a new value holds characters that the instance's character set cannot write") from None


def _delimiters(vr: str) -> str:
    return _DELIMITERS.get(vr, "\\")


def _sets_of(term: str) -> tuple[CodedSet, ...] | None:
    """The sets that a defined term names; None for what is none of PS3.3's."""
    if not term or term in _STAND_ALONE:
        return SETS["6"]
    match = _TERM.fullmatch(term)
    return SETS.get(match.group(1)) if match else None


DEFAULT_REPERTOIRE = Repertoire()


@lru_cache(maxsize=256)
def repertoire_of_value(value: bytes) -> Repertoire:
    """The repertoire that a value of SpecificCharacterSet (0008,0005) names."""
    terms = value.decode("latin-1").split("\\")
    return Repertoire(tuple(term.strip(" \0") for term in terms)) if any(terms) else DEFAULT_REPERTOIRE
