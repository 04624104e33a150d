"""One association, from the connection to its end, as the acceptor; a thread runs it.

What is done when is the table of `upper_layer.py`; this file reads PDUs, makes events of them, and carries the actions
out. Silence has a limit in every state. Source: PS3.8 section 9.
"""

import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from karnak.gateway.receive.admission import Limits, Rejection
from karnak.gateway.receive.associate import (
    APPLICATION_CONTEXT,
    Acceptance,
    MalformedRequest,
    Request,
    accept,
    read_request,
)
from karnak.gateway.receive.commitment import Report
from karnak.gateway.receive.connection import Connection
from karnak.gateway.receive.offer import is_service, takes
from karnak.gateway.receive.pace import Pace
from karnak.gateway.receive.pdu import (
    RELEASE_RP,
    RELEASE_RQ,
    USER_ABORT,
    AbortReason,
    Fragment,
    InvalidPdu,
    Pdu,
    PduKind,
    PduParser,
    p_data,
    provider_abort,
    reject,
)
from karnak.gateway.receive.reception import Reception, Spooling
from karnak.gateway.receive.service import BrokenRules, Service
from karnak.gateway.receive.upper_layer import NEXT, TABLE, Action, Event, State
from karnak.gateway.route import Caller

# While the process is about to end, an association that was silent for so long is released.
_QUIET = 0.2
# And a peer that has nothing to do but to close, or to answer a release, gets no more than this.
_QUIET_AT_THE_END = 2.0
# What comes after bytes that are no PDUs is read and thrown away: a connection that is closed with bytes unread is
# reset, and the peer might never see the A-ABORT that tells it why.
_DEAF_BUFFER = 1 << 16
_EVENTS = {
    PduKind.ASSOCIATE_RQ: Event.ASSOCIATE_RQ,
    PduKind.ASSOCIATE_AC: Event.ASSOCIATE_AC,
    PduKind.ASSOCIATE_RJ: Event.ASSOCIATE_RJ,
    PduKind.RELEASE_RQ: Event.RELEASE_RQ,
    PduKind.RELEASE_RP: Event.RELEASE_RP,
    PduKind.ABORT: Event.ABORT,
}
# Looked up for every piece of an instance, where a member of an enumeration takes longer.
_P_DATA, _ESTABLISHED = Event.P_DATA, State.ESTABLISHED
_BAD_VERSION = Rejection(1, 2, 2, "another version of the protocol")
_BAD_APPLICATION_CONTEXT = Rejection(1, 1, 2, "another application context")


@dataclass(frozen=True, slots=True)
class _Errand:
    """A report that waits to be sent, and whom to tell how it went."""

    report: Report
    done: Callable[[bool], None]


class Association:
    """An association.

    Args:
        connection: a connection that was just accepted; `run` closes it.
        address: IP address of the peer.
        limits: lengths and times.
        admit: says whether a caller may have an association.
        spool: where instances go.
        reception: the process.
        tls: rules of TLS, or None for none.
    """

    def __init__(
        self,
        connection: Connection,
        address: str,
        limits: Limits,
        admit: Callable[[Caller], Rejection | None],
        spool: Spooling,
        reception: Reception,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._connection = connection
        self._limits = limits
        self._admit = admit
        self._spool = spool
        self._reception = reception
        self._tls = tls
        self._parser = PduParser(limits.maximum_pdu)
        self._state = State.IDLE
        self._caller = Caller("", "", address)
        self._service: Service | None = None
        self._acceptance: Acceptance | None = None
        self._maximum_sent = 0
        self._rejection: Rejection | None = None
        self._abort_reason = AbortReason.NOT_SPECIFIED
        # After bytes that are no PDUs, nothing can be understood any more.
        self._deaf = False
        self._deadline = 0.0
        self._pace = Pace(limits.minimum_rate, limits.idle)
        self._cut = False
        self._errands: deque[_Errand] = deque()
        self._ended = False
        self._lock = threading.Lock()

    def run(self) -> None:
        """Serve the peer until the association has ended; whatever happens, the connection is closed."""
        try:
            self._rest(self._limits.artim)
            if self._tls is None or self._connection.handshake(self._tls, self._deadline):
                self._do(Event.CONNECTED)
                while self._state is not State.IDLE:
                    event, found = self._next()
                    if event is _P_DATA and self._state is _ESTABLISHED and isinstance(found, Fragment):
                        # What the table says of most that ever happens, without looking it up: DT-2, and stay.
                        self._take(found)
                    else:
                        self._do(event, found)
            else:
                self._say_ended("no agreement on TLS")
        except TimeoutError:
            self._say_ended("the peer did not take what it was sent, or stopped in the middle of TLS")
        except Exception as error:
            self._reception.journal_error("association failed", error, address=self._caller.address)
        finally:
            self._end()

    def cut(self) -> None:
        """Abort the association now; from any thread."""
        self._cut = True
        self._connection.wake()

    def hasten(self) -> None:
        """Look again whether the process is about to end; from any thread."""
        self._connection.wake()

    def report(self, report: Report, seconds: float) -> bool:
        """Send an N-EVENT-REPORT when the association is at leisure; from another thread than that of `run`.

        Args:
            report: what to say.
            seconds: to wait for the answer.

        Returns:
            Whether it was answered with Success; False also when the association has ended.
        """
        answers: list[bool] = []
        answered = threading.Event()

        def done(success: bool) -> None:
            answers.append(success)
            answered.set()

        with self._lock:
            if self._ended:
                return False
            self._errands.append(_Errand(report, done))
        self._connection.wake()
        return answered.wait(seconds) and answers[0]

    def _next(self) -> tuple[Event, Pdu | Fragment | None]:
        """Wait for what happens next."""
        while True:
            if not self._deaf:
                try:
                    found = self._parser.next()
                except InvalidPdu as error:
                    return self._invalid(error.reason), None
                if isinstance(found, Fragment):
                    return _P_DATA, found
                if found is not None:
                    return _EVENTS[found.kind], found
            if self._state is _ESTABLISHED:
                if self._cut:
                    return Event.ABORT_WANTED, None
                self._run_errands()
            elif self._cut:
                return Event.CLOSED, None
            resting = self._is_at_rest()
            if resting:
                self._pace.restart()
            began = time.monotonic()
            try:
                count = self._connection.receive_into(self._parser.room(), self._soonest())
            except TimeoutError:
                return self._expired(), None
            if count == 0:
                return Event.CLOSED, None
            if count is not None and not self._deaf:
                self._parser.received(count)
                if self._state is _ESTABLISHED:
                    now = time.monotonic()
                    self._deadline = now + self._limits.idle
                    if not self._pace.goes_on(count, 0.0 if resting else now - began):
                        self._say_ended("too slow")
                        return Event.ABORT_WANTED, None

    def _invalid(self, reason: AbortReason) -> Event:
        self._deaf = True
        self._parser = PduParser(0, _DEAF_BUFFER)
        self._abort_reason = reason
        return Event.INVALID_PDU

    def _rest(self, seconds: float) -> None:
        """Begin to wait for the peer."""
        self._deadline = time.monotonic() + seconds

    def _is_at_rest(self) -> bool:
        """Nothing has begun that the peer would have to go on with."""
        return self._service is not None and self._service.is_at_leisure and self._parser.is_empty

    def _soonest(self) -> float:
        """The deadline, or an earlier one while the process is about to end."""
        if not self._reception.is_draining():
            return self._deadline
        if self._state is not State.ESTABLISHED:
            return min(self._deadline, time.monotonic() + _QUIET_AT_THE_END)
        return min(self._deadline, time.monotonic() + _QUIET) if self._is_leaving() else self._deadline

    def _is_leaving(self) -> bool:
        return self._reception.is_draining() and self._service is not None and self._service.is_at_leisure

    def _expired(self) -> Event:
        if self._state in (State.AWAITING_REQUEST, State.AWAITING_CLOSE):
            return Event.ARTIM_EXPIRED
        if self._state is State.ESTABLISHED:
            if self._is_leaving():
                return Event.RELEASE_WANTED
            self._say_ended("silent for too long")
        return Event.ABORT_WANTED

    def _run_errands(self) -> None:
        while self._errands and self._service is not None and self._service.is_at_leisure:
            errand = self._errands.popleft()
            self._service.report(errand.report, errand.done)

    def _do(self, event: Event, found: Pdu | Fragment | None = None) -> None:
        """Carry out what the table says."""
        before = self._state
        action = TABLE[event, before]
        self._state = NEXT[action]
        if before is State.ESTABLISHED and self._state is not State.ESTABLISHED and self._service is not None:
            self._service.abandon()
        match action:
            case Action.DT_2:
                assert isinstance(found, Fragment)
                self._take(found)
            case Action.AE_6:
                assert isinstance(found, Pdu)
                self._decide(found)
            case Action.AE_7:
                assert self._acceptance is not None
                self._send(self._acceptance.pdu)
                self._rest(self._limits.idle)
            case Action.AE_8:
                assert self._rejection is not None
                self._send(reject(self._rejection.result, self._rejection.source, self._rejection.reason))
            case Action.AR_1:
                self._send(RELEASE_RQ)
            case Action.AR_2 | Action.AR_10:
                self._do(Event.RELEASE_ANSWERED)
            case Action.AR_4:
                self._send(RELEASE_RP)
            case Action.AA_1:
                self._send(USER_ABORT)
            case Action.AA_7 | Action.AA_8:
                reason = self._abort_reason if event is Event.INVALID_PDU else AbortReason.UNEXPECTED_PDU
                self._send(provider_abort(reason))
                if action is Action.AA_8:
                    self._say_ended("the peer sent what it must not send")
            case Action.AA_3:
                self._say_ended("aborted by the peer")
            case Action.AA_4:
                self._say_ended("the connection was lost" if not self._cut else "the gateway is being stopped")
        if self._state is not before and self._state in (State.AWAITING_CLOSE, State.RELEASING):
            self._rest(self._limits.artim)

    def _decide(self, pdu: Pdu) -> None:
        """Look at an association request: accept it or not."""
        try:
            request = read_request(pdu.data)
        except MalformedRequest:
            # For a request that can't be read the table has another row than for one that can.
            self._state = State.AWAITING_REQUEST
            self._do(self._invalid(AbortReason.INVALID_PARAMETER))
            return
        self._caller = Caller(request.called_ae, request.calling_ae, self._caller.address)
        self._rejection = _rejection(request) or self._admit(self._caller)
        if self._rejection is not None:
            self._say("association rejected", self._rejection.words)
            self._do(Event.REFUSED)
            return
        self._acceptance = accept(request, is_service, takes, self._limits.maximum_pdu)
        self._maximum_sent = request.maximum_pdu
        self._service = Service(
            self._caller,
            self._acceptance.contexts,
            self._spool,
            self._limits.maximum_instance,
            self._reception,
            self,
            self._send_message,
        )
        self._do(Event.ACCEPTED)

    def _take(self, fragment: Fragment) -> None:
        assert self._service is not None
        try:
            self._service.take(fragment)
        except BrokenRules:
            self._say_ended("the peer breaks the rules of DIMSE")
            self._do(Event.ABORT_WANTED)
        except InvalidPdu as error:
            self._do(self._invalid(error.reason))
        except TimeoutError:
            raise
        except Exception as error:
            self._reception.journal_error("association failed", error, address=self._caller.address)
            self._do(Event.ABORT_WANTED)

    def _send_message(self, context_id: int, command: bytes, data_set: bytes) -> None:
        for is_command, data in ((True, command), (False, data_set)):
            for pdu in p_data(context_id, is_command, data, self._maximum_sent):
                self._do(Event.SENDING)
                self._send(pdu)
        # The peer was silent because it waited for us: its silence begins now.
        self._rest(self._limits.idle)

    def _send(self, pdu: bytes) -> None:
        # A peer that is gone is noticed when it is read from.
        self._connection.send(pdu, time.monotonic() + min(self._limits.idle, self._limits.artim))

    def _say_ended(self, reason: str) -> None:
        self._say("association ended", reason)

    def _say(self, event: str, reason: str) -> None:
        self._reception.journal(
            event,
            called_ae=self._caller.called_ae,
            calling_ae=self._caller.calling_ae,
            address=self._caller.address,
            reason=reason,
        )

    def _end(self) -> None:
        self._connection.close()
        if self._service is not None:
            self._service.abandon()
        with self._lock:
            self._ended = True
        while self._errands:
            self._errands.popleft().done(False)


def _rejection(request: Request) -> Rejection | None:
    """Why a request is refused, whoever makes it (PS3.8 section 9.3.4)."""
    if not request.version_known:
        return _BAD_VERSION
    return None if request.application_context == APPLICATION_CONTEXT else _BAD_APPLICATION_CONTEXT
