"""The places in an instance that are worth a row: what its IOD has, what Table E.1-1 has, what rules name.

What is left over is summed up by patterns; each stands for the elements that no other row is about, and is known by
one of them as an example.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from karnak.ir.profile import AddElement, AddPrivateElement, BasicProfile, Rule
from karnak.ir.selector import (
    FULL_MASK,
    ElementKey,
    PrivateElement,
    TagPath,
    TagPattern,
    Term,
    is_private,
    is_private_creator,
)
from karnak.standard import dictionary, iods, safe_private
from karnak.standard.confidentiality import Option, Table

_PARITY = 1 << 16
# Lower groups are commands, file meta information and directories: no instance has them.
_FIRST_TAG = 0x00080000
_OVERLAYS = TagPattern(0x60000000, 0xFF010000)
_OTHERS = {TagPattern(0, _PARITY): "every other attribute", TagPattern(_PARITY, _PARITY): "every other private element"}
# PS3.3 C.17.3.1: content items hold content items; one level says what all of them are.
_CONTENT = 0x0040A730
# Odd, so that every bit of a number this wide takes all values as examples are counted.
_SPREAD = 0x9E3779B1
_MOST_EXAMPLES = 4096


@dataclass(frozen=True, slots=True)
class Place:
    """One element, or elements that a pattern stands for.

    Attributes:
        tag: as people write it; inside sequences, the way to it.
        name: of the attribute, or what the row stands for.
        path: keys from the root, those of an example where it stands for many.
        vrs: the attribute's value representations; empty where any is possible.
        order: what to sort by.
    """

    tag: str
    name: str
    path: tuple[ElementKey, ...]
    vrs: tuple[str, ...]
    order: tuple[object, ...]


def all_places(
    rules: Sequence[Rule], edition: Table, sop_class_uid: str, also: Iterable[int] = (), *, nested: bool = False
) -> list[Place]:
    """List the places of an instance.

    Args:
        rules: of the profile, whether or not their conditions hold.
        edition: an edition of Table E.1-1.
        sop_class_uid: SOP Class of the instance; for an unknown one there is no IOD.
        also: more tags at the root.
        nested: also all that the IOD has in items of sequences; else what rules name there.

    Returns:
        Places in the order of tags; what sums up the others stands last.
    """
    found = _Places(rules, edition, sop_class_uid, also)
    made = {place.path: place for place in found.all(nested=nested)}
    return sorted(made.values(), key=lambda place: place.order)


class _Places:
    """The terms that rows are made of."""

    def __init__(self, rules: Sequence[Rule], edition: Table, sop_class_uid: str, also: Iterable[int]) -> None:
        self.sop_class_uid = sop_class_uid
        rows = [row for row in edition.rows if row.tag >= _FIRST_TAG]
        self.names = {TagPattern(row.tag, row.mask): row.name for row in rows} | _OTHERS
        named = [term for rule in rules for term in (*rule.selector.include, *rule.selector.exclude)]
        self.paths = {term for term in named if isinstance(term, TagPath)}
        terms: set[Term] = {term for term in named if not isinstance(term, TagPath)}
        terms |= {TagPattern(tag) for tag in also} | {_OVERLAYS, *self.names}
        terms |= {
            TagPattern(rule.effect.tag) for rule in rules if isinstance(rule.effect, AddElement | AddPrivateElement)
        }
        terms |= {_listed(tag) for tag in iods.attributes(sop_class_uid) or ()}
        if any(
            isinstance(rule.effect, BasicProfile) and Option.RETAIN_SAFE_PRIVATE in rule.effect.options
            for rule in rules
        ):
            terms |= {PrivateElement(row.group, row.creator, row.element) for row in safe_private.rows()}
        self.terms = {part for term in terms for part in _halves(term)}
        self.tags = {term.value for term in self.terms if isinstance(term, TagPattern) and term.exact}
        self.patterns = [term for term in self.terms if isinstance(term, TagPattern) and not term.exact]

    def all(self, *, nested: bool) -> Iterator[Place]:
        for term in self.terms:
            yield from self.at((term,))
        if nested:
            for tag in iods.attributes(self.sop_class_uid) or ():
                yield from self.inside((_listed(tag),), (tag,))
        for path in self.paths:
            for steps in product(*(list(_halves(step)) for step in path.steps)):
                yield from self.at(steps)

    def inside(self, terms: tuple[Term, ...], tags: tuple[int, ...]) -> Iterator[Place]:
        """What the IOD has in the items of a sequence."""
        for tag in iods.attributes(self.sop_class_uid, tags) or ():
            way = (*terms, _listed(tag))
            yield from self.at(way)
            if not tag == tags[-1] == _CONTENT:
                yield from self.inside(way, (*tags, tag))

    def at(self, terms: tuple[Term, ...]) -> Iterator[Place]:
        """The place that terms lead to, unless nothing is left for it to stand for."""
        keys = [self.example(term) for term in terms]
        path = tuple(key for key in keys if key is not None)
        if len(path) == len(terms):
            last = terms[-1]
            attribute = dictionary.by_tag(path[-1].tag) if _is_exact(last) else None
            yield Place(
                "/".join(map(str, terms)),
                self.name(last, attribute),
                path,
                attribute.vr if attribute is not None else (),
                tuple(map(_order, terms)),
            )

    def name(self, term: Term, attribute: dictionary.Attribute | None) -> str:
        if attribute is not None:
            return attribute.name
        if isinstance(term, PrivateElement):
            row = safe_private.find(term.creator, term.group << 16 | 0x1000 | term.element) if term.exact else None
            return row.meaning if row is not None else f"private, of {term.creator}"
        known = self.names.get(term) or next((a.name for a in _repeating() if TagPattern(a.tag, a.mask) == term), "")
        if known or term.exact:
            return known or ("private" if is_private(term.value) else "")
        return "every other private element of these" if term.value & _PARITY else "every other of these"

    def example(self, term: Term) -> ElementKey | None:
        """An element that a term stands for and no other row is about."""
        if isinstance(term, PrivateElement):
            low = term.element
            if not term.exact:
                taken = {other.element for other in self.terms if isinstance(other, PrivateElement) and other.exact
                         and (other.group, other.creator) == (term.group, term.creator)}  # fmt: skip
                low = next((byte for byte in range(256) if byte not in taken), low)
            return ElementKey(term.group << 16 | 0x1000 | low, term.creator)
        if term.exact:
            return ElementKey(term.value)
        free = [bit for bit in range(32) if not term.mask >> bit & 1]
        for number in range(min(_MOST_EXAMPLES, 1 << len(free))):
            spread = number * _SPREAD
            tag = term.value | sum((spread >> place & 1) << bit for place, bit in enumerate(free))
            if self._is_left_over(tag, term):
                return ElementKey(tag)
        return None

    def _is_left_over(self, tag: int, term: TagPattern) -> bool:
        key = ElementKey(tag)
        element, group = tag & 0xFFFF, tag >> 16
        if element == 0 or tag < _FIRST_TAG or group == 0xFFFE or is_private_creator(tag) or tag in self.tags:
            return False
        if is_private(tag) and element < 0x1000:
            return False
        return not any(other.specificity > term.specificity and other.matches(key) for other in self.patterns)


def _repeating() -> Iterator[dictionary.Attribute]:
    return (attribute for attribute in dictionary.attributes() if attribute.mask != FULL_MASK)


def _listed(tag: int) -> TagPattern:
    """An attribute as an IOD lists it: one tag, or one of all overlays."""
    overlay = tag & 0xFFFF0000 == 0x60000000
    return TagPattern(tag, 0xFF01FFFF) if overlay else TagPattern(tag)


def _halves(term: Term) -> Iterator[Term]:
    """A pattern of public and private groups as two."""
    if isinstance(term, TagPattern) and not term.mask & _PARITY:
        yield TagPattern(term.value, term.mask | _PARITY)
        yield TagPattern(term.value | _PARITY, term.mask | _PARITY)
    else:
        yield term


def _is_exact(term: Term) -> bool:
    """Tell whether a term names one attribute, that of a repeating group included."""
    return isinstance(term, TagPattern) and (term.exact or term.mask == 0xFF01FFFF)


def _order(term: Term) -> tuple[int, int, str, int]:
    """A pattern stands behind all that it could stand for, the elements of a private creator together."""
    if isinstance(term, PrivateElement):
        return term.group << 16 | 0xFF00, 0, term.creator, term.element | ~term.mask & 0xFF
    return term.value | ~term.mask & FULL_MASK, -term.specificity, "", 0
