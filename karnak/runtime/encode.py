"""Dataset -> encoded bytes: leaves as they lie, sequence lengths put right from the inside out.

Defined lengths stay defined and undefined ones undefined. Source: PS3.5 sections 7.1 to 7.5.
"""

import struct

from pydicom import Dataset
from pydicom.dataelem import RawDataElement

from karnak.ir.selector import format_tag
from karnak.runtime.encoding import (
    ITEM,
    ITEM_DELIMITER,
    LONG_VRS,
    SEQUENCE_DELIMITER,
    UNDEFINED_LENGTH,
    Encoding,
    ItemSequence,
    UnwritableInstance,
    stored,
)


def encode_dataset(dataset: Dataset, encoding: Encoding) -> bytes:
    """Write a dataset whose leaves are raw elements, in ascending order of tags.

    Args:
        dataset: leaves as `leaf` makes them, sequences holding an ItemSequence.
        encoding: how to write it.

    Raises:
        UnwritableInstance: a value is longer than its length field can say.
    """
    pieces: list[bytes] = []
    for tag in sorted(dataset.keys()):
        element = stored(dataset, tag)
        if isinstance(element, RawDataElement):
            value = element.value or b""
            undefined = element.length == UNDEFINED_LENGTH
            length = UNDEFINED_LENGTH if undefined else len(value)
            pieces.append(_header(int(tag), element.VR or "UN", length, encoding))
            pieces.append(value)
            if undefined:
                pieces.append(_marker(SEQUENCE_DELIMITER, 0, encoding))
        else:
            pieces.append(_sequence(int(tag), element.value, encoding))
    return b"".join(pieces)


def encode_items(items: ItemSequence) -> bytes:
    """Write the items of a sequence, with its delimiter where its length is undefined.

    Args:
        items: raw datasets, and how they are encoded.
    """
    pieces: list[bytes] = []
    inner = items.encoding
    for item in items:
        body = encode_dataset(item, inner)
        if item.is_undefined_length_sequence_item:
            pieces += [_marker(ITEM, UNDEFINED_LENGTH, inner), body, _marker(ITEM_DELIMITER, 0, inner)]
        else:
            pieces += [_marker(ITEM, len(body), inner), body]
    if items.undefined_length:
        pieces.append(_marker(SEQUENCE_DELIMITER, 0, inner))
    return b"".join(pieces)


def _sequence(tag: int, items: ItemSequence, encoding: Encoding) -> bytes:
    value = encode_items(items)
    length = UNDEFINED_LENGTH if items.undefined_length else len(value)
    return _header(tag, items.vr, length, encoding) + value


def _marker(tag: int, length: int, encoding: Encoding) -> bytes:
    return struct.pack(encoding.order + "HHI", tag >> 16, tag & 0xFFFF, length)


def _header(tag: int, vr: str, length: int, encoding: Encoding) -> bytes:
    group, element = tag >> 16, tag & 0xFFFF
    if encoding.implicit:
        return struct.pack(encoding.order + "HHI", group, element, length)
    if vr in LONG_VRS:
        return struct.pack(encoding.order + "HH2sHI", group, element, vr.encode("ascii"), 0, length)
    if length > 0xFFFF:
        raise UnwritableInstance(f"the new value of {format_tag(tag)} is too long for VR {vr}: {length} bytes")
    return struct.pack(encoding.order + "HH2sH", group, element, vr.encode("ascii"), length)
