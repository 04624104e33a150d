"""A candidate's rules beside the active ones, on live instances, for a time: what would be decided otherwise.

Nothing of it is sent or kept. What is reported are decisions: places, rules, actions and how often; no values. The
comparison asks the interpreter and takes its time in a thread of its own: while it is busy, instances pass by unlooked
at, and are counted.
"""

import queue
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from karnak.gateway.route import Treatment
from karnak.runtime.deidentify import deidentify
from karnak.runtime.outcome import Change, Outcome
from karnak.runtime.part10 import read_instance
from karnak.runtime.program import Program

# Instances that wait to be compared.
_MAXIMUM_WAITING = 16
# Kinds of differences that are told apart; more are counted together.
MAXIMUM_KINDS = 5000
_ITEM = re.compile(r"\[\d+\]")


@dataclass(frozen=True, slots=True, order=True)
class Decision:
    """What a profile decides at a place.

    Attributes:
        action: such as "keep" or "remove"; "" where it was never asked.
        rule: name of the profile element, or "" for what is always set.
        line: its line in the profile, or 0.
    """

    action: str
    rule: str
    line: int


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """One kind of difference.

    Attributes:
        place: tags from the root, without numbers of items.
        active: what the active profile decides there.
        candidate: what the candidate decides.
    """

    place: str
    active: Decision
    candidate: Decision


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """What has been seen so far.

    Attributes:
        destination: whose instances are looked at.
        active: digest of the active program that was compared last, or None.
        candidate: digest of the candidate.
        ends: when it ends by itself.
        running: whether it still looks.
        compared: instances compared.
        passed_by: instances that came while it was busy.
        outcomes: (active status, candidate status) with the number of instances, where they differ.
        differences: kinds of differences with the number of elements.
        untold: elements beyond the kinds that are told apart.
    """

    destination: str
    active: str | None
    candidate: str
    ends: datetime
    running: bool
    compared: int
    passed_by: int
    outcomes: Mapping[tuple[str, str], int]
    differences: Mapping[Difference, int]
    untold: int


@dataclass(frozen=True, slots=True)
class _Look:
    treatment: Treatment
    data: memoryview
    transfer_syntax_uid: str


class Shadow:
    """Compares a candidate with what is active for one destination.

    Args:
        destination: whose instances are looked at.
        candidate: the program to compare.
        ends: when it ends by itself.
        clock: tells the time, in UTC.
    """

    def __init__(self, destination: str, candidate: Program, ends: datetime, clock: Callable[[], datetime]) -> None:
        self.destination = destination
        self._candidate = candidate
        self._ends = ends
        self._clock = clock
        self._active: str | None = None
        self._waiting: queue.Queue[_Look | None] = queue.Queue(_MAXIMUM_WAITING)
        self._lock = threading.Lock()
        self._compared = 0
        self._passed_by = 0
        self._untold = 0
        self._outcomes: Counter[tuple[str, str]] = Counter()
        self._differences: Counter[Difference] = Counter()
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name=f"shadow {destination}", daemon=True)

    def start(self) -> None:
        """Begin to compare."""
        self._thread.start()

    def stop(self) -> None:
        """Look at nothing more; what waits is compared."""
        with self._lock:
            if self._stopped:
                return
            self._stopped = True
        self._waiting.put(None)
        self._thread.join()

    @property
    def running(self) -> bool:
        """Whether it still looks at instances."""
        return not self._stopped and self._clock() < self._ends

    def look(self, treatment: Treatment, data: memoryview, transfer_syntax_uid: str) -> None:
        """Look at an instance that is being treated; returns at once.

        Args:
            treatment: the active rules.
            data: its encoded data set, which stays readable as long as somebody holds it.
            transfer_syntax_uid: how it is encoded.
        """
        if not self.running:
            return
        try:
            self._waiting.put_nowait(_Look(treatment, data, transfer_syntax_uid))
        except queue.Full:
            with self._lock:
                self._passed_by += 1

    def report(self) -> ShadowReport:
        """What has been seen so far."""
        with self._lock:
            return ShadowReport(
                self.destination,
                self._active,
                self._candidate.digest,
                self._ends,
                self.running,
                self._compared,
                self._passed_by,
                dict(self._outcomes),
                dict(self._differences),
                self._untold,
            )

    def _work(self) -> None:
        while (look := self._waiting.get()) is not None:
            try:
                outcomes = self._outcome(look, look.treatment.program), self._outcome(look, self._candidate)
                statuses = (str(outcomes[0].status), str(outcomes[1].status))
                # Where only one lets the instance go, elements have nothing to be compared with.
                alike = statuses[0] == statuses[1]
                seen = differences(outcomes[0].changes, outcomes[1].changes) if alike else Counter[Difference]()
            except Exception:
                # An instance without pseudonym, say: it is no answer to what the rules would do.
                with self._lock:
                    self._passed_by += 1
                continue
            with self._lock:
                self._active = look.treatment.program.digest
                self._compared += 1
                if not alike:
                    self._outcomes[statuses] += 1
                for difference, count in seen.items():
                    if difference in self._differences or len(self._differences) < MAXIMUM_KINDS:
                        self._differences[difference] += count
                    else:
                        self._untold += count

    def _outcome(self, look: _Look, program: Program) -> Outcome:
        treatment = look.treatment
        instance = read_instance(look.data, look.transfer_syntax_uid)
        known = treatment.pseudonyms
        pseudonym = known.pseudonym(instance, treatment.project) if known is not None else None
        return deidentify(
            instance, program, treatment.project, pseudonym=pseudonym, mode=treatment.mode, now=self._clock()
        )


def differences(active: Iterable[Change], candidate: Iterable[Change]) -> Counter[Difference]:
    """Compare decisions place by place.

    Args:
        active: what the active profile decided on an instance.
        candidate: what the candidate decided on it.

    Returns:
        Kinds of differences with the number of elements.
    """
    one, other = _by_place(active), _by_place(candidate)
    nothing = Decision("", "", 0)
    found: Counter[Difference] = Counter()
    for path in one.keys() | other.keys():
        here, there = one.get(path, nothing), other.get(path, nothing)
        if here.action != there.action:
            found[Difference(_ITEM.sub("", path), here, there)] += 1
    return found


def _by_place(changes: Iterable[Change]) -> dict[str, Decision]:
    return {change.path: Decision(change.action, change.rule or "", change.line) for change in changes}
