"""Masks: the regions that clean.pixel.data fills, by station and image size."""

import re

from karnak.dsl.diagnostics import Label
from karnak.dsl.findings import Findings
from karnak.dsl.nodes import Scalar
from karnak.dsl.surface import MaskShape
from karnak.ir.profile import Mask
from karnak.ir.span import Span

_COLOR = re.compile(r"(?:[0-9A-Fa-f]{2})?[0-9A-Fa-f]{6}")
_RECTANGLE = re.compile(r"\s*(\d{1,9})\s+(\d{1,9})\s+(\d{1,9})\s+(\d{1,9})\s*", re.ASCII)
# Rows and Columns are of VR US.
_LARGEST_SIDE = 65535
_ANY_STATION = "*"

_Key = tuple[str | None, tuple[int, int] | None]


def _size(shape: MaskShape, findings: Findings) -> tuple[int, int] | None:
    """Columns and rows, both or none; what is wrong counts as none."""
    sides: list[int] = []
    given = [text for text in (shape.image_width, shape.image_height) if text is not None]
    for text in given:
        number = text.integer
        if number is None or not 1 <= number <= _LARGEST_SIDE:
            findings.add("K504", f"a side of an image is 1 to {_LARGEST_SIDE} pixels", text.inner)
        else:
            sides.append(number)
    if len(given) == 1:
        lacking = "imageHeight" if shape.image_height is None else "imageWidth"
        findings.add("K505", f"{lacking} is missing: a size needs both", given[0].span, f"write {lacking}:")
    return (sides[0], sides[1]) if len(sides) == 2 else None


def _color(text: Scalar | None, findings: Findings) -> tuple[int, int, int]:
    if text is None:
        return 0, 0, 0
    if not _COLOR.fullmatch(text.text):
        findings.add("K503", "this is no color", text.inner, "six hexadecimal digits RRGGBB, or eight AARRGGBB")
        return 0, 0, 0
    red, green, blue = bytes.fromhex(text.text[-6:])
    return red, green, blue


def _rectangles(shape: MaskShape, findings: Findings) -> tuple[tuple[int, int, int, int], ...]:
    found = []
    for text in shape.rectangles:
        match = _RECTANGLE.fullmatch(text.text)
        x, y, width, height = (int(number) for number in match.groups()) if match else (0, 0, 0, 0)
        if not width or not height:
            findings.add("K502", "this is no rectangle", text.inner, 'write "x y width height", in pixels')
        else:
            found.append((x, y, width, height))
    key = shape.place.key("rectangles")
    if key is not None and not shape.rectangles and shape.place.get("rectangles") is not None:
        findings.add("K502", "there are no rectangles", key.span, 'write ["x y width height"]')
    return tuple(found)


def read_masks(shapes: list[MaskShape], findings: Findings) -> tuple[Mask, ...]:
    """Read all masks of a profile.

    Args:
        shapes: the entries of `masks`.
        findings: where to note what is wrong.
    """
    masks: list[Mask] = []
    places: dict[_Key, Span] = {}
    for shape in shapes:
        station = shape.station_name.text if shape.station_name is not None else _ANY_STATION
        name = None if station.strip() in (_ANY_STATION, "") else station.strip()
        size = _size(shape, findings)
        place = shape.station_name.inner if shape.station_name is not None else shape.place.entries[0][0].span
        if (name, size) in places:
            labels = (Label(places[name, size], "the first one"),)
            findings.add("K506", "a second mask for this station and size", place, labels=labels)
        places.setdefault((name, size), place)
        masks.append(Mask(name, size, _rectangles(shape, findings), _color(shape.color, findings)))
    return tuple(masks)
