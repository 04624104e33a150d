"""Storage Commitment between the gateway and the associations of one receiver process, over its channel."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from karnak.gateway.receive.channel import Channel
from karnak.gateway.receive.commitment import Report, Transaction
from karnak.gateway.route import Caller

# The receiver itself waits for the peer; this is for the way there and back.
_SECONDS_FOR_THE_CHANNEL = 10.0


@dataclass(slots=True)
class _Errand:
    """A report that a receiver was asked to bring."""

    done: threading.Event = field(default_factory=threading.Event)
    success: bool = False


class Relay:
    """The gateway's side, for one receiver.

    Args:
        channel: to the receiver.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._errands: dict[int, _Errand] = {}
        self._closed = False

    def request(self, message: Mapping[str, Any]) -> tuple[Transaction, Caller, "Requestor"]:
        """Understand a request that the receiver has passed on."""
        references = tuple((str(one), str(other)) for one, other in message["references"])
        transaction = Transaction(str(message["transaction"]), references)
        return transaction, Caller(*map(str, message["caller"])), Requestor(self, int(message["commit"]))

    def bring(self, number: int, report: Report, seconds: float) -> bool:
        """Have the receiver report over the association of a request.

        Args:
            number: of the request.
            report: what to say.
            seconds: that the peer gets.

        Returns:
            Whether the peer has answered with Success; False also when the receiver is gone.
        """
        errand = _Errand()
        with self._lock:
            if self._closed:
                return False
            self._errands[number] = errand
        safe = None if report.safe is None else sorted(report.safe)
        if self._channel.send({"report": number, "safe": safe, "seconds": seconds}):
            errand.done.wait(seconds + _SECONDS_FOR_THE_CHANNEL)
        with self._lock:
            self._errands.pop(number, None)
        return errand.success

    def reported(self, number: int, success: bool) -> None:
        """Hear from the receiver how it went."""
        with self._lock:
            errand = self._errands.pop(number, None)
        if errand is not None:
            errand.success = success
            errand.done.set()

    def close(self) -> None:
        """The receiver is gone, and its associations with it."""
        with self._lock:
            self._closed = True
            errands, self._errands = self._errands, {}
        for errand in errands.values():
            errand.done.set()


@dataclass(frozen=True, slots=True)
class Requestor:
    """An association of a receiver, as a `Reporter`.

    Attributes:
        relay: of the receiver.
        number: of the request.
    """

    relay: Relay
    number: int

    def report(self, report: Report, seconds: float) -> bool:
        """Send an N-EVENT-REPORT when the association is at leisure; False also when it has ended."""
        return self.relay.bring(self.number, report, seconds)
