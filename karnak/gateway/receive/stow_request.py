"""One STOW-RS request: each part of its body goes into the spool as it streams by, and what became of it is noted.

An instance whose part has ended becomes safe, whatever comes after it in the request; that takes the disk some time,
and the next parts are taken meanwhile. What is half received when something goes wrong is dropped. Nothing here
waits for the network: pieces are fed in.
Source: PS3.18 section 10.5; failure reasons from PS3.18 table I.2-2 and PS3.7 annex C.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from karnak.gateway.receive.multipart import BadMultipart, MultipartReader, media_type
from karnak.gateway.receive.offer import is_storage, is_transfer_syntax
from karnak.gateway.receive.part10_stream import MAXIMUM_HEAD, FileMeta, HeadReader, NotPart10
from karnak.gateway.receive.study_seeker import StudySeeker

DICOM = "application/dicom"
# Instances of one request that become safe at the same time; so many files are open.
_KEPT_AT_ONCE = 8
_PLAIN_ENCODINGS = frozenset({"", "binary", "8bit", "7bit"})


class FailureReason(IntEnum):
    """Values of Failure Reason (0008,1197)."""

    PROCESSING_FAILURE = 0x0110
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    OUT_OF_RESOURCES = 0xA700
    # The standard has no reason of its own for a study that isn't the one of the address.
    MISMATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000
    TRANSFER_SYNTAX_NOT_SUPPORTED = 0xC122


class Fault(IntEnum):
    """Why a whole request failed; the HTTP status of the answer (PS3.18 table 10.5.3-1, RFC 9110)."""

    MALFORMED = 400
    TOO_LARGE = 413


@dataclass(frozen=True, slots=True)
class Limits:
    """How large things may be.

    Attributes:
        instance_bytes: of one part; 0 for any size.
        request_bytes: of one body; 0 for any size.
        parts: in one body.
        head_bytes: of preamble and file meta information.
    """

    instance_bytes: int = 0
    request_bytes: int = 0
    parts: int = 10_000
    head_bytes: int = MAXIMUM_HEAD


@dataclass(frozen=True, slots=True)
class Stored:
    """An instance that is safe."""

    meta: FileMeta
    receipt: str
    size: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A part that was not stored.

    Attributes:
        meta: what it says it is; None where that could not be read.
        reason: the code for the sender.
        too_large: it was longer than an instance may be.
        sentence: the reason for people; nothing of the instance is in it.
    """

    meta: FileMeta | None
    reason: FailureReason
    sentence: str
    too_large: bool = False


@dataclass(slots=True)
class StowOutcome:
    """What became of a request.

    Attributes:
        results: one per part, in order.
        fault: what was wrong with the request as a whole: what came after it was not looked at.
        sentence: the same for people, or empty.
    """

    results: list[Stored | Failed] = field(default_factory=list)
    fault: Fault | None = None
    sentence: str = ""

    @property
    def stored(self) -> list[Stored]:
        return [result for result in self.results if isinstance(result, Stored)]

    @property
    def failed(self) -> list[Failed]:
        return [result for result in self.results if isinstance(result, Failed)]


class Receiving(Protocol):
    """An instance on its way into the spool."""

    def write(self, piece: memoryview) -> None: ...
    def keep(self) -> str: ...
    def drop(self) -> None: ...


class _Stop(Exception):
    """The request as a whole failed."""


class StowRequest:
    """Takes one body. Used by one thread at a time.

    Args:
        boundary: of the multipart body.
        study_instance_uid: the study that all instances must belong to, or None for any.
        begin: opens the spool for an instance.
        limits: how large things may be.

    Raises:
        BadMultipart: the boundary is none.

    Attributes:
        outcome: what became of it so far.
    """

    def __init__(
        self,
        boundary: str,
        study_instance_uid: str | None,
        begin: Callable[[FileMeta], Receiving],
        limits: Limits,
    ) -> None:
        self.outcome = StowOutcome()
        self._reader = MultipartReader(boundary, self)
        self._study = study_instance_uid
        self._begin = begin
        self._limits = limits
        self._fed = 0
        self._part: _Part | None = None
        self._keepers = ThreadPoolExecutor(_KEPT_AT_ONCE, "keep")
        self._results: list[Stored | Failed | Future[Stored | Failed]] = []

    def feed(self, piece: bytes) -> bool:
        """Take the next piece of the body; gives False when the rest is of no interest, because the request failed."""
        if self.outcome.fault is not None:
            return False
        self._fed += len(piece)
        try:
            if 0 < self._limits.request_bytes < self._fed:
                self._stop(Fault.TOO_LARGE, f"a request has at most {self._limits.request_bytes} bytes")
            self._reader.feed(piece)
        except BadMultipart as error:
            self._fail(Fault.MALFORMED, str(error))
        except _Stop:
            pass
        except BaseException:
            self.abandon()
            raise
        return self.outcome.fault is None

    def finish(self) -> StowOutcome:
        """Say that the body is whole."""
        if self.outcome.fault is None:
            try:
                self._reader.finish()
            except BadMultipart as error:
                self._fail(Fault.MALFORMED, str(error))
        if self.outcome.fault is None and not self._results:
            self._fail(Fault.MALFORMED, "the multipart body has no part")
        self.abandon()
        return self.outcome

    def abandon(self) -> None:
        """Drop what is half received, and wait for what becomes safe; that stays."""
        part, self._part = self._part, None
        if part is not None:
            part.drop()
        self._keepers.shutdown()
        results, self._results = self._results, []
        self.outcome.results += [result.result() if isinstance(result, Future) else result for result in results]

    def begin(self, headers: Mapping[str, str]) -> None:
        """A part begins."""
        if len(self._results) >= self._limits.parts:
            self._stop(Fault.TOO_LARGE, f"a request has at most {self._limits.parts} parts")
        self._part = _Part(self._study, self._begin, self._limits)
        kind, _ = media_type(headers.get("content-type", DICOM))
        if kind != DICOM or headers.get("content-transfer-encoding", "").lower() not in _PLAIN_ENCODINGS:
            self._part.fail(FailureReason.CANNOT_UNDERSTAND, f"a part is no {DICOM} as it is")

    def data(self, piece: memoryview) -> None:
        """The next bytes of the part."""
        assert self._part is not None
        self._part.take(piece)

    def end(self) -> None:
        """The part is whole."""
        part, self._part = self._part, None
        assert part is not None
        failed = part.finish()
        if failed is not None:
            self._results.append(failed)
            return
        being_kept = [result for result in self._results[-_KEPT_AT_ONCE:] if isinstance(result, Future)]
        if len(being_kept) == _KEPT_AT_ONCE:
            being_kept[0].result()
        self._results.append(self._keepers.submit(part.keep))

    def _stop(self, fault: Fault, sentence: str) -> None:
        self._fail(fault, sentence)
        raise _Stop

    def _fail(self, fault: Fault, sentence: str) -> None:
        self.outcome.fault, self.outcome.sentence = fault, sentence
        self.abandon()


class _Part:
    """One part of a body, which should be a Part 10 file."""

    def __init__(self, study: str | None, begin: Callable[[FileMeta], Receiving], limits: Limits) -> None:
        self._study = study
        self._begin = begin
        self._maximum = limits.instance_bytes
        self._head = HeadReader(limits.head_bytes)
        self._seeker: StudySeeker | None = None
        self._receiving: Receiving | None = None
        self._failed: Failed | None = None
        self._size = 0

    def take(self, piece: memoryview) -> None:
        """Take the next bytes; those of a part that has failed are of no interest."""
        if self._failed is not None:
            return None
        self._size += len(piece)
        if 0 < self._maximum < self._size:
            sentence = f"an instance has at most {self._maximum} bytes"
            return self.fail(FailureReason.OUT_OF_RESOURCES, sentence, too_large=True)
        try:
            if self._receiving is None:
                for rest in self._head.feed(piece):
                    self._write(rest)
            else:
                self._write(piece)
        except NotPart10 as error:
            self.fail(FailureReason.CANNOT_UNDERSTAND, str(error))
        except OSError:
            self.fail(FailureReason.OUT_OF_RESOURCES, "the spool could not be written")
        return None

    def finish(self) -> Failed | None:
        """Say that the part is whole; gives why it can't be kept, or None where it can."""
        if self._failed is None and self._receiving is None:
            self.fail(FailureReason.CANNOT_UNDERSTAND, "a part ends before its data set")
        elif self._seeker is not None:
            self._check_study(self._seeker)
        return self._failed

    def keep(self) -> Stored | Failed:
        """Make it safe; what became of it."""
        assert self._head.meta is not None
        assert self._receiving is not None
        receiving, self._receiving = self._receiving, None
        try:
            return Stored(self._head.meta, receiving.keep(), self._size)
        except OSError:
            return Failed(self._head.meta, FailureReason.OUT_OF_RESOURCES, "the spool could not be written")

    def fail(self, reason: FailureReason, sentence: str, *, too_large: bool = False) -> None:
        """Give the part up."""
        self._failed = Failed(self._head.meta, reason, sentence, too_large)
        self.drop()

    def drop(self) -> None:
        """Remove what is half received."""
        receiving, self._receiving = self._receiving, None
        if receiving is not None:
            receiving.drop()

    def _write(self, piece: memoryview) -> None:
        if self._receiving is None and self._failed is None:
            self._open()
        if self._seeker is not None:
            self._seeker.feed(piece)
            if self._seeker.done:
                self._check_study(self._seeker)
        if self._receiving is not None:
            self._receiving.write(piece)

    def _open(self) -> None:
        meta = self._head.meta
        assert meta is not None
        if not is_transfer_syntax(meta.transfer_syntax_uid):
            return self.fail(FailureReason.TRANSFER_SYNTAX_NOT_SUPPORTED, "the transfer syntax is not supported")
        if not is_storage(meta.sop_class_uid):
            return self.fail(FailureReason.SOP_CLASS_NOT_SUPPORTED, "the SOP Class is not one that is stored")
        self._receiving = self._begin(meta)
        if self._study is not None:
            self._seeker = StudySeeker(meta.transfer_syntax_uid)
        return None

    def _check_study(self, seeker: StudySeeker) -> None:
        self._seeker = None
        if seeker.study_instance_uid != self._study and self._failed is None:
            self.fail(FailureReason.MISMATCH, "the instance does not belong to the study of the address")
