"""The sender hears Success only where nothing is missing."""

import pytest

from karnak.gateway.answers import Fate, Result, StoreStatus, count, status_of

DELIVERED = Result.delivered("a")
EXCLUDED = Result.excluded("b", "the destination's condition does not hold")
REJECTED = Result.rejected("c", "no pseudonym")
UNDELIVERED = Result.undelivered("d", "no connection: Connection refused")


@pytest.mark.parametrize(
    ("results", "status"),
    [
        ([], 0x0000),
        ([DELIVERED], 0x0000),
        ([EXCLUDED], 0x0000),
        ([DELIVERED, EXCLUDED], 0x0000),
        ([DELIVERED, REJECTED], 0xC001),
        ([DELIVERED, UNDELIVERED], 0xA700),
        ([REJECTED, UNDELIVERED, EXCLUDED, DELIVERED], 0xA700),
    ],
)
def test_status(results: list[Result], status: int) -> None:
    assert status_of(results) == status


def test_statuses_are_those_of_the_standard() -> None:
    # PS3.4 Table B.2-1 and PS3.7 Annex C: a failure is A7xx, A9xx, Cxxx or 0110.
    failures = [int(status) for status in StoreStatus if status is not StoreStatus.SUCCESS]
    assert all(status >> 8 in (0xA7, 0xA9) or status >> 12 == 0xC or status == 0x0110 for status in failures)


def test_count_has_every_fate() -> None:
    assert count([DELIVERED, DELIVERED, REJECTED]) == {
        Fate.DELIVERED: 2,
        Fate.EXCLUDED: 0,
        Fate.REJECTED: 1,
        Fate.UNDELIVERED: 0,
    }
