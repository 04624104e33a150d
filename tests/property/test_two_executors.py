"""Two executors, one meaning: for any profile and any instance, the same bytes, status, reason, warnings and UIDs.

`scripts/fuzz` asks for many more examples: KARNAK_FUZZ multiplies them.
"""

import os
from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from karnak.ir.profile import BasicProfile, Evaluate, Profile
from karnak.runtime.decode import decode_dataset
from karnak.runtime.deidentify import Mode
from karnak.runtime.dummies import CONTENT_SEQUENCE
from karnak.runtime.encoding import EXPLICIT, IMPLICIT, Encoding, UnreadableInstance
from karnak.runtime.keys import Project
from karnak.runtime.program import Program
from karnak.testing import strategies
from karnak.testing.character_sets import DEFAULT
from karnak.testing.specimen import EXPLICIT as EXPLICIT_SYNTAX
from karnak.testing.specimen import IMPLICIT as IMPLICIT_SYNTAX
from karnak.testing.specimen import Specimen, encoded, leaf
from tests.property import dense
from tests.property.executors import MODES, Case, agree, around, asking, difference, drawn
from tests.property.indexes import flattened, scanned
from tests.runtime.making import SR as STRUCTURED_REPORT
from tests.runtime.making import basic, rule

MANY = int(os.environ.get("KARNAK_FUZZ", "1"))


class Seeded(Random):
    """A Random that says what it was seeded with. What is drawn with it is not shrunk by Hypothesis."""

    def __init__(self, seed: bytes) -> None:
        super().__init__(seed)
        self.begun_with = seed

    def __new__(cls, *_: Any) -> "Seeded":
        return super().__new__(cls)

    def __repr__(self) -> str:
        return f"Seeded({self.begun_with!r})"


def randoms() -> SearchStrategy[Random]:
    return st.binary(min_size=8, max_size=8).map(Seeded)


def examples(count: int, *, shrinks: bool = True) -> settings:
    """Settings for so many examples; those whose seeds are all that there is to shrink are reduced by `agree`."""
    calm = [HealthCheck.too_slow, HealthCheck.data_too_large]
    phases = [phase for phase in Phase if shrinks or phase not in (Phase.shrink, Phase.explain)]
    return settings(max_examples=count * MANY, suppress_health_check=calm, phases=phases)


# --- in turn ----------------------------------------------------------------------------------


@given(strategies.instances(), strategies.programs(), strategies.projects(), st.sampled_from(MODES))
@examples(400)
def test_instances_and_profiles_of_every_kind(data: bytes, chosen: Program, project: Project, mode: Mode) -> None:
    agree(Case(data, chosen.profile, chosen.edition, project, mode))


@given(randoms())
@examples(1200, shrinks=False)
def test_instances_and_profiles_that_meet(random: Random) -> None:
    agree(drawn(random))


@given(randoms())
@examples(100, shrinks=False)
def test_tables_that_many_instances_have_filled(random: Random) -> None:
    case = drawn(random)
    warm = Program(case.profile, case.edition)
    for number in range(8):
        found = difference(replace(case, made=dense.specimen(random), mode=random.choice(MODES)), warm)
        assert not found, f"instance {number}: {found}"


@given(randoms())
@examples(500, shrinks=False)
def test_private_blocks(random: Random) -> None:
    inside = dense.Inside(2, DEFAULT, implicit=False)
    made = dense.specimen(random, EXPLICIT_SYNTAX)
    blocks = [element for _ in range(3) for element in dense.block(random, inside)]
    elements = dense.in_order([*blocks, *made.elements])
    agree(around(random, Specimen(elements), dense.profile(random, dense.private_rule)))


@given(randoms())
@examples(400, shrinks=False)
def test_documents(random: Random) -> None:
    content = (dense.items(random, CONTENT_SEQUENCE, dense.Inside(3, DEFAULT, implicit=False)) for _ in range(2))
    made = dense.specimen(random, EXPLICIT_SYNTAX)
    document = dense.in_order([*content, leaf("SOPClassUID", STRUCTURED_REPORT), *made.elements])
    rules = [dense.rule(random, line) for line in range(1, 1 + random.randint(0, 2))]
    profile = Profile("", "", "", "", (*(r for r in rules if not isinstance(r.effect, BasicProfile)), basic()))
    agree(around(random, Specimen(document), profile))


@given(randoms())
@examples(500, shrinks=False)
def test_expressions(random: Random) -> None:
    draw = dense.Expressions(random, in_element=True)
    rules = tuple(
        rule(Evaluate(draw.decision(3)), *chosen, when=dense.Expressions(random, in_element=False).boolean(2))
        for chosen in ((), ("PatientName", "PatientBirthDate"), ("0008,XXXX",))
    )
    agree(around(random, dense.specimen(random), Profile("", "", "", "", rules)))


@given(randoms())
@examples(500, shrinks=False)
def test_answers_that_the_fate_of_other_elements_follows_from(random: Random) -> None:
    agree(asking(random))


@given(randoms())
@examples(400, shrinks=False)
def test_damaged_files_are_refused_alike(random: Random) -> None:
    case = drawn(random)
    agree(around(random, dense.damaged(random, case.data, first=132), case.profile))


# --- the scanner and the decoder ----------------------------------------------------------------


@given(randoms())
@examples(1000, shrinks=False)
def test_the_scanner_finds_what_the_decoder_finds(random: Random) -> None:
    implicit = random.choice((False, True))
    made = dense.elements(random, dense.Inside(3, DEFAULT, implicit))
    data = encoded(made, IMPLICIT_SYNTAX if implicit else EXPLICIT_SYNTAX, random.choice((0, 0x0100)))
    if random.choice((False, True, True)):
        data = dense.damaged(random, data)
    both_readers(data, IMPLICIT if implicit else EXPLICIT)


@given(st.binary(max_size=64), st.booleans())
@example(b"\xfe\xff\x00\xe0\0\0\0\0", True)
@examples(200)
def test_noise_is_refused_alike(data: bytes, implicit: bool) -> None:
    both_readers(data, IMPLICIT if implicit else EXPLICIT)


def both_readers(data: bytes, encoding: Encoding) -> None:
    """The decoder and the scanner find the same elements, or refuse for the same reason at the same place."""
    try:
        decoded: object = flattened(decode_dataset(data, encoding))
    except UnreadableInstance as refusal:
        decoded = str(refusal)
    try:
        indexed: object = scanned(data, encoding)
    except UnreadableInstance as refusal:
        indexed = str(refusal)
    assert indexed == decoded
