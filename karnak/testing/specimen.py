"""Instances as plain trees, and the bytes that they are written to.

A tree can say everything that a stream of bytes can: which lengths are defined, which
sequences hide in unknown values, what lies in the preamble. The writer here is not the
engine's: a test that compares both must never get its input and its verdict from one
place. Source: PS3.5 sections 6.2, 7.1, 7.5 and annex A; PS3.10 section 7.
"""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from karnak.standard import dictionary

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
RLE = "1.2.840.10008.1.2.5"

_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
# VRs whose header has a 32-bit length (PS3.5 table 7.1-1).
_LONG = frozenset("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
# Bytes of one word, which change places in Big Endian.
_WORD = {"AT": 2, "FD": 8, "FL": 4, "OD": 8, "OF": 4, "OL": 4, "OV": 8, "OW": 2, "SL": 4, "SS": 2, "SV": 8, "UL": 4,
         "US": 2, "UV": 8}  # fmt: skip
_NUMBER = {"FD": "d", "FL": "f", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q"}


@dataclass(frozen=True, slots=True)
class Leaf:
    """An element with a value.

    Attributes:
        tag: 32-bit tag.
        vr: value representation that an explicit encoding writes.
        value: encoded value in Little Endian, written as it is.
    """

    tag: int
    vr: str
    value: bytes = b""


@dataclass(frozen=True, slots=True)
class Fragments:
    """Encapsulated pixel data (PS3.5 A.4).

    Attributes:
        tag: 32-bit tag.
        fragments: values of its items; the first is the basic offset table.
    """

    tag: int
    fragments: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a sequence.

    Attributes:
        elements: in the order in which they are written.
        undefined_length: it ends with a delimiter.
    """

    elements: tuple["Element", ...] = ()
    undefined_length: bool = False


@dataclass(frozen=True, slots=True)
class Items:
    """A sequence.

    Attributes:
        tag: 32-bit tag.
        items: its items.
        undefined_length: it ends with a delimiter.
        unknown: an explicit encoding writes it as UN, with its items in Implicit VR Little Endian (PS3.5 6.2.2).
    """

    tag: int
    items: tuple[Item, ...] = ()
    undefined_length: bool = False
    unknown: bool = False


Element = Leaf | Fragments | Items


@dataclass(frozen=True, slots=True)
class Specimen:
    """A whole instance.

    Attributes:
        elements: of the root dataset, in the order in which they are written.
        transfer_syntax_uid: how it is encoded.
        meta: more elements of the file meta information, (0002,0013) and up.
        preamble: 128 bytes.
        reserved: what the reserved bytes of headers hold, 16 bits; PS3.5 7.1.2 asks for 0.
    """

    elements: tuple[Element, ...]
    transfer_syntax_uid: str = EXPLICIT
    meta: tuple[Leaf, ...] = ()
    preamble: bytes = bytes(128)
    reserved: int = 0


def tag_of(name: str) -> int:
    """The tag of a keyword of PS3.6, or of eight hexadecimal digits.

    Raises:
        KeyError: it is neither.
    """
    attribute = dictionary.by_keyword(name)
    if attribute is not None:
        return attribute.tag
    if len(name) != 8:
        raise KeyError(name)
    return int(name, 16)


def leaf(name: str | int, value: str | bytes | float | Iterable[float] = b"", vr: str = "") -> Leaf:
    """Make an element as people think of it.

    Args:
        name: keyword, eight hexadecimal digits, or a tag.
        value: text in ASCII, which is padded; a number or numbers; or bytes, which are taken as they are.
        vr: value representation; the dictionary's first where it is left out, UN for what it does not have.
    """
    tag = name if isinstance(name, int) else tag_of(name)
    if not vr:
        attribute = dictionary.by_tag(tag)
        vr = attribute.vr[0] if attribute is not None else "UN"
    if isinstance(value, bytes):
        return Leaf(tag, vr, value)
    if isinstance(value, str):
        return Leaf(tag, vr, padded(vr, value.encode("ascii")))
    numbers = (value,) if isinstance(value, int | float) else tuple(value)
    if vr == "AT":
        return Leaf(tag, vr, b"".join(struct.pack("<HH", int(n) >> 16, int(n) & 0xFFFF) for n in numbers))
    kind = float if vr in ("FD", "FL") else int
    return Leaf(tag, vr, struct.pack(f"<{len(numbers)}{_NUMBER[vr]}", *map(kind, numbers)))


def padded(vr: str, value: bytes) -> bytes:
    """Make a value's length even, as PS3.5 6.2 asks for its VR."""
    return value + (b"\0" if vr in ("UI", "OB", "UN") else b" ") * (len(value) % 2)


def sequence(
    name: str | int, *items: Iterable[Element], undefined_length: bool = False, unknown: bool = False
) -> Items:
    """Make a sequence of items, their elements in order; with an undefined length, so have its items."""
    tag = name if isinstance(name, int) else tag_of(name)
    made = tuple(Item(tuple(sorted(elements, key=lambda e: e.tag)), undefined_length) for elements in items)
    return Items(tag, made, undefined_length, unknown)


def encoded(elements: Iterable[Element], transfer_syntax_uid: str = EXPLICIT, reserved: int = 0) -> bytes:
    """Write elements, in the order given, as a dataset of a transfer syntax; a deflated one is deflated."""
    writer = _Writer(transfer_syntax_uid == IMPLICIT, transfer_syntax_uid == BIG_ENDIAN, reserved)
    body = writer.elements(elements)
    if transfer_syntax_uid != DEFLATED:
        return body
    deflater = zlib.compressobj(wbits=-15)
    deflated = deflater.compress(body) + deflater.flush()
    return deflated + bytes(len(deflated) % 2)


def part10(specimen: Specimen) -> bytes:
    """Write a Part 10 file; the file meta information names what the dataset says of itself."""
    values = {element.tag: element.value for element in specimen.elements if isinstance(element, Leaf)}
    uid = padded("UI", specimen.transfer_syntax_uid.encode("ascii"))
    meta = (
        Leaf(0x00020001, "OB", b"\0\1"),
        Leaf(0x00020002, "UI", values.get(0x00080016, b"")),
        Leaf(0x00020003, "UI", values.get(0x00080018, b"")),
        Leaf(0x00020010, "UI", uid),
        *specimen.meta,
    )
    encoded_meta = encoded(meta)
    length = encoded([leaf(0x00020000, len(encoded_meta), "UL")])
    body = encoded(specimen.elements, specimen.transfer_syntax_uid, specimen.reserved)
    return b"".join((specimen.preamble, b"DICM", length, encoded_meta, body))


@dataclass(frozen=True, slots=True)
class _Writer:
    """One encoding.

    Attributes:
        implicit: value representations are left out.
        big_endian: high bytes come first.
        reserved: what reserved bytes hold.
    """

    implicit: bool
    big_endian: bool
    reserved: int = 0

    def elements(self, elements: Iterable[Element]) -> bytes:
        return b"".join(map(self.element, elements))

    def element(self, element: Element) -> bytes:
        match element:
            case Leaf(tag, vr, value):
                return self.header(tag, vr, len(value)) + self.ordered(vr, value)
            case Fragments(tag, fragments):
                pieces = [self.mark(_ITEM, len(fragment)) + fragment for fragment in fragments]
                return self.header(tag, "OB", _UNDEFINED) + b"".join(pieces) + self.mark(_SEQUENCE_END, 0)
            case Items(tag, items, undefined_length, unknown):
                unknown = unknown and not self.implicit
                inside = _Writer(True, False) if unknown else self
                value = b"".join(map(inside.item, items))
                length = _UNDEFINED if undefined_length else len(value)
                end = inside.mark(_SEQUENCE_END, 0) if undefined_length else b""
                return self.header(tag, "UN" if unknown else "SQ", length) + value + end

    def item(self, item: Item) -> bytes:
        body = self.elements(item.elements)
        if item.undefined_length:
            return self.mark(_ITEM, _UNDEFINED) + body + self.mark(_ITEM_END, 0)
        return self.mark(_ITEM, len(body)) + body

    def header(self, tag: int, vr: str, length: int) -> bytes:
        if self.implicit:
            return self.mark(tag, length)
        start = struct.pack(self.order + "HH", tag >> 16, tag & 0xFFFF) + vr.encode("ascii")
        if vr in _LONG:
            return start + struct.pack(self.order + "HI", self.reserved, length)
        return start + struct.pack(self.order + "H", length)

    def mark(self, tag: int, length: int) -> bytes:
        return struct.pack(self.order + "HHI", tag >> 16, tag & 0xFFFF, length)

    def ordered(self, vr: str, value: bytes) -> bytes:
        size = _WORD.get(vr, 1)
        if not self.big_endian or len(value) % size:
            return value
        return b"".join(value[start : start + size][::-1] for start in range(0, len(value), size))

    @property
    def order(self) -> str:
        return ">" if self.big_endian else "<"
