"""The scanner sees the elements that the decoder sees, and refuses what it refuses, at the same offset."""

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.dataelem import RawDataElement

from karnak.runtime.decode import decode_dataset
from karnak.runtime.encoding import (
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    Encoding,
    UnreadableInstance,
    encoding_of,
    stored,
)
from karnak.runtime.part10 import is_part10, split_part10
from karnak.runtime.scan import (
    ITEM_ROW,
    KIND,
    LENGTH,
    NEXT,
    PARENT,
    SEQUENCE,
    TAG,
    UNDEFINED,
    VALUE,
    VR,
    scan,
    vr_name,
)

INSTANCES = sorted((Path(__file__).parents[1] / "data" / "instances").glob("*.dcm"))
Seen = list[tuple[object, ...]]


def by_decoding(dataset: Dataset) -> Seen:
    found: Seen = []
    for tag in sorted(map(int, dataset.keys())):
        element = stored(dataset, tag)
        if isinstance(element, RawDataElement):
            found.append((tag, element.VR, element.value or b""))
            continue
        found.append((tag, "SQ", element.value.undefined_length))
        for item in element.value:
            found.append(("item", item.is_undefined_length_sequence_item))
            found += by_decoding(item)
    return found


def by_scanning(data: bytes, encoding: Encoding) -> Seen:
    found: Seen = []
    rows, size = scan(np.frombuffer(data, np.uint8), 0, len(data), encoding.implicit)
    for row in rows[:size].tolist():
        if row[KIND] & ITEM_ROW:
            found.append(("item", bool(row[KIND] & UNDEFINED)))
        elif row[KIND] & SEQUENCE:
            found.append((row[TAG], "SQ", bool(row[KIND] & UNDEFINED)))
        else:
            found.append((row[TAG], vr_name(row[VR]), data[row[VALUE] : row[VALUE] + row[LENGTH]]))
    return found


def seen(data: bytes, encoding: Encoding) -> tuple[Seen | str, Seen | str]:
    """What the decoder and the scanner make of a dataset: its elements, or why they refuse it."""

    def decoded() -> Seen:
        return by_decoding(decode_dataset(data, encoding))

    def scanned() -> Seen:
        return by_scanning(data, encoding)

    return _answer(decoded), _answer(scanned)


def _answer(read: Callable[[], Seen]) -> Seen | str:
    try:
        return read()
    except UnreadableInstance as refusal:
        return str(refusal)


def little_endian(path: Path) -> tuple[bytes, Encoding] | None:
    data = path.read_bytes()
    if not is_part10(data):
        return None
    transfer_syntax_uid, dataset = split_part10(data)
    encoding = encoding_of(transfer_syntax_uid)
    return (dataset, encoding) if encoding.little_endian and transfer_syntax_uid not in DEFLATED else None


DATASETS = [found for found in map(little_endian, INSTANCES) if found is not None]


def test_there_are_datasets_of_both_encodings() -> None:
    assert {encoding.implicit for _, encoding in DATASETS} == {True, False}


@pytest.mark.parametrize("which", range(len(DATASETS)))
def test_the_elements_of_real_instances(which: int) -> None:
    decoded, scanned = seen(*DATASETS[which])
    assert isinstance(decoded, list)
    assert scanned == decoded


@pytest.mark.parametrize("which", range(len(DATASETS)))
def test_real_instances_with_some_bytes_changed_or_cut_off(which: int) -> None:
    dataset, encoding = DATASETS[which]
    chance = random.Random(which)
    refused = 0
    for _ in range(200):
        broken = bytearray(dataset[: chance.randrange(len(dataset))] if chance.random() < 0.3 else dataset)
        for _ in range(chance.randrange(1, 4)):
            if broken:
                broken[chance.randrange(min(len(broken), 4000))] = chance.randrange(256)
        decoded, scanned = seen(bytes(broken), encoding)
        assert scanned == decoded
        refused += isinstance(decoded, str)
    assert refused > 20


# Tags, VRs, lengths and delimiters, so that what is drawn is nearly a dataset.
PIECES = st.sampled_from(
    [
        b"\x08\x00\x05\x00",
        b"\x08\x00\x18\x00",
        b"\x08\x00\x40\x11",
        b"\x09\x00\x10\x00",
        b"\x09\x00\x01\x10",
        b"\xe0\x7f\x10\x00",
        b"\xfe\xff\x00\xe0",
        b"\xfe\xff\x0d\xe0",
        b"\xfe\xff\xdd\xe0",
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x00",
        b"\x08\x00\x00\x00",
        b"UI\x04\x00",
        b"LO\x02\x00",
        b"SQ\x00\x00",
        b"UN\x00\x00",
        b"OB\x00\x00",
        b"1.2\x00",
        b"ab",
    ]
)


@given(st.lists(PIECES, max_size=40), st.sampled_from([EXPLICIT, IMPLICIT]))
def test_whatever_the_bytes_are(pieces: list[bytes], encoding: Encoding) -> None:
    decoded, scanned = seen(b"".join(pieces), encoding)
    assert scanned == decoded


@given(st.binary(max_size=200), st.sampled_from([EXPLICIT, IMPLICIT]))
def test_nothing_outside_of_the_dataset_is_looked_at(data: bytes, encoding: Encoding) -> None:
    around = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00" * 8
    whole = np.frombuffer(around + data + around, np.uint8)
    answers: list[object] = []
    for array, start in ((np.frombuffer(data, np.uint8), 0), (whole, len(around))):
        try:
            rows, size = scan(array, start, start + len(data), encoding.implicit)
        except UnreadableInstance as refusal:
            answers.append(str(refusal))
        else:
            columns = rows[:size, [TAG, VR, LENGTH, PARENT, KIND, NEXT]]
            answers.append((columns.tolist(), (rows[:size, VALUE] - start).tolist()))
    assert answers[0] == answers[1]
