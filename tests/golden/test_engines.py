"""Every recorded case through both executors: the same answer, and the tables ask for help with Big Endian alone."""

from collections import Counter
from functools import cache

import pytest

from karnak.runtime.deidentify import deidentify
from karnak.runtime.encoding import EXPLICIT_BIG_ENDIAN, UnreadableInstance
from karnak.runtime.outcome import Outcome
from karnak.runtime.part10 import is_part10, split_part10
from karnak.runtime.program import Program
from karnak.standard.confidentiality import Option
from tests.golden.cases import Case, cases, cases_by_profile, inputs
from tests.golden.parity import answer, compiled, refusal_codes
from tests.runtime.making import NOW, PROJECT, basic, program

BIG_ENDIAN = "big endian"


def compared(case: Case, chosen: Program) -> Outcome:
    """What the tables answer, once the interpreter has answered the same."""
    rewritten, judged = answer(case, chosen), answer(case, chosen, "reference")
    assert rewritten.data == judged.data, case.name
    for attribute in ("status", "reason", "changes", "warnings", "sop_class_uid", "sop_instance_uid"):
        assert getattr(rewritten, attribute) == getattr(judged, attribute), (case.name, attribute)
    for attribute in ("study_instance_uid", "series_instance_uid", "transfer_syntax_uid"):
        assert getattr(rewritten, attribute) == getattr(judged, attribute), (case.name, attribute)
    return rewritten


def test_every_case_has_one_answer_and_the_tables_give_it(subtests: pytest.Subtests) -> None:
    asked: Counter[str | None] = Counter()
    for profile, group in cases_by_profile().items():
        if refusal_codes(profile):
            continue
        chosen = compiled(profile)
        with subtests.test(profile=profile):
            for case in {case.run: case for case in group}.values():
                outcome = compared(case, chosen)
                assert outcome.fallback in (None, BIG_ENDIAN), case.name
                assert (outcome.fallback == BIG_ENDIAN) is (encodings()[case.input] == EXPLICIT_BIG_ENDIAN), case.name
                asked[outcome.fallback] += 1
    assert asked[None] > 10 * asked[BIG_ENDIAN] > 0


@cache
def encodings() -> dict[str, str | None]:
    """The transfer syntax of every input, None where it is unknown; what cannot be split is no dataset to anybody."""
    found: dict[str, str | None] = {}
    for case in cases():
        data = inputs()[case.input]
        try:
            syntax = split_part10(data)[0] if is_part10(data) else case.output.get("transferSyntax")
        except UnreadableInstance:
            syntax = None
        found[case.input] = found.get(case.input) or syntax
    return found


def help_asked_for(chosen: Program) -> Counter[str | None]:
    """Why the tables asked for help, over all inputs; with Big Endian always, and only with it."""
    asked: Counter[str | None] = Counter()
    for name, syntax in encodings().items():
        data = inputs()[name]
        alone = None if is_part10(data) else syntax
        outcome = deidentify(data, chosen, PROJECT, pseudonym="P-001", mode="deid", now=NOW, transfer_syntax_uid=alone)
        assert outcome.fallback in (None, BIG_ENDIAN), name
        assert (outcome.fallback == BIG_ENDIAN) is (syntax == EXPLICIT_BIG_ENDIAN), name
        asked[outcome.fallback] += 1
    return asked


def test_no_little_endian_input_asks_for_help_whatever_the_profile(subtests: pytest.Subtests) -> None:
    chosen = [compiled(profile) for profile in cases_by_profile() if not refusal_codes(profile)]
    assert len(chosen) > 30
    for one in (*chosen, program(basic(Option.RETAIN_SAFE_PRIVATE, Option.RETAIN_MODIFIED_DATES))):
        with subtests.test(profile=one.profile.name):
            asked = help_asked_for(one)
            assert asked[None] > 10 * asked[BIG_ENDIAN] > 0
