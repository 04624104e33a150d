"""How files of a folder are named: a layout such as `{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm`.

Names are made from attributes of what is written, which somebody else has chosen. So no
value can lead out of the folder, name a file that systems keep for themselves, or be too long; what had to be changed
for that carries a hash, so that different values never get the same name.
"""

import hashlib
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Self

from karnak.errors import KarnakError
from karnak.gateway.deliver.messages import is_uid
from karnak.gateway.deliver.parcel import Parcel
from karnak.ir.selector import format_tag
from karnak.runtime.encoding import BYTE_VRS
from karnak.runtime.part10 import (
    SERIES_INSTANCE_UID,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    read_instance,
)
from karnak.runtime.repertoire import TextError
from karnak.standard import dictionary

DEFAULT_LAYOUT = "{StudyInstanceUID}/{SeriesInstanceUID}/{SOPInstanceUID}.dcm"
_MAXIMUM_LEVELS = 16
_MAXIMUM_TEMPLATE = 1024
# Bytes of a name; file systems take 255, and some count more for one character than we do.
_MAXIMUM_NAME = 160
_ABSENT = {STUDY_INSTANCE_UID: "without-study", SERIES_INSTANCE_UID: "without-series", SOP_INSTANCE_UID: "without-uid"}
_FIELD = re.compile(r"\{([^{}]*)\}")
# What POSIX or Windows separate paths, drives, streams and patterns with, and what Windows forbids.
_FORBIDDEN = frozenset('/\\:*?"<>|')
# Windows keeps these names for devices, whatever follows a dot.
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)


class LayoutError(KarnakError):
    """A layout that can't be used, or that can't be applied to an instance; the message says why, without values."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How files are named; made by `parse`.

    Attributes:
        levels: names of folders and at last of the file, each a row of texts and tags.
    """

    levels: tuple[tuple[str | int, ...], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a layout.

        Args:
            text: names separated by slashes, with keywords of attributes in braces.

        Raises:
            LayoutError: a name is empty or leads elsewhere, or a keyword doesn't name an attribute with a value.
        """
        if len(text) > _MAXIMUM_TEMPLATE or text.count("/") >= _MAXIMUM_LEVELS:
            raise LayoutError(f"a layout has at most {_MAXIMUM_LEVELS} levels and {_MAXIMUM_TEMPLATE} characters")
        return cls(tuple(_level(level) for level in text.split("/")))

    def path(self, parcel: Parcel) -> PurePosixPath:
        """Name the file of a parcel, relative to the folder.

        Raises:
            LayoutError: an attribute that is asked for can't be read.
        """
        value = _values(parcel, {piece for level in self.levels for piece in level if isinstance(piece, int)})
        return PurePosixPath(*(_name(level, value) for level in self.levels))


def suffixed(path: PurePosixPath, uid: str) -> PurePosixPath:
    """Name a file beside one of the same name that is another instance: the same name each time for the same UID.

    Args:
        path: the name that is taken.
        uid: SOP Instance UID of what is written.
    """
    return path.with_name(f"{path.stem}-{_hash(uid)}{path.suffix}")


def _level(text: str) -> tuple[str | int, ...]:
    if not text.strip():
        raise LayoutError("a layout has no empty names: it neither begins nor ends with a slash, nor has two in a row")
    pieces: list[str | int] = []
    for number, piece in enumerate(_FIELD.split(text)):
        if number % 2:
            pieces.append(_tag(piece))
        elif piece:
            if "{" in piece or "}" in piece:
                raise LayoutError("a brace has no partner")
            if _FORBIDDEN & set(piece) or not piece.isprintable():
                raise LayoutError('names in a layout have no control characters and none of : * ? " < > | \\')
            pieces.append(piece)
    if all(isinstance(piece, str) for piece in pieces) and _cleaned("".join(map(str, pieces)), ending=True) != text:
        raise LayoutError("a name in the layout can't be the name of a file")
    return tuple(pieces)


def _tag(keyword: str) -> int:
    attribute = dictionary.by_keyword(keyword)
    if attribute is None or attribute.mask != 0xFFFFFFFF:
        raise LayoutError(f"there is no attribute {keyword}" if keyword else "the braces hold no keyword")
    if attribute.tag >> 16 <= 2 or "SQ" in attribute.vr or BYTE_VRS & set(attribute.vr) or "UN" in attribute.vr:
        raise LayoutError(f"{keyword} {format_tag(attribute.tag)} has no value that could be a name")
    return attribute.tag


def _values(parcel: Parcel, tags: set[int]) -> Callable[[int], str]:
    """Look up the values of a parcel; its UIDs are at hand, anything else is read from the data set."""
    found = {
        SOP_CLASS_UID: parcel.sop_class_uid,
        SOP_INSTANCE_UID: parcel.sop_instance_uid,
        STUDY_INSTANCE_UID: parcel.study_instance_uid or "",
        SERIES_INSTANCE_UID: parcel.series_instance_uid or "",
    }
    others = tags - found.keys()
    if others:
        try:
            instance = read_instance(parcel.data_set, parcel.transfer_syntax_uid)
        except KarnakError:
            raise LayoutError("the instance can't be read, so its file can't be named by its attributes") from None
        for tag in others:
            try:
                found[tag] = (instance.text(tag) or "").strip(" \0")
            except TextError:
                raise LayoutError(
                    f"{format_tag(tag)} can't be read as text, so the file can't be named by it"
                ) from None
    return lambda tag: _field(tag, found[tag])


def _field(tag: int, value: str) -> str:
    attribute = dictionary.by_tag(tag)
    if not value:
        return _ABSENT.get(tag) or f"without-{attribute.keyword if attribute is not None else format_tag(tag)}"
    if attribute is not None and attribute.vr == ("UI",):
        return value if is_uid(value) else f"not-a-uid-{_hash(value, 32)}"
    return _cleaned(value)


def _name(level: tuple[str | int, ...], value: Callable[[int], str]) -> str:
    return _cleaned("".join(piece if isinstance(piece, str) else value(piece) for piece in level), ending=True)


def _cleaned(text: str, *, ending: bool = False) -> str:
    """Make a name that is safe everywhere; one that had to be changed carries a hash of what it was.

    Args:
        text: what it should be.
        ending: what follows its last dot stays at the end, if it is short.
    """
    name = unicodedata.normalize("NFC", text)
    name = "".join("_" if one in _FORBIDDEN or not one.isprintable() else one for one in name)
    if _DEVICES.fullmatch(name) or not name.strip(". "):
        name = "_" + name
    # Windows drops dots and spaces at the end; a dot in front hides a file.
    name = name.strip(" ")
    name = re.sub(r"^\.|[. ]$", "_", name)
    if name == text and len(name.encode("utf-8")) <= _MAXIMUM_NAME:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not ending or not dot or len(suffix) > 8:
        stem, dot, suffix = name, "", ""
    room = _MAXIMUM_NAME - 16 - len(suffix.encode("utf-8"))
    stem = stem.encode("utf-8", "replace")[:room].decode("utf-8", "ignore")
    return f"{stem}-{_hash(text)}{dot}{suffix}"


def _hash(text: str, digits: int = 12) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]
