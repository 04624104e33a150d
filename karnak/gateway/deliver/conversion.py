"""The same values in another uncompressed transfer syntax.

Four transfer syntaxes hold values as they are: Implicit VR Little Endian, Explicit VR Little Endian, the
deflated form of the latter, and Explicit VR Big Endian, which is retired and only read. Between them nothing is
lost but the VRs of private elements where the new form has no room for VRs. Source: PS3.5 sections 6.2.2, 7.1, 7.3 and
annex A.
"""

from dataclasses import replace

import numpy as np
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.uid import UID

from karnak.errors import KarnakError
from karnak.gateway.deliver.parcel import Parcel
from karnak.ir.selector import format_tag
from karnak.runtime.decode import decode_dataset
from karnak.runtime.encode import encode_dataset
from karnak.runtime.encoding import (
    EXPLICIT,
    EXPLICIT_BIG_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
    LONG_VRS,
    UNDEFINED_LENGTH,
    Encoding,
    ItemSequence,
    RawDataset,
    encoding_of,
    leaf,
    sequence,
    stored,
    stored_leaf,
)
from karnak.runtime.part10 import deflate_dataset, inflate_dataset
from karnak.standard import dictionary

EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
DEFLATED_EXPLICIT = "1.2.840.10008.1.2.1.99"
# What instances can be brought into.
TARGETS = (EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN, DEFLATED_EXPLICIT)
_UNCOMPRESSED = frozenset((*TARGETS, EXPLICIT_BIG_ENDIAN))

_PIXEL_REPRESENTATION = 0x00280103
# Bytes that change places between the two byte orders (PS3.5 section 7.3); AT is a pair of 16-bit numbers.
_WIDTHS = dict.fromkeys(("AT", "OW", "SS", "US"), 2)
_WIDTHS |= dict.fromkeys(("FL", "OF", "OL", "SL", "UL"), 4)
_WIDTHS |= dict.fromkeys(("FD", "OD", "OV", "SV", "UV"), 8)


class ConversionError(KarnakError):
    """An instance can't be written in another transfer syntax; the message says why, without patient values."""


def forms(transfer_syntax_uid: str, wanted: str | None) -> tuple[str, ...]:
    """List the transfer syntaxes in which an instance may leave, the best first.

    Args:
        transfer_syntax_uid: how it is encoded.
        wanted: the only one that may be, one of TARGETS; None to keep it where the destination takes that.

    Returns:
        No transfer syntax where the one that is wanted can't be had.
    """
    if wanted == transfer_syntax_uid:
        return (wanted,)
    if transfer_syntax_uid not in _UNCOMPRESSED:
        return (transfer_syntax_uid,) if wanted is None else ()
    if wanted is not None:
        return (wanted,)
    return tuple(dict.fromkeys((transfer_syntax_uid, EXPLICIT_LITTLE_ENDIAN, IMPLICIT_LITTLE_ENDIAN)))


def no_form(transfer_syntax_uid: str, wanted: str) -> str:
    """Say that an instance can't be had in a transfer syntax.

    Args:
        transfer_syntax_uid: how it is encoded.
        wanted: the transfer syntax.
    """
    return f"the instance is in {UID(transfer_syntax_uid).name} and can't be brought into {UID(wanted).name}"


def convert(parcel: Parcel, transfer_syntax_uid: str) -> Parcel:
    """Write an instance in another transfer syntax.

    Args:
        parcel: the instance; it comes back as it is where nothing is to be done.
        transfer_syntax_uid: one of `forms` of its transfer syntax.

    Raises:
        ConversionError: it is damaged, or holds what the other transfer syntax has no form for.
    """
    if parcel.transfer_syntax_uid == transfer_syntax_uid:
        return parcel
    try:
        converted = _convert(parcel.data_set, parcel.transfer_syntax_uid, transfer_syntax_uid)
    except ConversionError:
        raise
    except KarnakError as error:
        name = UID(transfer_syntax_uid).name
        raise ConversionError(f"the instance can't be brought into {name}: {error}") from None
    return replace(parcel, segments=(converted,), transfer_syntax_uid=transfer_syntax_uid)


def _convert(data_set: bytes, source: str, target: str) -> bytes:
    if source not in _UNCOMPRESSED or target not in TARGETS:
        raise ConversionError(f"an instance in {UID(source).name} can't be brought into {UID(target).name}")
    if source == DEFLATED_EXPLICIT:
        data_set = inflate_dataset(data_set)
    before, after = encoding_of(source), encoding_of(target)
    if before != after:
        data_set = encode_dataset(_recoded(decode_dataset(data_set, before), before, after, signed=False), after)
    return deflate_dataset(data_set) if target == DEFLATED_EXPLICIT else data_set


def _recoded(dataset: Dataset, before: Encoding, after: Encoding, *, signed: bool) -> RawDataset:
    """Make a dataset whose leaves are written as another encoding asks.

    Args:
        dataset: what `decode_dataset` has read.
        before: how it was encoded.
        after: how it will be encoded.
        signed: whether pixel values of the dataset around it are signed.
    """
    made = RawDataset()
    made.is_undefined_length_sequence_item = dataset.is_undefined_length_sequence_item
    representation = stored_leaf(dataset, _PIXEL_REPRESENTATION)
    if representation is not None and representation.value:
        signed = int.from_bytes(representation.value, "little" if before.little_endian else "big") == 1
    for tag in sorted(dataset.keys()):
        if tag & 0xFFFF == 0:
            # The length of a group is another one in another encoding, and retired (PS3.5 section 7.2).
            continue
        element = stored(dataset, tag)
        if isinstance(element, RawDataElement):
            made.put(_leaf(element, before, after, signed))
        else:
            made.put(sequence(int(tag), _items(element.value, before, after, signed)))
    return made


def _items(items: ItemSequence, before: Encoding, after: Encoding, signed: bool) -> ItemSequence:
    if items.vr == "UN":
        # Inside an unknown value everything is Implicit VR Little Endian, whatever is around it (PS3.5 section 6.2.2).
        return items
    return ItemSequence(
        [_recoded(item, before, after, signed=signed) for item in items], items.vr, items.undefined_length, after
    )


def _leaf(element: RawDataElement, before: Encoding, after: Encoding, signed: bool) -> RawDataElement:
    tag, value, vr = int(element.tag), element.value or b"", element.VR or "UN"
    if element.length == UNDEFINED_LENGTH:
        raise ConversionError(
            f"{format_tag(tag)} is encapsulated, which an uncompressed transfer syntax has no form for"
        )
    if not before.little_endian:
        value = _swapped(tag, vr, value)
    if before.implicit:
        vr = _explicit_vr(tag, vr, signed)
    if after == EXPLICIT and vr not in LONG_VRS and len(value) > 0xFFFF:
        # Longer than an explicit length of this VR can say: an unknown value (PS3.5 section 6.2.2).
        vr = "UN"
    return leaf(tag, vr, value)


def _explicit_vr(tag: int, vr: str, signed: bool) -> str:
    """Choose between US and SS, which the same bytes can be, by PixelRepresentation (PS3.3 section C.7.6.3.1)."""
    attribute = dictionary.by_tag(tag) if signed and vr == "US" else None
    return "SS" if attribute is not None and "SS" in attribute.vr else vr


def _swapped(tag: int, vr: str, value: bytes) -> bytes:
    if vr == "UN" and value:
        raise ConversionError(f"{format_tag(tag)} is of unknown VR, so its bytes can't be turned from Big Endian")
    width = _WIDTHS.get(vr)
    if width is None:
        return value
    if len(value) % width:
        raise ConversionError(f"the length of {format_tag(tag)} is no multiple of {width}, as VR {vr} asks for")
    return np.frombuffer(value, f"u{width}").byteswap().tobytes()
