"""Hypothesis strategies for people who write profiles, and for the engine's own laws.

    from hypothesis import given
    from karnak.testing.strategies import instances, programs

    @given(instances(), programs())
    def test_no_instance_stops_the_engine(data, program):
        ...

`instances` gives Part 10 files in every encoding, `specimens` the same as trees, `profiles`
checked profiles, `programs` those ready to run; `damaged` gives files that no reader should
trust. Everything is well typed, shrinks to something that a person can read, and is drawn
without a clock, a file or a network. The strategies know the runtime only as far as a Program
needs; what they write, they write themselves.
"""

from karnak.testing.expressions import conditions, decisions
from karnak.testing.instances import damaged, elements, hierarchies, instances, specimens
from karnak.testing.profiles import (
    applications,
    date_effects,
    option_sets,
    profiles,
    programs,
    projects,
    rules,
    selectors,
)
from karnak.testing.values import ages, dates, moments, times, uids, values

__all__ = [
    "ages",
    "applications",
    "conditions",
    "damaged",
    "date_effects",
    "dates",
    "decisions",
    "elements",
    "hierarchies",
    "instances",
    "moments",
    "option_sets",
    "profiles",
    "programs",
    "projects",
    "rules",
    "selectors",
    "specimens",
    "times",
    "uids",
    "values",
]
