"""Sets of tags with the algebra of sets: which data elements a rule speaks of.

A term names tags at any depth (a pattern, a private element by its creator) or, as a
path, at one place below the root. A selector is what some terms include minus what
other terms exclude; where both match, the more specific term decides and a tie excludes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

FULL_MASK = 0xFFFFFFFF


def is_private(tag: int) -> bool:
    """Tell whether a tag belongs to a private (odd) group.

    Args:
        tag: 32-bit tag, 0xGGGGEEEE.

    Source: PS3.5 section 7.8.
    """
    return bool(tag >> 16 & 1)


def is_private_creator(tag: int) -> bool:
    """Tell whether a tag is a private creator, (gggg,0010) to (gggg,00FF) with gggg odd.

    Args:
        tag: 32-bit tag, 0xGGGGEEEE.

    Source: PS3.5 section 7.8.1.
    """
    return is_private(tag) and 0x10 <= tag & 0xFFFF <= 0xFF


def format_tag(tag: int) -> str:
    """Write a tag as people do: (gggg,eeee) in upper-case hexadecimal digits."""
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"


@dataclass(frozen=True, slots=True)
class ElementKey:
    """What identifies a data element inside one dataset.

    Attributes:
        tag: 32-bit tag, 0xGGGGEEEE.
        creator: value of the private creator that reserves its block, or None.
    """

    tag: int
    creator: str | None = None


# The way from the root to an element: the keys of the sequences around it, then its own.
ElementPath = Sequence[ElementKey]


@dataclass(frozen=True, slots=True)
class TagPattern:
    """All tags t with t & mask == value; a full mask is one exact tag.

    Attributes:
        value: the fixed bits of the tag, 32 bits.
        mask: which bits are fixed, 32 bits.
    """

    value: int
    mask: int = FULL_MASK

    @property
    def exact(self) -> bool:
        return self.mask == FULL_MASK

    @property
    def specificity(self) -> int:
        return self.mask.bit_count()

    def matches(self, key: ElementKey) -> bool:
        return key.tag & self.mask == self.value

    def covers(self, other: "TagPattern") -> bool:
        """Tell whether every tag of `other` is one of this pattern's."""
        return self.mask & other.mask == self.mask and other.value & self.mask == self.value

    def overlaps(self, other: "TagPattern") -> bool:
        """Tell whether some tag is in both patterns."""
        both = self.mask & other.mask
        return self.value & both == other.value & both

    def __str__(self) -> str:
        digits = [
            f"{self.value >> shift & 0xF:X}" if self.mask >> shift & 0xF == 0xF else "X" for shift in range(28, -4, -4)
        ]
        return f"({''.join(digits[:4])},{''.join(digits[4:])})"


EVERY_TAG = TagPattern(0, 0)


@dataclass(frozen=True, slots=True)
class PrivateElement:
    """Private elements named by their creator, wherever its block lies: (gggg,"CREATOR",ee).

    Attributes:
        group: odd group number.
        creator: value of the private creator element, without padding.
        element: low byte of the element number, 0 to 255.
        mask: which bits of that byte count; 0 selects the whole block.
    """

    group: int
    creator: str
    element: int
    mask: int = 0xFF

    @property
    def exact(self) -> bool:
        return self.mask == 0xFF

    @property
    def specificity(self) -> int:
        return 24 + self.mask.bit_count()

    def matches(self, key: ElementKey) -> bool:
        return (
            key.creator == self.creator
            and key.tag >> 16 == self.group
            and key.tag & 0xFFFF > 0xFF
            and key.tag & self.mask == self.element
        )

    def __str__(self) -> str:
        low = f"{self.element:02X}" if self.mask == 0xFF else "XX"
        return f'({self.group:04X},"{self.creator}",{low})'


Term = TagPattern | PrivateElement


@dataclass(frozen=True, slots=True)
class TagPath:
    """Elements at one place: steps through sequences from the root, the last one the element.

    Attributes:
        steps: two terms or more.
    """

    steps: tuple[Term, ...]

    @property
    def exact(self) -> bool:
        return all(step.exact for step in self.steps)

    @property
    def specificity(self) -> int:
        # A path says more than any term that holds at every depth.
        return 32 + sum(step.specificity for step in self.steps)

    def __str__(self) -> str:
        return "/".join(map(str, self.steps))


SelectorTerm = TagPattern | PrivateElement | TagPath


def term_matches(term: SelectorTerm, path: ElementPath) -> bool:
    """Tell whether a term selects the element at the end of `path`."""
    if isinstance(term, TagPath):
        return len(term.steps) == len(path) and all(
            step.matches(key) for step, key in zip(term.steps, path, strict=True)
        )
    return term.matches(path[-1])


def _best(terms: Iterable[SelectorTerm], path: ElementPath) -> int:
    return max((term.specificity for term in terms if term_matches(term, path)), default=-1)


@dataclass(frozen=True)
class Selector:
    """Included terms minus excluded ones, narrowed to some VRs or to private elements.

    Attributes:
        include: terms of `tags`; EVERY_TAG where a rule without tags means all.
        exclude: terms of `excludedTags`.
        vrs: value representations it is narrowed to; empty for all.
        private_only: narrowed to odd groups.
    """

    include: tuple[SelectorTerm, ...]
    exclude: tuple[SelectorTerm, ...] = ()
    vrs: frozenset[str] = frozenset()
    private_only: bool = False

    @cached_property
    def has_paths(self) -> bool:
        return any(isinstance(term, TagPath) for term in (*self.include, *self.exclude))

    def selects(self, path: ElementPath, vr: str) -> bool:
        """Tell whether the element at the end of `path` belongs to the set.

        Args:
            path: keys from the root to the element, the element last.
            vr: the element's value representation.
        """
        if self.vrs and vr not in self.vrs:
            return False
        if self.private_only and not is_private(path[-1].tag):
            return False
        if not self.exclude:
            return any(term_matches(term, path) for term in self.include)
        return _best(self.include, path) > _best(self.exclude, path)


NOTHING = Selector(())
