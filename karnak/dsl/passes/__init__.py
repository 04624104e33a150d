"""What is done to a checked profile before it becomes a program: it gets shorter and means the same.

A pass is a pure function from profile to profile, in the file of its name. It may leave out what never happens and
write once what is said twice; what becomes of an instance, which rule did it and on which line stays as it was.
Lint looks at the profile before the passes: what they take away is worth a word to the author.
"""

from collections.abc import Callable

from karnak.dsl.passes.fold_constants import fold_constants
from karnak.dsl.passes.remove_dead_rules import remove_dead_rules
from karnak.dsl.passes.share_guards import share_guards
from karnak.ir.profile import Profile

__all__ = ["PASSES", "optimise"]

# In this order: rules are found to be dead by guards that are folded and shared.
PASSES: tuple[Callable[[Profile], Profile], ...] = (fold_constants, share_guards, remove_dead_rules)


def optimise(profile: Profile) -> Profile:
    """Put a checked profile through all passes."""
    for improve in PASSES:
        profile = improve(profile)
    return profile
