"""Receipts: the names that instances have here, 26 hexadecimal digits that sort by the time of receipt.

The first 16 digits count 100 ns since 1970-01-01 UTC, the other 10 are random, so that
several processes need not ask each other. A receipt says nothing of the instance.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

RECEIPT_LENGTH = 26
_TIME_DIGITS = 16
_RANDOM_BYTES = 5
_NANOSECONDS_PER_TICK = 100
_TICKS_PER_MICROSECOND = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Receipts:
    """Gives names that no instance has had, each later than the one before, from any thread.

    Args:
        clock_ns: tells the time in ns since 1970-01-01 UTC; a clock that is set back does not bring back old names.
        random_bytes: gives that many random bytes.
    """

    def __init__(self, clock_ns: Callable[[], int], random_bytes: Callable[[int], bytes]) -> None:
        self._clock_ns = clock_ns
        self._random_bytes = random_bytes
        self._last = 0
        self._lock = threading.Lock()

    def __call__(self) -> str:
        """Give the next one."""
        with self._lock:
            self._last = max(self._last + 1, self._clock_ns() // _NANOSECONDS_PER_TICK)
            tick = self._last
        return f"{tick:0{_TIME_DIGITS}x}{self._random_bytes(_RANDOM_BYTES).hex()}"


def time_of(receipt: str) -> datetime | None:
    """Tell when a receipt was given, in UTC to the microsecond; None where it is no receipt."""
    if len(receipt) != RECEIPT_LENGTH or not set(receipt) <= set("0123456789abcdef"):
        return None
    ticks = int(receipt[:_TIME_DIGITS], 16)
    try:
        return _EPOCH + timedelta(microseconds=ticks // _TICKS_PER_MICROSECOND)
    except OverflowError:
        return None
