"""Encoded bytes back to trees: the inverse of `karnak.testing.specimen`, and no part of the engine.

It reads what is well formed and raises ValueError for everything else. Source: PS3.5 section 7 and annex A.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator

from karnak.ir.selector import format_tag, is_private
from karnak.standard import dictionary
from karnak.testing.specimen import BIG_ENDIAN, DEFLATED, IMPLICIT, Element, Fragments, Item, Items, Leaf

_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG = frozenset("OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_STREAMS = frozenset({"OB", "OD", "OF", "OL", "OV", "OW"})


def read_part10(data: bytes) -> tuple[tuple[Element, ...], str, tuple[Element, ...]]:
    """Read a Part 10 file.

    Returns:
        The elements of the file meta information, the transfer syntax UID, and the elements of the dataset.

    Raises:
        ValueError: it is not well formed.
    """
    if data[128:132] != b"DICM":
        raise ValueError("no Part 10 file")
    (length,) = struct.unpack_from("<8xI", data, 132)
    meta = read_dataset(data[144 : 144 + length])
    named = {element.tag: element.value for element in meta if isinstance(element, Leaf)}
    syntax = named[0x00020010].decode("ascii").rstrip("\0")
    return meta, syntax, read_dataset(data[144 + length :], syntax)


def read_dataset(data: bytes, transfer_syntax_uid: str = "") -> tuple[Element, ...]:
    """Read an encoded dataset, a deflated one too; values are as they lie.

    Args:
        data: the dataset.
        transfer_syntax_uid: Explicit VR Little Endian where it is left out.

    Raises:
        ValueError: it is not well formed.
    """
    if transfer_syntax_uid == DEFLATED:
        data = zlib.decompressobj(-15).decompress(data)
    reader = _Reader(data, transfer_syntax_uid == IMPLICIT, ">" if transfer_syntax_uid == BIG_ENDIAN else "<")
    elements, stop = reader.elements(0, len(data), delimited=False)
    if stop != len(data):
        raise ValueError("bytes are left over")
    return elements


def leaves(elements: Iterable[Element], place: str = "") -> Iterator[tuple[str, Leaf | Fragments]]:
    """All leaves of a tree with their paths, as reports write them: (0008,1140)[0]/(0008,1155)."""
    for element in elements:
        shown = place + format_tag(element.tag)
        if isinstance(element, Items):
            for number, item in enumerate(element.items):
                yield from leaves(item.elements, f"{shown}[{number}]/")
        else:
            yield shown, element


class _Reader:
    def __init__(self, data: bytes, implicit: bool, order: str) -> None:
        self.data, self.implicit, self.order = data, implicit, order

    def numbers(self, code: str, at: int, end: int) -> tuple[int, ...]:
        if at + struct.calcsize(self.order + code) > end:
            raise ValueError("cut short")
        return struct.unpack_from(self.order + code, self.data, at)

    def elements(self, at: int, end: int, *, delimited: bool) -> tuple[tuple[Element, ...], int]:
        found: list[Element] = []
        while at < end:
            group, number = self.numbers("HH", at, end)
            tag = group << 16 | number
            if tag == _ITEM_END and delimited:
                return tuple(found), at + 8
            if found and found[-1].tag >= tag:
                raise ValueError("out of order")
            element, at = self.element(tag, at + 4, end)
            found.append(element)
        if delimited:
            raise ValueError("no end")
        return tuple(found), at

    def element(self, tag: int, at: int, end: int) -> tuple[Element, int]:
        vr, length, at = self.header(tag, at, end)
        undefined = length == _UNDEFINED
        if vr == "SQ" or (vr == "UN" and undefined):
            inside = self if vr == "SQ" or self.implicit else _Reader(self.data, True, "<")
            items, at = inside.items(at, end if undefined else at + length, undefined)
            return Items(tag, items, undefined, vr == "UN"), at
        if undefined:
            if vr not in _STREAMS:
                raise ValueError("undefined length")
            return self.fragments(tag, at, end)
        if at + length > end:
            raise ValueError("cut short")
        value = self.data[at : at + length]
        if vr == "UN" and value[:4] == b"\xfe\xff\x00\xe0":
            try:
                hidden, _ = _Reader(self.data, True, "<").items(at, at + length, False)
                return Items(tag, hidden, False, True), at + length
            except ValueError:
                pass
        return Leaf(tag, vr, value), at + length

    def header(self, tag: int, at: int, end: int) -> tuple[str, int, int]:
        if self.implicit:
            (length,) = self.numbers("I", at, end)
            return _implicit_vr(tag), length, at + 4
        vr = self.data[at : at + 2].decode("latin-1")
        if vr not in dictionary.VRS:
            raise ValueError("unknown VR")
        if vr in _LONG:
            (length,) = self.numbers("I", at + 4, end)
            return vr, length, at + 8
        (length,) = self.numbers("H", at + 2, end)
        return vr, length, at + 4

    def items(self, at: int, end: int, undefined: bool) -> tuple[tuple[Item, ...], int]:
        if end > len(self.data):
            raise ValueError("cut short")
        found: list[Item] = []
        while undefined or at < end:
            group, number, length = self.numbers("HHI", at, end)
            tag, at = group << 16 | number, at + 8
            if tag == _SEQUENCE_END and undefined:
                return tuple(found), at
            if tag != _ITEM or (length != _UNDEFINED and at + length > end):
                raise ValueError("no item")
            stop = end if length == _UNDEFINED else at + length
            elements, at = self.elements(at, stop, delimited=length == _UNDEFINED)
            found.append(Item(elements, length == _UNDEFINED))
        return tuple(found), at

    def fragments(self, tag: int, at: int, end: int) -> tuple[Fragments, int]:
        found: list[bytes] = []
        while True:
            group, number, length = self.numbers("HHI", at, end)
            at += 8
            if group << 16 | number == _SEQUENCE_END:
                return Fragments(tag, tuple(found)), at
            if group << 16 | number != _ITEM or at + length > end:
                raise ValueError("no fragment")
            found.append(self.data[at : at + length])
            at += length


def _implicit_vr(tag: int) -> str:
    attribute = None if is_private(tag) else dictionary.by_tag(tag)
    if attribute is None or not attribute.vr:
        return "UN"
    return "OW" if "OW" in attribute.vr else attribute.vr[0]
