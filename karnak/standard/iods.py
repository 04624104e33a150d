"""IODs: which attributes an instance of a SOP Class may have, where, and of which Type.

A look-up reads the rows of the modules on its way and nothing else. What is not known is None,
and a caller that has to decide then takes the strictest.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache, lru_cache
from typing import NamedTuple

from karnak.standard import sheet

_MANDATORY = "M"
# PS3.3 C.17.3.1: its items hold the same sequence again, to any depth; the tables list one level.
_CONTENT = 0x0040A730


class AttributeType(StrEnum):
    """How strongly an IOD asks for an attribute, strictest first; defined in PS3.5 section 7.4."""

    REQUIRED = "1"
    REQUIRED_IF = "1C"
    EMPTY_ALLOWED = "2"
    EMPTY_ALLOWED_IF = "2C"
    OPTIONAL = "3"


class _Module(NamedTuple):
    usage: str
    tree: int


# What a tree says of a tag: its Type as written, and the tree of what is inside, if it is a sequence.
_Tree = Mapping[int, tuple[str, int | None]]


@cache
def _values(name: str) -> Mapping[str, str]:
    """A sheet of two columns or more: the first one, and the rest of the row."""
    cells = (row.partition("\t") for row in sheet.read(name).rows)
    return {key: rest for key, _, rest in cells}


def _modules(sop_class_uid: str | None) -> tuple[_Module, ...] | None:
    # Not cached by UID: instances may name any number of SOP Classes, IODs are a few.
    iod = _values("sop_classes").get(sop_class_uid or "")
    return None if iod is None else _modules_of(iod)


@cache
def _modules_of(iod: str) -> tuple[_Module, ...]:
    trees = _values("modules")
    usages = (cell.partition(" ") for cell in _values("iods")[iod].split("\t"))
    return tuple(_Module(usage, int(trees[module])) for usage, _, module in usages)


@cache
def _tree(number: int) -> _Tree:
    found = {}
    for cell in filter(None, sheet.read("trees").rows[number].split("\t")):
        tag, kind, *child = cell.split(" ")
        found[int(tag, 16)] = (kind, int(child[0]) if child else None)
    return found


def _as_listed(tag: int) -> int:
    """The tag under which an IOD lists it: 60XX for all overlays."""
    return tag & 0xFF00FFFF if tag & 0xFF010000 == 0x60000000 else tag


def _descend(tree: int, path: tuple[int, ...]) -> str | None:
    here: int | None = tree
    kind = None
    for tag in path:
        if here is None:
            return None
        kind, here = _tree(here).get(tag, (None, None))
        if kind is None:
            return None
    return kind


def _without_recursion(path: tuple[int, ...]) -> tuple[int, ...]:
    """Fold content items inside content items into one level: that is where the IOD lists their attributes."""
    return tuple(tag for tag, before in zip(path, (None, *path), strict=False) if tag != before or tag != _CONTENT)


@lru_cache(maxsize=65536)
def attribute_type(sop_class_uid: str | None, path: tuple[int, ...]) -> AttributeType | None:
    """Find the Type of an attribute in the IOD of a SOP Class.

    If a module of usage M has the attribute, only such modules count, else those of usage C and U. Of
    several Types the strictest holds.

    Args:
        sop_class_uid: SOP Class UID of the instance, or None.
        path: tags from the root: of the sequences around the attribute, then its own.

    Returns:
        The Type; None for a SOP Class, or an attribute at that place, that the tables don't have.

    Source: PS3.3 Annexes A and C; what counts before what is from the language page, section 5.
    """
    modules = _modules(sop_class_uid)
    if not modules or not path:
        return None
    place = _without_recursion(tuple(map(_as_listed, path)))
    kinds: dict[bool, set[str]] = {True: set(), False: set()}
    for module in modules:
        kind = _descend(module.tree, place)
        if kind is not None:
            kinds[module.usage == _MANDATORY].add(kind)
    return next((kind for kind in AttributeType if kind in (kinds[True] or kinds[False])), None)


def place(sop_class_uid: str | None, path: tuple[int, ...]) -> tuple[int | None, ...]:
    """Name the place inside a sequence: two places with one name have the same attributes of the same Types.

    Args:
        sop_class_uid: SOP Class UID of the instance, or None.
        path: tags of the sequences from the root; empty for the root.

    Returns:
        Something to compare and to look up; no name for a SOP Class, or a place, that the tables don't have.
    """
    inside = _without_recursion(tuple(map(_as_listed, path)))
    found: list[int | None] = []
    for module in _modules(sop_class_uid) or ():
        here: int | None = module.tree
        for tag in inside:
            here = None if here is None else _tree(here).get(tag, (None, None))[1]
        found.append(here)
    if all(here is None for here in found):
        return ()
    # A content item in a content item is at the place of the first (PS3.3 C.17.3.1).
    return (*found, int(path[-1:] == (_CONTENT,)))


def has_iod(sop_class_uid: str) -> bool:
    """Tell whether the tables have the IOD of a SOP Class."""
    return sop_class_uid in _values("sop_classes")


def attributes(sop_class_uid: str | None, path: tuple[int, ...] = ()) -> frozenset[int] | None:
    """List the attributes that the IOD of a SOP Class has at one place, in any module.

    Args:
        sop_class_uid: SOP Class UID of the instance, or None.
        path: tags of the sequences from the root; empty for the root.

    Returns:
        32-bit tags, those of repeating groups with XX as 00; None for a SOP Class that the tables don't have.

    Source: PS3.3 Annexes A and C.
    """
    modules = _modules(sop_class_uid)
    if modules is None:
        return None
    inside = _without_recursion(tuple(map(_as_listed, path)))
    found: set[int] = set()
    for module in modules:
        here: int | None = module.tree
        for tag in inside:
            here = None if here is None else _tree(here).get(tag, (None, None))[1]
        found |= set() if here is None else _tree(here).keys()
    return frozenset(found)


def has_attribute(sop_class_uid: str | None, tag: int) -> bool | None:
    """Tell whether the IOD of a SOP Class has an attribute at its root, in any module.

    Args:
        sop_class_uid: SOP Class UID of the instance, or None.
        tag: 32-bit tag, 0xGGGGEEEE.

    Returns:
        None for a SOP Class that the tables don't have.

    Source: PS3.3 Annexes A and C.
    """
    modules = _modules(sop_class_uid)
    if modules is None:
        return None
    listed = _as_listed(tag)
    return any(listed in _tree(module.tree) for module in modules)


def notes() -> tuple[str, ...]:
    """What a reader has to know about these tables: their source and their known gaps."""
    head = sheet.read("iods").head
    return (*head["source"], *head["note"])
