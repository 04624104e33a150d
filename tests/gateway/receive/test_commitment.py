"""Storage Commitment: what is asked and reported, as data, by bytes, and with pynetdicom as the SCU."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import N_EVENT_REPORT

from karnak.gateway.receive.admission import Address, Admission
from karnak.gateway.receive.commitment import (
    COMMITMENT_INSTANCE,
    InvalidTransaction,
    Reference,
    Report,
    Transaction,
    read_transaction,
)
from karnak.gateway.receive.pdu import RELEASE_RP, p_data
from karnak.gateway.receive.reporting import Reporting
from karnak.gateway.route import Caller, ForwardNode
from tests.gateway.receive.door import COMMITMENT, CT, EXPLICIT, IMPLICIT, Desk, Sender, command, door, until
from tests.gateway.receive.house import house
from tests.system.programs import free_port

BIG_ENDIAN = "1.2.840.10008.1.2.2"
SAFE, LOST = (CT, "1.2.3.1"), (CT, "1.2.3.2")
CALLER = Caller("KARNAK", "CT01", "127.0.0.1")
references = st.lists(
    st.tuples(st.just(CT), st.integers(1, 50).map(lambda number: f"1.2.{number}")), min_size=1, max_size=9
)


def information(*instances: Reference, uid: str | None = "1.2.99") -> Dataset:
    made = Dataset()
    if uid is not None:
        made.TransactionUID = uid
    made.ReferencedSOPSequence = []
    for sop_class, sop_instance in instances:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_instance
        made.ReferencedSOPSequence.append(item)
    return made


def encoded(dataset: Dataset, syntax: str) -> bytes:
    stream = DicomBytesIO()
    stream.is_little_endian, stream.is_implicit_VR = UID(syntax).is_little_endian, UID(syntax).is_implicit_VR
    write_dataset(stream, dataset)
    return bytes(stream.getvalue())


def pairs(sequence: list[Dataset]) -> list[Reference]:
    return [(str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID)) for item in sequence]


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


def action(
    information: bytes | None, sop_class: str = COMMITMENT, instance: str = COMMITMENT_INSTANCE, kind: int = 1
) -> bytes:
    request = command(
        RequestedSOPClassUID=sop_class,
        CommandField=0x0130,
        MessageID=4,
        CommandDataSetType=0x0101 if information is None else 1,
        RequestedSOPInstanceUID=instance,
        ActionTypeID=kind,
    )
    return b"".join(p_data(1, True, request, 0)) + b"".join(p_data(1, False, information or b"", 1 << 16))


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


class Scu:
    """pynetdicom as the SCU; it listens for reports too."""

    def __init__(self, port: int = 0) -> None:
        self.reports: list[tuple[int, Dataset]] = []
        self.heard = threading.Event()
        self.port = port
        self.ae = AE("CT01")
        self.ae.acse_timeout = self.ae.dimse_timeout = self.ae.network_timeout = 20
        self.ae.add_requested_context(COMMITMENT)
        self.ae.add_supported_context(COMMITMENT, scu_role=False, scp_role=True)

    def hear(self, event: evt.Event) -> tuple[int, None]:
        assert isinstance(event.request, N_EVENT_REPORT)
        assert event.request.EventTypeID is not None
        self.reports.append((event.request.EventTypeID, event.event_information))
        self.heard.set()
        return 0x0000, None

    def associate(self, port: int) -> Association:
        return self.ae.associate(
            "127.0.0.1", port, ae_title="KARNAK", evt_handlers=[(evt.EVT_N_EVENT_REPORT, self.hear)]
        )

    def ask(self, association: Association, *instances: Reference) -> None:
        status, _ = association.send_n_action(information(*instances), 1, COMMITMENT, COMMITMENT_INSTANCE)
        assert status.Status == 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        server = self.ae.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, self.hear)]
        )
        assert server is not None
        try:
            yield
        finally:
            server.shutdown()

    def only_report(self) -> tuple[int, list[Reference], list[Reference]]:
        assert self.heard.wait(30)
        ((event_type, found),) = self.reports
        return event_type, pairs(found.get("ReferencedSOPSequence", [])), pairs(found.get("FailedSOPSequence", []))


def test_pynetdicom_hears_over_the_same_association(tmp_path: Path) -> None:
    scu = Scu()
    with house(tmp_path, is_safe={SAFE}.__contains__) as gateway:
        association = scu.associate(gateway.port)
        scu.ask(association, SAFE, LOST)
        assert scu.only_report() == (2, [SAFE], [LOST])
        gateway.wait(lambda: "commitment reported" in gateway.names())
        association.release()
    assert gateway.events == [
        ("commitment reported", {"called_ae": "KARNAK", "calling_ae": "CT01", "count": 1}),
    ]


def test_pynetdicom_hears_over_a_new_association(tmp_path: Path) -> None:
    asked, let_go = threading.Event(), threading.Event()

    def is_safe(reference: Reference) -> bool:
        asked.set()
        assert let_go.wait(30)
        return reference == SAFE

    scu = Scu(free_port())
    admission = Admission((ForwardNode("KARNAK", None, ()),), {"CT01": Address("127.0.0.1", scu.port)})
    with house(tmp_path, admission=admission, is_safe=is_safe) as gateway, scu.listening():
        association = scu.associate(gateway.port)
        scu.ask(association, SAFE)
        assert asked.wait(30)
        association.release()
        let_go.set()
        assert scu.only_report() == (1, [SAFE], [])
        gateway.wait(lambda: "commitment reported" in gateway.names())


class Gone:
    """An association that has ended."""

    def report(self, report: Report, seconds: float) -> bool:
        return False


def reporting(ask: Callable[..., frozenset[Reference] | None], address: Address | None, desk: Desk) -> Reporting:
    return Reporting(ask, lambda title: address if title == "CT01" else None, desk.journal, (0.0, 0.05, 0.05, 5.0, 5.0))


TRANSACTION = Transaction("1.2.99", (SAFE,), 1, EXPLICIT)


# pynetdicom forgets the socket of a connection that was refused.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_report_is_tried_again(tmp_path: Path) -> None:
    desk, scu = Desk(), Scu(free_port())
    made = reporting(lambda _: frozenset({SAFE}), Address("127.0.0.1", scu.port), desk)
    assert made.take(TRANSACTION, CALLER, Gone())
    threading.Event().wait(0.2)
    with scu.listening():
        assert scu.only_report() == (1, [SAFE], [])
        desk.wait(lambda: [event for event, _ in desk.events] == ["commitment reported"])
    made.stop()


def test_a_requestor_without_address(tmp_path: Path) -> None:
    desk = Desk()
    made = reporting(lambda _: None, None, desk)
    assert made.take(TRANSACTION, CALLER, Gone())
    desk.wait(lambda: len(desk.events) == 2)
    assert "the calling AE has no address for reports" in desk.reasons()
    made.stop()
    assert not made.take(TRANSACTION, CALLER, Gone())


def test_a_gateway_that_fails_makes_no_promise(tmp_path: Path) -> None:
    """It is reported as a processing failure: the requestor keeps its instances."""
    desk, scu = Desk(), Scu(free_port())
    made = reporting(lambda _: None, Address("127.0.0.1", scu.port), desk)
    with scu.listening():
        assert made.take(TRANSACTION, CALLER, Gone())
        assert scu.only_report() == (2, [], [SAFE])
        assert scu.reports[0][1].FailedSOPSequence[0].FailureReason == 0x0110
        desk.wait(lambda: desk.events)
    made.stop()


def test_a_requestor_that_does_not_let_us_report_is_given_up(tmp_path: Path) -> None:
    desk, scu = Desk(), Scu(free_port())
    scu.ae.supported_contexts = []
    scu.ae.add_supported_context(CT)
    made = Reporting(lambda _: None, lambda _: Address("127.0.0.1", scu.port), desk.journal, (0.0, 0.0))
    with scu.listening():
        assert made.take(TRANSACTION, CALLER, Gone())
        desk.wait(lambda: [event for event, _ in desk.events] == ["commitment not reported"])
    made.stop()
