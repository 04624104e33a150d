"""Run the recorded cases through our engine and sort every difference by its cause."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from karnak.dsl.compile import ProfileError, compile_profile
from karnak.dsl.diagnostics import Severity
from karnak.dsl.source import Source
from karnak.ir.profile import Effect, Shift, ShiftByTag, ShiftRange, TruncateDate
from karnak.runtime.deidentify import Engine, deidentify
from karnak.runtime.keys import Project
from karnak.runtime.outcome import Outcome, Status
from karnak.runtime.program import Program
from tests.golden.cases import Case, cases_by_profile, input_form, inputs, profile_texts
from tests.golden.comparison import Difference, compare, kept
from tests.golden.dataset_form import from_part10, from_reference
from tests.golden.date_rules import date_rule
from tests.golden.divergences import Divergences

EDITION = "2024e"
NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
OPTIONS = {Shift: "shift", ShiftRange: "shift_range", ShiftByTag: "shift_by_tag", TruncateDate: "date_format"}


@dataclass(frozen=True, slots=True)
class Decider:
    """What decided an element here: its name in divergences.yml, and the rule's effect."""

    name: str
    effect: Effect | None = None


NOBODY = Decider("none")
ALWAYS = Decider("always")


@dataclass(slots=True)
class Tally:
    """What came of a set of cases.

    Attributes:
        equal: names of cases without any difference.
        declared: names of cases that differ only in attributes that say what was done.
        diverging: names of cases whose every difference has a listed cause.
        causes: how often each cause was met.
        refused: names of cases whose profile is refused, as listed.
        waiting: names of cases whose profile this build can't run yet.
        unexplained: sentences about differences that nothing explains.
        leaks: sentences about values that were kept against the law.
    """

    equal: list[str] = field(default_factory=list)
    declared: list[str] = field(default_factory=list)
    diverging: list[str] = field(default_factory=list)
    causes: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Join what came of other cases."""
        self.equal += other.equal
        self.declared += other.declared
        self.diverging += other.diverging
        self.causes += other.causes
        self.refused += other.refused
        self.waiting += other.waiting
        self.unexplained += other.unexplained
        self.leaks += other.leaks


def refusal_codes(profile: str) -> frozenset[str]:
    """Name the errors for which a profile is refused here; none where it compiles."""
    try:
        compiled(profile)
    except ProfileError as refusal:
        return frozenset(found.code for found in refusal.diagnostics if found.severity is Severity.ERROR)
    return frozenset()


def compiled(profile: str) -> Program:
    """Compile a profile against the edition that the reference engine carries."""
    return compile_profile(Source(f"{profile}.yml", profile_texts()[profile]), edition=EDITION)


def run_profile(profile: str, listed: Divergences) -> Tally:
    """Run all cases of one profile."""
    group = cases_by_profile()[profile]
    names = [case.name for case in group]
    codes = refusal_codes(profile)
    if codes:
        if codes == {listed.waiting.code}:
            return Tally(waiting=names)
        refusal = next((entry for entry in listed.refusals if entry.profile == profile), None)
        if refusal is not None and set(refusal.codes) == codes:
            return Tally(refused=names)
        return Tally(unexplained=[f"{profile} is refused for {', '.join(sorted(codes))}, which is not listed"])
    return _run_cases(compiled(profile), group, listed)


def _run_cases(program: Program, group: tuple[Case, ...], listed: Divergences) -> Tally:
    tally = Tally()
    repaired = {case.run for case in group if case.null_repaired}
    outcomes: dict[tuple[str, ...], Outcome] = {}
    for case in group:
        if case.run not in outcomes:
            outcomes[case.run] = answer(case, program)
        twin = case.run in repaired and not case.null_repaired
        tally.add(judge(case, outcomes[case.run], program, listed, has_twin=twin))
    return tally


def answer(case: Case, program: Program, engine: Engine = "tables") -> Outcome:
    """Give one case to our engine, or to the interpreter that is its judge."""
    data = inputs()[case.input]
    return deidentify(
        data,
        program,
        _project(case),
        pseudonym=case.pseudonym if case.mode == "deid" else None,
        mode="deid" if case.mode == "deid" else "morph",
        now=NOW,
        # A dataset alone comes with its transfer syntax; the reference engine guesses it.
        transfer_syntax_uid=None if data[128:132] == b"DICM" else case.output.get("transferSyntax"),
        engine=engine,
    )


def judge(case: Case, outcome: Outcome, program: Program, listed: Divergences, *, has_twin: bool) -> Tally:
    """Compare one case's two answers; a mistake in our own code is never an answer."""
    if "internal error" in (outcome.reason or ""):
        return Tally(unexplained=[f"{case.name}: {outcome.reason}"])
    if outcome.data is None or case.result != "dataset":
        return _judge_fate(case, outcome, listed, has_twin=has_twin)
    reference = from_reference(case.output)
    source = input_form(case.input)
    ours = from_part10(outcome.data)
    tally = Tally()
    if ours.transfer_syntax != reference.transfer_syntax:
        tally.unexplained.append(
            f"{case.name}: transfer syntax {ours.transfer_syntax}, not {reference.transfer_syntax}"
        )
    deciders = _deciders(outcome, program)
    for difference in compare(reference, ours, source, clock=case.mode == "deid"):
        decider = deciders.get(path_of(difference), NOBODY)
        difference = replace(difference, rule=date_rule(decider.effect, _project(case), source.elements))
        survivors = kept(difference)
        if survivors:
            tally.leaks.append(f"{case.name}: {difference} KEPT {sorted(map(str, survivors))}")
            continue
        for entry in listed.differences:
            if entry.explains(difference, case, decider.name):
                tally.causes[entry.id] += 1
                break
        else:
            tally.unexplained.append(f"{case.name}: [{decider.name}] {difference}")
    if tally.unexplained or tally.leaks:
        return tally
    declarations = {entry.id for entry in listed.differences if entry.declaration}
    fate = tally.equal if not tally.causes else tally.declared if set(tally.causes) <= declarations else tally.diverging
    fate.append(case.name)
    return tally


def _judge_fate(case: Case, outcome: Outcome, listed: Divergences, *, has_twin: bool) -> Tally:
    result = f"error:{case.error_class}" if case.error_class else case.result
    reason = outcome.reason or ""
    if result == "aborted" and outcome.status is Status.EXCLUDED:
        return Tally(equal=[case.name])
    if outcome.status is Status.REJECTED:
        for agreement in listed.agreements:
            if agreement.holds(case, result, reason):
                return Tally(equal=[case.name], causes=Counter({agreement.id: 1}))
    for entry in listed.results:
        if entry.explains(case, result, outcome.status, reason, has_twin=has_twin):
            return Tally(diverging=[case.name], causes=Counter({entry.id: 1}))
    return Tally(
        unexplained=[f"{case.name}: {outcome.status} ({reason}), reference {result} {case.output.get('error')}"]
    )


def path_of(difference: Difference) -> str:
    """Write a difference's place as an outcome's changes write theirs."""
    text = ""
    for step in difference.path:
        text += f"[{step}]" if isinstance(step, int) else f"{'/' if text else ''}({step[:4]},{step[4:]})"
    return text


def _deciders(outcome: Outcome, program: Program) -> dict[str, Decider]:
    """Find for each decided element the rule that decided."""
    rules: dict[tuple[str, int], Decider] = {}
    for rule in program.profile.rules:
        option = OPTIONS.get(type(rule.effect))
        name = f"{rule.codename}:{option}" if option else rule.codename
        rules[rule.name, rule.span.line] = Decider(name, rule.effect)
    return {
        change.path: ALWAYS if change.rule is None else rules[change.rule, change.line] for change in outcome.changes
    }


def _project(case: Case) -> Project:
    return Project(name=case.project, secret=bytes.fromhex(case.secret))


def run_all(listed: Divergences) -> Iterator[tuple[str, Tally]]:
    """Run every case, profile by profile."""
    for profile in cases_by_profile():
        yield profile, run_profile(profile, listed)
