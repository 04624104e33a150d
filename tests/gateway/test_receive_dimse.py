"""The DIMSE door, called by pynetdicom: who is let in, what is passed on, what is answered."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import A_ASSOCIATE

from karnak.gateway.answers import StoreStatus
from karnak.gateway.receive.dimse import DimseReceiver, Limits, ListenError, Received, StoreAnswer
from karnak.gateway.route import Caller, Refusal
from tests.gateway.instances import SECONDARY_CAPTURE, dataset_bytes
from tests.gateway.peers import ABORT, read_pdu

VERIFICATION = "1.2.840.10008.1.1"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
PRIVATE = "1.3.12.2.1107.5.9.1"
LIMITS = Limits(maximum_associations=10, maximum_pdu=0, request_timeout=10, idle_timeout=30)


def succeed(received: Received) -> StoreAnswer:
    return StoreAnswer(StoreStatus.SUCCESS)


def let_in(caller: Caller) -> None:
    return None


@dataclass
class Door:
    """A receiver with what it was asked, and how it answers."""

    refusal: Refusal | None = None
    answer: Callable[[Received], StoreAnswer] = succeed
    limits: Limits = LIMITS
    callers: list[Caller] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    port: int = 0
    receiver: DimseReceiver | None = None

    @contextmanager
    def open(self) -> Iterator["Door"]:
        self.receiver = DimseReceiver("127.0.0.1", 0, self.limits, self._admit, self._take)
        self.receiver.start()
        self.port = self.receiver.port
        try:
            yield self
        finally:
            self.receiver.stop(10)

    def _admit(self, caller: Caller) -> Refusal | None:
        self.callers.append(caller)
        return self.refusal

    def _take(self, received: Received) -> StoreAnswer:
        self.received.append(received)
        return self.answer(received)


def call(door: Door, sop_class: str = SECONDARY_CAPTURE, syntax: str = EXPLICIT, title: str = "KARNAK") -> Association:
    ae = AE("CT01")
    ae.acse_timeout = ae.dimse_timeout = 10
    ae.add_requested_context(sop_class, syntax)
    return ae.associate("127.0.0.1", door.port, ae_title=title)


def instance(sop_class: str = SECONDARY_CAPTURE, syntax: str = EXPLICIT) -> Dataset:
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID, made.PatientID = sop_class, "1.2.3", "P1"
    made.ensure_file_meta()
    made.file_meta.TransferSyntaxUID = UID(syntax)
    made.set_original_encoding(False, True)
    return made


def test_echo() -> None:
    with Door().open() as door:
        association = call(door, VERIFICATION)
        assert association.send_c_echo().Status == 0x0000
        association.release()
    assert door.callers == [Caller("KARNAK", "CT01", "127.0.0.1")]


def test_an_instance_is_passed_on_as_it_came() -> None:
    with Door().open() as door:
        association = call(door)
        assert association.send_c_store(instance()).Status == 0x0000
        association.release()
    assert door.received == [
        Received(
            Caller("KARNAK", "CT01", "127.0.0.1"),
            dataset_bytes(SOPClassUID=SECONDARY_CAPTURE, SOPInstanceUID="1.2.3", PatientID="P1"),
            EXPLICIT,
            SECONDARY_CAPTURE,
            "1.2.3",
        )
    ]
    assert "1.2.3" not in repr(door.received[0])


@pytest.mark.parametrize(("sop_class", "syntax"), [(PRIVATE, EXPLICIT), (SECONDARY_CAPTURE, DEFLATED)])
def test_private_sop_classes_and_strange_syntaxes(sop_class: str, syntax: str) -> None:
    with Door().open() as door:
        association = call(door, sop_class, syntax)
        assert association.send_c_store(instance(sop_class, syntax)).Status == 0x0000
        association.release()
    assert [(one.sop_class_uid, one.transfer_syntax_uid) for one in door.received] == [(sop_class, syntax)]


def test_other_services_are_not_accepted() -> None:
    with Door().open() as door:
        association = call(door, "1.2.840.10008.5.1.4.1.2.2.1")
        assert not association.is_established
        assert [context.result for context in association.rejected_contexts] == [3]


@pytest.mark.parametrize(("refusal", "reason"), [(Refusal.CALLED_AE_TITLE, 7), (Refusal.CALLING_AE_TITLE, 3)])
def test_a_refusal_is_permanent_and_says_why(refusal: Refusal, reason: int) -> None:
    with Door(refusal=refusal).open() as door:
        association = call(door, title="NOBODY")
        assert association.is_rejected
        answer = association.acceptor.primitive
        assert isinstance(answer, A_ASSOCIATE)
        assert (answer.result, answer.result_source, answer.diagnostic) == (1, 1, reason)
    assert door.callers == [Caller("NOBODY", "CT01", "127.0.0.1")]


def test_a_failure_is_answered_with_a_comment() -> None:
    def answer(received: Received) -> StoreAnswer:
        return StoreAnswer(StoreStatus.UNDELIVERED, "x" * 100)

    with Door(answer=answer).open() as door:
        association = call(door)
        response = association.send_c_store(instance())
        assert (response.Status, response.ErrorComment) == (0xA700, "x" * 64)
        # The association outlives the failure.
        assert association.send_c_store(instance()).Status == 0xA700
        association.release()


def test_too_many_associations_are_told_to_come_again() -> None:
    limits = Limits(maximum_associations=2, maximum_pdu=0, request_timeout=10, idle_timeout=30)
    with Door(limits=limits).open() as door:
        first, second = call(door), call(door)
        third = call(door)
        assert third.is_rejected
        answer = third.acceptor.primitive
        assert isinstance(answer, A_ASSOCIATE)
        # Transient, presentation related, local limit exceeded (PS3.8 section 9.3.4).
        assert (answer.result, answer.result_source, answer.diagnostic) == (2, 3, 2)
        first.release()
        second.release()


def test_associations_are_served_in_parallel() -> None:
    together = threading.Barrier(4)

    def answer(received: Received) -> StoreAnswer:
        together.wait(10)
        return StoreAnswer(StoreStatus.SUCCESS)

    statuses: list[int] = []

    def send(door: Door) -> None:
        association = call(door)
        statuses.append(association.send_c_store(instance()).Status)
        association.release()

    with Door(answer=answer).open() as door:
        threads = [threading.Thread(target=send, args=(door,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert statuses == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "noise", [b"GET / HTTP/1.0\r\n\r\n", b"\x01\x00\xff", bytes(100), ABORT, b"\x01\x00\x00\x00\x00\x02ab"]
)
def test_noise_hurts_nobody_else(noise: bytes) -> None:
    with Door().open() as door:
        association = call(door)
        with socket.create_connection(("127.0.0.1", door.port)) as stranger:
            stranger.sendall(noise)
        assert association.send_c_store(instance()).Status == 0x0000
        association.release()


def test_a_sender_that_stalls_within_a_pdu_is_cut_off() -> None:
    limits = Limits(maximum_associations=10, maximum_pdu=0, request_timeout=1, idle_timeout=0.3)
    with Door(limits=limits).open() as door, socket.create_connection(("127.0.0.1", door.port)) as stranger:
        stranger.sendall(b"\x01\x00\x00\x00\x01\x00half")
        stranger.settimeout(10)
        assert stranger.recv(100) == b""


def test_a_slow_answer_is_not_taken_for_silence() -> None:
    limits = Limits(maximum_associations=10, maximum_pdu=0, request_timeout=10, idle_timeout=1.0)

    def answer(received: Received) -> StoreAnswer:
        threading.Event().wait(1.5)
        return StoreAnswer(StoreStatus.SUCCESS)

    with Door(answer=answer, limits=limits).open() as door:
        association = call(door)
        assert association.send_c_store(instance()).Status == 0x0000
        assert association.send_c_store(instance()).Status == 0x0000
        association.release()


def test_an_idle_association_is_aborted() -> None:
    limits = Limits(maximum_associations=10, maximum_pdu=0, request_timeout=10, idle_timeout=0.3)
    ended = threading.Event()
    with Door(limits=limits).open() as door:
        association = call(door)
        while association.is_alive() and not ended.wait(0.05):
            pass
        assert association.is_aborted


def test_stopping_lets_an_instance_in_work_be_answered() -> None:
    reached, go_on = threading.Event(), threading.Event()
    statuses: list[int] = []

    def answer(received: Received) -> StoreAnswer:
        reached.set()
        go_on.wait(10)
        return StoreAnswer(StoreStatus.SUCCESS)

    def send(door: Door) -> None:
        statuses.append(call(door).send_c_store(instance()).Status)

    with Door(answer=answer).open() as door:
        assert door.receiver is not None
        sender = threading.Thread(target=send, args=(door,))
        sender.start()
        assert reached.wait(10)
        stopper = threading.Thread(target=door.receiver.stop, args=(10,))
        stopper.start()
        # Nobody new is let in meanwhile.
        while True:
            try:
                socket.create_connection(("127.0.0.1", door.port), 1).close()
            except OSError:
                break
        go_on.set()
        sender.join(10)
        stopper.join(10)
    assert statuses == [0x0000]


def test_stopping_does_not_wait_for_ever() -> None:
    reached, never = threading.Event(), threading.Event()

    def answer(received: Received) -> StoreAnswer:
        reached.set()
        never.wait(20)
        return StoreAnswer(StoreStatus.SUCCESS)

    statuses: list[object] = []

    def send(door: Door) -> None:
        statuses.append(call(door).send_c_store(instance()).get("Status"))

    with Door(answer=answer).open() as door:
        assert door.receiver is not None
        sender = threading.Thread(target=send, args=(door,))
        sender.start()
        assert reached.wait(10)
        door.receiver.stop(0.1)
        sender.join(10)
        never.set()
    assert statuses == [None]


def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        receiver = DimseReceiver("127.0.0.1", port, LIMITS, let_in, succeed)
        with pytest.raises(ListenError) as caught:
            receiver.start()
    assert str(caught.value) == f"can't listen on 127.0.0.1 port {port}: Address already in use"


def test_a_host_that_is_not_ours_is_an_error() -> None:
    receiver = DimseReceiver("192.0.2.1", 0, LIMITS, let_in, succeed)
    with pytest.raises(ListenError, match="Cannot assign requested address"):
        receiver.start()


def test_the_first_pdu_after_a_refusal_is_the_rejection() -> None:
    with Door(refusal=Refusal.CALLED_AE_TITLE).open() as door:
        association = call(door)
        assert association.is_rejected
        with socket.create_connection(("127.0.0.1", door.port)) as stranger:
            stranger.settimeout(10)
            stranger.sendall(_request_bytes())
            assert read_pdu(stranger) == (3, bytes.fromhex("03000000000400010107"))


def _request_bytes() -> bytes:
    from karnak.gateway.deliver.association import Context, Peer, _associate_request

    return _associate_request(Peer("A", "127.0.0.1", 1, "B", 1, 1), {1: Context(SECONDARY_CAPTURE, EXPLICIT)})
