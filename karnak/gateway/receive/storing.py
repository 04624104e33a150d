"""One C-STORE: its data set goes into the spool as it comes, and its status says whether it is safe there.

Success is said after `keep` has returned and never else. Whatever goes wrong, the rest of the data set is read and
thrown away, so that the association lives on.
"""

import time
from contextlib import suppress
from dataclasses import dataclass

from karnak.gateway.receive.commands import Status
from karnak.gateway.receive.reception import Reception, Spooling
from karnak.gateway.spool import Arrival, Receiving


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request is answered.

    Attributes:
        status: its status.
        comment: a few words without patient values, or "".
        receipt: of the instance that is safe now, or None.
        size: bytes of its data set.
        seconds: from its first byte until it was safe.
    """

    status: Status
    comment: str = ""
    receipt: str | None = None
    size: int = 0
    seconds: float = 0.0


class Storing:
    """Takes one data set.

    Args:
        arrival: what the command and the association say of it.
        spool: where it goes.
        reception: the process.
        maximum: bytes that it may have, 0 for any number.
    """

    def __init__(self, arrival: Arrival, spool: Spooling, reception: Reception, maximum: int) -> None:
        self._arrival = arrival
        self._spool = spool
        self._reception = reception
        self._maximum = maximum
        self._receiving: Receiving | None = None
        self._began = 0.0
        self._failure: Answer | None = None

    def write(self, piece: memoryview) -> None:
        """Take the next bytes."""
        if self._failure is not None or not piece:
            return
        try:
            if self._receiving is None:
                self._began = time.monotonic()
                self._receiving = self._spool.begin(self._arrival)
            if self._maximum and self._receiving.size + len(piece) > self._maximum:
                self._fail(Answer(Status.OUT_OF_RESOURCES, "the instance is larger than is taken here"))
                return
            self._receiving.write(piece)
        except Exception as error:
            self._note(error)

    def finish(self) -> Answer:
        """Make it safe, and say how it went."""
        if self._failure is not None:
            return self._failure
        if self._receiving is None:
            return Answer(Status.CANNOT_UNDERSTAND, "there is no data set")
        try:
            size = self._receiving.size
            receipt = self._receiving.keep()
            return Answer(Status.SUCCESS, receipt=receipt, size=size, seconds=time.monotonic() - self._began)
        except Exception as error:
            return self._note(error)

    def drop(self) -> None:
        """Forget it: its sender is gone or breaks the rules."""
        receiving, self._receiving = self._receiving, None
        if receiving is not None:
            with suppress(OSError):
                receiving.drop()

    def _note(self, error: Exception) -> Answer:
        self._reception.journal_error("spool failed", error)
        if isinstance(error, OSError):
            return self._fail(Answer(Status.OUT_OF_RESOURCES, "the instance can't be stored"))
        return self._fail(Answer(Status.PROCESSING_FAILURE, "an internal error"))

    def _fail(self, answer: Answer) -> Answer:
        self._failure = answer
        self.drop()
        return answer


class Discarding:
    """Takes a data set that nobody wants.

    Args:
        answer: what its sender hears when all of it has come.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def write(self, piece: memoryview) -> None:
        """Throw it away."""

    def finish(self) -> Answer:
        """Say what was decided before."""
        return self._answer

    def drop(self) -> None:
        """Nothing is held."""
