"""A program's digest names what a profile means and nothing else."""

from copy import copy
from dataclasses import replace

import pytest

from karnak.ir.expression import BOOL, Literal
from karnak.ir.profile import Profile, Rule
from karnak.ir.span import Span
from karnak.runtime.encoding import EXPLICIT
from karnak.runtime.program import Program
from karnak.standard.confidentiality import Option
from tests.runtime.making import K, X, basic, program, rule

RULE = rule(X, "PatientName", name="names", line=3)


def test_the_digest_is_64_hexadecimal_digits() -> None:
    assert len(program(RULE).digest) == 64
    assert int(program(RULE).digest, 16)


def test_comments_and_layout_do_not_count() -> None:
    moved = replace(RULE, span=Span("other.yml", 80, 2, 81, 3))
    guarded = replace(RULE, guard=Literal(True, BOOL))
    same = replace(RULE, guard=Literal(True, BOOL, Span("", 5, 5, 5, 9)))
    assert program(moved).digest == program(RULE).digest
    assert program(guarded).digest == program(same).digest


def test_the_order_in_which_options_are_written_does_not_count() -> None:
    options = [Option.RETAIN_UIDS, Option.CLEAN_DESCRIPTORS, Option.RETAIN_DEVICE_IDENTITY]
    assert program(basic(*options)).digest == program(basic(*reversed(options))).digest


@pytest.mark.parametrize(
    "other",
    [
        rule(K, "PatientName", name="names"),
        rule(X, "PatientID", name="names"),
        rule(X, "PatientName", name="other names"),
        rule(X, "PatientName", name="names", exclude=["PatientID"]),
        rule(X, "PatientName", name="names", private=True),
        rule(X, "PatientName", name="names", vrs=["PN"]),
        rule(X, "PatientName", name="names", when=Literal(True, BOOL)),
    ],
)
def test_whatever_a_rule_means_counts(other: Rule) -> None:
    assert program(other).digest != program(RULE).digest


def test_the_order_of_rules_and_the_edition_count() -> None:
    other = rule(K, "PatientName")
    digests = {
        program(RULE, other).digest,
        program(other, RULE).digest,
        program(RULE).digest,
        program(RULE, edition="2024e").digest,
        program(RULE, name="Other").digest,
        program(RULE, version="2").digest,
        Program(Profile("Research", "1.2", "", "ISSUER", (RULE,))).digest,
    }
    assert len(digests) == 7


def test_a_copy_leaves_behind_what_was_built() -> None:
    used = program(RULE, basic())
    used.table(None, (), EXPLICIT)
    other = copy(used)
    assert (other.profile, other.edition, other.digest) == (used.profile, used.edition, used.digest)
    assert (used.table_count, other.table_count) == (1, 0)
