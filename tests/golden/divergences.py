"""What divergences.yml says: which differences have a known cause, and what each pattern may touch.

A pattern speaks of profiles, of the rule that decided, of tags, VRs, nesting and kinds, and of values in the words
of `predicates`. No pattern can excuse what `comparison.kept` forbids.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Self

import yaml

from tests.golden.cases import Case
from tests.golden.comparison import Difference, Kind
from tests.golden.predicates import PREDICATES

FILE = Path(__file__).with_name("divergences.yml")
CAUSE = re.compile(r"(§\d.*|defect: .+|conformance: .+)")


@dataclass(frozen=True, slots=True)
class Pattern:
    """One cause of differences between elements.

    Attributes:
        id: its name in the summary.
        cause: "§..." names a clause of the language page, "defect: ..." a defect of the reference engine,
            "conformance: ..." what the standard's own validator finds wrong with the plain answer.
        reason: what happens there and what happens here.
        profiles: globs on "folder/name"; empty for all.
        modes: "deid", "morph"; empty for both.
        decided: codename, or codename:option, of the rule that decided here; "always" for what is always set, "none"
            where no rule did; empty for any.
        tags: terms on the path of tags; empty for all.
        vrs: value representations; empty for all.
        nesting: "root", "nested" or "any".
        kinds: ways to differ; empty for all.
        when: predicates that all have to hold.
        declaration: it is about attributes that say what was done, not about the patient's data.
    """

    id: str
    cause: str
    reason: str
    profiles: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    decided: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    vrs: tuple[str, ...] = ()
    nesting: str = "any"
    kinds: tuple[str, ...] = ()
    when: tuple[str, ...] = ()
    declaration: bool = False

    def __post_init__(self) -> None:
        assert CAUSE.fullmatch(self.cause), f"{self.id}: a cause names a clause, a defect or a conformance problem"
        assert self.nesting in {"root", "nested", "any"}, self.id
        assert set(self.kinds) <= set(Kind), self.id
        assert set(self.when) <= set(PREDICATES), f"{self.id}: unknown predicate"
        assert self.tags or self.vrs or self.decided or self.when, (
            f"{self.id}: the pattern says nothing of what it touches"
        )

    def explains(self, difference: Difference, case: Case, decided: str) -> bool:
        """Tell whether this cause accounts for a difference."""
        return (
            _any(self.profiles, case.profile)
            and (not self.modes or case.mode in self.modes)
            and (not self.decided or decided in self.decided or decided.partition(":")[0] in self.decided)
            and (not self.kinds or difference.kind in self.kinds)
            and (self.nesting == "any" or difference.nested == (self.nesting == "nested"))
            and (not self.vrs or difference.vr in self.vrs)
            and (not self.tags or any(tag_term(term).fullmatch("/".join(difference.tags)) for term in self.tags))
            and all(PREDICATES[name](difference) for name in self.when)
        )


@dataclass(frozen=True, slots=True)
class ResultPattern:
    """One cause for another fate of the whole instance.

    Attributes:
        id: its name in the summary.
        cause: as for Pattern.
        reason: what happens there and what happens here.
        reference: "dataset", "aborted", "parse_error" or "error:ExceptionClass".
        ours: "forwarded", "excluded" or "rejected".
        because: words that our reason must contain; empty where we forward.
        profiles: globs on "folder/name"; empty for all.
        inputs: globs on the input's file name; empty for all.
        repaired_twin: the case has a twin that was run with the null defect repaired.
    """

    id: str
    cause: str
    reason: str
    reference: str
    ours: str
    because: str = ""
    profiles: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    repaired_twin: bool = False

    def __post_init__(self) -> None:
        assert CAUSE.fullmatch(self.cause), f"{self.id}: a cause names a clause, a defect or a conformance problem"
        assert self.ours in {"forwarded", "excluded", "rejected"}, self.id
        assert bool(self.because) == (self.ours != "forwarded"), f"{self.id}: say why we do not forward"

    def explains(self, case: Case, result: str, status: str, reason: str, *, has_twin: bool) -> bool:
        """Tell whether this cause accounts for an instance's fate."""
        return (
            self.reference == result
            and self.ours == status
            and self.because.lower() in reason.lower()
            and _any(self.profiles, case.profile)
            and _any(self.inputs, case.input)
            and (has_twin or not self.repaired_twin)
        )


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two engines that do not forward an instance, for one reason.

    Attributes:
        id: its name in the summary.
        reference: "parse_error" or "error:ExceptionClass".
        says: words of the reference engine's message.
        because: words of ours.
    """

    id: str
    reference: str
    says: str
    because: str

    def holds(self, case: Case, result: str, reason: str) -> bool:
        """Tell whether both refuse the instance for this reason."""
        return self.reference == result and self.says in str(case.output) and self.because in reason


@dataclass(frozen=True, slots=True)
class Refusal:
    """A profile that is refused here at compile time.

    Attributes:
        profile: "folder/name".
        codes: the codes of the errors, all of them.
        cause: as for Pattern.
        reason: what is refused and why.
    """

    profile: str
    codes: tuple[str, ...]
    cause: str
    reason: str

    def __post_init__(self) -> None:
        assert self.codes, f"{self.profile}: name the errors"
        assert CAUSE.fullmatch(self.cause), f"{self.profile}: a cause names a clause, a defect or a conformance problem"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Profiles that this build checks but cannot run yet.

    Attributes:
        code: the code of the diagnostic that says so.
        profiles: how many cases each of them has.
    """

    code: str
    profiles: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Divergences:
    """Everything that divergences.yml says."""

    differences: tuple[Pattern, ...]
    results: tuple[ResultPattern, ...]
    agreements: tuple[Agreement, ...]
    refusals: tuple[Refusal, ...]
    waiting: Waiting

    @property
    def names(self) -> list[str]:
        """The ids of everything that has to occur."""
        named = [entry.id for entry in self.differences] + [entry.id for entry in self.results]
        return [*named, *(entry.id for entry in self.agreements)]

    @classmethod
    def load(cls, path: Path = FILE) -> Self:
        """Read the file; an unknown key, a repeated id or a loose pattern is an error."""
        document = yaml.safe_load(path.read_text("utf-8"))
        assert set(document) == {field.name for field in fields(cls)}, "unknown section"
        loaded = cls(
            tuple(Pattern(**_tuples(entry)) for entry in document["differences"]),
            tuple(ResultPattern(**_tuples(entry)) for entry in document["results"]),
            tuple(Agreement(**entry) for entry in document["agreements"]),
            tuple(Refusal(**_tuples(entry)) for entry in document["refusals"]),
            Waiting(**document["waiting"]),
        )
        names = loaded.names
        assert len(names) == len(set(names)), "an id stands twice"
        return loaded


def _tuples(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}


def _any(globs: tuple[str, ...], text: str) -> bool:
    return not globs or any(fnmatchcase(text, glob) for glob in globs)


@cache
def tag_term(term: str) -> re.Pattern[str]:
    """Compile a term: one tag with X as wildcard digit, at any depth; or a path from the root, ** for any steps."""
    steps = re.sub(r"[(), ]", "", term.upper()).split("/")
    assert all(re.fullmatch(r"\*\*|[0-9A-FX]{8}", step) for step in steps), term
    if len(steps) == 1:
        steps = ["**", *steps]
    parts = ["(?:[0-9A-F]{8}/)*" if step == "**" else step.replace("X", "[0-9A-F]") + "/" for step in steps]
    text = "".join(parts).removesuffix("/")
    return re.compile(text + "[0-9A-F]{8}" if steps[-1] == "**" else text)
