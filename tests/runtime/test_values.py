"""What actions make of values, for every VR (section 6)."""

import struct

import pytest

from karnak.ir.profile import Effect, Evaluate
from karnak.runtime.dates import Amount, shift
from karnak.testing.expressions import call, text
from karnak.testing.specimen import BIG_ENDIAN, JPEG_BASELINE, Fragments, Leaf, Specimen, leaf, tag_of
from tests.runtime.making import (
    CT,
    PROJECT,
    D,
    K,
    U,
    X,
    Z,
    after,
    output,
    raw,
    rejection,
    rule,
    run,
    specimen,
    value_after,
)

TAG = 0x0009AB01
PATIENT = Amount(PROJECT.scale("PAT-1", 0, 365), PROJECT.scale("PAT-1", 0, 86400))
TEXT_VRS = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UT", "UC", "UR")
NUMBERS = {"FD": "d", "FL": "f", "SL": "i", "SS": "h", "SV": "q", "UL": "I", "US": "H", "UV": "Q"}
STREAMS = {"OB": 2, "OD": 8, "OF": 4, "OL": 4, "OV": 8, "OW": 2}
ALL_VRS = (*TEXT_VRS, *NUMBERS, *STREAMS, "AS", "AT", "DA", "DS", "DT", "IS", "TM", "UI", "UN")


def made(effect: Effect, vr: str, value: bytes) -> bytes | None:
    """What an action makes of a value of a private element, whose VR nothing but itself tells."""
    return value_after(Leaf(TAG, vr, value), rule(effect, f"{TAG:08X}"))


def replaced(vr: str, new: str, value: bytes = b"") -> bytes | None:
    return made(Evaluate(call("Replace", text(new))), vr, value)


# --- K, X, Z --------------------------------------------------------------------------------


@pytest.mark.parametrize("vr", ALL_VRS)
@pytest.mark.parametrize("value", [b"", b"12345678", b"odd"])
def test_keep_remove_and_empty(vr: str, value: bytes) -> None:
    assert made(K, vr, value) == value
    assert made(X, vr, value) is None
    assert made(Z, vr, value) == b""


# --- D --------------------------------------------------------------------------------------


@pytest.mark.parametrize("vr", [*TEXT_VRS, "UN"])
@pytest.mark.parametrize("value", [b"DOE^JANE", b"", b"a\\b\\c "])
def test_the_dummy_of_a_text_is_one_word(vr: str, value: bytes) -> None:
    padding = b"\0" if vr == "UN" else b" "
    assert made(D, vr, value) == b"UNKNOWN" + padding


@pytest.mark.parametrize("vr", ["DS", "IS"])
def test_the_dummy_of_a_numeral_is_zero(vr: str) -> None:
    assert made(D, vr, b"1.5\\2 ") == b"0 "


@pytest.mark.parametrize("vr", NUMBERS)
def test_the_dummy_of_a_binary_number_is_a_zero(vr: str) -> None:
    size = struct.calcsize(NUMBERS[vr])
    found = made(D, vr, b"\x01" * size)
    assert found == bytes(size)
    assert made(D, vr, b"") == bytes(size)


@pytest.mark.parametrize("vr", STREAMS)
def test_the_dummy_of_a_stream_is_as_many_zero_bytes(vr: str) -> None:
    assert made(D, vr, b"\x01" * 24) == bytes(24)


@pytest.mark.parametrize("vr", STREAMS)
def test_the_dummy_of_an_empty_stream_is_one_word_of_it(vr: str) -> None:
    found = made(D, vr, b"")
    assert found == bytes(STREAMS[vr])


def test_the_dummy_of_an_attribute_tag_is_a_tag() -> None:
    assert made(D, "AT", b"\x10\0\x10\0") == bytes(4)


@pytest.mark.parametrize(
    ("vr", "value"), [("DA", "20230517"), ("TM", "101112"), ("DT", "20230517101112.5+0100"), ("AS", "047D")]
)
def test_the_dummy_of_a_date_is_a_date_of_this_patient_elsewhere(vr: str, value: str) -> None:
    found = made(D, vr, value.encode() + b" " * (len(value) % 2))
    assert found is not None
    assert found.decode().strip() == shift(value, vr, PATIENT)
    assert found.strip() != value.encode()


def test_the_dummy_of_several_dates_is_several_dates() -> None:
    assert (
        made(D, "DA", b"20230517\\20230518 ")
        == "\\".join(shift(value, "DA", PATIENT) for value in ("20230517", "20230518")).encode() + b" "
    )


@pytest.mark.parametrize("vr", ["DA", "DT", "TM", "AS"])
@pytest.mark.parametrize("value", [b"nonsense", b"20230517\\?", b"99"])
def test_the_dummy_of_what_is_no_date_says_nothing_of_it(vr: str, value: bytes) -> None:
    found = made(D, vr, value)
    constants = {"DA": b"19000101", "DT": b"19000101", "TM": b"000000", "AS": b"000Y"}
    # 99 is a precise enough hour or year for no VR; TM reads two digits as an hour, which 99 is not.
    assert found == constants[vr]


def test_the_dummy_of_a_uid_is_a_new_uid() -> None:
    assert made(D, "UI", b"1.2.3\0") == made(U, "UI", b"1.2.3\0")


def test_no_dummy_stands_for_encapsulated_pixels() -> None:
    pixels = Specimen(specimen(Fragments(0x7FE00010, (b"", b"\xff\xd8"))).elements, JPEG_BASELINE)
    for effect in (D, U):
        assert "(7FE0,0010)" in rejection(run(pixels, rule(effect, "PixelData")))
    assert 0x7FE00010 not in output(run(pixels, rule(X, "PixelData")))
    emptied = output(run(pixels, rule(Z, "PixelData")))
    assert raw(emptied, "PixelData") == b""


# --- U --------------------------------------------------------------------------------------


def uid(text_: str) -> bytes:
    found = PROJECT.uid(text_).encode()
    return found + b"\0" * (len(found) % 2)


@pytest.mark.parametrize("value", [b"1.2.3\0", b"1.2.3 ", b"1.2.3", b" 1.2.3", b"1.2.3\0\0\0"])
def test_padding_of_a_uid_does_not_count(value: bytes) -> None:
    assert made(U, "UI", value) == uid("1.2.3")


def test_every_value_of_a_uid_is_mapped() -> None:
    found = made(U, "UI", b"1.2.3\\1.2.4\\\\1.2.3\0")
    assert found is not None
    assert found.rstrip(b"\0").decode().split("\\") == [
        PROJECT.uid("1.2.3"), PROJECT.uid("1.2.4"), "", PROJECT.uid("1.2.3")
    ]  # fmt: skip


@pytest.mark.parametrize("registered", [CT, "1.2.840.10008", "1.2.840.10008.1.2", "1.2.840.10008.999.7"])
def test_registered_uids_are_never_hashed(registered: str) -> None:
    assert made(U, "UI", leaf(TAG, registered, "UI").value) == leaf(TAG, registered, "UI").value
    assert value_after(leaf("SOPClassUID", registered), rule(U, vrs=["UI"])) == leaf(TAG, registered, "UI").value


@pytest.mark.parametrize("other", ["1.2.840.100080.1", "1.2.840.1000", "11.2.840.10008.1", "2.25.1"])
def test_uids_beside_the_registered_root_are_hashed(other: str) -> None:
    assert made(U, "UI", leaf(TAG, other, "UI").value) == uid(other)


def test_registered_and_other_uids_of_one_element() -> None:
    assert made(U, "UI", f"{CT}\\1.2.3 ".encode()) == (CT + "\\" + PROJECT.uid("1.2.3")).encode() + b"\0" * (
        len(CT + "\\" + PROJECT.uid("1.2.3")) % 2
    )


def test_an_empty_uid_stays_empty() -> None:
    assert made(U, "UI", b"") == b""
    assert made(U, "UI", b"\0\0") == b""
    assert made(U, "LO", b"  ") == b""


@pytest.mark.parametrize("vr", ["LO", "SH", "CS", "UT", "DS"])
def test_any_text_becomes_the_uid_of_the_text(vr: str) -> None:
    found = after(specimen(Leaf(TAG, vr, b"1.2.3 ")), rule(U, f"{TAG:08X}"))
    assert raw(found, TAG) == uid("1.2.3")
    assert found.get_item(TAG).VR == "UI"


def test_unknown_values_are_taken_as_text() -> None:
    assert made(U, "UN", b"1.2.3\0") == uid("1.2.3")


def test_numbers_are_taken_as_decimal_text() -> None:
    assert made(U, "US", b"\x02\x01") == uid("258")
    big = Specimen(specimen(Leaf(TAG, "US", b"\x02\x01")).elements, BIG_ENDIAN)
    assert raw(output(run(big, rule(U, f"{TAG:08X}"))), TAG) == uid("258")


@pytest.mark.parametrize("vr", STREAMS)
def test_no_uid_stands_for_a_stream(vr: str) -> None:
    reason = rejection(run(specimen(Leaf(TAG, vr, bytes(8))), rule(U, f"{TAG:08X}")))
    assert reason == f"(0009,AB01): a UID cannot stand for (0009,AB01), which has VR {vr}"
    assert made(U, vr, b"") == b""


def test_the_same_uid_is_the_same_everywhere() -> None:
    instance = specimen(
        leaf("FrameOfReferenceUID", "1.2.3.4"),
        Leaf(TAG, "UN", b"1.2.3.4 "),
        leaf("ReferencedSOPInstanceUID", "1.2.3.4.5"),
    )
    found = after(instance, rule(U))
    assert raw(found, "StudyInstanceUID") == raw(found, "FrameOfReferenceUID") == raw(found, TAG) == uid("1.2.3.4")
    assert raw(found, "SOPInstanceUID") == raw(found, "ReferencedSOPInstanceUID")


# --- Replace --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vr", "new", "encoded"),
    [
        ("LO", "x", b"x "),
        ("UI", "1.2.3", b"1.2.3\0"),
        ("UN", "x", b"x\0"),
        ("DS", "1.5", b"1.5 "),
        ("DA", "20230517", b"20230517"),
        ("US", "258", b"\x02\x01"),
        ("SS", "-2\\3", b"\xfe\xff\x03\x00"),
        ("FL", "0.5", b"\0\0\0\x3f"),
        ("UV", "1", b"\x01" + bytes(7)),
        ("AT", "00100020", b"\x10\0\x20\0"),
        ("UT", "a\\b", b"a\\b "),
    ],
)
def test_a_replacement_is_encoded_by_the_vr(vr: str, new: str, encoded: bytes) -> None:
    assert replaced(vr, new, b"12345678") == encoded


@pytest.mark.parametrize(
    ("vr", "new"),
    [
        ("US", "-1"),
        ("US", "65536"),
        ("SS", "x"),
        ("FD", "one"),
        ("AT", "PatientName"),
        ("AT", "1001000200"),
        ("OB", "00"),
        ("OW", "x"),
        ("DA", "\u00e9"),
        ("UI", "\u00e9"),
        ("LO", "\u00e9"),
    ],
)
def test_a_replacement_that_the_vr_does_not_have_rejects_and_is_not_repeated(vr: str, new: str) -> None:
    outcome = run(specimen(Leaf(TAG, vr, bytes(8))), rule(Evaluate(call("Replace", text(new))), f"{TAG:08X}"))
    reason = rejection(outcome)
    assert reason.startswith("(0009,AB01): ")
    assert new not in reason.replace("VR", "").split()


def test_a_replacement_that_is_too_long_for_its_length_field_rejects() -> None:
    long = "x" * 65536
    assert "(0009,AB01)" in rejection(
        run(specimen(Leaf(TAG, "LO", b"a ")), rule(Evaluate(call("Replace", text(long))), f"{TAG:08X}"))
    )
    assert replaced("UT", long) == long.encode()


def test_a_standard_element_that_was_sent_as_unknown_gets_its_own_vr_when_it_changes() -> None:
    for effect, value in ((D, b"UNKNOWN "), (Z, b""), (Evaluate(call("Replace", text("x"))), b"x ")):
        found = after(specimen(Leaf(tag_of("PatientName"), "UN", b"DOE^JANE")), rule(effect, "PatientName"))
        assert raw(found, "PatientName") == value
        assert found.get_item(tag_of("PatientName")).VR == "PN"
    kept = after(specimen(Leaf(tag_of("PatientName"), "UN", b"DOE^JANE")), rule(K, "PatientName"))
    assert kept.get_item(tag_of("PatientName")).VR == "UN"
