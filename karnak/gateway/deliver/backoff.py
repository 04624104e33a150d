"""When a destination that failed is tried again: later and later, never all at the same moment, and never not.

Waiting grows by a factor up to a limit. Of each wait, half is fixed and half is chance, so
that what failed together doesn't come back together. Chance is an argument.
"""

import math
from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait after failures.

    Attributes:
        first: seconds after the first failure, at most; more than 0.
        factor: by how much the next wait is longer; 1 or more.
        longest: seconds that no wait exceeds; not less than `first`.
    """

    first: float = 5.0
    factor: float = 2.0
    longest: float = 600.0

    def __post_init__(self) -> None:
        if not 0 < self.first <= self.longest < math.inf or not 1 <= self.factor < math.inf:
            raise ValueError("a backoff needs 0 < first <= longest and factor >= 1")

    def limit(self, failures: int) -> float:
        """Tell the longest wait after so many failures in a row, in seconds.

        Args:
            failures: 1 or more.
        """
        if failures < 1:
            raise ValueError("there is no wait without a failure")
        # By logarithms: after a week of failures the power itself would be no number any more.
        grown = math.log(self.first) + (failures - 1) * math.log(self.factor)
        return self.longest if grown >= math.log(self.longest) else min(self.longest, math.exp(grown))

    def wait(self, failures: int, chance: float) -> float:
        """Tell how long to wait after so many failures in a row, in seconds.

        Args:
            failures: 1 or more.
            chance: from 0 to 1, evenly distributed.
        """
        if not 0 <= chance <= 1:
            raise ValueError("chance lies between 0 and 1")
        return self.limit(failures) * (0.5 + chance / 2)


DEFAULT_BACKOFF = Backoff()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long something is tried that is not tried for ever.

    Attributes:
        backoff: when what failed is tried again.
        keep: after how long it is given up.
    """

    backoff: Backoff = DEFAULT_BACKOFF
    keep: timedelta = timedelta(days=7)
