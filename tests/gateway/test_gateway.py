"""What the gateway makes of one instance: what goes where, what is kept, what the sender is told."""

import io
import json
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from karnak.dsl.compile import compile_profile
from karnak.dsl.nodes import Source
from karnak.gateway.answers import StoreStatus
from karnak.gateway.config import Listen
from karnak.gateway.deliver.parcel import Answer, Delivered, DeliveryError, Destination, Parcel, Refused
from karnak.gateway.gateway import Gateway, is_host
from karnak.gateway.journal import Journal
from karnak.gateway.plan import Plan
from karnak.gateway.pseudonyms import GeneratedPseudonym
from karnak.gateway.receive.dimse import Received, StoreAnswer
from karnak.gateway.route import Caller, ForwardNode, Outlet, Treatment
from karnak.runtime.deidentify import Engine
from karnak.runtime.keys import Project
from karnak.runtime.program import Program
from karnak.testing.specimen import BIG_ENDIAN, encoded, leaf
from tests.gateway.instances import SECONDARY_CAPTURE, dataset_bytes

EXPLICIT = "1.2.840.10008.1.2.1"
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
PROJECT = Project("TRIAL", bytes(range(16)))
BASIC = compile_profile(
    Source("basic.yml", "name: Basic\nprofileElements:\n  - { name: basic, codename: basic.dicom.profile }\n")
)
NOTHING_LEFT = compile_profile(
    Source(
        "nothing.yml",
        "name: Nothing left\nprofileElements:\n"
        "  - { name: all, codename: action.on.specific.tags, action: X, tags: [ 'XXXX,XXXX' ] }\n",
    )
)


@dataclass
class Shelf:
    """A destination that keeps what it gets, or fails as it is told."""

    error: Exception | None = None
    refusal: str | None = None
    remark: str | None = None
    at_once: int = 1
    parallel: int = 1
    parcels: list[Parcel] = field(default_factory=list)
    closed: bool = False

    def deliver(self, parcels: Sequence[Parcel]) -> Sequence[Answer]:
        if self.error is not None:
            raise self.error
        if self.refusal is not None:
            return [Refused(self.refusal) for _ in parcels]
        # Joined: the same data set in other pieces is the same.
        self.parcels.extend(replace(parcel, segments=(parcel.data_set,)) for parcel in parcels)
        return [Delivered(self.remark) for _ in parcels]

    def close(self) -> None:
        self.closed = True


def deidentified(name: str, destination: Destination, program: Program = BASIC) -> Outlet:
    return Outlet(name, destination, Treatment("deid", program, PROJECT, GeneratedPseudonym()))


@dataclass
class Running:
    """A gateway with its journal; nothing listens."""

    gateway: Gateway
    stream: io.StringIO
    data_dir: Path

    def take(
        self,
        data_set: bytes,
        sop_class: str = SECONDARY_CAPTURE,
        sop_instance: str = "1.2.3",
        transfer_syntax: str = EXPLICIT,
    ) -> StoreAnswer:
        received = Received(Caller("TRIAL1", "CT01", "10.0.0.1"), data_set, transfer_syntax, sop_class, sop_instance)
        return self.gateway.take(received)

    def lines(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        return [line for line in lines if line["event"] == event]

    def kept(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted(self.data_dir.glob("rejected/*/*/report.json"))]


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    def started(*outlets: Outlet, data_dir: Path = tmp_path / "data", engine: Engine = "tables") -> Running:
        plan = Plan(Listen(port=0), data_dir, (ForwardNode("TRIAL1", None, outlets),), engine)
        stream, receipts = io.StringIO(), count(1)
        gateway = Gateway(plan, Journal(stream, lambda: NOW), lambda: NOW, lambda: f"r{next(receipts)}")
        return Running(gateway, stream, data_dir)

    return started


def instance(**more: str) -> bytes:
    uids = {"SOPClassUID": SECONDARY_CAPTURE, "SOPInstanceUID": "1.2.3"}
    uids |= {"StudyInstanceUID": "1.2.1", "SeriesInstanceUID": "1.2.2"}
    return dataset_bytes(**uids | {"PatientID": "P1", "PatientName": "DOE^JANE"} | more)


def test_an_instance_is_de_identified_for_its_destination(start: Start) -> None:
    shelf = Shelf()
    running = start(deidentified("shelf", shelf))
    assert running.take(instance()) == StoreAnswer(StoreStatus.SUCCESS)
    (parcel,) = shelf.parcels
    read = dcmread(io.BytesIO(b"".join(parcel.file())))
    assert (parcel.sop_class_uid, parcel.sop_instance_uid) == (SECONDARY_CAPTURE, PROJECT.uid("1.2.3"))
    assert (parcel.study_instance_uid, parcel.series_instance_uid) == (PROJECT.uid("1.2.1"), PROJECT.uid("1.2.2"))
    assert read.SOPInstanceUID == parcel.sop_instance_uid
    assert read.PatientName == PROJECT.pseudonym("P1", None)
    assert read.InstanceCreationDate == "20260504"
    assert b"DOE" not in parcel.data_set
    (line,) = running.lines("instance")
    assert line | {"milliseconds": 0} == {
        "time": "2026-05-04T03:02:01.000Z",
        "event": "instance",
        "receipt": "r1",
        "forward_node": "TRIAL1",
        "calling_ae": "CT01",
        "status": "0000H",
        "milliseconds": 0,
        "delivered": 1,
        "excluded": 0,
        "rejected": 0,
        "undelivered": 0,
    }


def test_both_engines_give_the_same_and_what_tables_leave_is_counted(start: Start) -> None:
    parcels: dict[str, list[Parcel]] = {}
    for engine in ("tables", "reference"):
        shelf = Shelf()
        running = start(
            deidentified("shelf", shelf, copy(BASIC)), deidentified("bad", Shelf(), copy(NOTHING_LEFT)), engine=engine
        )
        for syntax in (EXPLICIT, BIG_ENDIAN, BIG_ENDIAN):
            data_set = encoded((leaf("SOPClassUID", SECONDARY_CAPTURE), leaf("SOPInstanceUID", "1.2.3"),
                                leaf("PatientID", "P1"), leaf("Rows", 7)), syntax)  # fmt: skip
            running.take(data_set, transfer_syntax=syntax)
        parcels[engine] = shelf.parcels
        left = [{"receipt": receipt, "destination": name, "reason": "big endian"}
                for receipt in ("r2", "r3") for name in ("shelf", "bad")]  # fmt: skip
        lines = running.lines("fallback")
        told = [{key: line[key] for key in ("receipt", "destination", "reason")} for line in lines]
        running.gateway.stop()
        (stopped,) = running.lines("stopped")
        if engine == "tables":
            assert sorted(told, key=repr) == sorted(left, key=repr)
            assert sorted(line["count"] for line in lines) == [1, 2, 3, 4]
            assert (stopped["fallbacks"], stopped["tables"]) == (4, 2)
        else:
            assert told == []
            assert (stopped["fallbacks"], stopped["tables"]) == (0, 0)
    assert len(parcels["tables"]) == 3
    assert parcels["tables"] == parcels["reference"]


def test_each_destination_has_its_own_treatment(start: Start) -> None:
    first, raw, morphed = Shelf(), Shelf(), Shelf()
    outlets = [
        deidentified("first", first),
        Outlet("raw", raw, None),
        Outlet("morphed", morphed, Treatment("morph", BASIC, PROJECT, None)),
    ]
    running = start(*outlets)
    data_set = instance()
    assert running.take(data_set).status is StoreStatus.SUCCESS
    assert raw.parcels == [Parcel((data_set,), EXPLICIT, SECONDARY_CAPTURE, "1.2.3", "1.2.1", "1.2.2")]
    assert morphed.parcels[0].sop_instance_uid == PROJECT.uid("1.2.3")
    assert b"PatientIdentityRemoved" not in morphed.parcels[0].data_set
    assert "PatientIdentityRemoved" not in dcmread(io.BytesIO(b"".join(morphed.parcels[0].file())))
    assert "PatientIdentityRemoved" in dcmread(io.BytesIO(b"".join(first.parcels[0].file())))


def test_bytes_that_are_no_data_set_are_kept(start: Start) -> None:
    shelf = Shelf()
    running = start(deidentified("shelf", shelf))
    answer = running.take(b"\xff\xff\xff\xff nothing that was ever a data set")
    assert answer == StoreAnswer(StoreStatus.UNREADABLE, "the data set can't be read, receipt r1")
    assert shelf.parcels == []
    (report,) = running.kept()
    assert report["rejections"][0]["destination"] is None
    assert (running.data_dir / "rejected" / "2026-05-04" / "r1" / "instance.dcm").read_bytes().endswith(b"a data set")


@pytest.mark.parametrize(
    ("sop_class", "sop_instance"), [("1.2.840.10008.5.1.4.1.1.2", "1.2.3"), (SECONDARY_CAPTURE, "1.2.4")]
)
def test_a_command_that_names_something_else_is_refused(start: Start, sop_class: str, sop_instance: str) -> None:
    shelf = Shelf()
    running = start(deidentified("shelf", shelf))
    answer = running.take(instance(), sop_class, sop_instance)
    assert answer == StoreAnswer(StoreStatus.MISMATCH, "other UIDs in command and data set, receipt r1")
    assert shelf.parcels == []
    assert len(running.kept()) == 1


def test_a_rule_that_fails_keeps_the_instance_here_and_serves_the_others(start: Start) -> None:
    bad, good = Shelf(), Shelf()
    running = start(deidentified("bad", bad, NOTHING_LEFT), deidentified("good", good))
    answer = running.take(instance())
    assert answer == StoreAnswer(StoreStatus.REJECTED, "1 of 2 destinations failed, receipt r1")
    assert (len(bad.parcels), len(good.parcels)) == (0, 1)
    (report,) = running.kept()
    (rejection,) = report["rejections"]
    assert (rejection["destination"], rejection["profile"]) == ("bad", "Nothing left")
    assert rejection["reason"]
    assert running.lines("rejected")[0]["reason"] == rejection["reason"]


def test_no_patient_no_pseudonym_no_delivery(start: Start) -> None:
    shelf = Shelf()
    running = start(deidentified("shelf", shelf))
    assert running.take(instance(PatientID="")).status is StoreStatus.REJECTED
    assert shelf.parcels == []
    assert running.kept()[0]["rejections"][0]["reason"] == "the instance has no PatientID (0010,0020)"


@pytest.mark.parametrize(
    "bad",
    [
        Shelf(DeliveryError("no connection: Connection refused")),
        Shelf(refusal="no connection: Connection refused"),
    ],
)
def test_a_destination_that_fails_is_told_from_one_that_works(start: Start, bad: Shelf) -> None:
    good = Shelf(remark="replaced")
    running = start(deidentified("bad", bad), deidentified("good", good))
    answer = running.take(instance())
    assert answer == StoreAnswer(StoreStatus.UNDELIVERED, "1 of 2 destinations failed, receipt r1")
    assert len(good.parcels) == 1
    assert running.kept() == []
    assert [(line["destination"], line["reason"]) for line in running.lines("undelivered")] == [
        ("bad", "no connection: Connection refused")
    ]
    assert [(line["destination"], line["reason"]) for line in running.lines("remark")] == [("good", "replaced")]


def test_an_unforeseen_error_keeps_the_instance_and_its_text_to_itself(start: Start) -> None:
    running = start(deidentified("bad", Shelf(ZeroDivisionError("DOE^JANE"))))
    assert running.take(instance()).status is StoreStatus.REJECTED
    assert running.kept()[0]["rejections"][0]["reason"] == "an internal error of type ZeroDivisionError"
    (line,) = running.lines("destination failed")
    assert (line["error"], line["destination"]) == ("ZeroDivisionError", "bad")
    assert "DOE" not in running.stream.getvalue()


def test_a_quarantine_that_is_full_is_no_success(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    running = start(deidentified("shelf", Shelf(), NOTHING_LEFT), data_dir=tmp_path / "file")
    assert running.take(instance()).status is StoreStatus.REJECTED
    assert [line["error"] for line in running.lines("quarantine failed")] == ["FileExistsError"]


def test_a_call_that_no_node_answers_to_is_an_internal_error(start: Start) -> None:
    running = start(deidentified("shelf", Shelf()))
    received = Received(Caller("OTHER", "CT01", "10.0.0.1"), instance(), EXPLICIT, SECONDARY_CAPTURE, "1.2.3")
    answer = running.gateway.take(received)
    assert answer == StoreAnswer(StoreStatus.PROCESSING_FAILURE, "an internal error, receipt r1")


def test_instances_of_many_threads_do_not_mix(start: Start) -> None:
    together, alone = (Shelf(), Shelf()), Shelf()
    running = start(deidentified("one", together[0]), deidentified("two", together[1]))
    data_sets = [
        instance(SOPInstanceUID=f"1.2.3.{i}", PatientID=f"P{i % 7}", PatientComments="x" * i) for i in range(200)
    ]

    def take(which: int) -> StoreStatus:
        return running.take(data_sets[which], sop_instance=f"1.2.3.{which}").status

    with ThreadPoolExecutor(8) as senders:
        assert set(senders.map(take, range(200))) == {StoreStatus.SUCCESS}
    single = start(deidentified("alone", alone))
    for which, data_set in enumerate(data_sets):
        single.take(data_set, sop_instance=f"1.2.3.{which}")
    expected = {parcel.sop_instance_uid: parcel for parcel in alone.parcels}
    for shelf in together:
        assert {parcel.sop_instance_uid: parcel for parcel in shelf.parcels} == expected
        assert len(shelf.parcels) == 200


def test_starting_and_stopping(start: Start) -> None:
    shelf = Shelf()
    running = start(deidentified("shelf", shelf))
    running.gateway.start()
    assert running.gateway.port > 0
    assert running.lines("listening")[0]["port"] == running.gateway.port
    running.gateway.stop()
    assert shelf.closed
    assert running.lines("stopped")


@pytest.mark.parametrize(
    ("address", "host", "same"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "localhost", True),
        ("::ffff:127.0.0.1", "127.0.0.1", True),
        ("fe80::1%eth0", "fe80::1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("", "127.0.0.1", False),
    ],
)
def test_is_host(address: str, host: str, same: bool) -> None:
    assert is_host(address, host) is same


def test_a_host_that_nobody_knows_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*arguments: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert not is_host("10.0.0.1", "no-such-host.example")
