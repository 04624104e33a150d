"""Dates and times moved as bytes, in compiled code, where they are written as the standard asks for today.

Whatever else may be a date, or is none, is left to `dates`, whose answers these are. Source: PS3.5 section 6.2.
"""

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from karnak.runtime.scan import vr_code

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

AS, DA, DT, TM = (vr_code(vr) for vr in ("AS", "DA", "DT", "TM"))
# For a value that `dates` is to be asked about.
UNKNOWN = -1
# The most bytes that a value takes here: a date, a time with its fraction, and an offset from UTC, padded.
MOST_BYTES = 28
_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
# 9999-12-31, counted from 1970.
_FIRST_DAY = -719_162
_LAST_DAY = 2_932_896
_DIGITS_OF_TIME = 6


@njit(cache=True)
def _number(data: "Bytes", start: int, stop: int) -> int:
    """The number that digits say; UNKNOWN for anything else."""
    value = 0
    for i in range(start, stop):
        digit = np.int64(data[i]) - 48
        if digit < 0 or digit > 9:
            return UNKNOWN
        value = value * 10 + int(digit)
    return value


@njit(cache=True)
def _put_digits(out: "Bytes", at: int, value: int, digits: int) -> int:
    for i in range(at + digits - 1, at - 1, -1):
        out[i] = 48 + value % 10
        value //= 10
    return at + digits


@njit(cache=True)
def _days_of_month(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31


@njit(cache=True)
def day_number(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a day of the Gregorian calendar."""
    # Years begin in March here, so that the day that comes and goes is their last.
    shifted = year - (1 if month <= 2 else 0)
    era = shifted // 400
    of_era = shifted - era * 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


@njit(cache=True)
def calendar_day(number: int) -> tuple[int, int, int]:
    """Year, month and day of a number of days from 1970-01-01."""
    counted = number + 719_468
    era = counted // 146_097
    of_era = counted - era * 146_097
    years = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * years + years // 4 - years // 100)
    shifted = (5 * of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return years + era * 400 + (1 if month <= 2 else 0), month, of_year - (153 * shifted + 2) // 5 + 1


@njit(cache=True)
def _fraction(data: "Bytes", start: int, stop: int) -> int:
    """Microseconds of 1 to 6 digits."""
    value = _number(data, start, stop)
    if value < 0:
        return UNKNOWN
    for _ in range(6 - (stop - start)):
        value *= 10
    return value


@njit(cache=True)
def _time(data: "Bytes", start: int, digits: int) -> int:
    """Microseconds of HH, HHMM or HHMMSS."""
    hour = _number(data, start, start + 2)
    minute = _number(data, start + 2, start + 4) if digits >= 4 else 0
    second = _number(data, start + 4, start + 6) if digits == _DIGITS_OF_TIME else 0
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return UNKNOWN
    return ((hour * 60 + minute) * 60 + second) * _SECOND


@njit(cache=True)
def _put_date(out: "Bytes", at: int, number: int) -> int:
    year, month, day = calendar_day(number)
    _put_digits(out, at, year, 4)
    _put_digits(out, at + 4, month, 2)
    return _put_digits(out, at + 6, day, 2)


@njit(cache=True)
def _put_time(out: "Bytes", at: int, moment: int) -> int:
    seconds = moment // _SECOND
    _put_digits(out, at, seconds // 3600, 2)
    _put_digits(out, at + 2, seconds // 60 % 60, 2)
    _put_digits(out, at + 4, seconds % 60, 2)
    return _put_digits(out, at + 6, moment % _SECOND, 6)


@njit(cache=True)
def _day(data: "Bytes", start: int, digits: int) -> int:
    """The number of the day that YYYY, YYYYMM or YYYYMMDD says; the first one where it is left out."""
    year = _number(data, start, start + 4)
    month = _number(data, start + 4, start + 6) if digits >= 6 else 1
    day = _number(data, start + 6, start + 8) if digits >= 8 else 1
    if year < 1 or month < 1 or month > 12 or day < 1 or day > _days_of_month(year, month):
        return _LAST_DAY + 1
    return day_number(year, month, day)


@njit(cache=True)
def _parts(data: "Bytes", start: int, stop: int) -> tuple[int, int]:
    """Of a DT value: how many digits stand before a point, or UNKNOWN; and where the offset from UTC begins."""
    at = start
    while at < stop and 48 <= data[at] <= 57:
        at += 1
    digits = at - start
    if digits < 4 or digits > 14 or digits % 2 == 1:
        return UNKNOWN, 0
    if at < stop and data[at] == 46:
        at += 1
        first = at
        while at < stop and 48 <= data[at] <= 57:
            at += 1
        if digits != 14 or at == first or at - first > 6:
            return UNKNOWN, 0
    after = at
    if at < stop and (data[at] == 43 or data[at] == 45):
        if stop - at != 5 or _number(data, at + 1, stop) < 0:
            return UNKNOWN, 0
        at = stop
    if at != stop:
        return UNKNOWN, 0
    return digits, after


@njit(cache=True)
def _moved_datetime(data: "Bytes", start: int, stop: int, by: int, out: "Bytes", at: int, work: "Bytes") -> int:
    digits, after = _parts(data, start, stop)
    if digits < 0:
        return UNKNOWN
    day = _day(data, start, min(digits, 8))
    moment = _time(data, start + 8, digits - 8) if digits > 8 else 0
    fraction = _fraction(data, start + 15, after) if after > start + digits else 0
    if day > _LAST_DAY or moment < 0 or fraction < 0:
        return UNKNOWN
    moved = day * _DAY + moment + fraction - by
    number = moved // _DAY
    if number < _FIRST_DAY or number > _LAST_DAY:
        return UNKNOWN
    _put_date(work, 0, number)
    _put_time(work, 8, moved - number * _DAY)
    for i in range(digits):
        out[at + i] = work[i]
    at += digits
    if after > start + digits:
        out[at] = 46
        for i in range(after - start - 15):
            out[at + 1 + i] = work[14 + i]
        at += after - start - 14
    for i in range(after, stop):
        out[at + i - after] = data[i]
    return at + stop - after


@njit(cache=True)
def moved(
    data: "Bytes", start: int, stop: int, vr: int, days: int, seconds: int, out: "Bytes", at: int, work: "Bytes"
) -> int:
    """Move one value, as `dates.shift` does.

    Args:
        data: uint8.
        start: first byte of the value, its padding trimmed.
        stop: the byte after it.
        vr: code of AS, DA, DT or TM.
        days: whole days, at most 10^7 either way.
        seconds: whole seconds, at most 10^10 either way.
        out: what it is written into; MOST_BYTES of room.
        at: where.
        work: 20 bytes.

    Returns:
        The byte after what was written, or UNKNOWN.
    """
    size = stop - start
    if vr == DA:
        number = _day(data, start, 8) if size == 8 else _LAST_DAY + 1
        if number > _LAST_DAY or number - days < _FIRST_DAY or number - days > _LAST_DAY:
            return UNKNOWN
        return _put_date(out, at, number - days)
    if vr == TM:
        digits = min(size, _DIGITS_OF_TIME)
        if size < 2 or digits % 2 == 1 or size == 7 or size > 13 or (size > 6 and data[start + 6] != 46):
            return UNKNOWN
        moment = _time(data, start, digits)
        fraction = _fraction(data, start + 7, stop) if size > 7 else 0
        if moment < 0 or fraction < 0:
            return UNKNOWN
        at = _put_time(out, at, (moment + fraction - seconds * _SECOND) % _DAY)
        # The fraction stands behind a point.
        for i in range(at, at - 6, -1):
            out[i] = out[i - 1]
        out[at - 6] = 46
        return at + 1
    if vr == DT:
        return _moved_datetime(data, start, stop, days * _DAY + seconds * _SECOND, out, at, work)
    if vr == AS and 2 <= size <= 4:
        number, unit = _number(data, start, stop - 1), data[stop - 1]
        each = 1 if unit == 68 else 7 if unit == 87 else 30 if unit == 77 else 365 if unit == 89 else 0
        if number < 0 or each == 0:
            return UNKNOWN
        steps = abs(days) // each
        number += steps if days >= 0 else -steps
        if number < 0 or number > 999:
            return UNKNOWN
        at = _put_digits(out, at, number, 3)
        out[at] = unit
        return at + 1
    return UNKNOWN


@njit(cache=True)
def truncated(data: "Bytes", start: int, stop: int, vr: int, keep: int, out: "Bytes", at: int) -> int:
    """Set the day, or the month and the day, of one value to 01, as `dates.truncate` does.

    Args:
        data: uint8.
        start: first byte of the value, its padding trimmed.
        stop: the byte after it.
        vr: code of DA or DT.
        keep: how many digits stay, 4 or 6.
        out: what it is written into; MOST_BYTES of room.
        at: where.

    Returns:
        The byte after what was written, or UNKNOWN.
    """
    digits = 8 if vr == DA and stop - start == 8 else UNKNOWN
    if vr == DT:
        digits, _after = _parts(data, start, stop)
    if digits < 0 or _day(data, start, min(digits, 8)) > _LAST_DAY:
        return UNKNOWN
    if digits > 8 and _time(data, start + 8, digits - 8) < 0:
        return UNKNOWN
    for i in range(stop - start):
        kept = i < keep or i >= min(digits, 8)
        out[at + i] = data[start + i] if kept else np.uint8(49 if i % 2 == 1 else 48)
    return at + stop - start
