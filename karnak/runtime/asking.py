"""Expressions that are asked before the plan is final, since what becomes of other elements follows from them."""

from dataclasses import dataclass

from karnak.errors import KarnakError
from karnak.runtime.decision import Decision, Verb
from karnak.runtime.evaluate import CurrentElement, Root
from karnak.runtime.table import Step, Verdict


@dataclass(frozen=True, slots=True)
class Answer:
    """What the expressions of a verdict say of one element.

    Attributes:
        step: the first that decides, fails or excludes the instance; None where none does.
        decision: what it decides; None where the instance goes no further.
    """

    step: Step | None = None
    decision: Decision | None = None

    @property
    def verb(self) -> Verb | None:
        """What it decides to do."""
        return None if self.decision is None else self.decision.verb


def ask(verdict: Verdict, root: Root, current: CurrentElement) -> Answer:
    """Ask the expressions of a verdict in their order.

    Args:
        verdict: what the rules say of the element's cell.
        root: the original root dataset.
        current: the element.
    """
    for step in verdict.steps:
        try:
            answer = step.question(root, current)
        except KarnakError:
            return Answer(step)
        if isinstance(answer, Decision) and answer.verb is not Verb.ADD:
            return Answer(step, None if answer.verb is Verb.EXCLUDE else answer)
    return Answer()
