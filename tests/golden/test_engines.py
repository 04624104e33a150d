"""Every recorded case through both of our engines: the same bytes, the same statuses, the same reasons."""

from collections import Counter

import pytest

from karnak.dsl.compile import ProfileError, compile_profile
from karnak.dsl.source import Source
from karnak.runtime.deidentify import deidentify
from karnak.runtime.encoding import EXPLICIT_BIG_ENDIAN
from karnak.runtime.keys import Project
from karnak.runtime.part10 import is_part10
from karnak.runtime.program import Program
from tests.golden.cases import Case, cases_by_profile, inputs, profile_texts
from tests.golden.parity import EDITION, NOW

# Cases that tables leave to the interpreter though they are little endian, by profile and reason.
_ADDED = "a private element is added to a group that the instance has"
LEFT_TO_THE_INTERPRETER = {
    ("docs/expressions_00_basic", "an expression decides what only the interpreter can follow"): 3,
    ("docs/tags_03_basic", _ADDED): 3,
    ("own/own13_add_private", _ADDED): 2,
}


def program_of(profile: str) -> Program | None:
    try:
        return compile_profile(Source(f"{profile}.yml", profile_texts()[profile]), edition=EDITION)
    except ProfileError:
        return None


def run(case: Case, program: Program) -> tuple[str | None, bool]:
    """Run a case in both engines, which must agree; give why the tables fell back, and whether it is big endian."""
    data = inputs()[case.input]
    syntax = None if is_part10(data) else case.output.get("transferSyntax")
    project = Project(case.project, bytes.fromhex(case.secret))
    outcomes = [
        deidentify(
            data,
            program,
            project,
            pseudonym=case.pseudonym,
            mode="morph" if case.mode == "morph" else "deid",
            now=NOW,
            transfer_syntax_uid=syntax,
            engine=engine,
        )
        for engine in ("tables", "reference")
    ]
    tables, reference = outcomes
    assert tables.status == reference.status, case.name
    assert tables.reason == reference.reason, case.name
    assert tables.warnings == reference.warnings, case.name
    assert tables.data == reference.data, case.name
    assert reference.fallback is None
    return tables.fallback, tables.fallback == "big endian"


@pytest.mark.parametrize("half", [0, 1])
def test_both_engines_give_the_same(half: int) -> None:
    listed = set(list(cases_by_profile())[half::2])
    left: Counter[tuple[str, str]] = Counter()
    ran = big_endian = 0
    for profile, cases in list(cases_by_profile().items())[half::2]:
        program = program_of(profile)
        if program is None:
            continue
        for case in cases:
            fallback, is_big_endian = run(case, program)
            ran += 1
            big_endian += is_big_endian
            if fallback is not None and not is_big_endian:
                left[profile, fallback] += 1
    assert ran > 300
    assert big_endian < ran / 5
    assert left == {key: count for key, count in LEFT_TO_THE_INTERPRETER.items() if key[0] in listed}


def test_the_basic_profile_is_never_left_to_the_interpreter() -> None:
    program = program_of("karnak/profileByDefault")
    assert program is not None
    cases = cases_by_profile()["karnak/profileByDefault"]
    reasons = {run(case, program)[0] for case in cases if case.output.get("transferSyntax") != EXPLICIT_BIG_ENDIAN}
    assert reasons == {None}
