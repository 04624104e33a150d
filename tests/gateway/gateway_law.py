"""What must be true of a gateway, told a second time, in the plainest way: who has sent what, and what comes of it.

Nothing here asks the gateway. A test tells the world what senders, destinations and people do; the world says whether
what leaves may leave, and what every instance has to end as.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

from pydicom import dcmread

from karnak.dsl.compile import compile_profile
from karnak.dsl.nodes import Source
from karnak.gateway.deliver.parcel import Parcel
from karnak.gateway.store.rows import DROPPED, REPLACED
from karnak.runtime.deidentify import deidentify
from karnak.runtime.program import Program
from tests.gateway.house import BASIC, EXPLICIT, PROJECT, instance
from tests.gateway.instances import SECONDARY_CAPTURE

CT = "1.2.840.10008.5.1.4.1.1.2"
NODE = "TRIAL1"
STUDY_IDLE = 599.5


def _profile(name: str, *elements: str) -> Program:
    return compile_profile(
        Source(f"{name}.yml", f"name: {name}\nprofileElements:\n" + "".join(f"  - {{ {one} }}\n" for one in elements))
    )


PROGRAMS: Mapping[str, Program] = {
    "basic": BASIC,
    "keeping": _profile(
        "Keeping",
        "name: keep, codename: action.on.specific.tags, action: K, tags: [ '(0008,103E)' ]",
        "name: basic, codename: basic.dicom.profile",
    ),
    "nothing": _profile("Nothing", "name: all, codename: action.on.specific.tags, action: X, tags: [ 'XXXX,XXXX' ]"),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What a configuration says.

    Attributes:
        program: name of the profile of "deid" and "wide".
        wide: whether there is a destination "wide".
        connection: how "deid" is reached.
    """

    program: str = "basic"
    wide: bool = True
    connection: int = 0

    @property
    def destinations(self) -> frozenset[str]:
        return frozenset({"deid", "raw", "wide"} if self.wide else {"deid", "raw"})


@dataclass
class Sent:
    """An instance that was sent to its end.

    Attributes:
        number: of the instance, which every destination gets to see.
        kind: good; no patient; unreadable; mismatch; CT, which "raw" does not take; nobody, whom it calls.
        uid: its SOP Instance UID.
        study: number of its study, of one series.
        caller: who sends it.
        received: when it began to come.
        data: its data set.
        acknowledged: whether its sender has heard Success.
    """

    number: int
    kind: str
    uid: str
    study: int
    caller: str
    received: datetime
    data: bytes = b""
    acknowledged: bool = False

    def __post_init__(self) -> None:
        self.data = instance(
            SOPClassUID=self.sop_class,
            SOPInstanceUID=self.uid,
            StudyInstanceUID=self.study_uid,
            SeriesInstanceUID=f"{self.study_uid}.1",
            SeriesDescription="abdomen",
            PatientID="" if self.kind == "no patient" else f"P{self.study}",
            InstanceNumber=str(self.number),
        )
        if self.kind == "unreadable":
            self.data = self.data[:-3]

    @property
    def study_uid(self) -> str:
        return f"1.2.{self.study}"

    @property
    def sop_class(self) -> str:
        return CT if self.kind == "CT" else SECONDARY_CAPTURE

    @property
    def source(self) -> tuple[str, str]:
        return self.caller, self.uid

    def as_said(self) -> dict[str, Any]:
        """What its sender says of it."""
        return {
            "called_ae": "OTHER" if self.kind == "nobody" else NODE,
            "calling_ae": self.caller,
            "sop_class_uid": self.sop_class,
            "sop_instance_uid": f"{self.uid}.9" if self.kind == "mismatch" else self.uid,
            "transfer_syntax_uid": EXPLICIT,
            "received": self.received,
        }

    def end_at(self, destination: str, rules: Rules) -> str:
        """What becomes of it at a destination that takes everything, if nobody meddles with it."""
        if destination == "raw":
            return "excluded" if self.kind == "CT" else "delivered"
        return "rejected" if self.kind == "no patient" or rules.program == "nothing" else "delivered"

    @property
    def is_kept_back(self) -> bool:
        """Whether nobody's rules are asked for it."""
        return self.kind in ("unreadable", "mismatch", "nobody")


@dataclass
class Given:
    """What a destination was given: whose, what it is called there, in which life of the gateway, and if it said so."""

    receipt: str
    uid: str
    life: int
    confirmed: bool


@dataclass
class World:
    """What has happened.

    Attributes:
        pinned: whether studies are held to the rules of their first instance.
        sent: by receipt, what was sent to its end.
        given: what each destination was given, in order.
        life: number of the process that runs.
        offered: the parts that a destination was ever asked to take.
        waited: the parts that have ever had to wait.
        dropped: the parts that a person wanted to be dropped.
        taken_in: by receipt, the group in which it came into the index.
        owed: by receipt, the destinations that it was routed to.
    """

    pinned: bool
    sent: dict[str, Sent] = field(default_factory=dict)
    given: dict[str, list[Given]] = field(default_factory=lambda: defaultdict(list))
    life: int = 0
    offered: set[tuple[str, str]] = field(default_factory=set)
    waited: set[tuple[str, str]] = field(default_factory=set)
    dropped: set[tuple[str, str]] = field(default_factory=set)
    taken_in: dict[str, int] = field(default_factory=dict)
    owed: dict[str, frozenset[str]] = field(default_factory=dict)

    def begin_life(self, began: datetime, rules: Rules) -> None:
        """A process starts; of what others have decided it knows nothing."""
        self.life += 1
        self._epochs: list[tuple[datetime, Rules]] = []
        self._studies: dict[int, tuple[Rules, datetime]] = {}
        self._held: dict[str, Rules] = {}
        self._groups = max(self.taken_in.values(), default=0)
        self.reloaded(began, rules)

    def reloaded(self, began: datetime, rules: Rules) -> None:
        """New rules are active."""
        self._epochs.append((began, rules))

    def routed(self, receipt: str, now: datetime, *, is_new: bool) -> None:
        """The gateway asks where an instance is to go."""
        sent = self.sent[receipt]
        rules = self._rules_at(sent.received)
        if self.pinned:
            first, last = self._studies.get(sent.study, (rules, now))
            if now - last > timedelta(seconds=STUDY_IDLE):
                first = rules
            self._studies[sent.study] = (first, now)
            rules = self._held.setdefault(receipt, first)
        if is_new:
            self.owed[receipt] = rules.destinations

    def added(self, receipts: Sequence[str]) -> None:
        """Instances are in the index."""
        self._groups += 1
        for receipt in receipts:
            self.taken_in.setdefault(receipt, self._groups)

    def rules_of(self, receipt: str, destination: str) -> Rules:
        """The rules that an instance belongs to, for all its destinations.

        Where an earlier process has routed it, they may lack a destination: then the first count that have it.
        """
        own = self._held.get(receipt) or self._rules_at(self.sent[receipt].received)
        later = (rules for began, rules in self._epochs if began > self.sent[receipt].received)
        return next(rules for rules in (own, *later) if destination in rules.destinations)

    def _rules_at(self, when: datetime) -> Rules:
        return next((rules for began, rules in reversed(self._epochs) if began <= when), self._epochs[0][1])

    def offers(self, destination: str, parcel: Parcel, now: datetime) -> str:
        """Somebody offers a parcel to a destination: may it leave, is it what it should be, and is it its turn?"""
        read = dcmread(BytesIO(b"".join(parcel.file())))
        (receipt,) = (name for name, sent in self.sent.items() if sent.number == read.InstanceNumber)
        sent, rules = self.sent[receipt], self.rules_of(receipt, destination)
        assert not sent.is_kept_back
        assert destination in self.owed[receipt]
        assert sent.end_at(destination, rules) == "delivered"
        assert parcel.data_set == self._expected(sent, destination, rules, read, now)
        uid = sent.uid if destination == "raw" else PROJECT.uid(sent.uid)
        assert parcel.sop_instance_uid == read.SOPInstanceUID == uid
        for given in self.given[destination]:
            # What was delivered is delivered again only where the process died before it could note that.
            assert given.receipt != receipt or given.life < self.life or not given.confirmed
        self._has_turn(destination, receipt)
        self.offered.add((receipt, destination))
        return receipt

    def takes(self, destination: str, receipt: str, *, confirmed: bool) -> None:
        """A destination has a parcel now, and says so or not."""
        uid = self.sent[receipt].uid
        self.given[destination].append(Given(receipt, uid, self.life, confirmed))

    @staticmethod
    def _expected(sent: Sent, destination: str, rules: Rules, read: Any, now: datetime) -> bytes:
        if destination == "raw":
            return sent.data
        made = datetime.strptime(f"{read.InstanceCreationDate}{read.InstanceCreationTime}", "%Y%m%d%H%M%S.%f")
        made = made.replace(tzinfo=UTC)
        assert sent.received <= made <= now
        pseudonym = PROJECT.pseudonym(f"P{sent.study}", None)
        program = PROGRAMS[rules.program]
        outcome = deidentify(sent.data, program, PROJECT, pseudonym=pseudonym, now=made, transfer_syntax_uid=EXPLICIT)
        assert outcome.data is not None
        return b"".join(Parcel.of_outcome(outcome).segments)

    def _has_turn(self, destination: str, receipt: str) -> None:
        """Within a series nobody is overtaken who did not have to wait, and comes for the first time."""
        sent = self.sent[receipt]
        if destination == "wide" or (receipt, destination) in self.offered:
            return
        if (receipt, destination) in self.waited or receipt not in self.taken_in:
            return
        if any(other.uid == sent.uid and name < receipt for name, other in self.sent.items()):
            return
        for other, at in self.offered:
            if at == destination and other > receipt and self.sent[other].study == sent.study:
                assert self.taken_in.get(other, 0) < self.taken_in[receipt], "it was overtaken"

    def parts_of(self, receipt: str) -> frozenset[str]:
        """The destinations that an instance has parts for; "" where nobody's rules are asked."""
        return frozenset({""}) if self.sent[receipt].is_kept_back else self.owed[receipt]

    def check_end(self, receipt: str, ends: Mapping[str, tuple[str, str]]) -> None:
        """Everything is over: has an instance ended as it has to?

        Args:
            receipt: the instance.
            ends: state and cause of its parts, by destination.
        """
        sent = self.sent[receipt]
        if sent.is_kept_back:
            assert [(destination, state) for destination, (state, _) in ends.items()] == [("", "quarantined")]
            return
        assert ends.keys() == self.parts_of(receipt)
        for destination, (state, cause) in ends.items():
            given = [one for one in self.given[destination] if one.receipt == receipt]
            if any(one.confirmed and one.life == self.life for one in given):
                assert state == "delivered"
            if state == "delivered":
                assert any(one.confirmed for one in given)
            elif cause == REPLACED:
                assert any(newer > receipt and other.source == sent.source for newer, other in self.sent.items())
            elif cause == DROPPED:
                assert (receipt, destination) in self.dropped
            else:
                # Rules may have changed between two processes: then any that there were may have decided.
                assert state in {sent.end_at(destination, Rules(program)) for program in PROGRAMS} - {"delivered"}

    def check_destination(self, destination: str) -> None:
        """Of the versions of an instance that one source has sent, a destination has the newest in the end."""
        last: dict[tuple[str, str], str] = {}
        for one in self.given[destination]:
            if (one.receipt, destination) in self.dropped:
                # It may be there nevertheless, from before a crash; it counts no more, and an older one goes its way.
                continue
            source = self.sent[one.receipt].source
            assert last.get(source, "") <= one.receipt, "an older version came after a newer one"
            last[source] = one.receipt
