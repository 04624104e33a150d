"""A gateway without doors, over a real spool and a real index: a test hands instances in as a receiver would."""

import io
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from karnak.dsl.compile import compile_profile
from karnak.dsl.diagnostics import Diagnostic
from karnak.dsl.nodes import Source
from karnak.gateway.config_house import Listen, ReloadSection, SpoolSection
from karnak.gateway.deliver.backoff import Backoff
from karnak.gateway.deliver.parcel import Answer, Delivered, Destination, Parcel
from karnak.gateway.gateway import Gateway
from karnak.gateway.house_plan import HousePlan
from karnak.gateway.journal import Journal
from karnak.gateway.metrics import Door
from karnak.gateway.plan import Plan
from karnak.gateway.pseudonyms import GeneratedPseudonym
from karnak.gateway.receipts import Receipts
from karnak.gateway.route import ForwardNode, Outlet, Treatment
from karnak.gateway.spool import Arrival, Spool
from karnak.gateway.states import TERMINAL
from karnak.gateway.store.database import index_url, open_database
from karnak.runtime.deidentify import Engine
from karnak.runtime.keys import Project
from karnak.runtime.program import Program
from tests.gateway.instances import SECONDARY_CAPTURE, dataset_bytes

EXPLICIT = "1.2.840.10008.1.2.1"
PROJECT = Project("TRIAL", bytes(range(16)))
BASIC = compile_profile(
    Source("basic.yml", "name: Basic\nprofileElements:\n  - { name: basic, codename: basic.dicom.profile }\n")
)
SECONDS = 30.0


@dataclass
class Shelf:
    """A destination that keeps what it gets, or answers as it is told; `None` in `answers` is a delivery."""

    answers: list[Answer | Exception | None] = field(default_factory=list)
    parcels: list[Parcel] = field(default_factory=list)
    at_once: int = 1
    parallel: int = 1
    calls: list[int] = field(default_factory=list)
    closed: bool = False
    gate: threading.Event | None = None

    def deliver(self, parcels: Sequence[Parcel]) -> Sequence[Answer]:
        if self.gate is not None:
            assert self.gate.wait(SECONDS)
        self.calls.append(len(parcels))
        given: list[Answer] = []
        for parcel in parcels:
            answer = self.answers.pop(0) if self.answers else None
            if isinstance(answer, Exception):
                raise answer
            if answer is None or isinstance(answer, Delivered):
                # The file below it goes when it is delivered.
                self.parcels.append(parcel)
            given.append(answer or Delivered())
        return given

    def close(self) -> None:
        self.closed = True


def deidentified(name: str, destination: Destination, program: Program = BASIC, **more: Any) -> Outlet:
    """An outlet that de-identifies and is tried again at once."""
    treatment = Treatment("deid", program, PROJECT, GeneratedPseudonym())
    return Outlet(name, destination, treatment, **{"backoff": Backoff(0.01, 1, 0.01)} | more)


def instance(**more: str) -> bytes:
    uids = {"SOPClassUID": SECONDARY_CAPTURE, "SOPInstanceUID": "1.2.3"}
    uids |= {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.2"}
    return dataset_bytes(**uids | {"PatientID": "P1", "PatientName": "DOE^JANE"} | more)


def make_plan(data_dir: Path, *outlets: Outlet, engine: Engine = "tables", **sections: Any) -> Plan:
    house: dict[str, Any] = {
        "spool": SpoolSection(durability="os"),
        "index_url": None,
        "api": None,
        "stow": None,
        "tls": None,
        "keep_days": 365,
        "maximum_rows": 1000,
        "patient_key": None,
        "reload": ReloadSection(watch=False),
    }
    nodes = (ForwardNode("TRIAL1", None, outlets),)
    return Plan(Listen(port=0, drain_timeout=10), data_dir, nodes, HousePlan(**house | sections), (), engine)


class NoDoors:
    """The ways in of a gateway that nothing listens for."""

    def __init__(self) -> None:
        self.admitted: list[Sequence[ForwardNode]] = []
        self.port = 0

    def start(self) -> None: ...

    def stop(self, seconds: float) -> None: ...

    def admit(self, nodes: Sequence[ForwardNode]) -> None:
        self.admitted.append(nodes)

    def open(self) -> Mapping[Door, int]:
        return {}


@dataclass
class House:
    """A running gateway with its journal."""

    gateway: Gateway
    stream: io.StringIO
    data_dir: Path
    spool: Spool
    doors: NoDoors
    clock: Callable[[], datetime]
    next_plan: list[tuple[Plan | None, tuple[Diagnostic, ...]]]

    def receive(
        self,
        data_set: bytes,
        sop_class: str = SECONDARY_CAPTURE,
        sop_instance: str = "1.2.3",
        transfer_syntax: str = EXPLICIT,
        called: str = "TRIAL1",
        received: datetime | None = None,
        hint: bool = True,
    ) -> str:
        """Make an instance safe, as a receiver does; gives its receipt."""
        when = received or self.clock()
        arrival = Arrival(called, "CT01", "10.0.0.1", "dimse", sop_class, sop_instance, transfer_syntax, when)
        receiving = self.spool.begin(arrival)
        receiving.write(data_set)
        receipt = receiving.keep()
        if hint:
            self.gateway.stored(receipt)
        return receipt

    def rows(self) -> list[tuple[str, str, str | None]]:
        """Destination, state and cause of all parts, in the order of their receipts."""
        database = open_database(index_url(self.data_dir), upgrade=False)
        try:
            with database.reading() as connection:
                found = connection.exec_driver_sql(
                    "SELECT destination, state, cause FROM part ORDER BY receipt, destination"
                ).all()
        finally:
            database.close()
        return [tuple(row) for row in found]

    def settle(self, count: int) -> list[tuple[str, str, str | None]]:
        """Wait until so many parts have ended and their files are dealt with."""
        terminal = {str(state) for state in TERMINAL}
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            rows = self.rows()
            if len(rows) >= count and all(row[1] in terminal for row in rows) and not self.spool.stored():
                return rows
            time.sleep(0.02)
        raise AssertionError(f"after {SECONDS} s: {self.rows()}, {self.spool.stored()}\n{self.stream.getvalue()}")

    def lines(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        return [line for line in lines if line["event"] == event]

    def kept(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted(self.data_dir.glob("quarantine/*/*/report.json"))]


def utc_now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def running(plan: Plan, clock: Callable[[], datetime] = utc_now, stream: io.StringIO | None = None) -> Iterator[House]:
    """Run a gateway on a plan until the block ends."""
    stream = stream or io.StringIO()
    doors = NoDoors()
    next_plan: list[tuple[Plan | None, tuple[Diagnostic, ...]]] = [(plan, ())]
    receipts = Receipts(time.time_ns, lambda count: b"\7" * count)
    journal = Journal(stream, clock)
    gateway = Gateway(plan, lambda: next_plan[0], journal, clock, receipts, os.urandom, lambda _: doors)
    gateway.start()
    try:
        yield House(gateway, stream, plan.data_dir, gateway.spool, doors, clock, next_plan)
    finally:
        gateway.stop()
