"""The sum of a batch: how many files met which fate and why, and what the rules did to which attribute.

It grows with the number of different things that are seen, and that is bounded, never with
the number of files.
"""

from collections import Counter

from karnak.gateway.results import Decision, Fate, Result

NAMED = 10
_DIFFERENT_REASONS = 1000
OTHER_REASONS = "other reasons, see the report"


class Tally:
    """Counts of Results.

    Attributes:
        fates: files by fate.
        reasons: files by fate and reason.
        warnings: instances by warning.
        fallbacks: instances that the tables left to the interpreter, by reason.
        named: the first files of a fate that people have to look at.
        decisions: forwarded instances by decision, where the batch explains.
        size: bytes of outputs.
    """

    def __init__(self) -> None:
        self.fates: Counter[Fate] = Counter()
        self.reasons: dict[Fate, Counter[str]] = {fate: Counter() for fate in Fate}
        self.warnings: Counter[str] = Counter()
        self.fallbacks: Counter[str] = Counter()
        self.named: dict[Fate, list[Result]] = {Fate.REJECTED: [], Fate.NOT_DICOM: []}
        self.decisions: Counter[Decision] = Counter()
        self.size = 0
        self._patients: set[bytes] = set()

    @property
    def patients(self) -> int:
        """How many different patients the forwarded instances belong to."""
        return len(self._patients)

    def add(self, result: Result) -> None:
        """Count a Result."""
        self.fates[result.fate] += 1
        if result.reason is not None:
            _count(self.reasons[result.fate], result.reason)
        names = self.named.get(result.fate)
        if names is not None and len(names) < NAMED:
            names.append(result)
        if result.outcome is not None:
            for warning in set(result.outcome.warnings):
                _count(self.warnings, warning)
            if result.outcome.fallback is not None:
                _count(self.fallbacks, result.outcome.fallback)
        if result.fate is Fate.FORWARDED:
            self.size += result.size
            self.decisions.update(result.decisions.keys())
            if result.patient is not None:
                self._patients.add(result.patient)


def _count(counter: Counter[str], text: str) -> None:
    counter[text if text in counter or len(counter) < _DIFFERENT_REASONS else OTHER_REASONS] += 1
