"""The ways in: receiver processes for associations, and the STOW-RS door; and a thread that minds the disk.

What comes in by any of them is in the spool when its sender hears Success; the gateway is told, and looks after it.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from starlette.applications import Starlette

from karnak.errors import KarnakError
from karnak.gateway.api.house import House
from karnak.gateway.api.opening import open_api
from karnak.gateway.api.server import HttpServer, listen_for
from karnak.gateway.bearer import Token
from karnak.gateway.config_house import Listen, Tls
from karnak.gateway.desks import Commit, DimseDesk, StowDesk
from karnak.gateway.front_desk import FrontDesk
from karnak.gateway.house_plan import StowPlan
from karnak.gateway.journal import Journal
from karnak.gateway.listening import port_taken
from karnak.gateway.metrics import Door, Metrics
from karnak.gateway.plan import Plan
from karnak.gateway.receive.admission import Admission, Limits, is_host
from karnak.gateway.receive.process import Settings
from karnak.gateway.receive.stow import Sender, StowDoor, StowSettings
from karnak.gateway.receive.stow_request import Limits as StowLimits
from karnak.gateway.receive.supervisor import Receivers, listen
from karnak.gateway.receive.tls import RenewedRules, TlsFiles
from karnak.gateway.route import Caller, ForwardNode, refusal_of
from karnak.gateway.spool import Spool

if TYPE_CHECKING:
    from karnak.gateway.gateway import Gateway

# Seconds that receivers get to be ready; callers are kept waiting meanwhile.
_SECONDS_TO_START = 60.0
_SECONDS_BETWEEN_LOOKS = 0.5


class ReceiversNotReady(KarnakError):
    """Nothing receives instances."""


class Doors:
    """All ways in.

    Args:
        plan: where and how to listen.
        spool: where instances go.
        stored: is told of each instance that is safe; called from many threads.
        look: is told when somebody may have died before telling of one.
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
        look: Callable[[], None],
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
            desk = DimseDesk(stored, look, commit, journal, metrics)
            self._receivers = Receivers(self._listening, listen_to.processes, settings, Admission(plan.nodes), desk)
            if house.stow is not None:
                watch = StowDesk(stored, journal, metrics)
                self._open_stow(house.stow, watch, clock, listen_to)
            if house.api is not None:
                self._api = open_api(house.api, api, journal, listen_to.drain_timeout)
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

    def _open_stow(self, plan: StowPlan, desk: StowDesk, clock: Callable[[], datetime], listen_to: Listen) -> None:
        senders = [Sender(Token.of(sender.calling_ae, sender.token), sender.called_ae) for sender in plan.senders]
        limits = StowLimits(plan.maximum_instance)
        settings = StowSettings(senders, limits, listen_to.idle_timeout, listen_to.minimum_rate)
        self._stow_door = StowDoor(
            settings, self._spool.begin, self._admits, self._is_full, desk, clock, time.monotonic, desk.failed
        )
        files = _files(plan.tls)
        rules = RenewedRules(files, desk.certificate_failed) if files is not None else None
        listener = listen_for("dicomweb", plan.host, plan.port)
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
        gateway.look,
        gateway.commit,
        gateway.journal,
        gateway.metrics,
        gateway.clock,
        FrontDesk(gateway),
    )


def _files(tls: Tls | None) -> TlsFiles | None:
    return None if tls is None else TlsFiles(tls.certificate, tls.key, tls.client_ca)
