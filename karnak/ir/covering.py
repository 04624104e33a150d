"""When one set of elements holds all of another: the ground of what lint says about rules that never apply.

The answer is yes only where it is certain; no may mean that it is hard to tell.
"""

from karnak.ir.selector import PrivateElement, Selector, SelectorTerm, TagPath, TagPattern, Term


def _as_pattern(term: Term) -> TagPattern:
    """The tags that a term can have, whatever their creator."""
    if isinstance(term, TagPattern):
        return term
    return TagPattern(term.group << 16 | term.element, 0xFFFF0000 | term.mask)


def _step_covers(one: Term, other: Term) -> bool:
    if isinstance(one, TagPattern):
        return one.covers(_as_pattern(other))
    return (
        isinstance(other, PrivateElement)
        and (one.group, one.creator) == (other.group, other.creator)
        and one.mask & other.mask == one.mask
        and other.element & one.mask == one.element
    )


def term_covers(one: SelectorTerm, other: SelectorTerm) -> bool:
    """Tell whether every element that `other` selects is one that `one` selects."""
    if not isinstance(one, TagPath):
        # A term that isn't a path holds at every depth.
        return _step_covers(one, other.steps[-1] if isinstance(other, TagPath) else other)
    return (
        isinstance(other, TagPath)
        and len(one.steps) == len(other.steps)
        and all(map(_step_covers, one.steps, other.steps))
    )


def _last_pattern(term: SelectorTerm) -> TagPattern:
    return _as_pattern(term.steps[-1] if isinstance(term, TagPath) else term)


def _may_overlap(one: SelectorTerm, other: SelectorTerm) -> bool:
    return _last_pattern(one).overlaps(_last_pattern(other))


class Covering:
    """A selector, prepared for being asked whether it holds all of others.

    Exact terms are looked up, so that long lists of tags are quick; only patterns are compared
    one by one.
    """

    def __init__(self, selector: Selector) -> None:
        self._selector = selector
        self._included = frozenset(selector.include)
        self._wide = tuple(term for term in selector.include if not term.exact)
        # A private element by its creator is exact and still may lie in any block.
        self._excluded_tags = frozenset(p.value for p in map(_last_pattern, selector.exclude) if p.exact)
        self._wide_excluded = tuple(term for term in selector.exclude if not _last_pattern(term).exact)

    @property
    def cost(self) -> int:
        """How many comparisons one term of another selector takes, at most."""
        return 1 + len(self._wide) + len(self._wide_excluded)

    def covers(self, other: Selector) -> bool:
        """Tell whether every element that `other` selects is certainly one of this selector's."""
        one = self._selector
        if one.vrs and not (other.vrs and other.vrs <= one.vrs):
            return False
        if one.private_only and not other.private_only:
            return False
        return all(self._covers_term(term) and not self._may_exclude(term) for term in other.include)

    def _covers_term(self, term: SelectorTerm) -> bool:
        if term in self._included:
            return True
        if _last_pattern(term).exact and _last_pattern(term) in self._included:
            return True
        return any(term_covers(wide, term) for wide in self._wide)

    def _may_exclude(self, term: SelectorTerm) -> bool:
        if any(_may_overlap(excluded, term) for excluded in self._wide_excluded):
            return True
        pattern = _last_pattern(term)
        if pattern.exact:
            return pattern.value in self._excluded_tags
        return any(tag & pattern.mask == pattern.value for tag in self._excluded_tags)
