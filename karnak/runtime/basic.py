"""The basic profile: what Table E.1-1 and the declared options ask for one element.

Combined actions are settled by the attribute's Type in the instance's IOD; what is not
known is settled as strictly as the table allows. Source: PS3.15 annex E; the language page, section 5.
"""

from karnak.ir.profile import Action
from karnak.ir.selector import ElementPath, is_private
from karnak.standard.confidentiality import Option, Table
from karnak.standard.iods import AttributeType, attribute_type
from karnak.standard.safe_private import is_safe

# For each combined action: what Type 1/1C, Type 2/2C, Type 3 and an unknown Type make of it.
_SETTLED = {
    "Z/D": "DZZD",
    "X/D": "DDXD",
    "X/Z": "DZXZ",
    "X/Z/D": "DZXD",
    "X/Z/U": "UZXU",
    # PS3.15 table E.1-1a: the UIDs are kept, as new ones, where conformance needs the references.
    "X/Z/U*": "UUXU",
}
_COLUMN = {
    AttributeType.REQUIRED: 0,
    AttributeType.REQUIRED_IF: 0,
    AttributeType.EMPTY_ALLOWED: 1,
    AttributeType.EMPTY_ALLOWED_IF: 1,
    AttributeType.OPTIONAL: 2,
    None: 3,
}
_OVERLAY_GROUPS = 0x6000
_OVERLAY_DATA = 0x3000
_TEMPORAL_VRS = frozenset({"DA", "DT", "TM"})


class Shifted:
    """The answer "clean by moving the date", which Retain Modified Dates gives for temporal VRs."""


SHIFTED = Shifted()


def basic_action(
    table: Table, options: frozenset[Option], sop_class_uid: str | None, path: ElementPath, vr: str
) -> Action | Shifted | None:
    """What the basic profile does to an element, or None where it has no row for it.

    Args:
        table: an edition of Table E.1-1.
        options: the options that the profile declares.
        sop_class_uid: SOP Class of the instance, or None.
        path: keys from the root to the element.
        vr: the element's value representation.
    """
    key = path[-1]
    row = table.row(key.tag)
    if row is None and not is_private(key.tag) and key.tag >> 16 & 0xFF00 == _OVERLAY_GROUPS:
        # Without its data an overlay plane is no overlay plane (PS3.3 C.9.2): what is left of it goes too.
        row = table.row(key.tag & 0xFFFF0000 | _OVERLAY_DATA)
    if row is None:
        return _private_action(options, path) if is_private(key.tag) else None
    wanted = {row.options[option] for option in options if option in row.options}
    if "C" in wanted and vr in _TEMPORAL_VRS and Option.RETAIN_MODIFIED_DATES in options:
        # Also where another option would keep it: whoever asks for modified dates gets no real one.
        return SHIFTED
    if "K" in wanted:
        return Action.KEEP
    # What would have to be cleaned and cannot be is treated as without the option: removal is clean.
    return settle(row.basic, sop_class_uid, path)


def settle(code: str, sop_class_uid: str | None, path: ElementPath) -> Action:
    """Turn a code of the table into one action.

    Args:
        code: an action of Table E.1-1, single or combined.
        sop_class_uid: SOP Class of the instance, or None.
        path: keys from the root to the element.
    """
    answers = _SETTLED.get(code)
    if answers is None:
        return Action(code)
    return Action(answers[_COLUMN[attribute_type(sop_class_uid, tuple(key.tag for key in path))]])


def _private_action(options: frozenset[Option], path: ElementPath) -> Action:
    key = path[-1]
    safe = Option.RETAIN_SAFE_PRIVATE in options and key.creator is not None and is_safe(key.creator, key.tag)
    return Action.KEEP if safe else Action.REMOVE
