"""The passes: each has its cases, and all of them together change nothing that anybody can see."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from karnak.dsl.compile import check_profile, compile_profile
from karnak.dsl.nodes import Source
from karnak.dsl.passes import PASSES, optimise
from karnak.ir.expression import BOOL, INT, Binary, BinaryOperator, Expression, Literal
from karnak.ir.profile import Evaluate, Profile, Rule
from karnak.ir.tree import conditions_in
from karnak.runtime.deidentify import Engine, deidentify
from karnak.runtime.keys import Project
from karnak.runtime.program import Program
from karnak.testing.strategies import conditions, instances, profiles, rules

FOLDER = Path(__file__).parent.parent / "cases" / "passes"
HEAD = "name: Case\nversion: '1'\nprofileElements:\n"
PROJECT = Project("TRIAL-1", bytes(range(16)))
NOW = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Case:
    """Elements before a pass, and what becomes of them.

    Attributes:
        function: name of the pass.
        name: what the case shows.
        elements: the elements before.
        entry: what the file says of them afterwards.
    """

    function: str
    name: str
    elements: str
    entry: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.function}: {self.name}"


def all_cases() -> list[Case]:
    found = []
    for path in sorted(FOLDER.glob("*.yml")):
        entries: list[Mapping[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
        found += [Case(path.stem, str(entry["name"]), str(entry["elements"]), entry) for entry in entries]
    return found


CASES = all_cases()
NAMED = {function.__name__: function for function in PASSES}


def checked(elements: str) -> Profile:
    profile, found = check_profile(Source("case.yml", HEAD + elements))
    assert profile is not None, [one.message for one in found]
    return profile


def bare(value: Any) -> Any:
    """The same without places."""
    if is_dataclass(value) and not isinstance(value, type):
        return type(value), tuple(bare(getattr(value, item.name)) for item in fields(value) if item.name != "span")
    return tuple(map(bare, value)) if isinstance(value, tuple) else value


def test_every_pass_has_its_file_its_function_and_its_cases() -> None:
    for function in PASSES:
        assert function.__module__ == f"karnak.dsl.passes.{function.__name__}"
    assert {case.function for case in CASES} == set(NAMED)


@pytest.mark.parametrize("case", [case for case in CASES if "becomes" in case.entry], ids=str)
def test_what_elements_become(case: Case) -> None:
    before = checked(case.elements)
    after = NAMED[case.function](before)
    wanted = before if case.entry["becomes"] == "same" else checked(case.entry["becomes"])
    assert bare(after) == bare(wanted)


@pytest.mark.parametrize("case", [case for case in CASES if "keeps" in case.entry], ids=str)
def test_which_elements_stay(case: Case) -> None:
    before = checked(case.elements)
    after = NAMED[case.function](before)
    assert [rule.name for rule in after.rules] == case.entry["keeps"]
    assert set(after.rules) <= set(before.rules)


@pytest.mark.parametrize("case", [case for case in CASES if "shares" in case.entry], ids=str)
def test_which_conditions_become_one(case: Case) -> None:
    after = NAMED[case.function](checked(case.elements))
    places: dict[int, set[str]] = {}
    for rule in after.rules:
        for condition in conditions_of(rule):
            places.setdefault(id(condition), set()).add(rule.name)
    assert sorted(sorted(names) for names in places.values() if len(names) > 1) == case.entry["shares"]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_passes_keep_the_places_of_rules(case: Case) -> None:
    before, after = checked(case.elements), NAMED[case.function](checked(case.elements))
    places = {rule.name: rule.span for rule in before.rules}
    for rule in after.rules:
        assert rule.span == places[rule.name]
        for condition in conditions_of(rule):
            assert condition.span.line > 3


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_second_time_nothing_is_left_to_do(case: Case) -> None:
    once = optimise(checked(case.elements))
    assert optimise(once) == once


def conditions_of(rule: Rule) -> list[Expression]:
    found = [] if rule.guard is None else [rule.guard]
    return found + (list(conditions_in(rule.effect.expression)) if isinstance(rule.effect, Evaluate) else [])


def test_programs_are_made_of_what_the_passes_leave() -> None:
    source = Source("p", f"{HEAD}- {{name: a, codename: basic.dicom.profile, condition: '1 == 1'}}\n")
    program = compile_profile(source)
    assert program.profile.rules[0].guard is None
    assert program.profile.rules[0].span.line == 4
    profile, _ = check_profile(source)
    assert profile is not None
    assert profile.rules[0].guard is not None


# The law: nobody can tell from an outcome whether the passes were run.

TRUE, FALSE = Literal(True, BOOL), Literal(False, BOOL)
FAILS = Binary(
    BinaryOperator.EQUAL,
    Binary(BinaryOperator.DIVIDE, Literal(1, INT), Literal(0, INT), INT),
    Literal(1, INT),
    BOOL,
)


def junction(left: Expression, operator: BinaryOperator, right: Expression) -> Expression:
    return Binary(operator, left, right, BOOL)


def busy_guards() -> st.SearchStrategy[Expression | None]:
    """Conditions that passes have work with: constant ones, ones that fail, and few different ones."""
    few = st.sampled_from([TRUE, FALSE, FALSE, FAILS])
    operators = st.sampled_from([BinaryOperator.AND, BinaryOperator.OR])
    some = st.one_of(few, conditions(1))
    return st.one_of(st.none(), few, st.builds(junction, some, operators, some))


@st.composite
def busy_profiles(draw: st.DrawFn) -> Profile:
    """Profiles in which rules stand twice, with conditions that passes have work with."""
    found = draw(profiles(st.builds(lambda rule, guard: replace(rule, guard=guard), rules(), busy_guards())))
    again = [] if len(found.rules) > 5 else draw(st.lists(st.sampled_from(found.rules), max_size=3))
    guards = [draw(st.one_of(st.just(rule.guard), busy_guards())) for rule in again]
    copies = [
        replace(rule, name=f"{rule.name} again", span=replace(rule.span, line=900), guard=guard)
        for rule, guard in zip(again, guards, strict=True)
    ]
    basic = [rule.codename for rule in found.rules].count("basic.dicom.profile")
    kept = [rule for rule in copies if not (basic and rule.codename == "basic.dicom.profile")]
    return replace(found, rules=(*found.rules, *kept))


@given(instances(), st.one_of(busy_profiles(), profiles()), st.sampled_from(["reference", "tables"]))
def test_nobody_can_tell_whether_the_passes_were_run(data: bytes, profile: Profile, engine: Engine) -> None:
    outcomes = []
    for mode in ("deid", "morph"):
        for one in (profile, optimise(profile)):
            program = Program(one)
            # It stands in the output, and names what was written; that it is another one is no difference in meaning.
            program.__dict__["digest"] = "0" * 64
            outcome = deidentify(
                data, program, PROJECT, pseudonym="P-001", mode="deid" if mode == "deid" else "morph", now=NOW,
                engine=engine,
            )  # fmt: skip
            changes = tuple(outcome.changes)
            outcomes.append((outcome.data, replace(outcome, segments=None, changes=changes, fallback=None)))
    assert outcomes[0] == outcomes[1]
    assert outcomes[2] == outcomes[3]


@given(busy_profiles())
def test_passes_only_make_profiles_shorter(profile: Profile) -> None:
    short = optimise(profile)
    assert optimise(short) == short
    left = [(rule.name, rule.codename, rule.selector, rule.span) for rule in short.rules]
    all_rules = iter([(rule.name, rule.codename, rule.selector, rule.span) for rule in profile.rules])
    assert all(rule in all_rules for rule in left)
