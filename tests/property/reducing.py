"""A case that fails, made as small as it can be while it still fails: fewer rules, fewer elements, smaller trees."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from karnak.ir.expression import Expression
from karnak.ir.profile import Evaluate, Profile, Rule
from karnak.ir.selector import Selector
from karnak.ir.tree import parts, with_parts
from karnak.testing.specimen import Element, Fragments, Item, Items, Leaf, Specimen

T = TypeVar("T")
Pair = tuple[Specimen, Profile]


def reduced(specimen: Specimen, profile: Profile, fails: Callable[[Specimen, Profile], bool]) -> Pair:
    """The smallest pair that is found to fail by taking away one thing after the other.

    Args:
        specimen: an instance.
        profile: a profile; the two of them fail.
        fails: tells whether another pair does.
    """
    while True:
        for smaller in _smaller(specimen, profile):
            if fails(*smaller):
                specimen, profile = smaller
                break
        else:
            return specimen, profile


def _smaller(specimen: Specimen, profile: Profile) -> Iterator[Pair]:
    for rules in _shorter(profile.rules, _simpler_rules):
        yield specimen, replace(profile, rules=rules)
    for elements in _shorter(specimen.elements, _simpler_elements):
        yield replace(specimen, elements=elements), profile


def _shorter(whole: tuple[T, ...], simpler: Callable[[T], Iterator[T]]) -> Iterator[tuple[T, ...]]:
    """A tuple without half of it, without one of it, or with one of it made simpler."""
    size = len(whole) // 2
    while size > 1:
        for start in range(0, len(whole), size):
            yield whole[:start] + whole[start + size :]
        size //= 2
    for place, one in enumerate(whole):
        yield whole[:place] + whole[place + 1 :]
        for other in simpler(one):
            yield (*whole[:place], other, *whole[place + 1 :])


def _simpler_elements(element: Element) -> Iterator[Element]:
    match element:
        case Leaf(tag, vr, value) if value:
            yield Leaf(tag, vr)
            yield Leaf(tag, vr, value[: len(value) // 4 * 2])
        case Items(items=items):
            for fewer in _shorter(items, _simpler_items):
                yield replace(element, items=fewer)
            if element.undefined_length:
                yield replace(element, undefined_length=False)
            if element.unknown:
                yield replace(element, unknown=False)
        case Fragments(tag, fragments) if fragments:
            yield Fragments(tag, fragments[1:])


def _simpler_items(item: Item) -> Iterator[Item]:
    for elements in _shorter(item.elements, _simpler_elements):
        yield replace(item, elements=elements)
    if item.undefined_length:
        yield replace(item, undefined_length=False)


def _simpler_rules(rule: Rule) -> Iterator[Rule]:
    if rule.guard is not None:
        yield replace(rule, guard=None)
        for guard in _simpler_trees(rule.guard):
            yield replace(rule, guard=guard)
    if isinstance(rule.effect, Evaluate):
        for tree in _simpler_trees(rule.effect.expression):
            yield replace(rule, effect=Evaluate(tree))
    for selector in _simpler_selectors(rule.selector):
        yield replace(rule, selector=selector)


def _simpler_selectors(selector: Selector) -> Iterator[Selector]:
    for exclude in _shorter(selector.exclude, lambda _: iter(())):
        yield replace(selector, exclude=exclude)
    if len(selector.include) > 1:
        for include in _shorter(selector.include, lambda _: iter(())):
            yield replace(selector, include=include)


def _simpler_trees(tree: Expression) -> Iterator[Expression]:
    """A part of a tree that has its type, or the tree with one part made simpler."""
    inside = parts(tree)
    for part in inside:
        if part.type == tree.type:
            yield part
    for place, part in enumerate(inside):
        for other in _simpler_trees(part):
            yield with_parts(tree, [*inside[:place], other, *inside[place + 1 :]])
