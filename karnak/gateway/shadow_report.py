"""What a shadow tells: which decisions would be others, by place and rule, and how often. No values.

Pure data, and the sums that are made of it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from karnak.runtime.outcome import Change

# Kinds of differences that are told apart; what goes beyond is counted without its kind.
MAXIMUM_KINDS = 5000
Kind = TypeVar("Kind")
_ITEM = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True, order=True)
class Decision:
    """What a profile decides at a place.

    Attributes:
        action: such as "keep" or "remove"; "" where nothing was decided.
        rule: name of the profile element, or "" for what is always set.
        line: its line in the profile, or 0.
    """

    action: str
    rule: str
    line: int


_ALWAYS = "set"
NOTHING = Decision("", "", 0)


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One kind of difference. Where both do the same, the same gives another value.

    Attributes:
        place: tags from the root, without numbers of items.
        active: what the active profile decides there.
        candidate: what the candidate decides.
    """

    place: str
    active: Decision
    candidate: Decision


@dataclass(frozen=True, slots=True, order=True)
class Fate:
    """What becomes of an instance.

    Attributes:
        status: "forwarded", "excluded" or "rejected".
        reason: why it is not forwarded, a sentence without patient values; "" where it is.
    """

    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """One instance under both profiles.

    Attributes:
        active: what becomes of it under the active one.
        candidate: under the candidate.
        differences: kinds of differences, where both forward it.
    """

    active: Fate
    candidate: Fate
    differences: frozenset[Difference] = frozenset()

    @property
    def same(self) -> bool:
        """Whether the candidate would do the same."""
        return self.active.status == self.candidate.status and not self.differences


@dataclass(frozen=True, slots=True)
class CountedDifference:
    """A kind of difference, and in how many instances it was seen.

    Attributes:
        place: tags from the root, without numbers of items.
        active: what the active profile decides there.
        candidate: what the candidate decides.
        instances: in how many.
    """

    place: str
    active: Decision
    candidate: Decision
    instances: int


@dataclass(frozen=True, slots=True)
class CountedFates:
    """Instances that at least one of the profiles does not forward.

    Attributes:
        active: what becomes of them under the active profile.
        candidate: under the candidate.
        instances: how many.
    """

    active: Fate
    candidate: Fate
    instances: int


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """What a shadow has seen so far.

    Attributes:
        destination: whose instances are looked at.
        profile: the candidate's name, or None where it has none.
        candidate: digest of its rules.
        active: digests of the rules it was compared with, the last one last.
        began: when it began, in UTC.
        ends: when it ends by itself.
        ended: when it has ended, or None while it runs.
        because: why it has ended, or None while it runs.
        seen: instances that came by: those below, and up to 16 that wait.
        same: for which the candidate would do the same.
        different: for which it would not.
        passed_by: that were not looked at: it was busy, or they were too large.
        failed: that could not be compared, for an error of Karnak's own.
        differences: kinds of differences, by place.
        fates: instances that one or both would not forward.
        untold: differences beyond the kinds that are told apart.
    """

    destination: str
    profile: str | None
    candidate: str
    active: Sequence[str]
    began: datetime
    ends: datetime
    ended: datetime | None
    because: str | None
    seen: int
    same: int
    different: int
    passed_by: int
    failed: int
    differences: Sequence[CountedDifference]
    fates: Sequence[CountedFates]
    untold: int


@dataclass(slots=True)
class Sums:
    """What comparisons add up to."""

    same: int = 0
    different: int = 0
    untold: int = 0
    _differences: Counter[Difference] = field(default_factory=Counter)
    _fates: Counter[tuple[Fate, Fate]] = field(default_factory=Counter)

    def add(self, comparison: Comparison) -> None:
        """Count an instance."""
        if comparison.same:
            self.same += 1
        else:
            self.different += 1
        fates = comparison.active, comparison.candidate
        if any(fate.status != "forwarded" for fate in fates):
            self._count(self._fates, fates)
        for difference in comparison.differences:
            self._count(self._differences, difference)

    def _count(self, kinds: Counter[Kind], kind: Kind) -> None:
        if kind in kinds or len(kinds) < MAXIMUM_KINDS:
            kinds[kind] += 1
        else:
            self.untold += 1

    def differences(self) -> Sequence[CountedDifference]:
        """The kinds of differences, by place."""
        return [
            CountedDifference(kind.place, kind.active, kind.candidate, count)
            for kind, count in sorted(self._differences.items())
        ]

    def fates(self) -> Sequence[CountedFates]:
        """Instances that one or both would not forward, the most frequent fates first."""
        return [CountedFates(*fates, count) for fates, count in self._fates.most_common()]


def differences(
    active: Iterable[Change],
    candidate: Iterable[Change],
    values: tuple[Mapping[str, object], Mapping[str, object]] = ({}, {}),
) -> frozenset[Difference]:
    """Compare what two profiles have done with an instance, place by place.

    Args:
        active: what the active profile decided.
        candidate: what the candidate decided.
        values: what stands where in the outputs, by the same paths as decisions have.

    Returns:
        Kinds of differences. Below a sequence that differs nothing more is told, and nothing of what is always set: it
        names the profile.
    """
    one, other = _by_place(active), _by_place(candidate)
    found: set[Difference] = set()
    settled: set[str] = set()
    # A sequence stands before what is inside it.
    for path in sorted(one.keys() | other.keys() | values[0].keys() | values[1].keys()):
        if not settled.isdisjoint(_above(path)):
            continue
        here, there = one.get(path, NOTHING), other.get(path, NOTHING)
        if here.action == there.action == _ALWAYS:
            settled.add(path)
        elif _effect(here) != _effect(there) or values[0].get(path) != values[1].get(path):
            settled.add(path)
            found.add(Difference(_ITEM.sub("", path), here, there))
    return frozenset(found)


def _above(path: str) -> Iterator[str]:
    """The sequences that a place is in: "(0008,1140)" for "(0008,1140)[0]/(0008,1155)"."""
    return (path[: match.start()] for match in _ITEM.finditer(path))


def _effect(decision: Decision) -> str:
    # What nobody decides about stays as it is.
    return decision.action or "keep"


def _by_place(changes: Iterable[Change]) -> dict[str, Decision]:
    return {change.path: Decision(str(change.action), change.rule or "", change.line) for change in changes}
