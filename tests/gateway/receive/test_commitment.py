"""Storage Commitment: what is asked and reported, as data, by bytes, and with pynetdicom as the SCU."""

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import UID

from karnak.gateway.receive.commitment import (
    COMMITMENT_INSTANCE,
    InvalidTransaction,
    Reference,
    Report,
    Reporter,
    Transaction,
    read_transaction,
)
from karnak.gateway.receive.pdu import RELEASE_RP, p_data
from karnak.gateway.receive.reporting import Reporting
from karnak.gateway.route import Caller
from tests.gateway.receive.commitments import Scu, action, encoded, information, pairs
from tests.gateway.receive.door import COMMITMENT, CT, EXPLICIT, IMPLICIT, Desk, Sender, command, door, until
from tests.gateway.receive.house import House, house

BIG_ENDIAN = "1.2.840.10008.1.2.2"
SAFE, LOST = (CT, "1.2.3.1"), (CT, "1.2.3.2")
CALLER = Caller("KARNAK", "CT01", "127.0.0.1")
references = st.lists(
    st.tuples(st.just(CT), st.integers(1, 50).map(lambda number: f"1.2.{number}")), min_size=1, max_size=9
)


@given(references, st.sampled_from([IMPLICIT, EXPLICIT, BIG_ENDIAN]))
def test_a_request_is_read(instances: list[Reference], syntax: str) -> None:
    found = read_transaction(encoded(information(*instances), syntax), syntax, 5)
    assert found == Transaction("1.2.99", tuple(instances), 5, syntax)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        encoded(information(), EXPLICIT),
        encoded(information(SAFE, uid=None), EXPLICIT),
        encoded(information(SAFE), EXPLICIT)[:-3],
        encoded(information((CT, "")), EXPLICIT),
        encoded(information(SAFE), EXPLICIT).replace(b"1.2.99", b"../../"),
    ],
)
def test_what_is_no_request_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidTransaction):
        read_transaction(data, EXPLICIT, 1)


@given(references, st.none() | st.frozensets(st.integers(1, 50).map(lambda n: (CT, f"1.2.{n}"))))
def test_every_instance_is_in_one_list(instances: list[Reference], safe: frozenset[Reference] | None) -> None:
    for syntax in (IMPLICIT, EXPLICIT, BIG_ENDIAN):
        report = Report(Transaction("1.2.99", tuple(instances), 1, syntax), safe)
        uid = UID(syntax)
        found = read_dataset(BytesIO(report.encoded()), uid.is_implicit_VR, uid.is_little_endian)
        committed, failed = found.get("ReferencedSOPSequence", []), found.get("FailedSOPSequence", [])
        assert found.TransactionUID == "1.2.99"
        assert pairs(committed) == [one for one in instances if one in (safe or ())]
        assert set(pairs(failed)) == set(instances) - (safe or frozenset())
        assert {item.FailureReason for item in failed} <= {0x0110 if safe is None else 0x0112}
        assert report.event_type == (2 if failed else 1)


ASKED = encoded(information(SAFE, LOST), EXPLICIT)


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (action(ASKED), 0x0000),
        (action(ASKED, sop_class=CT), 0x0122),
        (action(ASKED, instance="1.2.3"), 0x0112),
        (action(ASKED, kind=2), 0x0123),
        (action(b"nonsense"), 0x0115),
        (action(None), 0x0115),
        (action(bytes((1 << 24) + 2)), 0x0213),
    ],
)
def test_how_requests_are_answered(message: bytes, status: int, tmp_path: Path) -> None:
    with door(tmp_path) as opened, opened.call(COMMITMENT, CT) as sender:
        sender.send(message)
        answer = sender.answer()
        assert (answer.field, answer.message_id, answer.status) == (0x8130, 4, status)
        assert len(opened.desk.asked) == (status == 0)
        assert sender.release() == RELEASE_RP


def test_too_many_requests(tmp_path: Path) -> None:
    with door(tmp_path, desk=Desk(takes_transactions=False)) as opened, opened.call(COMMITMENT) as sender:
        sender.send(action(ASKED))
        assert sender.status() == 0x0213


def test_the_service_is_for_its_own_context_only(tmp_path: Path) -> None:
    with door(tmp_path) as opened, opened.call(CT) as sender:
        sender.send(action(ASKED))
        assert sender.status() == 0x0122


def read_report(sender: Sender) -> tuple[int | None, int, Dataset]:
    """Read an N-EVENT-REPORT request: its event type, message ID and data set."""
    request = sender.answer()
    assert (request.field, request.sop_class_uid, request.sop_instance_uid) == (0x0100, COMMITMENT, COMMITMENT_INSTANCE)
    data = b""
    while True:
        pdu = sender.pdu()
        data += pdu[12:]
        if pdu[11] & 2:
            return request.event_type, request.message_id, read_dataset(BytesIO(data), False, True)


def event_answer(message_id: int, status: int = 0) -> bytes:
    response = command(
        CommandField=0x8100, MessageIDBeingRespondedTo=message_id, CommandDataSetType=0x0101, Status=status
    )
    return b"".join(p_data(1, True, response, 0))


@contextmanager
def reported(desk: Desk, seconds: float = 600) -> Iterator[list[bool]]:
    """Report on the first request that was asked, as another thread does."""
    desk.wait(lambda: desk.asked)
    transaction, _, reporter = desk.asked[0]
    answers: list[bool] = []
    report = Report(transaction, frozenset({SAFE}))
    thread = threading.Thread(target=lambda: answers.append(reporter.report(report, seconds)))
    thread.start()
    yield answers
    thread.join(20)
    assert not thread.is_alive()


@pytest.mark.parametrize("status", [0, 0x0110])
def test_a_report_comes_over_the_association_of_the_request(status: int, tmp_path: Path) -> None:
    with door(tmp_path) as opened, opened.call(COMMITMENT, maximum_pdu=50) as sender:
        sender.send(action(ASKED))
        assert sender.status() == 0
        with reported(opened.desk) as answers:
            event_type, message_id, report = read_report(sender)
            sender.send(event_answer(message_id, status))
        assert answers == [status == 0]
        assert (event_type, pairs(report.ReferencedSOPSequence), pairs(report.FailedSOPSequence)) == (2, [SAFE], [LOST])
        assert sender.release() == RELEASE_RP


def test_a_report_waits_for_the_end_of_a_message(tmp_path: Path) -> None:
    with door(tmp_path) as opened, opened.call(COMMITMENT, CT) as sender:
        sender.send(action(ASKED))
        assert sender.status() == 0
        store = b"".join(p_data(3, True, command(
            AffectedSOPClassUID=CT, CommandField=1, MessageID=5, Priority=0, CommandDataSetType=1,
            AffectedSOPInstanceUID="1.2.3"), 0))  # fmt: skip
        sender.send(store)
        data = b"".join(p_data(3, False, b"abcd", 0))
        sender.send(data[:-1])
        until(opened.half_received)
        with reported(opened.desk) as answers:
            sender.socket.settimeout(0.3)
            with pytest.raises(TimeoutError):
                sender.pdu()
            sender.socket.settimeout(20)
            sender.send(data[-1:])
            assert sender.answer().field == 0x8001
            _, message_id, _ = read_report(sender)
            sender.send(event_answer(message_id))
        assert answers == [True]


@pytest.mark.parametrize("how", ["release", "abort", "close"])
def test_a_report_is_told_when_its_association_ends(how: str, tmp_path: Path) -> None:
    with door(tmp_path) as opened, opened.call(COMMITMENT) as sender:
        sender.send(action(ASKED))
        assert sender.status() == 0
        with reported(opened.desk) as answers:
            read_report(sender)
            if how == "release":
                assert sender.release() == RELEASE_RP
            if how == "abort":
                sender.abort()
            sender.socket.close()
        assert answers == [False]
        transaction, _, reporter = opened.desk.asked[0]
        assert not reporter.report(Report(transaction, None), 20)


def test_pynetdicom_hears_over_the_same_association(tmp_path: Path) -> None:
    scu = Scu()
    with house(tmp_path, is_safe={SAFE}.__contains__) as gateway:
        association = scu.associate(gateway.port)
        scu.ask(association, SAFE, LOST)
        assert scu.only_report() == (2, [SAFE], [LOST])
        gateway.wait(lambda: "commitment reported" in gateway.names())
        association.release()
    assert gateway.events == [("commitment reported", {"calling_ae": "CT01"})]


def test_what_the_gateway_does_not_keep_is_refused(tmp_path: Path) -> None:
    with house(tmp_path, takes_transactions=False) as gateway, gateway.call(COMMITMENT) as sender:
        sender.send(action(ASKED))
        assert sender.status() == 0x0213


@pytest.mark.parametrize("how", ["release", "kill"])
def test_the_gateway_hears_that_an_association_is_gone(how: str, tmp_path: Path) -> None:
    gone, reported = threading.Event(), threading.Event()
    heard: list[bool] = []

    class Waiting(House):
        def commit(self, transaction: Transaction, caller: Caller, reporter: Reporter) -> bool:
            def bring() -> None:
                assert gone.wait(30)
                heard.append(reporter.report(Report(transaction, None), 600))
                reported.set()

            threading.Thread(target=bring).start()
            return True

    with house(tmp_path) as gateway:
        gateway.running._hearer = Waiting(tmp_path)
        with gateway.call(COMMITMENT) as sender:
            sender.send(action(ASKED))
            assert sender.status() == 0
            if how == "release":
                assert sender.release() == RELEASE_RP
                sender.socket.close()
                until(lambda: gateway.running.associations == 0)
            else:
                (pid,) = gateway.running.process_ids
                os.kill(pid, signal.SIGKILL)
                until(lambda: gateway.running.process_ids not in ([], [pid]))
            gone.set()
            assert reported.wait(30)
    assert heard == [False]


def test_a_report_may_overtake_the_word_that_the_request_was_kept() -> None:
    sent: list[Mapping[str, object]] = []
    made: list[Reporting] = []
    reports: list[Report] = []

    class Here:
        def report(self, report: Report, seconds: float) -> bool:
            reports.append(report)
            return True

    def send(message: Mapping[str, object]) -> bool:
        sent.append(message)
        if "commit" in message:
            made[0].hear({"report": message["commit"], "safe": [list(SAFE)], "seconds": 1})
            made[0].hear({"kept": message["commit"], "taken": True})
        return True

    made.append(Reporting(send))
    assert made[0].take(TRANSACTION, CALLER, Here())
    until(lambda: len(sent) == 2)
    assert [message.get("success") for message in sent] == [None, True]
    assert reports == [Report(TRANSACTION, frozenset({SAFE}))]
    made[0].stop()
    assert not made[0].take(TRANSACTION, CALLER, Here())


def test_a_gateway_that_says_nothing_has_kept_nothing() -> None:
    made = Reporting(lambda _: True, 0.01)
    assert not made.take(TRANSACTION, CALLER, Gone())
    made.stop()


class Gone:
    """An association that has ended."""

    def report(self, report: Report, seconds: float) -> bool:
        return False


TRANSACTION = Transaction("1.2.99", (SAFE,), 1, EXPLICIT)
