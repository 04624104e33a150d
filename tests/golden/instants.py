"""Dates and times as instants, so that two spellings of one moment are equal (PS3.5 section 6.2)."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone

from tests.golden.dataset_form import Element

DATE_VRS = frozenset({"DA", "DT", "TM"})
_DA = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
_TM = re.compile(r"(\d{2}):?(?:(\d{2}):?(?:(\d{2})(?:\.(\d{1,6}))?)?)?")
_DT = re.compile(r"(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:\.(\d{1,6}))?)?)?)?)?)?([+-]\d{4})?")

Instant = date | time | datetime


def offset_of(text: str) -> timezone | None:
    """Read an offset from UTC, "+hhmm" or "-hhmm"."""
    if not re.fullmatch(r"[+-]\d{4}", text):
        return None
    minutes = int(text[1:3]) * 60 + int(text[3:5])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def instant(vr: str, text: str, zone: timezone = UTC) -> Instant | None:
    """Read one value; missing parts of it are their smallest, a date and time without offset lies in `zone`."""
    try:
        if vr == "DA" and (match := _DA.fullmatch(text)):
            return date(*map(int, match.groups()))
        if vr == "TM" and (match := _TM.fullmatch(text)):
            hour, minute, second, fraction = match.groups()
            return time(int(hour), int(minute or 0), int(second or 0), _microseconds(fraction))
        if vr == "DT" and (match := _DT.fullmatch(text)):
            year, month, day, hour, minute, second, fraction, offset = match.groups()
            moment = datetime(
                int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0), int(second or 0),
                _microseconds(fraction), tzinfo=offset_of(offset or "") or zone,
            )  # fmt: skip
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return None


def _microseconds(fraction: str | None) -> int:
    return int((fraction or "0").ljust(6, "0"))


def instants(element: Element, zone: timezone = UTC) -> tuple[Instant | None, ...]:
    return tuple(instant(element.vr, str(value), zone) for value in element.values)


def same_instants(left: Element, right: Element, zone: timezone = UTC) -> bool:
    """Tell whether both hold the same moments in the same order; what can't be read is equal to nothing."""
    if left.vr != right.vr or left.vr not in DATE_VRS or len(left.values) != len(right.values):
        return False
    moments = instants(left, zone)
    return None not in moments and moments == instants(right, zone)


def offset_in(text: str) -> str:
    """The offset from UTC at the end of a DT, or ""."""
    match = re.search(r"[+-]\d{4}$", text)
    return match.group() if match else ""


def cut_to(text: str, model: str) -> str:
    """Cut a DT of full precision to the precision of `model`; offsets are left out."""
    head, _, fraction = text.removesuffix(offset_in(text)).partition(".")
    model_head, _, model_fraction = model.removesuffix(offset_in(model)).partition(".")
    return head[: len(model_head)] + (f".{fraction[: len(model_fraction)]}" if model_fraction else "")
