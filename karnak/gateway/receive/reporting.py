"""Storage Commitment in a receiver process: requests go to the gateway, reports come back and go out.

The gateway keeps a request on disk before it is answered with Success, and finds out what is safe. The receiver brings
the report over the association of the request while that is there; afterwards the gateway does.
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from karnak.gateway.receive.commitment import Reference, Report, Reporter, Transaction
from karnak.gateway.route import Caller

_AT_ONCE = 8
_MAXIMUM_WAITING = 200
_SECONDS_FOR_THE_GATEWAY = 60.0


@dataclass(slots=True)
class _Request:
    """What the gateway was told of, until it is reported."""

    transaction: Transaction
    reporter: Reporter
    answered: threading.Event = field(default_factory=threading.Event)
    taken: bool = False


class Reporting:
    """Passes on requests and reports.

    Args:
        send: sends a message to the gateway; False when that is gone.
        seconds: that the gateway gets to keep a request.
    """

    def __init__(self, send: Callable[[Mapping[str, object]], bool], seconds: float = _SECONDS_FOR_THE_GATEWAY) -> None:
        self._send = send
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(_AT_ONCE, "commitment")
        self._requests: dict[int, _Request] = {}
        self._numbers = count()
        self._stopping = False

    def take(self, transaction: Transaction, caller: Caller, reporter: Reporter) -> bool:
        """Pass on a request, and wait until the gateway has it on disk.

        Args:
            transaction: what is asked.
            caller: who asks.
            reporter: its association.

        Returns:
            Whether there will be a report.
        """
        if self._stopping or len(self._requests) >= _MAXIMUM_WAITING:
            return False
        number, request = next(self._numbers), _Request(transaction, reporter)
        self._requests[number] = request
        self._send(
            {
                "commit": number,
                "transaction": transaction.uid,
                "references": transaction.references,
                "caller": [caller.called_ae, caller.calling_ae, caller.address],
            }
        )
        request.answered.wait(self._seconds)
        if not request.taken:
            self._requests.pop(number, None)
        return request.taken

    def hear(self, message: Mapping[str, Any]) -> None:
        """Take in what the gateway says of requests."""
        if "kept" in message:
            self._answered(message["kept"], bool(message["taken"]))
        if "report" in message and not self._stopping:
            # What is to be reported was kept; the two messages come in any order.
            self._answered(message["report"], True)
            safe = message["safe"]
            found = None if safe is None else frozenset((one, other) for one, other in safe)
            self._threads.submit(self._bring, message["report"], found, message["seconds"])

    def stop(self) -> None:
        """Take no more, and begin no more reports: the gateway still owes them."""
        self._stopping = True
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _answered(self, number: int, taken: bool) -> None:
        request = self._requests.get(number)
        if request is not None:
            request.taken = taken
            request.answered.set()

    def _bring(self, number: int, safe: frozenset[Reference] | None, seconds: float) -> None:
        request = self._requests.pop(number, None)
        success = False
        try:
            if request is not None:
                success = request.reporter.report(Report(request.transaction, safe), seconds)
        finally:
            self._send({"reported": number, "success": success})
