"""What a project derives again and again, remembered with a bound; what is remembered is what would be derived."""

import numpy as np
from numpy.typing import NDArray

from karnak.errors import KarnakError
from karnak.ir.profile import Shift, ShiftByTag, ShiftRange
from karnak.runtime.amounts import amount_of
from karnak.runtime.derive import KNOWN_UIDS, UID_COLUMNS
from karnak.runtime.evaluate import Root
from karnak.runtime.keys import Project
from karnak.runtime.sha256 import key_states
from karnak.runtime.values import Surroundings

_MAX_PROJECTS = 256
_MAX_PATIENTS = 1 << 12
# Larger amounts are left to the calendar that knows no bounds but its own.
_MOST_DAYS = 10**7
_MOST_SECONDS = 10**10


class Memory:
    """What one project derives again and again.

    Args:
        project: whose secret it is derived from.

    Attributes:
        states: of its key.
        known: UIDs that were derived, for `derive.new_uid`.
    """

    def __init__(self, project: Project) -> None:
        self.states = key_states(np.frombuffer(project.secret, np.uint8))
        self.known = np.zeros((KNOWN_UIDS, UID_COLUMNS), np.uint8)
        self._project = project
        self._patient_ids: dict[str, bytes] = {}
        self._amounts: dict[tuple[Shift | ShiftRange, str], tuple[int, int, int]] = {}

    def patient_id(self, pseudonym: str) -> bytes:
        """The value of PatientID for a pseudonym, padded."""
        found = self._patient_ids.get(pseudonym)
        if found is None:
            if len(self._patient_ids) >= _MAX_PATIENTS:
                self._patient_ids.clear()
            text = self._project.patient_id(pseudonym).encode("ascii")
            found = self._patient_ids[pseudonym] = text + b" " * (len(text) % 2)
        return found

    def amounts(
        self, effects: list[Shift | ShiftRange | ShiftByTag], root: Root, around: Surroundings
    ) -> NDArray[np.int64]:
        """How far each effect moves the dates of an instance.

        Args:
            effects: what the table's cells ask for.
            root: the original root dataset.
            around: gives the patient.

        Returns:
            Rows of DAYS, SECONDS and KNOWN; an amount that cannot be told yet is not known.
        """
        found = np.empty((len(effects), 3), np.int64)
        for number, effect in enumerate(effects):
            found[number] = self._amount(effect, root, around)
        return found

    def _amount(
        self, effect: Shift | ShiftRange | ShiftByTag, root: Root, around: Surroundings
    ) -> tuple[int, int, int]:
        if isinstance(effect, ShiftByTag):
            try:
                return _bounded(effect, root, around)
            except KarnakError:
                # Whether that matters turns out when the first date is to be moved.
                return 0, 0, 0
        found = self._amounts.get((effect, around.patient_id))
        if found is None:
            if len(self._amounts) >= _MAX_PATIENTS:
                self._amounts.clear()
            found = self._amounts[effect, around.patient_id] = _bounded(effect, root, around)
        return found


def _bounded(effect: Shift | ShiftRange | ShiftByTag, root: Root, around: Surroundings) -> tuple[int, int, int]:
    amount = amount_of(effect, root, around)
    known = abs(amount.days) <= _MOST_DAYS and abs(amount.seconds) <= _MOST_SECONDS
    return (amount.days, amount.seconds, 1) if known else (0, 0, 0)


_MEMORIES: dict[Project, Memory] = {}


def memory_of(project: Project) -> Memory:
    """What is remembered for a project; of many projects the oldest are forgotten."""
    found = _MEMORIES.get(project)
    if found is None:
        if len(_MEMORIES) >= _MAX_PROJECTS:
            # A tuple: other threads may add meanwhile.
            _MEMORIES.pop(next(iter(tuple(_MEMORIES))), None)
        found = _MEMORIES[project] = Memory(project)
    return found
