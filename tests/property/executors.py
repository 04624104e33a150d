"""One case for both executors, and the smallest one like it when they differ."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

from karnak.ir.profile import Profile
from karnak.runtime.deidentify import Engine, Mode, deidentify
from karnak.runtime.keys import Project
from karnak.runtime.outcome import Outcome
from karnak.runtime.program import Program
from karnak.testing.character_sets import DEFAULT
from karnak.testing.specimen import EXPLICIT, Specimen, part10
from tests.property import dense
from tests.property.reducing import reduced
from tests.runtime.making import NOW

# What the tables leave to the interpreter.
TOO_LONG, UNREADABLE = "a new value is too long for its length field", "a UID that the outcome names cannot be read"
HELP = (None, "big endian", TOO_LONG, UNREADABLE)

# Few, so that what is remembered for one instance meets the next one.
PROJECTS = (Project("TRIAL-1", bytes(16)), Project("TRIAL-2", bytes(15) + b"\1"))
MODES: tuple[Mode, Mode] = ("morph", "deid")
LATER = NOW + timedelta(hours=20)


@dataclass(frozen=True, slots=True)
class Case:
    """What an executor is given.

    Attributes:
        made: an instance, or the bytes of a Part 10 file.
        profile: a checked profile.
        edition: of Table E.1-1.
        project: name and secret.
        mode: "deid" or "morph".
        pseudonym: of the patient, or None.
    """

    made: Specimen | bytes
    profile: Profile
    edition: str = "2026c"
    project: Project = PROJECTS[0]
    mode: Mode = "morph"
    pseudonym: str | None = "P-1"

    @property
    def data(self) -> bytes:
        """The bytes of a Part 10 file."""
        return self.made if isinstance(self.made, bytes) else part10(self.made)


def drawn(random: Random) -> Case:
    """A case from the dense vocabulary."""
    return around(random, dense.specimen(random), dense.profile(random))


def asking(random: Random) -> Case:
    """A case in which much follows from what expressions say of sequences and private elements."""
    made = dense.specimen(random, random.choice(("", EXPLICIT)))
    blocks = []
    if made.transfer_syntax_uid == EXPLICIT:
        blocks = dense.block(random, dense.Inside(2, DEFAULT, implicit=False))
    asked = [dense.asking_rule(random, line) for line in range(1, 1 + random.randint(1, 3))]
    others = dense.profile(random, random.choice((dense.rule, dense.private_rule)))
    rules = (*asked, *others.rules) if random.choice((True, False)) else (*others.rules, *asked)
    elements = dense.in_order([*blocks, *made.elements])
    return around(random, replace(made, elements=elements), replace(others, rules=rules))


def around(random: Random, made: Specimen | bytes, profile: Profile) -> Case:
    """A case with an instance and a profile that are given."""
    return Case(
        made,
        profile,
        random.choice(("2026c", "2026c", "2024e")),
        random.choice(PROJECTS),
        random.choice(MODES),
        random.choice(("P-1",) * 18 + ("B\u00e9", None)),
    )


def answers(outcome: Outcome) -> tuple[object, ...]:
    """Everything that an outcome says, but for its changes."""
    return (
        str(outcome.status),
        outcome.reason,
        outcome.data,
        outcome.warnings,
        outcome.sop_class_uid,
        outcome.sop_instance_uid,
        outcome.study_instance_uid,
        outcome.series_instance_uid,
        outcome.transfer_syntax_uid,
    )


def difference(case: Case, program: Program | None = None) -> str:
    """Give a case to both executors, twice, for the second time finds what the first has left.

    Args:
        case: what they are given.
        program: the profile as other instances have left it; None for one that has met nothing yet.

    Returns:
        How they differ, in words for people who repair it; "" where they don't.
    """
    program, data = program or Program(case.profile, case.edition), case.data

    def run(engine: Engine, now: datetime) -> Outcome:
        return deidentify(data, program, case.project, pseudonym=case.pseudonym, mode=case.mode, now=now, engine=engine)

    for now in (NOW, LATER):
        rewritten, judged = run("tables", now), run("reference", now)
        if "internal error" in (judged.reason or ""):
            return f"the reference engine: {judged.reason}"
        if answers(rewritten) != answers(judged):
            pairs = zip(answers(rewritten), answers(judged), strict=True)
            found = [_apart(mine, theirs) for mine, theirs in pairs if mine != theirs]
            return "\n".join([f"{now} {case.mode} {case.edition}, tables, then reference:", *found])
        if rewritten.fallback not in HELP:
            return f"the tables ask for help: {rewritten.fallback}"
        if judged.data is None:
            break
    return ""


def _apart(mine: object, theirs: object) -> str:
    """Two answers that differ; of long ones what lies around the first byte that does."""
    if not (isinstance(mine, bytes) and isinstance(theirs, bytes)):
        return f"{mine!r} is not {theirs!r}"
    pairs = enumerate(zip(mine, theirs, strict=False))
    at = next((place for place, (one, other) in pairs if one != other), min(len(mine), len(theirs)))
    near = slice(max(0, at - 24), at + 48)
    return f"from byte {at} of {len(mine)} and {len(theirs)}: {mine[near]!r} is not {theirs[near]!r}"


def agree(case: Case) -> None:
    """Hold that both executors answer alike.

    Raises:
        AssertionError: they do not; the message shows the smallest case like this one.
    """
    found = difference(case)
    if not found:
        return
    made = case.made
    if isinstance(made, Specimen):
        made, profile = reduced(made, case.profile, lambda one, other: _differ(replace(case, made=one, profile=other)))
        case = replace(case, made=made, profile=profile)
        found = difference(case)
    shown = "\n".join(map(str, made.elements)) if isinstance(made, Specimen) else made.hex()
    rules = "\n".join(map(str, case.profile.rules))
    raise AssertionError(f"{found}\n{shown}\n{rules}")


def _differ(case: Case) -> bool:
    try:
        return bool(difference(case))
    except Exception:
        # Smaller is not always possible: a path needs two steps, a choice its parts.
        return False
