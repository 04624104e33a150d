"""From the shape of a profile to its meaning: the head, the rules in order, the masks.

Every element is checked, whatever is wrong with the others. A profile comes out only where
nothing but the limits of this build stands against it.
"""

import re
from collections.abc import Mapping

from karnak.dsl.check import Place, check_expression
from karnak.dsl.diagnostics import Label, Severity
from karnak.dsl.elements.reader import ElementReader, ElementType
from karnak.dsl.elements.registry import ELEMENT_TYPES
from karnak.dsl.findings import Findings
from karnak.dsl.masks import read_masks
from karnak.dsl.narrowing import NO_FACTS, known_when
from karnak.dsl.nodes import Scalar
from karnak.dsl.surface import ElementShape, ProfileShape
from karnak.ir.profile import CleanPixelData, Profile, Rule

# The profile language is Java Karnak's, up to this version of it.
LANGUAGE_VERSION = (2, 0, 0)
NOT_IN_THIS_BUILD = "K901"
# Reading expressions is the slowest thing there is to do with a profile.
MAX_EXPRESSION_CHARACTERS = 256 * 1024

_VERSION = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6}){1,3}")
# Key of the surface -> attribute of the shape.
_KEYS: Mapping[str, str] = {
    "action": "action",
    "option": "option",
    "args": "args",
    "tags": "tags",
    "excludedTags": "excluded_tags",
}


def _text(scalar: Scalar | None) -> str:
    return scalar.text if scalar is not None else ""


def _check_version(text: Scalar | None, findings: Findings) -> None:
    if text is None or not text.text:
        return
    if not _VERSION.fullmatch(text.text):
        findings.add(
            "K107", "this is no version of Karnak", text.inner, "two to four numbers with points, such as 0.9.2"
        )
        return
    needed = tuple(map(int, text.text.split(".")))
    if needed > LANGUAGE_VERSION + (0,) * (len(needed) - len(LANGUAGE_VERSION)):
        known = ".".join(map(str, LANGUAGE_VERSION))
        findings.add(
            "K108", f"the profile needs Karnak {text.text}; this program knows the language of {known}", text.inner
        )


def _check_unused(shape: ElementShape, element: ElementType, findings: Findings) -> None:
    for key, attribute in _KEYS.items():
        place = shape.place.key(key)
        if place is None or key in element.keys or getattr(shape, attribute) is None:
            continue
        hint = "the key is arguments" if key == "args" else "delete it"
        findings.add("K106", f"{key} has no effect in {element.codename}", place.span, hint)


def _read_rule(shape: ElementShape, findings: Findings, has_masks: bool) -> Rule | None:
    element = ELEMENT_TYPES.get(shape.codename.text)
    errors, guard = findings.error_count, None
    if shape.condition is not None:
        guard = check_expression(shape.condition, findings, Place.CONDITION)
    if element is None:
        message = f"there is no element type {shape.codename.text[:60]}"
        findings.unknown("K104", message, shape.codename.inner, shape.codename.text, ELEMENT_TYPES)
        return None
    _check_unused(shape, element, findings)
    facts = known_when(guard, True) if guard is not None else NO_FACTS
    reader = ElementReader(shape, findings, facts, has_masks)
    if "arguments" not in element.keys:
        reader.arguments(())
    meaning = element.build(reader)
    if meaning is None or findings.error_count > errors:
        return None
    if not element.runs:
        findings.add(
            NOT_IN_THIS_BUILD,
            f"this build can't run {element.codename} yet",
            shape.codename.inner,
            notes=("the element is checked and right; the profile is refused so that nothing leaves without it",),
        )
    return Rule(shape.name.text, element.codename, meaning.selector, meaning.effect, guard, shape.place.span)


def _fits(shape: ProfileShape, findings: Findings) -> bool:
    """Check that all expressions and templates together can be read in a short time."""
    characters = 0
    for element in shape.elements:
        texts = [element.condition, *element.arguments.values()]
        characters += sum(len(text.text) for text in texts if isinstance(text, Scalar))
        if characters > MAX_EXPRESSION_CHARACTERS:
            message = f"the conditions and arguments have more than {MAX_EXPRESSION_CHARACTERS} characters"
            findings.add("K304", message, element.codename.inner, "split the profile")
            return False
    return True


def _check_unique(shapes: list[ElementShape], findings: Findings) -> None:
    first: dict[str, ElementShape] = {}
    for shape in shapes:
        element = ELEMENT_TYPES.get(shape.codename.text)
        if element is None or not element.unique:
            continue
        if element.codename in first:
            labels = (Label(first[element.codename].codename.span, "the first one"),)
            message = f"a second {element.codename}"
            findings.add("K105", message, shape.codename.span, "a profile has at most one", labels=labels)
        first.setdefault(element.codename, shape)


def read_profile(shape: ProfileShape, findings: Findings) -> Profile | None:
    """Check a whole profile.

    Args:
        shape: its keys and texts.
        findings: where to note what is wrong.

    Returns:
        The meaning, or None where findings other than NOT_IN_THIS_BUILD are errors.
    """
    _check_version(shape.minimum_karnak_version, findings)
    elements = shape.place.get("profileElements")
    if not shape.elements and elements is not None and not getattr(elements, "items", True):
        findings.add("K109", "the profile has no elements", elements.span, "without any, nothing would be changed")
    _check_unique(shape.elements, findings)
    if not _fits(shape, findings):
        return None
    masks = read_masks(shape.masks, findings)
    rules = [_read_rule(element, findings, bool(shape.masks)) for element in shape.elements]
    whole = tuple(rule for rule in rules if rule is not None)
    key = shape.place.key("masks")
    if masks and key is not None and not any(isinstance(rule.effect, CleanPixelData) for rule in whole):
        codenames = [element.codename.text for element in shape.elements]
        if "clean.pixel.data" not in codenames:
            findings.add("K507", "no clean.pixel.data element uses these masks", key.span)
    if any(found.severity is Severity.ERROR and found.code != NOT_IN_THIS_BUILD for found in findings.all):
        return None
    return Profile(
        _text(shape.name),
        _text(shape.version),
        _text(shape.minimum_karnak_version),
        _text(shape.default_issuer),
        whole,
        masks,
    )
