"""The gateway: instances come in by the receiver, are treated for each destination, and go out.

The sender hears Success only when every destination has the instance or was not meant to
have it. Whatever a rule or a destination does wrong stays with that destination: the
others are served all the same. An instance whose rules fail is kept in quarantine and not sent.
"""

import ipaddress
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from karnak.errors import KarnakError
from karnak.gateway.answers import Fate, Result, StoreStatus, count, status_of
from karnak.gateway.deliver.parcel import DeliveryError, Parcel, Refused
from karnak.gateway.journal import Journal
from karnak.gateway.plan import Plan
from karnak.gateway.quarantine import Quarantine
from karnak.gateway.receive.dimse import DimseReceiver, Limits, Received, StoreAnswer
from karnak.gateway.route import Caller, ForwardNode, Outlet, Refusal, Treatment, exclusion_of, find_node, refusal_of
from karnak.runtime.deidentify import deidentify
from karnak.runtime.outcome import Status
from karnak.runtime.part10 import (
    SERIES_INSTANCE_UID,
    STUDY_INSTANCE_UID,
    Instance,
    decode_instance,
    read_instance,
)
from karnak.runtime.warm import warm_up

# Seconds from a connection to its association request.
_REQUEST_TIMEOUT = 30.0


class Gateway:
    """Everything that a plan asks for, running.

    Args:
        plan: what to do.
        journal: where events are written.
        clock: tells the time, with its zone.
        new_receipt: gives a name that no instance has had.
    """

    def __init__(
        self, plan: Plan, journal: Journal, clock: Callable[[], datetime], new_receipt: Callable[[], str]
    ) -> None:
        self._plan = plan
        self._journal = journal
        self._clock = clock
        self._new_receipt = new_receipt
        self._fallbacks: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._quarantine = Quarantine(plan.data_dir / "rejected")
        listen = plan.listen
        limits = Limits(listen.maximum_associations, listen.maximum_pdu, _REQUEST_TIMEOUT, listen.idle_timeout)
        self._receiver = DimseReceiver(listen.host, listen.port, limits, self._admit, self.take)
        # One thread for each part of each instance that can be in work: nobody waits behind a destination that hangs.
        most = max((len(node.outlets) for node in plan.nodes), default=1)
        self._workers = ThreadPoolExecutor(most * listen.maximum_associations, "destination")

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._receiver.port

    def start(self) -> None:
        """Begin to listen.

        Raises:
            ListenError: the port can't be listened on.
        """
        if self._plan.engine == "tables":
            # Before the door opens: the first sender doesn't wait for a compiler.
            warm_up()
        self._receiver.start()
        self._journal.write("listening", host=self._plan.listen.host, port=self.port)

    def stop(self) -> None:
        """Stop listening, let instances in work be answered, and close everything."""
        self._journal.write("stopping")
        self._receiver.stop(self._plan.listen.drain_timeout)
        for node in self._plan.nodes:
            for outlet in node.outlets:
                outlet.destination.close()
        self._workers.shutdown(cancel_futures=True)
        treatments = [o.treatment for node in self._plan.nodes for o in node.outlets if o.treatment is not None]
        tables = sum(program.table_count for program in {treatment.program for treatment in treatments})
        self._journal.write("stopped", fallbacks=self._fallbacks.total(), tables=tables)

    def _admit(self, caller: Caller) -> Refusal | None:
        refusal = refusal_of(self._plan.nodes, caller, is_host)
        if refusal is not None:
            self._journal.write(
                "association rejected",
                called_ae=caller.called_ae,
                calling_ae=caller.calling_ae,
                address=caller.address,
                reason=f"{refusal.name.replace('_', ' ').lower()} not recognised",
            )
        return refusal

    def take(self, received: Received) -> StoreAnswer:
        """Deal with one instance; whatever happens, there is an answer.

        Args:
            received: the instance, from a caller that was let in.
        """
        started = time.monotonic()
        receipt = self._new_receipt()
        try:
            status, results = self._process(receipt, received)
        except Exception as error:
            self._journal.write_error("instance failed", error, receipt=receipt)
            status, results = StoreStatus.PROCESSING_FAILURE, []
        counts = count(results)
        self._journal.write(
            "instance",
            receipt=receipt,
            forward_node=received.caller.called_ae,
            calling_ae=received.caller.calling_ae,
            status=f"{status:04X}H",
            milliseconds=round((time.monotonic() - started) * 1000),
            **{str(fate): counts[fate] for fate in Fate},
        )
        return StoreAnswer(status, _comment(status, results, receipt))

    def _process(self, receipt: str, received: Received) -> tuple[StoreStatus, list[Result]]:
        node = find_node(self._plan.nodes, received.caller.called_ae)
        if node is None:
            raise KarnakError("an association without a forward node")
        try:
            read = read_instance if self._plan.engine == "tables" else decode_instance
            instance = read(received.data_set, received.transfer_syntax_uid)
            matches = _matches(instance, received)
        except KarnakError as error:
            return StoreStatus.UNREADABLE, [self._keep_unread(receipt, received, str(error))]
        except Exception as error:
            self._journal.write_error("instance failed", error, receipt=receipt)
            reason = f"an internal error of type {type(error).__name__}"
            return StoreStatus.PROCESSING_FAILURE, [self._keep_unread(receipt, received, reason)]
        if not matches:
            reason = "the command names another SOP Class or SOP Instance than the data set"
            return StoreStatus.MISMATCH, [self._keep_unread(receipt, received, reason)]
        results = self._serve_all(receipt, node, instance, received)
        rejections = [result for result in results if result.fate is Fate.REJECTED]
        if rejections:
            self._keep(receipt, received, rejections, node)
        return status_of(results), results

    def _serve_all(self, receipt: str, node: ForwardNode, instance: Instance, received: Received) -> list[Result]:
        if len(node.outlets) == 1:
            return [self._serve(receipt, node.outlets[0], instance, received)]
        running = [self._workers.submit(self._serve, receipt, outlet, instance, received) for outlet in node.outlets]
        return [future.result() for future in running]

    def _serve(self, receipt: str, outlet: Outlet, instance: Instance, received: Received) -> Result:
        """Treat an instance for one destination and hand it over; whatever happens, there is a result."""
        try:
            result = self._treat_and_deliver(receipt, outlet, instance, received)
        except DeliveryError as error:
            result = Result.undelivered(outlet.name, str(error))
        except KarnakError as error:
            result = Result.rejected(outlet.name, str(error))
        except Exception as error:
            self._journal.write_error("destination failed", error, receipt=receipt, destination=outlet.name)
            result = Result.rejected(outlet.name, f"an internal error of type {type(error).__name__}")
        if result.fate is not Fate.DELIVERED:
            self._journal.write(str(result.fate), receipt=receipt, destination=outlet.name, reason=result.reason)
        return result

    def _treat_and_deliver(self, receipt: str, outlet: Outlet, instance: Instance, received: Received) -> Result:
        exclusion = exclusion_of(outlet, instance)
        if exclusion is not None:
            return Result.excluded(outlet.name, exclusion)
        if outlet.treatment is None:
            parcel = _as_received(instance, received)
        else:
            treated = self._treat(receipt, outlet.name, outlet.treatment, instance)
            if isinstance(treated, Result):
                return treated
            parcel = treated
        (answer,) = outlet.destination.deliver((parcel,))
        if isinstance(answer, Refused):
            return Result.undelivered(outlet.name, answer.reason)
        if answer.remark is not None:
            self._journal.write("remark", receipt=receipt, destination=outlet.name, reason=answer.remark)
        return Result.delivered(outlet.name)

    def _treat(self, receipt: str, name: str, treatment: Treatment, instance: Instance) -> Parcel | Result:
        project = treatment.project
        pseudonym = treatment.pseudonyms.pseudonym(instance, project) if treatment.pseudonyms is not None else None
        outcome = deidentify(
            instance,
            treatment.program,
            project,
            pseudonym=pseudonym,
            mode=treatment.mode,
            now=self._clock(),
            engine=self._plan.engine,
        )
        if outcome.fallback is not None:
            self._note_fallback(receipt, name, outcome.fallback)
        if outcome.status is Status.EXCLUDED:
            return Result.excluded(name, outcome.reason or "the profile excludes the instance")
        if outcome.status is not Status.FORWARDED:
            return Result.rejected(name, outcome.reason or "the instance could not be de-identified")
        for warning in outcome.warnings:
            self._journal.write("remark", receipt=receipt, destination=name, reason=warning)
        return Parcel.of_outcome(outcome)

    def _note_fallback(self, receipt: str, name: str, reason: str) -> None:
        """Say that the tables left an instance to the interpreter, and how often that was so for this reason."""
        with self._counting:
            self._fallbacks[reason] += 1
            count = self._fallbacks[reason]
        self._journal.write("fallback", receipt=receipt, destination=name, reason=reason, count=count)

    def _keep_unread(self, receipt: str, received: Received, reason: str) -> Result:
        """Keep an instance that no destination was asked about."""
        result = Result.rejected("", reason)
        self._journal.write(str(result.fate), receipt=receipt, reason=reason)
        self._keep(receipt, received, [result], None)
        return result

    def _keep(self, receipt: str, received: Received, rejections: list[Result], node: ForwardNode | None) -> None:
        outlets = node.outlets if node is not None else ()
        profiles = {o.name: o.treatment.program.profile.name for o in outlets if o.treatment is not None}
        original = Parcel(
            (received.data_set,), received.transfer_syntax_uid, received.sop_class_uid, received.sop_instance_uid
        )
        try:
            self._quarantine.keep(receipt, self._clock(), received.caller, original, rejections, profiles)
        except OSError as error:
            # The sender hears of a failure all the same, and still has the instance.
            self._journal.write_error("quarantine failed", error, receipt=receipt)


def _matches(instance: Instance, received: Received) -> bool:
    return (instance.sop_class_uid, instance.sop_instance_uid) == (received.sop_class_uid, received.sop_instance_uid)


def _as_received(instance: Instance, received: Received) -> Parcel:
    return Parcel(
        (received.data_set,),
        received.transfer_syntax_uid,
        received.sop_class_uid,
        received.sop_instance_uid,
        instance.text(STUDY_INSTANCE_UID),
        instance.text(SERIES_INSTANCE_UID),
    )


_COMMENTS = {
    StoreStatus.UNREADABLE: "the data set can't be read",
    StoreStatus.MISMATCH: "other UIDs in command and data set",
    StoreStatus.PROCESSING_FAILURE: "an internal error",
}


def _comment(status: StoreStatus, results: list[Result], receipt: str) -> str:
    """Say in a few words what went wrong, so that a person at the sender's side can ask us."""
    if status is StoreStatus.SUCCESS:
        return ""
    failed = sum(result.fate in (Fate.REJECTED, Fate.UNDELIVERED) for result in results)
    what = _COMMENTS.get(status, f"{failed} of {len(results)} destinations failed")
    return f"{what}, receipt {receipt}"


def is_host(address: str, host: str) -> bool:
    """Tell whether an address is one of a host's; a host that can't be resolved has none.

    Args:
        address: IP address.
        host: name or address.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return _plain(address) in {_plain(str(entry[4][0])) for entry in found}
    except (OSError, ValueError):
        return False


def _plain(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Read an address; an IPv4 address inside an IPv6 one is itself (RFC 4291 section 2.5.5.2)."""
    read = ipaddress.ip_address(address.partition("%")[0])
    return read.ipv4_mapped or read if isinstance(read, ipaddress.IPv6Address) else read
