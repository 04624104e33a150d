"""Strategies for the values of elements, one per value representation: well formed, odd and broken.

A value is bytes as they lie in Little Endian. Most are what PS3.5 section 6.2 asks for; some
are not, because instances from the field are not. All are small: what matters is which case
a value is, not how long it is.
"""

import struct
from functools import cache
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from karnak.testing.character_sets import DEFAULT, CharacterSet
from karnak.testing.specimen import padded

# UIDs of the instances that the strategies make: few, so that elements refer to each other.
UIDS = ("1.2.3.4", "1.2.3.4.1", "1.2.3.4.5", "1.2.826.0.1.3680043.8.498.1", "2.25.7")
REGISTERED_UIDS = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.5.1.4.1.1.7")
_T = TypeVar("_T")
_WORDS = ("A", "DOE^JANE", "CT", "YES", "NO", "121071", "PAT-1", "1.5", "20230517", "x y", "^", "-1", "047Y")
_NUMBERS = {"FD": "d", "FL": "f", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q"}
_STREAMS = {"OB": 1, "OD": 8, "OF": 4, "OL": 4, "OV": 8, "OW": 2, "UN": 1}
_IN_REPERTOIRE = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_SINGLE = frozenset({"LT", "ST", "UR", "UT"})


@cache
def one_in(number: int) -> SearchStrategy[bool]:
    """True about once in `number` times; shrinks to False."""
    return st.sampled_from([False] * (number - 1) + [True])


def as_one(strategy: SearchStrategy[_T]) -> SearchStrategy[_T]:
    """The same strategy, chosen as one among others: `one_of` counts all the choices inside another `one_of`."""
    return strategy.map(lambda value: value)


@cache
def dates() -> SearchStrategy[str]:
    """DA values, among them the form of ACR-NEMA and what is no date."""
    regular = st.dates().map(lambda day: f"{day.year:04d}{day.month:02d}{day.day:02d}")
    near = st.integers(1, 28).map(lambda day: f"202305{day:02d}")
    return st.one_of(near, regular, st.sampled_from(["20000229", "2023.05.17", "20231345", "2023", "00000000", "AB"]))


@cache
def times() -> SearchStrategy[str]:
    """TM values of every precision, and what is no time."""
    digits = st.sampled_from([2, 4, 6])
    whole = st.times().map(lambda time: f"{time.hour:02d}{time.minute:02d}{time.second:02d}")
    cut = st.builds(lambda text, length: text[:length], whole, digits)
    fine = st.builds(lambda text, micro, length: f"{text}.{micro:06d}"[: 7 + length], whole, st.integers(0, 999999),
                     st.integers(1, 6))  # fmt: skip
    return st.one_of(cut, fine, st.sampled_from(["10:11:12", "240000", "101160", "1", "noon"]))


@cache
def moments() -> SearchStrategy[str]:
    """DT values of every precision, with and without an offset, and what is none."""
    whole = st.datetimes().map(lambda when: f"{when.year:04d}{when:%m%d%H%M%S}.{when.microsecond:06d}")
    lengths = st.sampled_from([14, 4, 6, 8, 10, 12, 16, 18, 21])
    offsets = st.sampled_from(["", "+0100", "-0530", "+0000"])
    cut = st.builds(lambda text, length, offset: text[:length] + offset, whole, lengths, offsets)
    return st.one_of(cut, st.sampled_from(["20231345", "2023051", "20230517+1", "then"]))


@cache
def ages() -> SearchStrategy[str]:
    """AS values, and what is none."""
    regular = st.builds(lambda number, unit: f"{number:03d}{unit}", st.integers(0, 999), st.sampled_from("YMWD"))
    return st.one_of(regular, st.sampled_from(["45Y", "Y", "0451"]))


@cache
def uids() -> SearchStrategy[str]:
    """UIDs from a small pool, registered ones, fresh ones, and what is none."""
    fresh = st.integers(0, 2**64).map(lambda number: f"2.25.{number}")
    return st.one_of(st.sampled_from(UIDS), st.sampled_from(REGISTERED_UIDS), fresh, st.just("no uid"))


@cache
def _numerals(whole: bool) -> SearchStrategy[str]:
    regular = st.integers(-(2**31), 2**31 - 1).map(str)
    if not whole:
        regular = st.one_of(regular, st.floats(-1e6, 1e6).map(lambda number: f"{number:.6g}"))
    return st.one_of(st.sampled_from(["0", "1", "7", "-30"]), regular, st.sampled_from([" 12 ", "ten"]))


@cache
def texts(character_set: CharacterSet = DEFAULT) -> SearchStrategy[bytes]:
    """Texts in a character set, encoded, without padding."""
    plain = st.one_of(st.sampled_from(_WORDS), st.text("AZaz09 -^=.,*", max_size=8)).map(str.encode)
    return st.one_of(plain, plain, st.just(character_set.encoded))


@cache
def _one_value(vr: str, character_set: CharacterSet) -> SearchStrategy[bytes]:
    match vr:
        case "AS":
            return ages().map(str.encode)
        case "DA":
            return dates().map(str.encode)
        case "TM":
            return times().map(str.encode)
        case "DT":
            return moments().map(str.encode)
        case "UI":
            return uids().map(str.encode)
        case "IS" | "DS":
            return _numerals(vr == "IS").map(str.encode)
        case _:
            return texts(character_set if vr in _IN_REPERTOIRE else DEFAULT)


def _padded(vr: str, values: list[bytes], spaces: int, odd: bool) -> bytes:
    value = b"\\".join(values) + b" " * spaces
    return value if odd else padded(vr, value)


@cache
def values(vr: str, character_set: CharacterSet = DEFAULT) -> SearchStrategy[bytes]:
    """Encoded values of a VR, in Little Endian: empty, one or several, seldom of odd length.

    Args:
        vr: value representation, SQ excepted.
        character_set: of the dataset that the value lies in.
    """
    if vr in _NUMBERS:
        size = struct.calcsize(_NUMBERS[vr])
        number = st.one_of(st.integers(0, 255).map(lambda n: n.to_bytes(size, "little")), st.binary(min_size=size,
                           max_size=size))  # fmt: skip
        return st.lists(number, max_size=3).map(b"".join)
    if vr == "AT":
        return st.lists(st.sampled_from([b"\x10\x00\x10\x00", b"\x09\x00\x01\x10"]), max_size=2).map(b"".join)
    if vr in _STREAMS:
        size = _STREAMS[vr]
        stream = st.binary(max_size=24).map(lambda value: value[: len(value) // max(size, 2) * max(size, 2)])
        return st.one_of(stream, texts().map(lambda text: padded("UN", text))) if vr == "UN" else stream
    one = _one_value(vr, character_set)
    most = 1 if vr in _SINGLE else 3
    several = st.one_of(st.lists(one, min_size=1, max_size=1), st.lists(st.one_of(one, st.just(b"")), max_size=most))
    seldom = one_in(8)
    return st.builds(_padded, st.just(vr), several, st.sampled_from([0, 0, 0, 1, 2]), seldom)
