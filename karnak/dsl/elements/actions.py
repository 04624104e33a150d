"""action.on.specific.tags, action.on.privatetags and replace.uid: one action on what is selected."""

from karnak.dsl.elements.reader import ElementReader, Meaning
from karnak.ir.profile import Action, Apply
from karnak.ir.selector import TagPattern
from karnak.standard import dictionary

_UID_ACTIONS = ("U", "X", "Z")
_ODD_GROUP = 0x00010000


def specific_tags(reader: ElementReader) -> Meaning | None:
    """An action on the selected elements."""
    action, selector = reader.action(), reader.selector(needed=True)
    return None if action is None else Meaning(Apply(action), selector)


def private_tags(reader: ElementReader) -> Meaning | None:
    """An action on the selected private elements; without tags, on all of them."""
    action, selector = reader.action(), reader.selector(private_only=True)
    for text, term in reader.included:
        if isinstance(term, TagPattern) and term.mask & _ODD_GROUP and not term.value & _ODD_GROUP:
            reader.findings.add("K208", f"{term} is in an even group, and so never private", text.inner)
    return None if action is None else Meaning(Apply(action), selector)


def replace_uid(reader: ElementReader) -> Meaning | None:
    """A new UID for the selected elements."""
    action, selector = reader.action(_UID_ACTIONS, Action.UID), reader.selector(needed=True)
    for text, term in reader.included:
        if action is Action.UID and isinstance(term, TagPattern) and term.exact:
            attribute = dictionary.by_tag(term.value)
            if attribute is not None and "UI" not in attribute.vr:
                message = f"{attribute.keyword} has the VR {' or '.join(attribute.vr)}, not UI"
                reader.findings.add("K210", message, text.inner)
    return None if action is None else Meaning(Apply(action), selector)
