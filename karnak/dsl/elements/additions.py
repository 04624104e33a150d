"""action.add.tag and action.add.private.tag: an element that may be missing is added at the root."""

import re
from collections.abc import Mapping

from karnak.dsl.elements.reader import ElementReader, Meaning
from karnak.dsl.nodes import Scalar
from karnak.dsl.selectors import read_tag
from karnak.dsl.values import explain_multiplicity, explain_value
from karnak.ir.profile import AddElement, AddPrivateElement
from karnak.ir.selector import format_tag, is_private
from karnak.standard import dictionary

_CREATOR = re.compile(r"[^\\\x00-\x1f\x7f]{1,64}")


def _tag(reader: ElementReader) -> tuple[int, Scalar] | None:
    """The one tag that is added, and its text."""
    tags = reader.shape.tags or []
    if not tags:
        reader.missing("tags", "write tags: and the one tag to add")
        return None
    for text in tags[1:]:
        reader.findings.add("K410", "a second tag: this element adds one", text.inner, "write another element for it")
    tag = read_tag(tags[0], reader.findings, warn=False)
    return None if tag is None or len(tags) > 1 else (tag, tags[0])


def _value(reader: ElementReader, arguments: Mapping[str, Scalar]) -> Scalar | None:
    value = arguments.get("value")
    if value is None:
        reader.argument_missing("value")
    return value


def _check_value(reader: ElementReader, vr: str, value: Scalar, vm: str | None) -> bool:
    wrong = explain_value(vr, value.text)
    if wrong is None and vm is not None:
        wrong = explain_multiplicity(vr, value.text, vm)
    if wrong is not None:
        reader.findings.add("K413", f"the value can't be one of VR {vr}: {wrong}", value.inner)
    return wrong is None


def add_tag(reader: ElementReader) -> Meaning | None:
    """A standard attribute; its VR comes from the dictionary."""
    arguments = reader.arguments({"value", "vr"})
    found, value = _tag(reader), _value(reader, arguments)
    if found is None:
        return None
    tag, text = found
    attribute = dictionary.by_tag(tag)
    if attribute is None or is_private(tag):
        hint = "action.add.private.tag adds private elements" if is_private(tag) else "check the digits"
        reader.findings.add("K420", f"the dictionary has no attribute {format_tag(tag)}", text.inner, hint)
        return None
    if len(attribute.vr) != 1:
        message = f"{attribute.keyword} can have the VRs {' or '.join(attribute.vr)}, so it can't be added"
        reader.findings.add("K411", message, text.inner)
        return None
    vr = attribute.vr[0]
    given = arguments.get("vr")
    if given is not None and given.text != vr:
        message = f"{attribute.keyword} has the VR {vr}; this argument is not read"
        reader.findings.add("K414", message, given.inner, f"write {vr}, or leave it out")
    if value is None or not _check_value(reader, vr, value, attribute.vm):
        return None
    return Meaning(AddElement(tag, vr, value.text))


def add_private_tag(reader: ElementReader) -> Meaning | None:
    """A private element, in the block of its creator."""
    arguments = reader.arguments({"value", "vr", "privateCreator"})
    found, value = _tag(reader), _value(reader, arguments)
    fine = value is not None
    vr = arguments.get("vr")
    if vr is None:
        reader.argument_missing("vr")
    elif vr.text not in dictionary.VRS:
        reader.findings.unknown("K412", f"there is no VR {vr.text[:40]}", vr.inner, vr.text, dictionary.VRS)
        vr = None
    elif value is not None:
        fine = _check_value(reader, vr.text, value, None)
    creator = arguments.get("privateCreator")
    if creator is not None and not _CREATOR.fullmatch(creator.text.strip(" ")):
        reader.findings.add(
            "K419", "this can't be a private creator", creator.inner, "1 to 64 characters, no backslash"
        )
        fine = False
    if found is None:
        return None
    tag, text = found
    # Source: PS3.5 7.8.1; groups up to 0007 and FFFF are no private groups.
    if not is_private(tag) or tag >> 16 < 0x0009 or tag >> 16 == 0xFFFF or tag & 0xFFFF < 0x1000:
        message = f"{format_tag(tag)} is not the number of a private element"
        reader.findings.add("K421", message, text.inner, "the group is odd, the element 1000 or above")
        return None
    if not fine or vr is None or value is None:
        return None
    return Meaning(AddPrivateElement(tag, vr.text, value.text, creator.text.strip(" ") if creator else None))
