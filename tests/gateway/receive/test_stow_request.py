"""What a STOW-RS request holds goes into the spool whole or not at all, however it is split and wherever it breaks."""

import errno
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.gateway.receive.part10_stream import FileMeta
from karnak.gateway.receive.stow_answer import response_of, status_of
from karnak.gateway.receive.stow_request import Failed, FailureReason, Fault, Limits, Stored, StowOutcome, StowRequest
from karnak.runtime.part10 import file_head
from tests.gateway.instances import SECONDARY_CAPTURE, dataset_bytes

EXPLICIT = "1.2.840.10008.1.2.1"
STUDY = "1.2.840.77"


class Spool:
    """A spool in memory that fails where it is told to."""

    def __init__(self, fail: Callable[[str, FileMeta], None] = lambda step, meta: None) -> None:
        self.fail = fail
        self.open = 0
        self.lock = threading.Lock()
        self.kept: list[tuple[FileMeta, bytes]] = []

    def begin(self, meta: FileMeta) -> "Receiving":
        self.fail("begin", meta)
        with self.lock:
            self.open += 1
        return Receiving(self, meta)

    def in_order(self) -> list[tuple[FileMeta, bytes]]:
        """What was kept; instances become safe in any order."""
        return sorted(self.kept, key=lambda kept: kept[0].sop_instance_uid)


class Receiving:
    def __init__(self, spool: Spool, meta: FileMeta) -> None:
        self.spool = spool
        self.meta = meta
        self.data = bytearray()
        self.ended = False

    def write(self, piece: memoryview) -> None:
        assert not self.ended
        self.spool.fail("write", self.meta)
        self.data += piece

    def keep(self) -> str:
        assert not self.ended
        try:
            self.spool.fail("keep", self.meta)
        finally:
            self.drop()
        self.spool.kept.append((self.meta, bytes(self.data)))
        return f"receipt {self.meta.sop_instance_uid}"

    def drop(self) -> None:
        with self.spool.lock:
            self.spool.open -= not self.ended
        self.ended = True


def data_set(number: int, study: str = STUDY, pixels: int = 0) -> bytes:
    return dataset_bytes(
        SOPClassUID=SECONDARY_CAPTURE,
        SOPInstanceUID=f"1.2.3.{number}",
        PatientName="DOE^JANE",
        StudyInstanceUID=study,
        EncapsulatedDocument=bytes(pixels),
    )


def meta(number: int, sop_class_uid: str = SECONDARY_CAPTURE, transfer_syntax_uid: str = EXPLICIT) -> FileMeta:
    return FileMeta(sop_class_uid, f"1.2.3.{number}", transfer_syntax_uid)


def file(number: int, study: str = STUDY, pixels: int = 0, said: FileMeta | None = None) -> bytes:
    said = said or meta(number)
    head = file_head(said.transfer_syntax_uid, said.sop_class_uid, said.sop_instance_uid)
    return head + data_set(number, study, pixels)


def body(*files: bytes, headers: bytes = b"Content-Type: application/dicom\r\n", end: bytes = b"--") -> bytes:
    return b"".join(b"--B\r\n" + headers + b"\r\n" + data + b"\r\n" for data in files) + b"--B" + end


def store(
    data: bytes, spool: Spool, sizes: list[int] | None = None, study: str | None = None, limits: Limits | None = None
) -> StowOutcome:
    request = StowRequest("B", study, spool.begin, limits or Limits())
    for size in [*(sizes or []), len(data)]:
        if data[:size] and not request.feed(data[:size]):
            break
        data = data[size:]
    outcome = request.finish()
    assert spool.open == 0
    return outcome


pieces = st.lists(st.integers(0, 1500), max_size=12)


@given(pieces, st.integers(1, 4), st.sampled_from([None, STUDY]))
def test_every_instance_is_kept_byte_by_byte(sizes: list[int], count: int, study: str | None) -> None:
    spool = Spool()
    outcome = store(body(*(file(number, pixels=700) for number in range(count))), spool, sizes, study)
    assert spool.in_order() == [(meta(number), data_set(number, pixels=700)) for number in range(count)]
    assert [stored.receipt for stored in outcome.stored] == [f"receipt 1.2.3.{number}" for number in range(count)]
    assert (status_of(outcome), outcome.failed) == (200, [])


@given(pieces, st.data())
def test_whatever_is_cut_off_nothing_stays_by_halves(sizes: list[int], data: st.DataObject) -> None:
    whole = body(file(1), file(2), file(3))
    cut = data.draw(st.integers(0, len(whole) - 1))
    spool = Spool()
    outcome = store(whole[:cut], spool, sizes)
    assert status_of(outcome) == 400
    full = [(meta(number), data_set(number)) for number in (1, 2, 3)]
    assert spool.in_order() == full[: len(spool.kept)]
    ends = [len(body(*(file(number) for number in range(1, count + 1)), end=b"")) for count in (1, 2, 3)]
    assert len(spool.kept) in {sum(end + 2 <= cut for end in ends), sum(end <= cut for end in ends)}


def test_a_sender_that_goes_away_leaves_nothing_half_received() -> None:
    spool = Spool()
    request = StowRequest("B", None, spool.begin, Limits())
    request.feed(body(file(1), file(2, pixels=2000))[:-1000])
    assert spool.open == 1
    request.abandon()
    request.abandon()
    assert spool.open == 0
    assert [stored.meta.sop_instance_uid for stored in request.outcome.stored] == ["1.2.3.1"]


def results(outcome: StowOutcome) -> list[str | FailureReason]:
    return [result.meta.sop_instance_uid if isinstance(result, Stored) else result.reason for result in outcome.results]


@pytest.mark.parametrize(
    ("bad", "reason", "status"),
    [
        (b"no DICOM at all" * 20, FailureReason.CANNOT_UNDERSTAND, 400),
        (b"", FailureReason.CANNOT_UNDERSTAND, 400),
        (file(2)[:200], FailureReason.CANNOT_UNDERSTAND, 400),
        (file_head(EXPLICIT, SECONDARY_CAPTURE, "1.2.3.2"), FailureReason.CANNOT_UNDERSTAND, 400),
        (file(2, study="1.2.840.78"), FailureReason.MISMATCH, 409),
        (file(2, study=""), FailureReason.MISMATCH, 409),
        (
            file(2, said=meta(2, transfer_syntax_uid="1.2.840.10008.1.2.6.1")),
            FailureReason.TRANSFER_SYNTAX_NOT_SUPPORTED,
            409,
        ),
        (file(2, said=meta(2, "1.2.840.10008.5.1.4.1.2.2.1")), FailureReason.SOP_CLASS_NOT_SUPPORTED, 409),
        (file(2, pixels=9000), FailureReason.OUT_OF_RESOURCES, 413),
    ],
)
@given(sizes=pieces)
def test_a_bad_part_fails_alone_and_says_why(bad: bytes, reason: FailureReason, status: int, sizes: list[int]) -> None:
    spool = Spool()
    limits = Limits(instance_bytes=5000)
    outcome = store(body(file(1), bad, file(3)), spool, sizes, STUDY, limits)
    assert results(outcome) == ["1.2.3.1", reason, "1.2.3.3"]
    assert [kept.sop_instance_uid for kept, _ in spool.in_order()] == ["1.2.3.1", "1.2.3.3"]
    assert status_of(outcome) == 202
    alone = store(body(bad, bad), Spool(), sizes, STUDY, limits)
    assert (results(alone), status_of(alone)) == ([reason, reason], status)


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Type: application/dicom+json\r\n",
        b"Content-Type: image/jpeg\r\n",
        b"Content-Type: application/dicom\r\nContent-Transfer-Encoding: base64\r\n",
    ],
)
def test_a_part_of_another_kind_is_not_looked_into(headers: bytes) -> None:
    spool = Spool()
    outcome = store(body(file(1), headers=headers), spool)
    assert results(outcome) == [FailureReason.CANNOT_UNDERSTAND]
    assert spool.kept == []


@pytest.mark.parametrize(
    "headers",
    [
        b"",
        b"content-type:application/dicom;transfer-syntax=1.2.840.10008.1.2.1\r\n",
        b"Content-Type: Application/DICOM\r\nContent-Transfer-Encoding: Binary\r\nContent-Length: 5\r\n",
    ],
)
def test_headers_in_every_dress_are_taken(headers: bytes) -> None:
    assert results(store(body(file(1), headers=headers), Spool())) == ["1.2.3.1"]


@pytest.mark.parametrize("step", ["begin", "write", "keep"])
@pytest.mark.parametrize(("first", "status"), [(True, 503), (False, 202)])
def test_a_full_disk_fails_the_instance_and_asks_to_come_again(step: str, first: bool, status: int) -> None:
    def fail(now: str, of: FileMeta) -> None:
        if now == step and (first or of == meta(2)):
            raise OSError(errno.ENOSPC, "DOE^JANE")

    spool = Spool(fail)
    outcome = store(body(file(1), file(2)), spool, [300, 300])
    wanted = FailureReason.OUT_OF_RESOURCES
    assert results(outcome) == ([wanted, wanted] if first else ["1.2.3.1", wanted])
    assert all(failed.meta is not None for failed in outcome.failed)
    assert status_of(outcome) == status
    assert "DOE" not in repr(response_of(outcome)) + repr(outcome.failed)


@pytest.mark.parametrize("step", ["begin", "write", "keep"])
def test_an_error_that_nobody_has_foreseen_leaves_nothing_half_received(step: str) -> None:
    def fail(now: str, of: FileMeta) -> None:
        if now == step and of == meta(2):
            raise ZeroDivisionError

    spool = Spool(fail)
    with pytest.raises(ZeroDivisionError):
        store(body(file(1), file(2), file(3)), spool)
    assert spool.open == 0
    assert meta(2) not in [kept for kept, _ in spool.kept]


def test_instances_become_safe_side_by_side_and_no_more_than_some_are_open() -> None:
    """Each waits for seven others: with fewer at once this would never end."""
    together = threading.Barrier(8)
    most = [0]

    def wait(step: str, of: FileMeta) -> None:
        most[0] = max(most[0], spool.open)
        if step == "keep":
            together.wait(30)

    spool = Spool(wait)
    outcome = store(body(*(file(number) for number in range(16))), spool)
    assert most[0] <= 9
    assert len(outcome.stored) == 16
    assert [stored.meta for stored in outcome.stored] == [meta(number) for number in range(16)]
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("keep")] == []


def test_a_request_that_breaks_is_not_taken_for_done() -> None:
    outcome = store(body(file(1), file(2), end=b"\r\nbad header\r\n\r\n"), Spool())
    assert results(outcome) == ["1.2.3.1", "1.2.3.2"]
    assert (outcome.fault, status_of(outcome)) == (Fault.MALFORMED, 400)
    assert "00081199" in response_of(outcome)


@pytest.mark.parametrize(
    ("limits", "kept"),
    [(Limits(parts=2), 2), (Limits(request_bytes=2 * len(body(file(1))) - 50), 0)],
)
def test_what_is_more_than_a_request_may_hold_ends_it(limits: Limits, kept: int) -> None:
    spool = Spool()
    outcome = store(body(file(1), file(2), file(3)), spool, limits=limits)
    assert (outcome.fault, status_of(outcome)) == (Fault.TOO_LARGE, 413)
    assert len(spool.kept) == kept
    exact = Limits(parts=3, request_bytes=len(body(file(1), file(2), file(3))))
    assert status_of(store(body(file(1), file(2), file(3)), Spool(), limits=exact)) == 200


def test_an_instance_may_be_as_large_as_the_limit() -> None:
    limit = Limits(instance_bytes=len(file(1)))
    assert results(store(body(file(1)), Spool(), limits=limit)) == ["1.2.3.1"]
    short = replace(limit, instance_bytes=len(file(1)) - 1)
    outcome = store(body(file(1)), Spool(), limits=short)
    assert isinstance(outcome.results[0], Failed)
    assert outcome.results[0].too_large


def test_a_body_without_parts_is_malformed() -> None:
    assert status_of(store(b"--B--", Spool())) == 400
    assert status_of(store(b"", Spool())) == 400
