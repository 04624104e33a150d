"""What an instance costs that has few elements and few bytes: parsing, de-identifying and writing it, in memory.

Claim: the mean over 13 of the golden inputs is at most 48 us for the basic profile, which is what the core of Karnak in
Java takes on a warm virtual machine, and at most 1.5 times that with five conditions and with expressions, for which
that core takes 52,500 and 7,300 us. Each pass has a project of its own, so that nothing is remembered of an instance.
"""

from collections.abc import Sequence
from functools import partial
from statistics import fmean
from time import perf_counter

from benchmarks.setting import NOW, PSEUDONYM, Setting, compiled, in_turn, project
from benchmarks.tables import Table, rounded, times
from karnak.dsl.compile import compile_profile
from karnak.dsl.source import Source
from karnak.runtime.deidentify import deidentify
from karnak.runtime.keys import Project
from karnak.runtime.part10 import is_part10
from karnak.runtime.program import Program
from karnak.testing.specimen import IMPLICIT
from tests.golden.cases import inputs, profile_texts

INPUTS = (
    "pd__CT_small.dcm",
    "pd__MR_small_implicit.dcm",
    "pd__rtplan.dcm",
    "pd__rtstruct.dcm",
    "pd__JPEG2000.dcm",
    "syn__nested_mr.dcm",
    "syn__values_mix.dcm",
    "syn__ct_axial_burned.dcm",
    "syn__us_vivid.dcm",
    "syn__sr.dcm",
    "pid__test-SR.dcm",
    "pid__emri_small.dcm",
    "pd__dicomdirtests__77654033__CR1__6154",
)
# Golden profiles by what the tables call them, and microseconds of Karnak in Java on a warm virtual machine.
PROFILES = {
    "basic profile": ("", 48),
    "five conditions (own17)": ("own/own17_conditions", 52_500),
    "expressions (own14)": ("own/own14_expr_actions", 7_300),
}
ROUNDS = 60


def measure(setting: Setting) -> list[Table]:
    """Measure every input under every profile."""
    data = {name: inputs()[name] for name in INPUTS}
    programs = {title: _program(golden) for title, (golden, _) in PROFILES.items()}
    fresh = {
        (title, name): partial(_first, program, data[name], place)
        for place, (title, program) in enumerate(programs.items())
        for name in INPUTS
    }
    again = {
        (title, name): partial(_again, program, data[name]) for title, program in programs.items() for name in INPUTS
    }
    rounds = setting.rounds(ROUNDS)
    first, second = in_turn(fresh, rounds), in_turn(again, rounds)
    rows = []
    for title, (_, java) in PROFILES.items():
        mean = fmean(first[title, name] for name in INPUTS) * 1e6
        warm = fmean(second[title, name] for name in INPUTS) * 1e6
        rows.append((title, rounded(mean), rounded(warm), rounded(java), times(java / mean)))
    heading = ("", "seen first, us", "seen again, us", "Java, us", "of Java's speed")
    single = [
        (name.split("__")[-1], rounded(len(data[name]) / 1e3), *(rounded(first[t, name] * 1e6) for t in PROFILES))
        for name in INPUTS
    ]
    return [
        Table("13 small instances in memory: parsed, de-identified, written; mean per instance", heading, rows),
        Table("The same one by one, us", ("", "kB", *PROFILES), single),
    ]


def _program(golden: str) -> Program:
    return compile_profile(Source(golden, profile_texts()[golden])) if golden else compiled("basic")


def _first(program: Program, data: bytes, place: int, number: int) -> Sequence[float]:
    """De-identify an instance that its project has never seen."""
    return [_seconds(program, data, project(number * len(PROFILES) + place + 1))]


def _again(program: Program, data: bytes, _number: int) -> Sequence[float]:
    return [_seconds(program, data, project(0))]


def _seconds(program: Program, data: bytes, of: Project) -> float:
    # One of them is a bare dataset.
    syntax = None if is_part10(data) else IMPLICIT
    start = perf_counter()
    outcome = deidentify(data, program, of, pseudonym=PSEUDONYM, now=NOW, transfer_syntax_uid=syntax)
    made = outcome.data
    taken = perf_counter() - start
    if made is None or outcome.fallback is not None:
        raise RuntimeError(outcome.reason or outcome.fallback)
    return taken
