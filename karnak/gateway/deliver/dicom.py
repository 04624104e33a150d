"""Deliver by C-STORE to another application entity.

Associations are kept for a while and used again. A new one proposes what earlier ones have
carried, so that a study of many kinds goes over one. Instances go out as they are: a peer
that doesn't take their transfer syntax gets nothing. Delivered means that the peer has
answered with Success or a warning.
"""

import threading
import time
from collections.abc import Callable, Sequence

from pynetdicom.status import STATUS_FAILURE, STATUS_SUCCESS, STATUS_WARNING, STORAGE_SERVICE_CLASS_STATUS

from karnak.gateway.deliver.association import MAXIMUM_CONTEXTS, Association, AssociationLost, Context, Peer
from karnak.gateway.deliver.parcel import Answer, Delivered, DeliveryError, Parcel, Refused

# Seconds that an association is kept without use; shorter than what peers usually bear.
KEEP_IDLE = 15.0


class DicomDestination:
    """An application entity that takes instances.

    Args:
        peer: where it is.
        maximum_associations: how many associations it gets at once.
        monotonic: a clock that never goes back, in seconds.
    """

    def __init__(self, peer: Peer, maximum_associations: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._peer = peer
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
        return 32

    @property
    def parallel(self) -> int:
        """How many associations there may be."""
        return self._maximum

    def deliver(self, parcels: Sequence[Parcel]) -> Sequence[Answer]:
        """Send parcels and wait for the peer's status of each.

        Raises:
            DeliveryError: the peer can't be reached.
        """
        if not self._free.acquire(timeout=self._peer.response_timeout):
            raise DeliveryError(f"all {self._maximum} associations stayed busy for {self._peer.response_timeout:g} s")
        with self._lock:
            self._busy += 1
        try:
            return [self._answer(parcel) for parcel in parcels]
        finally:
            with self._lock:
                self._busy -= 1
            self._free.release()

    def _answer(self, parcel: Parcel) -> Answer:
        try:
            return Delivered(_remark(self._store(parcel)))
        except DeliveryError as error:
            return Refused(str(error))

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

    def _store(self, parcel: Parcel) -> int:
        context = Context(parcel.sop_class_uid, parcel.transfer_syntax_uid)
        try:
            return self._store_over(self._idle_association(context), context, parcel)
        except AssociationLost:
            # The peer may have restarted, or given up an idle association: once more, over a new one.
            return self._store_over(None, context, parcel)

    def _store_over(self, association: Association | None, context: Context, parcel: Parcel) -> int:
        if self._closed:
            raise DeliveryError("the gateway is being stopped")
        if association is None:
            association = self._request(context)
        with self._lock:
            self._in_use.add(association)
        try:
            status = association.store(parcel)
        except BaseException:
            association.abort()
            raise
        finally:
            with self._lock:
                self._in_use.discard(association)
        self._keep(association)
        return status

    def _request(self, needed: Context) -> Association:
        with self._lock:
            others = [context for context in reversed(self._carried) if context != needed]
        association = Association.request(self._peer, needed, others[: MAXIMUM_CONTEXTS - 1])
        with self._lock:
            self._carried.pop(needed, None)
            self._carried[needed] = None
        return association

    def _idle_association(self, needed: Context) -> Association | None:
        """Take an idle association that carries what is needed; drop broken ones, and one too many."""
        with self._lock:
            mine = next((entry for entry in reversed(self._idle) if needed in entry[0].accepted), None)
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
        return self._idle_association(needed)

    def _keep(self, association: Association) -> None:
        with self._lock:
            if not self._closed:
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


def _remark(status: int) -> str | None:
    """Turn a status into a remark, or into an error (PS3.4 Table B.2-1, PS3.7 annex C)."""
    category, meaning = STORAGE_SERVICE_CLASS_STATUS.get(status, (STATUS_FAILURE, "Unknown Status"))
    if category == STATUS_SUCCESS:
        return None
    if category == STATUS_WARNING or 0xB000 <= status < 0xC000:
        return f"the peer answered C-STORE with warning {status:04X}H ({meaning})"
    raise DeliveryError(f"the peer answered C-STORE with status {status:04X}H ({meaning})")
