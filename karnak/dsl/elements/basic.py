"""basic.dicom.profile: PS3.15 Table E.1-1, with the options that the author declares."""

import re
from collections.abc import Iterator

from karnak.dsl.diagnostics import Label
from karnak.dsl.elements.reader import ElementReader, Meaning
from karnak.dsl.nodes import Part, PlacedText, Scalar
from karnak.ir.profile import BasicProfile
from karnak.ir.selector import EVERY_TAG, Selector
from karnak.standard.confidentiality import Option

_ITEM = re.compile(r"[^,\s](?:[^,]*[^,\s])?")
# Source: PS3.15 E.3.6, which has two exclusive forms.
_EXCLUSIVE = (Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES)


def _items(value: Scalar | list[Scalar]) -> Iterator[PlacedText]:
    """The options, of a list or of a text with commas."""
    if isinstance(value, list):
        yield from value
        return
    for match in _ITEM.finditer(value.text):
        yield Part(value, match.start(), match.end())


def _options(reader: ElementReader, value: Scalar | list[Scalar]) -> dict[Option, PlacedText]:
    found: dict[Option, PlacedText] = {}
    known = [str(option) for option in Option]
    for item in _items(value):
        if item.text not in known:
            message = f"the basic profile has no option {item.text[:40]}"
            reader.findings.unknown("K601", message, item.inner, item.text, known)
            continue
        option = Option(item.text)
        if option in found:
            labels = (Label(found[option].inner, "the first one"),)
            reader.findings.add("K603", f"{option} stands twice", item.inner, labels=labels)
        found.setdefault(option, item)
    return found


def basic(reader: ElementReader) -> Meaning | None:
    """The whole table; each option has its column."""
    value = reader.shape.arguments.get("options")
    names = {name for name in reader.shape.arguments if name != "options"}
    if names:
        reader.arguments({"options"})
    found = _options(reader, value) if value is not None else {}
    if all(option in found for option in _EXCLUSIVE):
        full, modified = (found[option].inner for option in _EXCLUSIVE)
        message = "full dates and modified dates can't be kept at the same time"
        reader.findings.add("K602", message, max(full, modified), labels=(Label(min(full, modified), "the other one"),))
        return None
    return Meaning(BasicProfile(frozenset(found)), Selector((EVERY_TAG,)))
