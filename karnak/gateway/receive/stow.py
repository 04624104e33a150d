"""The STOW-RS door: `POST /dicomweb/studies`, and with a study in the address. Source: PS3.18 section 10.5.

A body goes part by part into the spool while it comes in; no part is held in memory. The network is waited for
on the event loop, the disk in threads, in batches. A caller is known by its bearer token, which stands for an AE
title; the forward node is the one of the address (`/KARNAK/dicomweb/studies`), or the sender's own.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any, Protocol, TypeVar

import anyio
import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from karnak.gateway.bearer import Token, find_token
from karnak.gateway.config_types import AE_TITLE_LENGTH
from karnak.gateway.problem import problem
from karnak.gateway.receive.multipart import BadMultipart, media_type
from karnak.gateway.receive.pace import Pace
from karnak.gateway.receive.part10_stream import FileMeta
from karnak.gateway.receive.stow_answer import XML, choose_media_type, response_of, status_of, to_xml
from karnak.gateway.receive.stow_request import DICOM, Limits, Receiving, StowOutcome, StowRequest
from karnak.gateway.spool_head import Arrival

MULTIPART = "multipart/related"
# Bytes that are gathered before a thread takes them apart.
_BATCH = 1 << 20
_RETRY_AFTER = "60"

_T = TypeVar("_T")


class Watch(Protocol):
    """Who is told what happens at the door; called in threads of the door."""

    def stored(self, receipt: str, arrival: Arrival, size: int, seconds: float) -> None:
        """An instance is safe: so many bytes, so many seconds after its first byte."""

    def refused(self, address: str, calling_ae: str, called_ae: str, status: int, instances: int) -> None:
        """A request, or so many instances of one, was not taken; AE titles are empty where they are not known."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Somebody who may send.

    Attributes:
        token: what it shows; its name is the AE title that it stands for.
        called_ae_title: forward node that it calls where the address names none; None where it must.
    """

    token: Token
    called_ae_title: str | None = None


@dataclass(frozen=True, slots=True)
class StowSettings:
    """How the door works.

    Attributes:
        senders: who may send.
        limits: how large things may be.
        idle_timeout: seconds that a sender may be silent.
        minimum_rate: bytes per second that come at least, on average of so many seconds; 0 for any.
        maximum_requests: bodies that are taken at once; more are told to come again.
    """

    senders: Sequence[Sender]
    limits: Limits = field(default_factory=Limits)
    idle_timeout: float = 60.0
    minimum_rate: float = 0.0
    maximum_requests: int = 32


class StowDoor:
    """The door; its `routes` go into a Starlette application.

    Args:
        settings: how it works.
        begin: opens the spool for an instance.
        admits: tells whether a calling AE title may call another from an address.
        full: tells whether the disk has too little room to take anything.
        watch: who is told what happens.
        clock: tells the time, with its zone.
        monotonic: a clock that never goes back, in seconds.
        on_error: hears of what nobody has foreseen; its sender is told of an internal error.
    """

    def __init__(
        self,
        settings: StowSettings,
        begin: Callable[[Arrival], Receiving],
        admits: Callable[[str, str, str], bool],
        full: Callable[[], bool],
        watch: Watch,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        on_error: Callable[[Exception], None] = lambda _: None,
    ) -> None:
        self._on_error = on_error
        self._settings = settings
        self._begin = begin
        self._admits = admits
        self._full = full
        self._watch = watch
        self._clock = clock
        self._monotonic = monotonic
        self._threads: anyio.CapacityLimiter | None = None
        self.in_work = 0

    @property
    def routes(self) -> list[Route]:
        """Where requests are taken."""
        paths = ("/dicomweb/studies", "/dicomweb/studies/{study}")
        return [Route(prefix + path, self._post, methods=["POST"]) for prefix in ("", "/{called_ae}") for path in paths]

    async def _post(self, request: Request) -> Response:
        address = request.client.host if request.client is not None else ""
        sender = self._sender(request)
        calling = sender.token.name if sender is not None else None
        called = request.path_params.get("called_ae") or (sender and sender.called_ae_title) or ""
        accept = choose_media_type(request.headers.get("accept"))
        kind, parameters = media_type(request.headers.get("content-type", ""))
        refusal = self._refusal(request, address, calling, called, accept, kind, parameters.get("type"))
        if refusal is not None:
            return self._refuse(address, calling or "", called, refusal)
        assert calling is not None
        assert accept is not None
        begin = functools.partial(self._receive, called, calling, address)
        try:
            reading = StowRequest(
                parameters.get("boundary", ""), request.path_params.get("study"), begin, self._settings.limits
            )
        except BadMultipart as error:
            return self._refuse(address, calling, called, problem(400, str(error)))
        self.in_work += 1
        try:
            outcome = await self._read(request, reading)
        except ClientDisconnect:
            # Nobody hears this answer.
            return self._refuse(address, calling, called, problem(400, "the sender went away"))
        except Exception as error:
            self._on_error(error)
            sentence = f"an internal error of type {type(error).__name__}"
            return self._refuse(address, calling, called, problem(500, sentence, {"Connection": "close"}))
        finally:
            self.in_work -= 1
        if outcome is None:
            slow = f"nothing, or too little, came for {self._settings.idle_timeout:g} s"
            return self._refuse(address, calling, called, problem(408, slow, {"Connection": "close"}))
        answer = _answer(outcome, accept)
        if answer.status_code != HTTPStatus.OK:
            self._watch.refused(address, calling, called, answer.status_code, len(outcome.failed))
        return answer

    def _refuse(self, address: str, calling: str, called: str, answer: Response) -> Response:
        # An address may hold anything; what can't be an AE title is told to nobody.
        known = called if calling and len(called) <= AE_TITLE_LENGTH else ""
        self._watch.refused(address, calling, known, answer.status_code, 0)
        return answer

    def _receive(self, called: str, calling: str, address: str, meta: FileMeta) -> Receiving:
        arrival = Arrival(
            called_ae=called,
            calling_ae=calling,
            address=address,
            door="stow",
            sop_class_uid=meta.sop_class_uid,
            sop_instance_uid=meta.sop_instance_uid,
            transfer_syntax_uid=meta.transfer_syntax_uid,
            received=self._clock(),
        )
        return _Watched(self._begin(arrival), arrival, self._watch, self._monotonic)

    def _sender(self, request: Request) -> Sender | None:
        """Who sends, or None where nobody knows it."""
        tokens = [sender.token for sender in self._settings.senders]
        token = find_token(tokens, request.headers.get("authorization"))
        return next((sender for sender in self._settings.senders if sender.token is token), None)

    def _refusal(
        self,
        request: Request,
        address: str,
        calling: str | None,
        called: str,
        accept: str | None,
        kind: str,
        part_type: str | None,
    ) -> Response | None:
        """Why a request is not even begun, or None."""
        if calling is None:
            return problem(401, "a bearer token is needed, one that is known", {"WWW-Authenticate": "Bearer"})
        if not self._admits(called, calling, address):
            return problem(403, "the caller may not send to this AE title")
        if kind != MULTIPART or (part_type or DICOM).lower() != DICOM:
            return problem(415, f'the body must be {MULTIPART}; type="{DICOM}"')
        if accept is None:
            return problem(406, "answers are application/dicom+json or application/dicom+xml")
        length = request.headers.get("content-length", "")
        if length.isdecimal() and 0 < self._settings.limits.request_bytes < int(length):
            return problem(413, f"a request has at most {self._settings.limits.request_bytes} bytes")
        if self._full():
            return problem(503, "the disk is nearly full", {"Retry-After": _RETRY_AFTER})
        if self.in_work >= self._settings.maximum_requests:
            return problem(503, "as many requests as can be taken are in work", {"Retry-After": _RETRY_AFTER})
        return None

    async def _read(self, request: Request, reading: StowRequest) -> StowOutcome | None:
        """Read a body into the spool; None where its sender fell silent, or is as good as silent.

        Raises:
            ClientDisconnect: its sender went away.
        """
        stream = request.stream()
        gathered = bytearray()
        pace = Pace(self._settings.minimum_rate, self._settings.idle_timeout)
        try:
            while True:
                began = self._monotonic()
                with anyio.fail_after(self._settings.idle_timeout):
                    piece = await anext(stream, None)
                if piece is not None and not pace.goes_on(len(piece), self._monotonic() - began):
                    return None
                gathered += piece or b""
                if len(gathered) >= _BATCH or (piece is None and gathered):
                    # What comes after a mistake is not waited for.
                    if not await self._in_thread(reading.feed, bytes(gathered)):
                        break
                    gathered.clear()
                if piece is None:
                    break
            return await self._in_thread(reading.finish)
        except TimeoutError:
            return None
        finally:
            with anyio.CancelScope(shield=True):
                await self._in_thread(reading.abandon)

    async def _in_thread(self, work: Callable[..., _T], *arguments: Any) -> _T:
        if self._threads is None:
            self._threads = anyio.CapacityLimiter(self._settings.maximum_requests)
        return await anyio.to_thread.run_sync(work, *arguments, limiter=self._threads)


class _Watched:
    """An instance on its way into the spool, of which the door's owner hears when it is safe."""

    def __init__(self, receiving: Receiving, arrival: Arrival, watch: Watch, monotonic: Callable[[], float]) -> None:
        self._receiving = receiving
        self._arrival = arrival
        self._watch = watch
        self._monotonic = monotonic
        self._began = monotonic()
        self._size = 0

    def write(self, piece: memoryview) -> None:
        self._receiving.write(piece)
        self._size += len(piece)

    def keep(self) -> str:
        receipt = self._receiving.keep()
        self._watch.stored(receipt, self._arrival, self._size, self._monotonic() - self._began)
        return receipt

    def drop(self) -> None:
        self._receiving.drop()


def _answer(outcome: StowOutcome, accept: str) -> Response:
    status = status_of(outcome)
    headers = {"Retry-After": _RETRY_AFTER} if status == HTTPStatus.SERVICE_UNAVAILABLE else {}
    response = response_of(outcome)
    if accept == XML:
        return Response(to_xml(response), status, headers, XML)
    return JSONResponse(response, status, headers, accept)
