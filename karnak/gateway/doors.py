"""The ways in: receiver processes for associations, and the STOW-RS door; and a thread that minds the disk.

What comes in by any of them is in the spool when its sender hears Success; the gateway is told, and looks after it.
"""

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from starlette.applications import Starlette

from karnak.errors import KarnakError
from karnak.gateway.api.app import make_api
from karnak.gateway.api.guard import check_protected
from karnak.gateway.api.house import House
from karnak.gateway.api.server import HttpServer, listen_on
from karnak.gateway.bearer import Token
from karnak.gateway.config_house import Listen, Tls
from karnak.gateway.front_desk import FrontDesk
from karnak.gateway.house_plan import StowPlan
from karnak.gateway.journal import Journal, Value
from karnak.gateway.listening import port_taken
from karnak.gateway.metrics import Door, Metrics
from karnak.gateway.plan import Plan
from karnak.gateway.receive.admission import Admission, Limits, is_host
from karnak.gateway.receive.commitment import Reporter, Transaction
from karnak.gateway.receive.process import Settings
from karnak.gateway.receive.stow import Sender, StowDoor, StowSettings
from karnak.gateway.receive.stow_request import Limits as StowLimits
from karnak.gateway.receive.supervisor import Receivers, listen
from karnak.gateway.receive.tls import RenewedRules, TlsFiles
from karnak.gateway.route import Caller, ForwardNode, refusal_of
from karnak.gateway.spool import Arrival, Spool

if TYPE_CHECKING:
    from karnak.gateway.gateway import Gateway

# Seconds that receivers get to be ready; callers are kept waiting meanwhile.
_SECONDS_TO_START = 60.0
_SECONDS_BETWEEN_LOOKS = 0.5

Commit = Callable[[Transaction, Caller, Reporter], bool]


class ReceiversNotReady(KarnakError):
    """Nothing receives instances."""


class Doors:
    """All ways in.

    Args:
        plan: where and how to listen.
        spool: where instances go.
        stored: is told of each instance that is safe; called from many threads.
        commit: takes a request for Storage Commitment; called from many threads.
        journal: where events are written.
        metrics: what is counted.
        clock: tells the time, in UTC.
        api: the gateway, as the API sees it.

    Raises:
        KarnakError: a port is taken, or a certificate can't be used.
    """

    def __init__(
        self,
        plan: Plan,
        spool: Spool,
        stored: Callable[[str], None],
        commit: Commit,
        journal: Journal,
        metrics: Metrics,
        clock: Callable[[], datetime],
        api: House,
    ) -> None:
        self._spool = spool
        self._minimum_free = plan.house.spool.minimum_free
        self._nodes = plan.nodes
        listen_to, house = plan.listen, plan.house
        limits = Limits(
            listen_to.maximum_associations,
            listen_to.maximum_per_ae or 0,
            listen_to.maximum_pdu,
            listen_to.maximum_instance,
            listen_to.request_timeout,
            listen_to.idle_timeout,
            listen_to.minimum_rate,
        )
        self._listening = listen(listen_to.host, listen_to.port)
        self._stow_door: StowDoor | None = None
        self._stow: HttpServer | None = None
        self._api: HttpServer | None = None
        try:
            settings = Settings(plan.data_dir.absolute(), house.spool.durability, limits, _files(house.tls))
            desk = _DimseDesk(stored, commit, journal, metrics)
            self._receivers = Receivers(self._listening, listen_to.processes, settings, Admission(plan.nodes), desk)
            if house.stow is not None:
                watch = _StowDesk(stored, journal, metrics)
                self._open_stow(house.stow, watch, clock, listen_to)
            if house.api is not None:
                token = Token.of("token", house.api.token) if house.api.token is not None else None
                check_protected(house.api.host, token)
                app = make_api(api, token, lambda error: journal.write_error("api failed", error))
                self._api = HttpServer(app, _bound("api", house.api.host, house.api.port), listen_to.drain_timeout)
        except BaseException:
            self._listening.close()
            raise
        self._stopping = threading.Event()
        self._minding = threading.Thread(target=self._mind_the_disk, name="disk", daemon=True)

    @property
    def port(self) -> int:
        """The port for associations."""
        return self._receivers.port

    @property
    def stow_port(self) -> int | None:
        """The port for STOW-RS, or None where there is no such door."""
        return self._stow.port if self._stow is not None else None

    @property
    def api_port(self) -> int | None:
        """The port of the API, or None where there is none."""
        return self._api.port if self._api is not None else None

    def start(self) -> None:
        """Open them; instances can be sent when this returns.

        Raises:
            KarnakError: one can't be opened.
        """
        self._look_at_the_disk()
        # Who waits for the gateway to be ready can ask from the beginning.
        for section, server in (("api", self._api), ("dicomweb", self._stow)):
            if server is not None:
                try:
                    server.start()
                except OSError as error:
                    # Another one has begun to listen since the port was bound.
                    raise port_taken(section, "this machine", server.port, error) from None
        if not self._receivers.start(_SECONDS_TO_START):
            raise ReceiversNotReady(
                "the processes that receive instances don't start; the journal above says how they ended"
            )
        self._minding.start()

    def stop(self, seconds: float) -> None:
        """Let nobody new in, and let what is coming in be answered, for so many seconds at most."""
        self._stopping.set()
        if self._minding.ident is not None:
            self._minding.join()
        self._receivers.stop(seconds)
        self._listening.close()
        for server in (self._stow, self._api):
            if server is not None:
                server.stop()

    def admit(self, nodes: Sequence[ForwardNode]) -> None:
        """Take new rules of who may come in."""
        self._nodes = tuple(nodes)
        self._receivers.admit(Admission(self._nodes))

    def open(self) -> Mapping[Door, int]:
        """How many associations and requests there are."""
        requests = self._stow_door.in_work if self._stow_door is not None else 0
        return {Door.DIMSE: self._receivers.associations, Door.STOW: requests}

    def _open_stow(self, plan: StowPlan, desk: "_StowDesk", clock: Callable[[], datetime], listen_to: Listen) -> None:
        senders = [Sender(Token.of(sender.calling_ae, sender.token), sender.called_ae) for sender in plan.senders]
        limits = StowLimits(plan.maximum_instance)
        settings = StowSettings(senders, limits, listen_to.idle_timeout, listen_to.minimum_rate)
        self._stow_door = StowDoor(
            settings, self._spool.begin, self._admits, self._is_full, desk, clock, time.monotonic, desk.failed
        )
        files = _files(plan.tls)
        rules = RenewedRules(files, desk.certificate_failed) if files is not None else None
        listener = _bound("dicomweb", plan.host, plan.port)
        self._stow = HttpServer(Starlette(routes=self._stow_door.routes), listener, listen_to.drain_timeout, rules)

    def _admits(self, called: str, calling: str, address: str) -> bool:
        return refusal_of(self._nodes, Caller(called, calling, address), is_host) is None

    def _is_full(self) -> bool:
        return self._spool.full(self._minimum_free)

    def _look_at_the_disk(self) -> None:
        self._receivers.say_full(self._is_full())

    def _mind_the_disk(self) -> None:
        while not self._stopping.wait(_SECONDS_BETWEEN_LOOKS):
            self._look_at_the_disk()


def open_doors(gateway: "Gateway") -> Doors:
    """Make the doors of a gateway.

    Raises:
        KarnakError: a port is taken, or a certificate can't be used.
    """
    return Doors(
        gateway.plan,
        gateway.spool,
        gateway.stored,
        gateway.commit,
        gateway.journal,
        gateway.metrics,
        gateway.clock,
        FrontDesk(gateway),
    )


class _DimseDesk:
    """The gateway, as its receivers see it."""

    def __init__(
        self,
        stored: Callable[[str], None],
        commit: Commit,
        journal: Journal,
        metrics: Metrics,
    ) -> None:
        self._stored = stored
        self._commit = commit
        self._journal = journal
        self._metrics = metrics

    def stored(self, receipt: str, size: int, seconds: float) -> None:
        """Count an instance that is safe, and pass it on."""
        self._metrics.received(Door.DIMSE, size, seconds)
        self._stored(receipt)

    def refused(self) -> None:
        """Count an instance that was not taken."""
        self._metrics.refused(Door.DIMSE)

    def journal(self, event: str, values: Mapping[str, Value]) -> None:
        """Write an event of a receiver."""
        self._journal.write(event, **values)

    def commit(self, transaction: Transaction, caller: Caller, reporter: Reporter) -> bool:
        """Pass on a request for Storage Commitment."""
        return self._commit(transaction, caller, reporter)


class _StowDesk:
    """The gateway, as its STOW-RS door sees it."""

    def __init__(self, stored: Callable[[str], None], journal: Journal, metrics: Metrics) -> None:
        self._stored = stored
        self._journal = journal
        self._metrics = metrics

    def stored(self, receipt: str, arrival: Arrival, size: int, seconds: float) -> None:
        """Count an instance that is safe, and pass it on."""
        self._metrics.received(Door.STOW, size, seconds)
        self._stored(receipt)

    def refused(self, address: str, calling_ae: str, called_ae: str, status: int, instances: int) -> None:
        """Count what was not taken, and say who sent it."""
        for _ in range(max(instances, 1)):
            self._metrics.refused(Door.STOW)
        self._journal.write(
            "request refused",
            address=address,
            calling_ae=calling_ae,
            called_ae=called_ae,
            status=str(status),
            count=instances,
        )

    def failed(self, error: Exception) -> None:
        """Say that something unforeseen has happened to a request."""
        self._journal.write_error("request failed", error)

    def certificate_failed(self, error: KarnakError) -> None:
        """Say that new certificates can't be used; the last good ones stay."""
        self._journal.write("certificate refused", reason=str(error))


def _bound(section: str, host: str, port: int) -> socket.socket:
    try:
        return listen_on(host, port)
    except OSError as error:
        raise port_taken(section, host, port, error) from None


def _files(tls: Tls | None) -> TlsFiles | None:
    return None if tls is None else TlsFiles(tls.certificate, tls.key, tls.client_ca)
