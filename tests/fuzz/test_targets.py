"""The fuzzers' targets hold for what they begin with, and for a little more."""

from random import Random

import pytest

from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS, programs
from tests.property import dense


@pytest.mark.parametrize("target", TARGETS)
def test_the_targets_hold_for_every_seed(target: str) -> None:
    begun_with = seeds()
    assert len(begun_with) > 350
    for seed in begun_with:
        TARGETS[target](seed)


@pytest.mark.parametrize("target", TARGETS)
def test_the_targets_hold_for_damaged_seeds(target: str) -> None:
    random = Random(target)
    begun_with = seeds()
    for _ in range(300):
        TARGETS[target](dense.damaged(random, random.choice(begun_with)))


def test_every_profile_is_chosen_in_both_modes() -> None:
    chosen = {seed[0] >> 1 for seed in seeds()}
    assert {choice % (2 * len(programs())) for choice in chosen} == set(range(2 * len(programs())))
