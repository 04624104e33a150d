"""A program: what it keeps, and what copies of it keep."""

from copy import copy

from karnak.runtime.encoding import EXPLICIT
from tests.runtime.making import X, basic, program, rule

RULE = rule(X, "PatientName", name="names", line=3)


def test_a_copy_leaves_behind_what_was_built() -> None:
    used = program(RULE, basic())
    used.table(None, (), EXPLICIT)
    other = copy(used)
    assert (other.profile, other.edition, other.digest) == (used.profile, used.edition, used.digest)
    assert (used.table_count, other.table_count) == (1, 0)
