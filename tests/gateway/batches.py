"""What the tests of batches share: a program, a secret, a time and a look at a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from karnak.gateway.batch import Work, run
from karnak.gateway.pseudonyms import GeneratedPseudonym, PseudonymSource
from karnak.gateway.results import Result
from karnak.ir.profile import Action, Apply, BasicProfile, Profile, Rule
from karnak.ir.selector import EVERY_TAG, Selector, TagPattern
from karnak.ir.span import Span
from karnak.runtime.deidentify import Engine
from karnak.runtime.keys import Project
from karnak.runtime.program import Program

INSTANCES = Path(__file__).parent.parent / "data" / "instances"
PROJECT = Project("TRIAL-1", bytes(range(16)))
GENERATED = GeneratedPseudonym()
NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def rule(name: str, line: int, selector: Selector, effect: BasicProfile | Apply) -> Rule:
    return Rule(name, "any", selector, effect, span=Span("p.yml", line, 1, line, 2))


BASIC = Program(Profile("basic", "1", "", "", (rule("basic", 3, Selector((EVERY_TAG,)), BasicProfile()),)))
KEEP = Program(
    Profile("keep", "1", "", "", (rule("everything", 3, Selector((TagPattern(0, 0),)), Apply(Action.KEEP)),))
)


@dataclass(frozen=True)
class Given:
    """A pseudonym that doesn't depend on the instance, so that instances without PatientID fail in the engine."""

    value: str

    def pseudonym(self, instance: object, project: Project) -> str:
        return self.value


def work(
    program: Program = BASIC,
    mode: Literal["deid", "morph"] = "deid",
    pseudonyms: PseudonymSource = GENERATED,
    output_name: Path | None = None,
    count_actions: bool = False,
    digests: bool = False,
    explain: bool = False,
    engine: Engine = "tables",
) -> Work:
    return Work(
        program,
        PROJECT,
        mode,
        None if mode == "morph" else pseudonyms,
        NOW,
        output_name=output_name,
        count_actions=count_actions,
        digests=digests,
        explain=explain,
        engine=engine,
    )


def batch(inputs: Sequence[Path], output: Path | None, done: Work | None = None, jobs: int = 1) -> list[Result]:
    return list(run(done or work(), inputs, output, jobs=jobs))


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its name relative to it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
