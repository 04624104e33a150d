"""Dates, times and ages: parse, shift, truncate; pure functions on one value's text.

A value that is not a date raises; nothing is guessed and nothing is kept by accident.
Source: PS3.5 section 6.2 (AS, DA, DT, TM); the language page, sections 2 and 6.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from karnak.errors import KarnakError
from karnak.ir.profile import DatePart

# (0008,0020) 2023.11.05 and 10:11:12 are the forms of ACR-NEMA (PS3.5 6.2, notes to DA and TM).
_DA = re.compile(r"(\d{4})(?:(\d\d)(\d\d)|\.(\d\d)\.(\d\d))", re.ASCII)
_TM = re.compile(r"(\d\d)(?::?(\d\d)(?::?(\d\d)(?:\.(\d{1,6}))?)?)?", re.ASCII)
_DT = re.compile(
    r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,6}))?)?)?)?)?)?([+-]\d{4})?", re.ASCII
)
_AS = re.compile(r"(\d{1,3})([DWMY])", re.ASCII)
_DAYS_PER_UNIT = {"D": 1, "W": 7, "M": 30, "Y": 365}
_DAY = timedelta(days=1)


class DateError(KarnakError):
    """A value that is no date, time or age of its VR, or that leaves the calendar; the message does not repeat it."""


@dataclass(frozen=True, slots=True)
class Amount:
    """How far to move: both are subtracted from dates and times, days are added to ages.

    Attributes:
        days: whole days, any sign.
        seconds: whole seconds, any sign.
    """

    days: int
    seconds: int


def shift(value: str, vr: str, amount: Amount) -> str:
    """Move one value.

    Args:
        value: one value, padding trimmed, not empty.
        vr: AS, DA, DT or TM.
        amount: how far.

    Returns:
        DA as YYYYMMDD, TM as HHMMSS.FFFFFF, DT with the precision and the offset it had, AS as nnnU.

    Raises:
        DateError: it is no value of this VR, or the result is not.
    """
    try:
        if vr == "DA":
            return _write_date(parse_date(value) - _DAY * amount.days)
        if vr == "TM":
            return (_parse_time(value) - timedelta(seconds=amount.seconds)).strftime("%H%M%S.%f")
        if vr == "DT":
            return _shift_datetime(value, timedelta(days=amount.days, seconds=amount.seconds))
    except (ValueError, OverflowError):
        raise DateError(f"not a {vr} value, or moved out of the calendar") from None
    return _shift_age(value, amount.days)


def truncate(value: str, vr: str, part: DatePart) -> str:
    """Set the day, or the month and the day, of a DA or DT value to 01.

    Raises:
        DateError: it is no value of this VR.
    """
    keep = 6 if part is DatePart.DAY else 4
    if vr == "DA":
        text = _write_date(parse_date(value))
        return text[:keep] + "0101"[keep - 4 :]
    match = _DT.fullmatch(value)
    if match is None:
        raise DateError("not a DT value")
    _datetime_of(match)
    digits = re.match(r"\d+", value)
    assert digits is not None
    head = digits.group()
    return (head[:keep] + "0101"[keep - 4 :] + head[8:])[: len(head)] + value[len(head) :]


def parse_date(value: str) -> date:
    """Read a DA value.

    Raises:
        DateError: it is none.
    """
    match = _DA.fullmatch(value)
    if match is None:
        raise DateError("not a DA value")
    year, *rest = (part for part in match.groups() if part is not None)
    try:
        return date(int(year), *map(int, rest))
    except ValueError:
        raise DateError("not a DA value") from None


def age_between(birth: date, then: date) -> str | None:
    """The age at a date: nnnY, below 2 years nnnM, below 3 months nnnD; None before birth or from 1000 years on."""
    months = (then.year - birth.year) * 12 + then.month - birth.month - (then.day < birth.day)
    if then < birth or months >= 12000:
        return None
    if months < 3:
        return f"{(then - birth).days:03d}D"
    return f"{months:03d}M" if months < 24 else f"{months // 12:03d}Y"


def _write_date(day: date) -> str:
    # strftime does not pad years on every platform.
    return f"{day.year:04d}{day.month:02d}{day.day:02d}"


def _parse_time(value: str) -> datetime:
    match = _TM.fullmatch(value)
    if match is None:
        raise DateError("not a TM value")
    hour, minute, second, fraction = (part or "0" for part in match.groups())
    # The day only gives room to wrap around midnight.
    return datetime(2000, 1, 1, int(hour), int(minute), int(second), int(fraction.ljust(6, "0")))


def _datetime_of(match: "re.Match[str]") -> datetime:
    year, month, day, hour, minute, second, fraction, _ = match.groups()
    try:
        return datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or "0").ljust(6, "0")),
        )
    except ValueError:
        raise DateError("not a DT value") from None


def _shift_datetime(value: str, by: timedelta) -> str:
    match = _DT.fullmatch(value)
    if match is None:
        raise DateError("not a DT value")
    moved = _datetime_of(match) - by
    digits = f"{_write_date(moved.date())}{moved:%H%M%S}{moved.microsecond:06d}"
    given = sum(len(part) for part in match.groups()[:6] if part)
    fraction = match.group(7)
    text = digits[:given] + (f".{digits[14 : 14 + len(fraction)]}" if fraction else "")
    return text + (match.group(8) or "")


def _shift_age(value: str, days: int) -> str:
    match = _AS.fullmatch(value)
    if match is None:
        raise DateError("not an AS value")
    number, unit = int(match.group(1)), match.group(2)
    # Division towards zero, so that a negative shift is the mirror of a positive one.
    steps = abs(days) // _DAYS_PER_UNIT[unit]
    moved = number + (steps if days >= 0 else -steps)
    if not 0 <= moved <= 999:
        raise DateError("an age left the range 0 to 999")
    return f"{moved:03d}{unit}"
