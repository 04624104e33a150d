"""Strategies for checked profiles: rules of every kind this build can run, in any order.

The rules speak of what the instances of `karnak.testing.instances` have, so that they meet.
"""

from dataclasses import replace
from functools import cache

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from karnak.ir.expression import Expression
from karnak.ir.profile import (
    DATE_VRS,
    Action,
    AddElement,
    AddPrivateElement,
    Apply,
    BasicProfile,
    DatePart,
    Effect,
    Evaluate,
    Profile,
    Rule,
    Shift,
    ShiftByTag,
    ShiftRange,
    TruncateDate,
)
from karnak.ir.selector import (
    EVERY_TAG,
    FULL_MASK,
    NOTHING,
    PrivateElement,
    Selector,
    SelectorTerm,
    TagPath,
    TagPattern,
)
from karnak.ir.span import Span
from karnak.runtime.keys import Project
from karnak.runtime.program import Program
from karnak.standard.confidentiality import Option
from karnak.testing.expressions import conditions, decisions, legal_values
from karnak.testing.instances import CREATORS, LEAVES, PRIVATE_GROUPS, PRIVATE_LOW_BYTES, REPEATING, SEQUENCES
from karnak.testing.specimen import tag_of
from karnak.testing.values import as_one, one_in

_CODENAMES = {
    Apply: "action.on.specific.tags",
    Shift: "action.on.dates",
    ShiftRange: "action.on.dates",
    ShiftByTag: "action.on.dates",
    TruncateDate: "action.on.dates",
    Evaluate: "expression.on.tags",
    BasicProfile: "basic.dicom.profile",
    AddElement: "action.add.tag",
    AddPrivateElement: "action.add.private.tag",
}
_IDENTITY = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientID", "PatientName")
_TIMES_KEPT = (Option.RETAIN_FULL_DATES, Option.RETAIN_MODIFIED_DATES)


@cache
def exact_tags() -> SearchStrategy[TagPattern]:
    """One tag, which instances have, often."""
    known = [*map(tag_of, (*LEAVES, *SEQUENCES, *_IDENTITY)), *(int(digits, 16) for digits, _ in REPEATING)]
    privates = [group << 16 | 0x1000 | low for group in PRIVATE_GROUPS for low in PRIVATE_LOW_BYTES]
    tags = st.one_of(st.sampled_from(known), st.sampled_from(known), st.sampled_from(privates))
    return tags.map(lambda tag: TagPattern(tag, FULL_MASK))


@cache
def patterns() -> SearchStrategy[TagPattern]:
    """Tags with wildcards in some nibbles: a whole group, a repeating one, anything."""

    def widen(exact: TagPattern, mask: int) -> TagPattern:
        return TagPattern(exact.value & mask, mask)

    whole = st.sampled_from([0xFFFF0000, 0xFF00FFFF, 0xFFFFFF00, 0xFFFF00FF])
    any_nibbles = st.integers(0, 255).map(lambda bits: sum(0xF << 4 * place for place in range(8) if bits >> place & 1))
    return st.one_of(
        st.builds(widen, exact_tags(), whole), st.builds(widen, exact_tags(), any_nibbles), st.just(EVERY_TAG)
    )


@cache
def private_elements() -> SearchStrategy[PrivateElement]:
    """Private elements by their creator, one or the whole block."""
    return st.builds(
        lambda group, creator, low, mask: PrivateElement(group, creator, low & mask, mask),
        st.sampled_from(PRIVATE_GROUPS),
        st.sampled_from(CREATORS),
        st.sampled_from(PRIVATE_LOW_BYTES),
        st.sampled_from([0xFF, 0xFF, 0x00]),
    )


@cache
def paths() -> SearchStrategy[TagPath]:
    """Elements at one place below one or two sequences."""
    step = st.one_of(
        st.sampled_from(SEQUENCES).map(lambda name: TagPattern(tag_of(name), FULL_MASK)),
        st.sampled_from(SEQUENCES).map(lambda name: TagPattern(tag_of(name), FULL_MASK)),
        st.just(EVERY_TAG),
    )
    last = st.one_of(exact_tags(), exact_tags(), patterns(), private_elements())
    return st.builds(lambda steps, end: TagPath((*steps, end)), st.lists(step, min_size=1, max_size=2), last)


@cache
def terms() -> SearchStrategy[SelectorTerm]:
    """What `tags` and `excludedTags` may list."""
    return st.one_of(exact_tags(), exact_tags(), exact_tags(), patterns(), private_elements(), paths())


@cache
def selectors(vrs: frozenset[str] = frozenset(), *, all_if_empty: bool = False) -> SearchStrategy[Selector]:
    """Sets of elements: some terms minus, seldom, others.

    Args:
        vrs: value representations it is narrowed to; empty for all.
        all_if_empty: it may name no tags and then means all elements.
    """
    some = st.lists(terms(), min_size=1, max_size=3).map(tuple)
    include = st.one_of(some, st.just((EVERY_TAG,))) if all_if_empty else some
    exclude = st.one_of(st.just(()), st.just(()), st.lists(terms(), max_size=2).map(tuple))
    return st.builds(Selector, include, exclude, st.just(vrs))


@cache
def date_effects() -> SearchStrategy[Effect]:
    """What rules may do to dates."""
    days, seconds = st.integers(-800, 800), st.integers(-90000, 90000)

    def span(first: int, length: int, start: int, width: int) -> ShiftRange:
        return ShiftRange(first, first + length, start, start + width)

    amounts = [None, tag_of("SeriesNumber"), tag_of("InstanceNumber")]
    return st.one_of(
        st.builds(Shift, days, seconds),
        st.builds(span, st.integers(0, 30), st.integers(1, 800), st.integers(0, 60), st.integers(1, 90000)),
        st.builds(ShiftByTag, st.sampled_from(amounts[1:]), st.sampled_from(amounts)),
        st.sampled_from(DatePart).map(TruncateDate),
    )


@cache
def option_sets() -> SearchStrategy[frozenset[Option]]:
    """Options of the basic profile that go together."""

    def settle(chosen: set[Option]) -> frozenset[Option]:
        # PS3.15 E.3.6: full and modified dates exclude each other.
        return frozenset(chosen - {_TIMES_KEPT[1]} if chosen >= set(_TIMES_KEPT) else chosen)

    return st.one_of(st.just(frozenset[Option]()), st.sets(st.sampled_from(Option), max_size=3).map(settle))


def _rule(effect: Effect, selector: Selector, name: str, line: int, private: bool) -> Rule:
    codename = "action.on.privatetags" if private else _CODENAMES[type(effect)]
    chosen = Selector(selector.include, selector.exclude, selector.vrs, private)
    return Rule(name, codename, chosen, effect, None, Span("", line, 1, line, 2))


_names = st.sampled_from(["first", "second", "third"])
_lines = st.integers(1, 99)


@cache
def applications(actions: frozenset[Action] = frozenset(Action)) -> SearchStrategy[Rule]:
    """Rules that do one action, on chosen elements or on private ones.

    Args:
        actions: to choose from.
    """
    effects = st.sampled_from(sorted(actions)).map(Apply)
    private = one_in(6)
    return st.builds(_rule, effects, selectors(all_if_empty=True), _names, _lines, private)


@cache
def _unguarded() -> SearchStrategy[Rule]:
    no = st.just(False)
    dates = st.builds(_rule, date_effects(), selectors(DATE_VRS, all_if_empty=True), _names, _lines, no)
    asked = st.builds(_rule, decisions().map(Evaluate), selectors(), _names, _lines, no)
    options = option_sets().map(BasicProfile)
    basic = st.builds(_rule, options, st.just(Selector((EVERY_TAG,))), _names, _lines, no)
    additions = st.one_of(
        legal_values().map(lambda parts: AddElement(*parts)),
        st.builds(
            lambda group, creator, vr: AddPrivateElement(group << 16 | 0x1105, vr, "12", creator),
            st.sampled_from(PRIVATE_GROUPS),
            st.sampled_from([*CREATORS, None]),
            st.sampled_from(["LO", "IS", "US"]),
        ),
    )
    added = st.builds(_rule, additions, st.just(NOTHING), _names, _lines, no)
    return st.one_of(applications(), applications(), dates, asked, basic, added)


@cache
def rules() -> SearchStrategy[Rule]:
    """Rules of every kind, one in three with a guard."""

    def guarded(rule: Rule, condition: Expression) -> Rule:
        return replace(rule, guard=condition)

    free = as_one(_unguarded())
    return st.one_of(free, free, st.builds(guarded, free, conditions()))


def _profile(found: list[Rule]) -> Profile:
    kept: list[Rule] = []
    for rule in found:
        if isinstance(rule.effect, BasicProfile) and any(isinstance(other.effect, BasicProfile) for other in kept):
            continue
        kept.append(rule)
    return Profile("Generated", "1", "", "", tuple(kept))


@cache
def profiles(rule: SearchStrategy[Rule] | None = None) -> SearchStrategy[Profile]:
    """Checked profiles of 1 to 6 rules, at most one of them the basic profile.

    Args:
        rule: rules to choose from; all kinds where it is left out.
    """
    return st.lists(rule if rule is not None else rules(), min_size=1, max_size=6).map(_profile)


@cache
def programs(rule: SearchStrategy[Rule] | None = None) -> SearchStrategy[Program]:
    """Profiles ready to run, mostly against the current edition of the standard."""
    return st.builds(Program, profiles(rule), st.sampled_from(["2026c", "2026c", "2024e"]))


@cache
def projects() -> SearchStrategy[Project]:
    """Projects with any secret."""
    return st.builds(Project, st.sampled_from(["TRIAL-1", "T2"]), st.binary(min_size=16, max_size=16))
