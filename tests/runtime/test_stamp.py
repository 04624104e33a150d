"""What always stands at the root: encoded once, and brought up to date."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from karnak.runtime.encoding import EXPLICIT, IMPLICIT, Encoding, UnwritableInstance, leaf
from karnak.runtime.stamp import NOTHING, encoded_elements, stamp_of

DATE, TIME, NAME, PATIENT = 0x00080012, 0x00080013, 0x00100010, 0x00100020
THEN = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


def test_elements_are_joined_in_the_order_of_their_tags() -> None:
    found = stamp_of({NAME: b"name", TIME: b"", DATE: b"date of it"})
    assert found.tags.tolist() == [DATE, TIME, NAME]
    assert found.places.tolist() == [[0, 10], [10, 0], [10, 4]]
    assert found.data == bytes(found.array) == b"date of itname"


def test_nothing_is_a_stamp_too() -> None:
    assert NOTHING.tags.tolist() == []
    assert NOTHING.data == b""


@pytest.mark.parametrize("encoding", [EXPLICIT, IMPLICIT])
def test_the_time_is_put_in_without_encoding_again(encoding: Encoding) -> None:
    elements = {
        DATE: leaf(DATE, "DA", b"20260102"),
        TIME: leaf(TIME, "TM", b"030405.000006 "),
        NAME: leaf(NAME, "PN", b"P-1 "),
        PATIENT: leaf(PATIENT, "LO", b"0123"),
    }
    stamp = stamp_of(encoded_elements(elements, encoding))
    assert bytes(stamp.at(THEN, b"0123")) == stamp.data
    later = stamp.at(datetime(2027, 12, 31, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=-1))), b"CDEF")
    expected = stamp.data.replace(b"20260102", b"20280101").replace(b"030405.000006", b"005959.999999")
    assert bytes(later) == expected.replace(b"0123", b"CDEF")
    # The stamp itself stays what it was.
    assert b"20260102" in stamp.data


def test_a_value_that_is_too_long_is_refused() -> None:
    with pytest.raises(UnwritableInstance, match=r"\(0010,0010\) is too long for VR PN"):
        encoded_elements({NAME: leaf(NAME, "PN", bytes(65536))}, EXPLICIT)
    assert len(encoded_elements({NAME: leaf(NAME, "PN", bytes(65536))}, IMPLICIT)[NAME]) == 65544
