"""Differences between what the reference engine answered and what we wrote, element by element.

Every difference carries the element of the source instance too, so that the leak law can ask what was kept.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, timezone
from enum import StrEnum

from tests.golden.dataset_form import Element, Elements, Form
from tests.golden.date_rules import DateRule
from tests.golden.instants import DATE_VRS, instant, offset_of, same_instants

IMPLICIT = "1.2.840.10008.1.2"
CLOCK = ("00080012", "00080013")  # InstanceCreationDate and Time hold the moment of the run
TIMEZONE_OFFSET = "00080201"

CODE_TAGS = frozenset({
    "00080100", "00080102", "00080103", "00080104", "00080105", "00080106", "00080107", "0008010B", "0008010C",
    "0008010D", "0008010F", "00080117", "00080118", "00080119", "00080120",
})  # fmt: skip
"""Attributes of the Code Sequence Macro, PS3.3 section 8.8."""
REGISTERED = "1.2.840.10008."
DERIVED = "2.25."
DUMMIES = frozenset({"UNKNOWN", "0", 0})
ENUMERATED_DUMMIES = {"0040A130": "POINT"}
"""Dummies of attributes that have enumerated values (PS3.3 C.10.10)."""
CONTENT_SEQUENCE = "0040A730"
DUMMY_CONTENT: tuple[Elements, ...] = (
    {
        "0040A010": Element("CS", ("CONTAINS",)),
        "0040A040": Element("CS", ("TEXT",)),
        "0040A043": Element(
            "SQ",
            items=(
                {
                    "00080100": Element("SH", ("121106",)),
                    "00080102": Element("SH", ("DCM",)),
                    "00080104": Element("LO", ("Comment",)),
                },
            ),
        ),
        "0040A160": Element("UT", ("UNKNOWN",)),
    },
)
"""What stands for the content of a document: one comment that says nothing."""


class Kind(StrEnum):
    """In what way two elements differ."""

    MISSING = "missing"
    EXTRA = "extra"
    VALUE = "value"
    VR = "vr"
    ITEMS = "items"


@dataclass(frozen=True, slots=True)
class Scene:
    """What surrounds a difference.

    Attributes:
        zone: offset that the source instance gives to its dates and times, UTC where it gives none.
        implicit: our output's encoding names no value representations.
        reference: the reference engine's whole dataset.
        ours: our whole dataset.
        source: the source's whole dataset.
    """

    zone: timezone
    implicit: bool
    reference: Elements
    ours: Elements
    source: Elements


@dataclass(frozen=True, slots=True)
class Difference:
    """One element that is not the same on both sides.

    Attributes:
        path: tags from the root, with the index of the item after each sequence.
        kind: in what way.
        reference: the reference engine's element, or None.
        ours: our element, or None.
        source: the source instance's element at the same place, or None.
        scene: what surrounds it.
        rule: the date rule that decided here, worked out for the instance, or None.
    """

    path: tuple[str | int, ...]
    kind: Kind
    reference: Element | None
    ours: Element | None
    source: Element | None
    scene: Scene
    rule: DateRule | None = None

    @property
    def tags(self) -> tuple[str, ...]:
        """The path without the indices of items."""
        return tuple(step for step in self.path if isinstance(step, str))

    @property
    def tag(self) -> str:
        return self.tags[-1]

    @property
    def nested(self) -> bool:
        return len(self.tags) > 1

    @property
    def in_dummy_content(self) -> bool:
        """Tell whether the place lies in, or is, a part of a document's content of which we left the dummy alone."""
        dataset: Elements = self.scene.ours
        element: Element | None = None
        for step in self.path:
            if isinstance(step, int):
                dataset = _nested(element, step)
            else:
                element = dataset.get(step)
                if step == CONTENT_SEQUENCE and element is not None and element.items == DUMMY_CONTENT:
                    return True
        return False

    @property
    def vr(self) -> str:
        """The value representation that the source had, or the one that is left."""
        return next(e.vr for e in (self.source, self.ours, self.reference) if e is not None)

    def __str__(self) -> str:
        place = "/".join(str(step) for step in self.path)
        return (
            f"{place} {self.vr} {self.kind}: reference {show(self.reference)}, "
            f"ours {show(self.ours)}, source {show(self.source)}"
        )


def show(element: Element | None) -> str:
    """Write an element for a message; the inputs hold no real person."""
    if element is None:
        return "-"
    if element.empty:
        return f"{element.vr} empty"
    if element.items:
        return f"SQ of {len(element.items)}"
    if element.blob:
        return f"{element.vr} of {sum(element.blob.lengths)} bytes {element.raw[:24]!r}"
    return f"{element.vr} {'|'.join(str(value) for value in element.values)[:90]!r}"


def compare(reference: Form, ours: Form, source: Form, *, clock: bool) -> Iterator[Difference]:
    """Yield every difference, in ascending tag order.

    Args:
        reference: the reference engine's answer.
        ours: our output.
        source: the instance that both were given.
        clock: both sides set the creation date and time from their clocks; their values don't count.
    """
    offset = source.elements.get(TIMEZONE_OFFSET)
    zone = (offset_of(str(offset.values[0])) if offset and offset.values else None) or UTC
    scene = Scene(zone, ours.transfer_syntax == IMPLICIT, reference.elements, ours.elements, source.elements)
    ignored = CLOCK if clock else ()
    for difference in _datasets(reference.elements, ours.elements, source.elements, (), scene):
        if difference.path[0] not in ignored or difference.kind is not Kind.VALUE:
            yield difference


_NOTHING: Mapping[str, Element] = {}


def _datasets(
    reference: Elements, ours: Elements, source: Elements, path: tuple[str | int, ...], scene: Scene
) -> Iterator[Difference]:
    for tag in sorted({*reference, *ours}):
        yield from _element(reference.get(tag), ours.get(tag), source.get(tag), (*path, tag), scene)


def _element(
    reference: Element | None, ours: Element | None, source: Element | None, path: tuple[str | int, ...], scene: Scene
) -> Iterator[Difference]:
    if ours is None:
        yield Difference(path, Kind.MISSING, reference, ours, source, scene)
        return
    if reference is None:
        yield Difference(path, Kind.EXTRA, reference, ours, source, scene)
    elif reference.vr != ours.vr and not (scene.implicit and _same_bytes(reference, ours)):
        kind = Kind.VR if _same_bytes(reference, ours) else Kind.VALUE
        yield Difference(path, kind, reference, ours, source, scene)
    elif len(reference.items) != len(ours.items):
        yield Difference(path, Kind.ITEMS, reference, ours, source, scene)
    elif reference.vr == ours.vr and reference != ours and not ours.items and not same_instants(reference, ours):
        yield Difference(path, Kind.VALUE, reference, ours, source, scene)
    # Items that only we have are walked too: what they hold may have been kept.
    for index, item in enumerate(ours.items):
        other = _item(reference, index)
        if other is None:
            for tag in sorted(item):
                yield from _element(None, item[tag], _nested(source, index).get(tag), (*path, index, tag), scene)
        else:
            yield from _datasets(other, item, _nested(source, index), (*path, index), scene)


def _item(element: Element | None, index: int) -> Elements | None:
    return element.items[index] if element is not None and index < len(element.items) else None


def _nested(element: Element | None, index: int) -> Elements:
    return _item(element, index) or _NOTHING


def _same_bytes(reference: Element, ours: Element) -> bool:
    """Tell whether the content is one, whatever it is called."""
    if reference.empty or ours.empty:
        return reference.empty and ours.empty
    if reference.values and reference.values == ours.values:
        return True
    data = reference.blob.data if reference.blob else "\\".join(map(str, reference.values)).encode("ascii", "replace")
    return bool(data) and data.rstrip(b" \0") == ours.raw.rstrip(b" \0")


def kept(difference: Difference) -> frozenset[object]:
    """Name what we kept of the source although the reference engine removed, emptied or changed it.

    This is the law that no entry can excuse. Excepted are what the reference engine turns into hashes although it
    names nobody (the attributes of codes inside sequence items, registered UIDs); a private creator whose block
    both sides keep; dummies, which say nothing about the source; and inside items, where the reference engine puts
    the root's date, what a date rule makes of itself (the first of a month without its day).
    """
    ours, source = difference.ours, difference.source
    if ours is None or source is None or difference.kind is Kind.VR or difference.in_dummy_content:
        return frozenset()
    if _creator_of_kept_block(difference):
        return frozenset()
    hashed = difference.reference is not None and is_hash(difference.reference)
    if hashed and difference.nested and difference.tag in CODE_TAGS:
        return frozenset()
    survivors = _content(ours, difference.scene.zone) & _content(source, difference.scene.zone)
    survivors -= {*DUMMIES, ENUMERATED_DUMMIES.get(difference.tag)}
    if difference.reference is not None:
        survivors -= _content(difference.reference, difference.scene.zone)
    if hashed:
        survivors = {value for value in survivors if not (isinstance(value, str) and value.startswith(REGISTERED))}
    if difference.nested and difference.rule is not None and _fixed(difference.rule, ours, source):
        return frozenset()
    return frozenset(survivors)


def _fixed(rule: DateRule, ours: Element, source: Element) -> bool:
    """Tell whether what survives is what the rule makes of it, value by value."""
    made = tuple(rule.applied(source.vr, str(value)) for value in source.values)
    return bool(made) and made == ours.values


def is_hash(element: Element) -> bool:
    """Tell whether an element holds UIDs that were derived from a secret."""
    return bool(element.values) and all(str(value).startswith(DERIVED) for value in element.values)


def _content(element: Element, zone: timezone) -> set[object]:
    """The values of an element as a set, dates and times as the moments they name; raw bytes where VRs may differ."""
    found: set[object] = set()
    for value in element.values:
        moment = instant(element.vr, str(value), zone) if element.vr in DATE_VRS else None
        found.add(moment or value)
    found.discard("")
    if element.blob is not None and not element.blob.zero:
        found.add(element.blob.sha256)
        if element.blob.data:
            found.update(part.strip() for part in element.blob.data.decode("iso8859").strip(" \0").split("\\"))
    return found


def _creator_of_kept_block(difference: Difference) -> bool:
    """Tell whether the element is a private creator and some element of its block is kept by both sides."""
    group, number = difference.tag[:4], difference.tag[4:]
    if int(group, 16) % 2 == 0 or not 0x10 <= int(number, 16) <= 0xFF:
        return False
    block = group + number[2:]
    reference: Elements | None = difference.scene.reference
    ours: Elements | None = difference.scene.ours
    for step, index in zip(difference.path[:-1:2], difference.path[1::2], strict=True):
        reference = _item(reference.get(str(step)), int(index)) if reference is not None else None
        ours = _item(ours.get(str(step)), int(index)) if ours is not None else None
    return bool({tag for tag in (reference or {}) if tag.startswith(block)} & set(ours or {}))
