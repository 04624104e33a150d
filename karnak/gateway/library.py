"""The library: which rules hold for which instance, and how new ones come in while the gateway runs.

Rules change in epochs. A configuration with its profiles is read, checked and compiled beside the running one;
only a clean one becomes an epoch, in one assignment; with a bad one everything stays as it is. An instance belongs to
one epoch, that of the time it was taken, for all its destinations and however long they take: nothing is worked on by
two. Where studies are pinned, all of a study belongs to the epoch of its first instance.

Epochs live in memory. After a start there is one, and what is left from before goes by it.
"""

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from karnak.dsl.diagnostics import Diagnostic
from karnak.gateway.plan import Plan
from karnak.gateway.route import ForwardNode, Outlet, find_node

# So many are kept in any case; older ones while something that is owed belongs to them, or a study may go on.
KEPT_EPOCHS = 32
# Nobody reloads so often while a destination is down; what belongs to older ones goes by the oldest that is left.
MAXIMUM_EPOCHS = 1000
# What is owed is told by the time of its receipt, which is about that of its reception.
_MARGIN = timedelta(minutes=5)
MAXIMUM_STUDIES = 10_000


@dataclass(frozen=True, slots=True)
class Epoch:
    """A time during which the rules don't change.

    Attributes:
        number: 1 for the first one after a start.
        began: when it became active.
        plan: what holds in it.
    """

    number: int
    began: datetime
    plan: Plan


@dataclass(frozen=True, slots=True)
class Reload:
    """What came of reading the configuration again.

    Attributes:
        epoch: the epoch that is active now.
        is_new: whether it began with this reload.
        diagnostics: what was found; with an error there is no new epoch.
    """

    epoch: Epoch
    is_new: bool
    diagnostics: tuple[Diagnostic, ...]


class Library:
    """Epochs and what belongs to them; used from several threads.

    Args:
        plan: the first epoch's.
        read: reads and checks the configuration anew; no plan where there are errors.
        clock: tells the time, in UTC.
        study_idle: seconds without an instance after which a study is no longer held to its epoch; None where
            studies are not.
        owed_since: tells when the oldest instance came that is still owed to somebody, or None where none is.
    """

    def __init__(
        self,
        plan: Plan,
        read: Callable[[], tuple[Plan | None, tuple[Diagnostic, ...]]],
        clock: Callable[[], datetime],
        study_idle: float | None,
        owed_since: Callable[[], datetime | None],
    ) -> None:
        self._read = read
        self._clock = clock
        self._study_idle = study_idle
        self._owed_since = owed_since
        self._epochs: tuple[Epoch, ...] = (Epoch(1, clock(), plan),)
        self._reloading = threading.Lock()
        self._pinning = threading.Lock()
        self._studies: OrderedDict[str, tuple[Epoch, datetime]] = OrderedDict()
        # Instances whose study pins them to another epoch than their time does.
        self._pinned: dict[str, Epoch] = {}

    @property
    def current(self) -> Epoch:
        """The active epoch."""
        return self._epochs[-1]

    @property
    def epochs_since(self) -> datetime:
        """When the oldest epoch began that is kept."""
        return self._epochs[0].began

    def reload(self) -> Reload:
        """Read the configuration again; it becomes active if nothing is wrong with it."""
        with self._reloading:
            plan, diagnostics = self._read()
            if plan is None:
                return Reload(self.current, False, diagnostics)
            epoch = Epoch(self.current.number + 1, self._clock(), plan)
            kept = self._needed((*self._epochs, epoch))
            # The one step that counts: whoever looks sees the epochs before it or with it.
            self._epochs = kept
            return Reload(epoch, True, diagnostics)

    def pin(self, receipt: str, received: datetime, study_instance_uid: str | None) -> Epoch:
        """Say which epoch a new instance belongs to, and remember it where its study decides.

        Args:
            receipt: its receipt.
            received: when it was taken.
            study_instance_uid: its Study Instance UID, or None.
        """
        epoch = self._at(received)
        if self._study_idle is None or study_instance_uid is None:
            return epoch
        with self._pinning:
            now = self._clock()
            first, last = self._studies.pop(study_instance_uid, (epoch, now))
            if (now - last).total_seconds() > self._study_idle or first.began < self._epochs[0].began:
                first = epoch
            self._studies[study_instance_uid] = (first, now)
            if len(self._studies) > MAXIMUM_STUDIES:
                self._studies.popitem(last=False)
            if first is not epoch:
                self._pinned[receipt] = first
            return first

    def epoch_of(self, receipt: str, received: datetime) -> Epoch:
        """The epoch that an instance belongs to.

        Args:
            receipt: its receipt.
            received: when it was taken.
        """
        return self._pinned.get(receipt) or self._at(received)

    def outlet_for(self, receipt: str, received: datetime, called_ae: str, destination: str) -> Outlet | None:
        """A destination with what the rules of an instance ask for.

        Rules of an earlier process have routed it, perhaps: where its own have no such destination, those do that
        have brought it back.

        Args:
            receipt: its receipt.
            received: when it was taken.
            called_ae: the AE title that was called.
            destination: the destination's name.

        Returns:
            The outlet, or None where no rules have it that are younger.
        """
        epoch = self.epoch_of(receipt, received)
        since = (epoch, *(later for later in self._epochs if later.number > epoch.number))
        found = (outlet_of(one.plan, called_ae, destination) for one in since)
        return next((outlet for outlet in found if outlet is not None), None)

    def forget(self, receipt: str) -> None:
        """Let go of an instance that has ended everywhere."""
        self._pinned.pop(receipt, None)

    def _needed(self, epochs: tuple[Epoch, ...]) -> tuple[Epoch, ...]:
        """Let go of epochs to which nothing belongs any more."""
        epochs = epochs[-MAXIMUM_EPOCHS:]
        surplus = len(epochs) - KEPT_EPOCHS
        if surplus <= 0:
            return epochs
        now = self._clock()
        since = min(self._owed_since() or now, now - timedelta(seconds=self._study_idle or 0)) - _MARGIN
        # An epoch ends when the next one begins.
        over = sum(following.began <= since for following in epochs[1 : surplus + 1])
        return epochs[over:]

    def _at(self, when: datetime) -> Epoch:
        epochs = self._epochs
        place = bisect_right(epochs, when, key=lambda epoch: epoch.began)
        return epochs[max(place - 1, 0)]


def outlet_of(plan: Plan, called_ae: str, destination: str) -> Outlet | None:
    """Find a destination of a forward node by name, or None where the plan has none."""
    node: ForwardNode | None = find_node(plan.nodes, called_ae)
    if node is None:
        return None
    return next((outlet for outlet in node.outlets if outlet.name == destination), None)
