"""Deliver by C-STORE to another application entity.

Associations are kept for a while and used again. A new one proposes what is waiting, in every
transfer syntax that it may leave in, and then what earlier ones have carried, so that a study
of many kinds goes over one. Delivered means that the peer has answered with Success or a
warning. What an association broke over is sent once more over a new one.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter

from pydicom.uid import UID
from pynetdicom.status import STATUS_FAILURE, STATUS_SUCCESS, STATUS_WARNING, STORAGE_SERVICE_CLASS_STATUS

from karnak.gateway.deliver.association import MAXIMUM_CONTEXTS, Association, Context, Peer
from karnak.gateway.deliver.conversion import ConversionError, convert, forms, no_form
from karnak.gateway.deliver.line import AssociationLost
from karnak.gateway.deliver.messages import is_uid
from karnak.gateway.deliver.parcel import Answer, Delivered, DeliveryError, Parcel, Refused

# Seconds that an association is kept without use: longer than a pause between instances of a study, and short, since
# some peers take only one association and serve nobody else meanwhile.
KEEP_IDLE = 5.0
# Each parcel needs three contexts at most, so that those of one call always fit into one association.
_AT_ONCE = 32
# How often a parcel is sent, where associations break over it.
_ATTEMPTS = 2


class DicomDestination:
    """An application entity that takes instances.

    Args:
        peer: where it is.
        maximum_associations: how many associations it gets at once.
        transfer_syntax_uid: the only one that instances leave in, one of conversion.TARGETS; None to keep theirs
            where the peer takes it, and otherwise to choose an uncompressed one that it takes.
        monotonic: a clock that never goes back, in seconds.
    """

    def __init__(
        self,
        peer: Peer,
        maximum_associations: int,
        transfer_syntax_uid: str | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._peer = peer
        self._transfer_syntax_uid = transfer_syntax_uid
        self._monotonic = monotonic
        self._maximum = maximum_associations
        self._free = threading.BoundedSemaphore(maximum_associations)
        self._lock = threading.Lock()
        self._busy = 0
        self._idle: list[tuple[Association, float]] = []
        # What the peer has accepted, the last needed last.
        self._carried: dict[Context, None] = {}
        self._in_use: set[Association] = set()
        self._timer: threading.Timer | None = None
        self._closed = False

    def __str__(self) -> str:
        return f"{self._peer.ae_title} at {self._peer.host} port {self._peer.port}"

    @property
    def at_once(self) -> int:
        """How many parcels go over one association in one call."""
        return _AT_ONCE

    @property
    def parallel(self) -> int:
        """How many associations there may be."""
        return self._maximum

    def deliver(self, parcels: Sequence[Parcel]) -> Sequence[Answer]:
        """Send parcels one after the other and wait for the peer's status of each.

        Raises:
            DeliveryError: the peer can't be reached.
        """
        if not self._free.acquire(timeout=self._peer.response_timeout):
            raise DeliveryError(f"all {self._maximum} associations stayed busy for {self._peer.response_timeout:g} s")
        with self._lock:
            self._busy += 1
        try:
            return self._deliver(parcels)
        finally:
            with self._lock:
                self._busy -= 1
            self._free.release()

    def close(self) -> None:
        """Release idle associations and break off those in use."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = list(self._in_use)
            if self._timer is not None:
                self._timer.cancel()
        for association, _ in idle:
            association.release()
        for association in busy:
            association.interrupt()

    def _deliver(self, parcels: Sequence[Parcel]) -> list[Answer]:
        told: dict[int, Answer] = {}
        waiting: dict[int, tuple[Context, ...]] = {}
        for number, parcel in enumerate(parcels):
            contexts = self._contexts(parcel)
            if isinstance(contexts, Refused):
                told[number] = contexts
            else:
                waiting[number] = contexts
        association, heard, lost = self._idle_association(waiting.values()), False, 0
        while waiting:
            number = next(iter(waiting))
            try:
                if association is None:
                    association = self._request(waiting.values())
                told[number] = self._store(association, parcels[number], waiting[number])
                heard = True
            except AssociationLost as error:
                association, lost = None, lost + 1
                if lost < _ATTEMPTS:
                    continue
                told[number] = Refused(str(error))
            except DeliveryError as error:
                if association is None and not heard:
                    # It is the destination that fails, and no instance.
                    raise
                association = None
                told |= dict.fromkeys(waiting, Refused(str(error)))
                break
            lost = 0
            del waiting[number]
        if association is not None:
            self._keep(association)
        return [answer for _, answer in sorted(told.items(), key=itemgetter(0))]

    def _contexts(self, parcel: Parcel) -> tuple[Context, ...] | Refused:
        """List in what kinds of contexts a parcel may leave, the best first."""
        for uid, what in (
            (parcel.sop_class_uid, "SOP Class UID"),
            (parcel.transfer_syntax_uid, "transfer syntax UID"),
            (parcel.sop_instance_uid, "SOP Instance UID"),
        ):
            if not is_uid(uid):
                return Refused(f"the instance's {what} is no UID")
        found = forms(parcel.transfer_syntax_uid, self._transfer_syntax_uid)
        if not found:
            return Refused(no_form(parcel.transfer_syntax_uid, self._transfer_syntax_uid or ""))
        return tuple(Context(parcel.sop_class_uid, form) for form in found)

    def _store(self, association: Association, parcel: Parcel, contexts: tuple[Context, ...]) -> Answer:
        """Send one parcel over an association; what is raised has ended it."""
        with self._lock:
            self._in_use.add(association)
            closed = self._closed
        try:
            if closed:
                raise DeliveryError("the gateway is being stopped")
            context = next((one for one in contexts if one in association.accepted), None)
            if context is None:
                return Refused(f"the peer does not accept {contexts[0]}" + _or_others(contexts[1:]))
            return _answer(association.store(convert(parcel, context.transfer_syntax_uid)))
        except ConversionError as error:
            return Refused(str(error))
        except BaseException:
            association.abort()
            raise
        finally:
            with self._lock:
                self._in_use.discard(association)

    def _request(self, waiting: Iterable[tuple[Context, ...]]) -> Association:
        if self._closed:
            raise DeliveryError("the gateway is being stopped")
        needed = dict.fromkeys(context for contexts in waiting for context in contexts)
        with self._lock:
            others = [context for context in reversed(self._carried) if context not in needed]
        association = Association.request(self._peer, [*needed, *others][:MAXIMUM_CONTEXTS])
        with self._lock:
            for context in needed:
                self._carried.pop(context, None)
                if context in association.accepted:
                    self._carried[context] = None
        return association

    def _idle_association(self, waiting: Iterable[tuple[Context, ...]]) -> Association | None:
        """Take an idle association that carries what is waiting; drop broken ones, and one too many."""
        waiting = tuple(waiting)
        while waiting:
            with self._lock:
                mine = next((entry for entry in reversed(self._idle) if _takes(entry[0], waiting)), None)
                # The one that will be opened is busy already; idle ones count at the peer too.
                full = self._busy + len(self._idle) > self._maximum
                other = self._idle[0] if mine is None and full and self._idle else None
                for entry in (mine, other):
                    if entry is not None:
                        self._idle.remove(entry)
            if other is not None:
                other[0].release()
            if mine is None:
                return None
            if mine[0].usable():
                return mine[0]
            mine[0].close()
        return None

    def _keep(self, association: Association) -> None:
        with self._lock:
            if association.accepted and not self._closed:
                self._idle.append((association, self._monotonic()))
                self._watch()
                return
        association.release()

    def _watch(self) -> None:
        """See to it that idle associations end; the lock is held."""
        if self._timer is None and self._idle:
            self._timer = threading.Timer(KEEP_IDLE / 4, self._release_idle)
            self._timer.daemon = True
            self._timer.start()

    def _release_idle(self) -> None:
        with self._lock:
            now = self._monotonic()
            old = [entry for entry in self._idle if now - entry[1] >= KEEP_IDLE]
            self._idle = [entry for entry in self._idle if now - entry[1] < KEEP_IDLE]
            self._timer = None
            if not self._closed:
                self._watch()
        for association, _ in old:
            association.release()


def _takes(association: Association, waiting: Iterable[tuple[Context, ...]]) -> bool:
    """Tell whether an association carries everything that waits, in the best way that its peer takes."""
    return all(
        contexts[0] in association.accepted
        or (contexts[0] in association.proposed and any(context in association.accepted for context in contexts))
        for contexts in waiting
    )


def _or_others(contexts: Sequence[Context]) -> str:
    return "".join(f", nor in {UID(context.transfer_syntax_uid).name}" for context in contexts)


def _answer(status: int) -> Answer:
    """Turn a status into an answer (PS3.4 Table B.2-1, PS3.7 annex C)."""
    category, meaning = STORAGE_SERVICE_CLASS_STATUS.get(status, (STATUS_FAILURE, "Unknown Status"))
    if category == STATUS_SUCCESS:
        return Delivered()
    if category == STATUS_WARNING or 0xB000 <= status < 0xC000:
        return Delivered(f"the peer answered C-STORE with warning {status:04X}H ({meaning})")
    return Refused(f"the peer answered C-STORE with status {status:04X}H ({meaning})")
