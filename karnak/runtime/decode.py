"""Encoded bytes -> Dataset, strictly: what is not well formed is refused with its offset.

Values are never decoded here: every leaf keeps its bytes, so that what no rule touches
is written again exactly as it came. Source: PS3.5 sections 7.1 to 7.5.
"""

import struct

from karnak.runtime.encoding import (
    BYTE_VRS,
    IMPLICIT,
    ITEM,
    ITEM_DELIMITER,
    LONG_VRS,
    SEQUENCE_DELIMITER,
    UNDEFINED_LENGTH,
    Encoding,
    ItemSequence,
    RawDataset,
    UnreadableInstance,
    implicit_vr,
    leaf,
    sequence,
)
from karnak.runtime.refusal import MAX_DEPTH, NestedTooDeep, Refusal, refused
from karnak.standard.dictionary import VRS


def decode_dataset(data: bytes, encoding: Encoding) -> RawDataset:
    """Read a whole dataset.

    Args:
        data: the encoded dataset, inflated, without preamble and file meta information.
        encoding: how it is encoded.

    Raises:
        UnreadableInstance: a length runs over the end, tags are out of order or repeated, a delimiter is missing,
            a VR is unknown, or sequences nest deeper than 64.
    """
    reader = _Reader(data)
    return reader.dataset(encoding, len(data), 0, delimited=False)


class _Reader:
    """A position in a buffer; every read is checked against the end of what encloses it."""

    def __init__(self, data: bytes, base: int = 0) -> None:
        self.data = data
        self.position = 0
        # Offset of the buffer in the dataset, for what is refused.
        self.base = base

    def refuse(self, cause: Refusal, first: int = 0, second: int = 0) -> UnreadableInstance:
        return refused(cause, self.base + self.position, first, second)

    def take(self, count: int, end: int) -> bytes:
        start, stop = self.position, self.position + count
        if stop > end:
            raise self.refuse(Refusal.CUT_SHORT, count, end - start)
        self.position = stop
        return self.data[start:stop]

    def tag(self, encoding: Encoding, end: int) -> int:
        group, element = struct.unpack(encoding.order + "HH", self.take(4, end))
        return int(group) << 16 | int(element)

    def number(self, code: str, encoding: Encoding, end: int) -> int:
        size = struct.calcsize(code)
        return int(struct.unpack(encoding.order + code, self.take(size, end))[0])

    def no_length(self, length: int) -> None:
        """Refuse a delimiter with a length: PS3.5 7.5 gives it 0."""
        if length:
            raise self.refuse(Refusal.DELIMITER_WITH_LENGTH, length)

    def dataset(self, encoding: Encoding, end: int, depth: int, *, delimited: bool) -> RawDataset:
        """Read elements up to `end`, or up to an item delimiter."""
        if depth > MAX_DEPTH:
            raise self.refuse(Refusal.TOO_DEEP)
        dataset = RawDataset()
        previous = -1
        while self.position < end:
            start = self.position
            tag = self.tag(encoding, end)
            if tag == ITEM_DELIMITER and delimited:
                self.no_length(self.number("I", encoding, end))
                return dataset
            if tag <= previous or tag >> 16 == 0xFFFE:
                self.position = start
                raise self.refuse(Refusal.OUT_OF_ORDER, tag)
            previous = tag
            self.element(dataset, tag, encoding, end, depth)
        if delimited:
            raise self.refuse(Refusal.OPEN_ITEM)
        return dataset

    def element(self, dataset: RawDataset, tag: int, encoding: Encoding, end: int, depth: int) -> None:
        """Read one element after its tag."""
        vr, length = self.header(tag, encoding, end)
        if vr == "SQ" or (length == UNDEFINED_LENGTH and vr == "UN"):
            inner = IMPLICIT if vr == "UN" and not encoding.implicit else encoding
            items = self.items(inner, length, end, depth, vr)
            dataset.put(sequence(tag, items))
        elif length == UNDEFINED_LENGTH:
            if vr not in BYTE_VRS:
                raise self.refuse(Refusal.UNDEFINED_LENGTH, tag)
            dataset.put(leaf(tag, vr, self.fragments(encoding, end), undefined_length=True))
        else:
            value = self.take(length, end)
            hidden = _hidden_items(value, depth, self.base + self.position - length) if vr == "UN" else None
            dataset.put(leaf(tag, vr, value) if hidden is None else sequence(tag, hidden))

    def header(self, tag: int, encoding: Encoding, end: int) -> tuple[str, int]:
        if encoding.implicit:
            return implicit_vr(tag), self.number("I", encoding, end)
        vr = self.take(2, end).decode("latin-1")
        if vr not in VRS:
            raise self.refuse(Refusal.UNKNOWN_VR, tag)
        if vr in LONG_VRS:
            self.take(2, end)
            return vr, self.number("I", encoding, end)
        return vr, self.number("H", encoding, end)

    def items(self, encoding: Encoding, length: int, end: int, depth: int, vr: str) -> ItemSequence:
        """Read the items of a sequence of `length` bytes, or up to its delimiter."""
        undefined = length == UNDEFINED_LENGTH
        if not undefined and self.position + length > end:
            raise self.refuse(Refusal.SEQUENCE_TOO_LONG, length, end - self.position)
        stop = end if undefined else self.position + length
        found: list[RawDataset] = []
        while undefined or self.position < stop:
            tag = self.tag(encoding, stop)
            size = self.number("I", encoding, stop)
            if tag == SEQUENCE_DELIMITER and undefined:
                self.no_length(size)
                break
            if tag != ITEM:
                raise self.refuse(Refusal.NO_ITEM, tag)
            delimited = size == UNDEFINED_LENGTH
            if not delimited and self.position + size > stop:
                raise self.refuse(Refusal.ITEM_TOO_LONG, size, stop - self.position)
            item = self.dataset(encoding, stop if delimited else self.position + size, depth + 1, delimited=delimited)
            item.is_undefined_length_sequence_item = delimited
            found.append(item)
        return ItemSequence(found, vr, undefined, encoding)

    def fragments(self, encoding: Encoding, end: int) -> bytes:
        """Read encapsulated pixel data up to its delimiter, without it (PS3.5 A.4)."""
        start = self.position
        while True:
            stop = self.position
            tag = self.tag(encoding, end)
            size = self.number("I", encoding, end)
            if tag == SEQUENCE_DELIMITER:
                self.no_length(size)
                return self.data[start:stop]
            if tag != ITEM:
                raise self.refuse(Refusal.NO_FRAGMENT, tag)
            self.take(size, end)


def _hidden_items(value: bytes, depth: int, base: int) -> ItemSequence | None:
    """Read a sequence out of an unknown value, or None where the value is something else.

    Raises:
        NestedTooDeep: it is a sequence, and one whose depths no rule could reach.
    """
    if value[:4] != b"\xfe\xff\x00\xe0":
        return None
    try:
        return _Reader(value, base).items(IMPLICIT, len(value), len(value), depth, "UN")
    except NestedTooDeep:
        raise
    except UnreadableInstance:
        return None
