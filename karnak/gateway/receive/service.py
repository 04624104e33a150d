"""What an association is for: C-ECHO, C-STORE and Storage Commitment, as their SCP.

Fragments come in; data sets go where they belong piece by piece; responses go out. A peer that breaks the rules of
DIMSE (a data set without command, two commands at once, a command set that is none) is no peer to talk to any longer.
Source: PS3.7 sections 6.3 and 9 to 10, PS3.8 annex E.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from karnak.gateway.receive.associate import Context
from karnak.gateway.receive.commands import (
    MAXIMUM_LENGTH,
    Command,
    Field,
    InvalidCommand,
    Status,
    answer_to,
    event_report,
    is_uid,
    parse_command,
)
from karnak.gateway.receive.commitment import (
    COMMITMENT_INSTANCE,
    InvalidTransaction,
    Report,
    Reporter,
    Transaction,
    read_transaction,
    refusal_of,
)
from karnak.gateway.receive.offer import STORAGE_COMMITMENT, VERIFICATION
from karnak.gateway.receive.pdu import AbortReason, Fragment, InvalidPdu
from karnak.gateway.receive.reception import Reception, Spooling
from karnak.gateway.receive.storing import Answer, Discarding, Storing
from karnak.gateway.route import Caller
from karnak.gateway.spool import Arrival

# Of a request for Storage Commitment: some 100,000 references.
_MAXIMUM_ACTION = 1 << 24


class BrokenRules(Exception):
    """The peer does what DIMSE does not allow."""


class Sink(Protocol):
    """Where a data set goes."""

    def write(self, piece: memoryview) -> None:
        """Take the next bytes, which are gone afterwards."""

    def finish(self) -> Answer:
        """All has come."""

    def drop(self) -> None:
        """The rest will not come."""


class Service:
    """The SCP of one association.

    Args:
        caller: who is at the other end.
        contexts: accepted presentation contexts by their IDs.
        spool: where instances go.
        maximum_instance: bytes of the longest data set, 0 for any length.
        reception: the process.
        reporter: the association, for reports.
        send: sends a command set, and a data set where there is one, in a context.
    """

    def __init__(
        self,
        caller: Caller,
        contexts: Mapping[int, Context],
        spool: Spooling,
        maximum_instance: int,
        reception: Reception,
        reporter: Reporter,
        send: Callable[[int, bytes, bytes], None],
    ) -> None:
        self._caller = caller
        self._contexts = contexts
        self._spool = spool
        self._maximum_instance = maximum_instance
        self._reception = reception
        self._reporter = reporter
        self._send = send
        self._encoded = bytearray()
        self._context_id = 0
        # The request whose data set is coming.
        self._request: Command | None = None
        self._sink: Sink | None = None
        self._message_id = 0
        self._reported: dict[int, Callable[[bool], None]] = {}

    @property
    def is_at_leisure(self) -> bool:
        """It is not in the middle of a message."""
        return self._sink is None and not self._encoded

    def take(self, fragment: Fragment) -> None:
        """Take the next fragment.

        Raises:
            BrokenRules: it must not come now.
            InvalidPdu: its presentation context was not accepted.
        """
        sink = self._sink
        if sink is not None and not fragment.is_command and fragment.context_id == self._context_id:
            sink.write(fragment.data)
            if fragment.is_last:
                self._finish(sink)
            return
        if fragment.context_id not in self._contexts:
            raise InvalidPdu(AbortReason.INVALID_PARAMETER)
        if not self.is_at_leisure and fragment.context_id != self._context_id:
            raise BrokenRules
        if not fragment.is_command or sink is not None or len(self._encoded) + len(fragment.data) > MAXIMUM_LENGTH:
            raise BrokenRules
        self._context_id = fragment.context_id
        self._encoded += fragment.data
        if fragment.is_last:
            encoded, self._encoded = self._encoded, bytearray()
            try:
                command = parse_command(encoded)
            except InvalidCommand:
                raise BrokenRules from None
            self._begin(command)

    def report(self, report: Report, answered: Callable[[bool], None]) -> None:
        """Send an N-EVENT-REPORT request.

        Args:
            report: what to say.
            answered: is told whether the answer was Success.
        """
        self._message_id = self._message_id % 0xFFFF + 1
        self._reported[self._message_id] = answered
        command = event_report(self._message_id, STORAGE_COMMITMENT, COMMITMENT_INSTANCE, report.event_type)
        self._send(report.transaction.context_id, command, report.encoded())

    def abandon(self) -> None:
        """Let go of all that was begun: nothing more will come."""
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.drop()
        reported, self._reported = self._reported, {}
        for answered in reported.values():
            answered(False)

    def _begin(self, command: Command) -> None:
        if command.field == Field.C_CANCEL:
            # Nothing that we do can be cancelled.
            return
        if command.is_response and command.field != Field.N_EVENT_REPORT_RSP:
            raise BrokenRules
        self._request = command
        sink = self._sink_of(command, self._contexts[self._context_id])
        if command.has_data_set:
            self._sink = sink
        else:
            self._finish(sink)

    def _sink_of(self, command: Command, context: Context) -> Sink:
        match command.field:
            case Field.C_ECHO:
                known = context.sop_class_uid == VERIFICATION
                return Discarding(Answer(Status.SUCCESS if known else Status.UNSUPPORTED_SOP_CLASS))
            case Field.C_STORE:
                return self._storing(command, context)
            case Field.N_ACTION:
                refusal = refusal_of(command.sop_class_uid, command.sop_instance_uid, command.action_type)
                if context.sop_class_uid != STORAGE_COMMITMENT:
                    refusal = Status.UNSUPPORTED_SOP_CLASS
                if refusal is not None:
                    return Discarding(Answer(refusal))
                return _Asking(context, self._context_id, self._commit)
            case Field.N_EVENT_REPORT_RSP:
                answered = self._reported.pop(command.message_id, None)
                if answered is None:
                    raise BrokenRules
                answered(command.status == Status.SUCCESS)
                return Discarding(Answer(Status.SUCCESS))
            case _:
                return Discarding(Answer(Status.UNRECOGNIZED_OPERATION))

    def _storing(self, command: Command, context: Context) -> Sink:
        is_stored = context.sop_class_uid not in (VERIFICATION, STORAGE_COMMITMENT)
        if not is_stored or command.sop_class_uid != context.sop_class_uid:
            return Discarding(Answer(Status.UNSUPPORTED_SOP_CLASS, "not the SOP Class of the presentation context"))
        if not is_uid(command.sop_instance_uid):
            return Discarding(Answer(Status.INVALID_INSTANCE, "the SOP Instance UID is none"))
        if self._reception.is_draining():
            return Discarding(Answer(Status.OUT_OF_RESOURCES, "the gateway is being stopped"))
        if self._reception.is_full():
            return Discarding(Answer(Status.OUT_OF_RESOURCES, "there is no room on the disk"))
        arrival = Arrival(
            self._caller.called_ae,
            self._caller.calling_ae,
            self._caller.address,
            "dimse",
            command.sop_class_uid,
            command.sop_instance_uid,
            context.transfer_syntax_uid,
            self._reception.now(),
        )
        return Storing(arrival, self._spool, self._reception, self._maximum_instance)

    def _finish(self, sink: Sink) -> None:
        request, self._request, self._sink = self._request, None, None
        assert request is not None
        answer = sink.finish()
        if request.is_response:
            return
        self._send(self._context_id, answer_to(request, answer.status, answer.comment), b"")
        if answer.receipt is not None:
            self._reception.stored(answer.receipt, answer.size, answer.seconds)
        elif answer.status is not Status.SUCCESS:
            if request.field == Field.C_STORE:
                self._reception.refused()
            self._reception.journal(
                "request refused",
                called_ae=self._caller.called_ae,
                calling_ae=self._caller.calling_ae,
                address=self._caller.address,
                status=f"{answer.status:04X}H",
                reason=answer.comment or answer.status.name.replace("_", " ").lower(),
            )

    def _commit(self, transaction: Transaction) -> bool:
        return self._reception.commit(transaction, self._caller, self._reporter)


class _Asking:
    """Takes the data set of a request for Storage Commitment."""

    def __init__(self, context: Context, context_id: int, commit: Callable[[Transaction], bool]) -> None:
        self._context = context
        self._context_id = context_id
        self._commit = commit
        self._data = bytearray()
        self._too_long = False

    def write(self, piece: memoryview) -> None:
        """Keep the next bytes."""
        self._too_long |= len(self._data) + len(piece) > _MAXIMUM_ACTION
        if self._too_long:
            self._data.clear()
        else:
            self._data += piece

    def finish(self) -> Answer:
        """Say whether there will be a report; it is sent by the association's own thread, so after the response."""
        if self._too_long:
            return Answer(Status.RESOURCE_LIMITATION)
        try:
            transaction = read_transaction(bytes(self._data), self._context.transfer_syntax_uid, self._context_id)
        except InvalidTransaction:
            return Answer(Status.INVALID_ARGUMENT)
        return Answer(Status.SUCCESS if self._commit(transaction) else Status.RESOURCE_LIMITATION)

    def drop(self) -> None:
        """Forget what came."""
        self._data.clear()
