"""The listening SCP of one process: a thread per association, on a listening socket that may be shared with others.

Whom it lets in is data that can be replaced while it runs; associations that are there already stay.
"""

import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from karnak.gateway.receive.admission import Admission, Limits, Rejection, is_host
from karnak.gateway.receive.association import Association
from karnak.gateway.receive.connection import Connection
from karnak.gateway.receive.places import Places
from karnak.gateway.receive.reception import Reception, Spooling
from karnak.gateway.route import Caller, refusal_of

_LIMIT_EXCEEDED = Rejection(2, 3, 2, "as many associations as there may be")
_LIMIT_OF_AE_EXCEEDED = Rejection(2, 3, 2, "as many associations of this AE as there may be")
# Callers above the limit are told so, as many at once; the others are hung up on.
_TURNED_AWAY_AT_ONCE = 16
_SECONDS_TO_TURN_AWAY = 5.0
_SECONDS_TO_BE_CUT = 1.0
_SECONDS_TO_RECOVER = 0.1


class Listener:
    """Accepts associations.

    Args:
        listening: the listening socket; stays the caller's.
        limits: what all processes together bear.
        admission: who may call what.
        spool: where instances go.
        reception: the process.
        places: the places of all processes.
        tls: gives the rules of TLS for the next connection, or is None for none.
    """

    def __init__(
        self,
        listening: socket.socket,
        limits: Limits,
        admission: Admission,
        spool: Spooling,
        reception: Reception,
        places: Places,
        tls: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        listening.setblocking(False)
        self._listening = listening
        self._limits = limits
        self._admission = admission
        self._spool = spool
        self._reception = reception
        self._places = places
        self._tls = tls
        self._associations: set[Association] = set()
        self._turned_away = 0
        self._changed = threading.Condition()
        self._alarm = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._accept_all, name="listener", daemon=True)

    @property
    def admission(self) -> Admission:
        """Who may call what."""
        return self._admission

    @admission.setter
    def admission(self, admission: Admission) -> None:
        self._admission = admission

    @property
    def count(self) -> int:
        """How many associations there are."""
        with self._changed:
            return len(self._associations)

    def start(self) -> None:
        """Begin to accept."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Accept no more, let associations finish what they are at, release or cut them; the reception drains already.

        Args:
            seconds: how long to wait for those that are in the middle of something.
        """
        if self._thread.is_alive():
            os.eventfd_write(self._alarm, 1)
            self._thread.join()
            os.close(self._alarm)
        with self._changed:
            for association in self._associations:
                association.hasten()
            if self._changed.wait_for(lambda: not self._associations, seconds):
                return
            for association in self._associations:
                association.cut()
            self._changed.wait_for(lambda: not self._associations, _SECONDS_TO_BE_CUT)

    def _accept_all(self) -> None:
        poll = select.poll()
        poll.register(self._listening, select.POLLIN)
        poll.register(self._alarm, select.POLLIN)
        failing = False
        while True:
            if any(descriptor == self._alarm for descriptor, _ in poll.poll()):
                return
            try:
                accepted, peer = self._listening.accept()
            except (BlockingIOError, ConnectionError):
                # Another process was faster, or the caller has hung up.
                continue
            except OSError as error:
                # No descriptors or no memory: they come back when associations end. Once is enough to say so.
                if not failing:
                    self._reception.journal_error("accepting failed", error)
                failing = True
                time.sleep(_SECONDS_TO_RECOVER)
                continue
            failing = False
            try:
                self._receive(accepted, str(peer[0]))
            except Exception as error:
                self._reception.journal_error("accepting failed", error)
                accepted.close()

    def _receive(self, accepted: socket.socket, address: str) -> None:
        """Give a caller a place and a thread."""
        place = self._places.take()
        if place is None:
            self._turn_away(accepted, address)
            return
        try:
            connection = Connection(accepted)
            admit = partial(self._admit, place)
            association = Association(
                connection, address, self._limits, admit, self._spool, self._reception, self._rules()
            )
            with self._changed:
                self._associations.add(association)
            try:
                threading.Thread(target=self._serve, args=(association, place), daemon=True).start()
            except RuntimeError:
                self._forget(association)
                connection.close()
                raise
        except BaseException:
            self._places.give_back(place)
            raise

    def _serve(self, association: Association, place: int) -> None:
        try:
            association.run()
        finally:
            self._places.give_back(place)
            self._forget(association)

    def _forget(self, association: Association) -> None:
        with self._changed:
            self._associations.discard(association)
            self._changed.notify_all()

    def _turn_away(self, accepted: socket.socket, address: str) -> None:
        """Tell a caller that there is no place for it."""
        with self._changed:
            if self._turned_away >= _TURNED_AWAY_AT_ONCE:
                accepted.close()
                return
            self._turned_away += 1
        limits = replace(self._limits, artim=min(self._limits.artim, _SECONDS_TO_TURN_AWAY))

        def run() -> None:
            try:
                with suppress(OSError):
                    connection = Connection(accepted)
                    Association(
                        connection,
                        address,
                        limits,
                        lambda _: _LIMIT_EXCEEDED,
                        self._spool,
                        self._reception,
                        self._rules(),
                    ).run()
            finally:
                with self._changed:
                    self._turned_away -= 1

        threading.Thread(target=run, daemon=True).start()

    def _rules(self) -> ssl.SSLContext | None:
        return self._tls() if self._tls is not None else None

    def _admit(self, place: int, caller: Caller) -> Rejection | None:
        refusal = refusal_of(self._admission.nodes, caller, is_host)
        if refusal is not None:
            return Rejection(1, 1, refusal.value, f"{refusal.name.replace('_', ' ').lower()} not recognised")
        return None if self._places.name(place, caller.calling_ae) else _LIMIT_OF_AE_EXCEEDED
