"""Parity with the reference engine: every difference has a listed cause, every listed cause occurs, nothing leaks.

One test, because the causes are counted over all cases; it is quick enough for that.
"""

from collections.abc import Callable

import pytest

from tests.golden.cases import cases
from tests.golden.divergences import Divergences
from tests.golden.parity import Tally, run_all

SHOWN = 40


def listing(found: list[str]) -> str:
    more = len(found) - SHOWN
    return "\n".join(found[:SHOWN]) + (f"\n... and {more} more" if more > 0 else "")


def test_every_difference_has_a_listed_cause(
    subtests: pytest.Subtests, record_property: Callable[[str, object], None]
) -> None:
    listed = Divergences.load()
    whole = Tally()
    waiting: dict[str, int] = {}
    for profile, tally in run_all(listed):
        whole.add(tally)
        if tally.waiting:
            waiting[profile] = len(tally.waiting)
        with subtests.test(profile=profile):
            assert not tally.leaks, "kept against the law:\n" + listing(tally.leaks)
            assert not tally.unexplained, "without a listed cause:\n" + listing(tally.unexplained)
    record_property("parity", summary(whole))
    with subtests.test("what waits is listed by name"):
        assert waiting == dict(listed.waiting.profiles)
    with subtests.test("every listed cause occurs"):
        assert [name for name in listed.names if not whole.causes[name]] == []
    with subtests.test("every case is counted once"):
        counted = [*whole.equal, *whole.declared, *whole.diverging, *whole.refused, *whole.waiting]
        assert sorted(counted) == sorted(case.name for case in cases())


def summary(whole: Tally) -> str:
    """Write what came of all cases, for the end of the test run."""
    fates = {
        "equal": whole.equal,
        "equal but for attributes that say what was done": whole.declared,
        "with other differences of listed causes": whole.diverging,
        "refused at compile time": whole.refused,
        "waiting": whole.waiting,
    }
    head = "cases: " + ", ".join(f"{len(names)} {fate}" for fate, names in fates.items())
    return "\n".join([head, *(f"{count:6d}  {cause}" for cause, count in whole.causes.most_common())])
