"""action.on.dates: elements of the VRs AS, DA, DT and TM are shifted or made coarser."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from karnak.dsl.elements.reader import ElementReader, Meaning
from karnak.dsl.nodes import Scalar
from karnak.dsl.selectors import read_tag
from karnak.ir.profile import DATE_VRS, DateEffect, DatePart, Shift, ShiftByTag, ShiftRange, TruncateDate
from karnak.ir.selector import Selector, TagPattern
from karnak.standard import dictionary

# Removing the day or the month means nothing for a time or an age.
_TRUNCATED_VRS = frozenset({"DA", "DT"})


def _shift(reader: ElementReader, arguments: Mapping[str, Scalar]) -> DateEffect | None:
    days, seconds = reader.integer(arguments, "days"), reader.integer(arguments, "seconds")
    if days is None or seconds is None:
        return None
    if days == seconds == 0:
        reader.findings.add("K408", "days and seconds are 0: every date stays as it is", reader.place)
    return Shift(days, seconds)


def _range(reader: ElementReader, arguments: Mapping[str, Scalar], unit: str) -> tuple[int, int] | None:
    low, high = reader.integer(arguments, f"min_{unit}", 0), reader.integer(arguments, f"max_{unit}")
    if low is None or high is None:
        return None
    # 0 to 0 is how people say that days move and seconds don't.
    if high < low or (high == low != 0):
        message = f"max_{unit} must be greater than min_{unit}, which is {low}"
        reader.findings.add("K406", message, arguments[f"max_{unit}"].inner)
        return None
    return low, high


def _shift_range(reader: ElementReader, arguments: Mapping[str, Scalar]) -> DateEffect | None:
    days, seconds = _range(reader, arguments, "days"), _range(reader, arguments, "seconds")
    if days is None or seconds is None:
        return None
    # The maximum is never reached: 0 to 1 holds nothing but 0.
    if all(low == 0 and high <= 1 for low, high in (days, seconds)):
        reader.findings.add("K407", "both ranges hold 0 only: every date stays as it is", reader.place)
        return None
    return ShiftRange(days[0], days[1], seconds[0], seconds[1])


def _shift_by_tag(reader: ElementReader, arguments: Mapping[str, Scalar]) -> DateEffect | None:
    if not arguments:
        reader.argument_missing("days_tag or seconds_tag", 'write arguments: { days_tag: "(gggg,eeee)" }')
        return None
    tags = {name: read_tag(text, reader.findings) for name, text in arguments.items()}
    if None in tags.values():
        return None
    return ShiftByTag(tags.get("days_tag"), tags.get("seconds_tag"))


def _date_format(reader: ElementReader, arguments: Mapping[str, Scalar]) -> DateEffect | None:
    text = arguments.get("remove")
    if text is None:
        reader.argument_missing("remove", "write arguments: { remove: day } or month_day")
        return None
    part = reader.choice(text, "remove", [str(part) for part in DatePart])
    return None if part is None else TruncateDate(DatePart(part))


class _Option(NamedTuple):
    """A way to change dates: the names of its arguments, and what reads them."""

    arguments: frozenset[str]
    read: Callable[[ElementReader, Mapping[str, Scalar]], DateEffect | None]


_OPTIONS: Mapping[str, _Option] = {
    "shift": _Option(frozenset({"days", "seconds"}), _shift),
    "shift_range": _Option(frozenset({"max_days", "max_seconds", "min_days", "min_seconds"}), _shift_range),
    "shift_by_tag": _Option(frozenset({"days_tag", "seconds_tag"}), _shift_by_tag),
    "date_format": _Option(frozenset({"remove"}), _date_format),
}


def dates(reader: ElementReader) -> Meaning | None:
    """The option names the change, its arguments the amount; without tags, all dates are meant."""
    effect, option = None, reader.shape.option
    if option is None:
        reader.missing("option", f"write option: {' | '.join(_OPTIONS)}")
    elif option.text not in _OPTIONS:
        message = f"{option.text[:40]} is no way to change dates"
        reader.findings.unknown("K404", message, option.inner, option.text, _OPTIONS)
    else:
        known = _OPTIONS[option.text]
        effect = known.read(reader, reader.arguments(known.arguments))
    selector = reader.selector(_TRUNCATED_VRS if isinstance(effect, TruncateDate) else DATE_VRS)
    _check_vrs(reader, selector)
    return None if effect is None else Meaning(effect, selector)


def _check_vrs(reader: ElementReader, selector: Selector) -> None:
    for text, term in reader.included:
        attribute = dictionary.by_tag(term.value) if isinstance(term, TagPattern) and term.exact else None
        if attribute is not None and not selector.vrs.intersection(attribute.vr):
            wanted = ", ".join(sorted(selector.vrs))
            message = f"{attribute.keyword} has the VR {' or '.join(attribute.vr)}; this element looks at {wanted}"
            reader.findings.add("K209", message, text.inner)
