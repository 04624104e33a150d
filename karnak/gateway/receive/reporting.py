"""Storage Commitment: finding out what is safe, and bringing the report to whom it is due.

The report goes over the association of the request if that is still there, else over a new one, a few times. Nothing
of it is on disk: a requestor that hears nothing asks again (PS3.4 section J.3.3).
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from karnak.gateway.journal import Value
from karnak.gateway.receive.admission import Address
from karnak.gateway.receive.commitment import COMMITMENT_INSTANCE, Reference, Report, Reporter, Transaction
from karnak.gateway.receive.offer import STORAGE_COMMITMENT
from karnak.gateway.route import Caller

_AT_ONCE = 8
_MAXIMUM_WAITING = 200
_SECONDS_FOR_THE_ANSWER = 30.0
RETRY_DELAYS = (0.0, 2.0, 10.0, 60.0)


class Journaling(Protocol):
    """Writes events."""

    def __call__(self, event: str, **values: Value) -> None:
        """Write one."""


class Reporting:
    """Answers requests for Storage Commitment, in threads of its own.

    Args:
        ask: finds out which of some instances are safe; None when nobody knows.
        address_of: where a calling AE title hears of reports, or None.
        journal: where events go.
        delays: seconds before each try over a new association.
    """

    def __init__(
        self,
        ask: Callable[[Sequence[Reference]], frozenset[Reference] | None],
        address_of: Callable[[str], Address | None],
        journal: Journaling,
        delays: Sequence[float] = RETRY_DELAYS,
    ) -> None:
        self._ask = ask
        self._address_of = address_of
        self._journal = journal
        self._delays = delays
        self._threads = ThreadPoolExecutor(_AT_ONCE, "commitment")
        self._waiting = threading.Semaphore(_MAXIMUM_WAITING)
        self._stopping = threading.Event()

    def take(self, transaction: Transaction, caller: Caller, reporter: Reporter) -> bool:
        """Begin to answer a request.

        Args:
            transaction: what is asked.
            caller: who asks.
            reporter: its association.

        Returns:
            False when too many wait.
        """
        if self._stopping.is_set() or not self._waiting.acquire(blocking=False):
            return False
        self._threads.submit(self._answer, transaction, caller, reporter)
        return True

    def stop(self) -> None:
        """Take no more, and give up what has not been reported."""
        self._stopping.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _answer(self, transaction: Transaction, caller: Caller, reporter: Reporter) -> None:
        try:
            report = Report(transaction, self._ask(transaction.references))
            outcome = "commitment reported" if self._bring(report, caller, reporter) else "commitment not reported"
            self._say(outcome, caller, count=len(report.safe or ()))
        except Exception as error:
            self._say("commitment not reported", caller, error=type(error).__name__)
        finally:
            self._waiting.release()

    def _bring(self, report: Report, caller: Caller, reporter: Reporter) -> bool:
        if reporter.report(report, _SECONDS_FOR_THE_ANSWER):
            return True
        address = self._address_of(caller.calling_ae)
        if address is None:
            self._say("commitment not reported", caller, reason="the calling AE has no address for reports")
            return False
        return any(
            not self._stopping.wait(delay) and send_report(report, caller, address, _SECONDS_FOR_THE_ANSWER)
            for delay in self._delays
        )

    def _say(self, event: str, caller: Caller, **values: Value) -> None:
        self._journal(event, called_ae=caller.called_ae, calling_ae=caller.calling_ae, **values)


def send_report(report: Report, caller: Caller, address: Address, seconds: float) -> bool:
    """Send an N-EVENT-REPORT over an association of its own, as SCP (PS3.4 section J.3.3, PS3.7 annex D.3.3.4).

    Args:
        report: what to say.
        caller: who asked; it is called by the title it had, by the title it called.
        address: where it listens.
        seconds: for each step.

    Returns:
        Whether it was answered with Success.
    """
    # Seldom needed, and large.
    from pynetdicom import AE, build_role

    ae = AE(caller.called_ae)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = seconds
    ae.add_requested_context(STORAGE_COMMITMENT)
    role = build_role(STORAGE_COMMITMENT, scp_role=True)
    association = ae.associate(address.host, address.port, ae_title=caller.calling_ae, ext_neg=[role])
    if not association.is_established:
        return False
    try:
        status, _ = association.send_n_event_report(
            report.data_set(), report.event_type, STORAGE_COMMITMENT, COMMITMENT_INSTANCE
        )
        return bool(status.get("Status") == 0)
    except (RuntimeError, ValueError):
        # The peer doesn't let us be the SCP, or has gone.
        return False
    finally:
        association.release()
