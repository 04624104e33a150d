"""Deliver by STOW-RS to a DICOMweb service.

httpx carries the requests: it is typed, streams bodies both ways, keeps connections, speaks HTTP/1.1 and 2, has a
time-out for each step, and is kept well. A request takes several instances and streams them from
where they lie. Delivered means that the service has said so of that very instance; its words are never quoted.
Source: PS3.18 section 10.5.
"""

import contextlib
import functools
import ssl
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeAlias

import httpx

from karnak.gateway.deliver.credentials import Anonymous, Credentials
from karnak.gateway.deliver.messages import is_uid
from karnak.gateway.deliver.parcel import Answer, Delivered, DeliveryError, Parcel, Refused
from karnak.gateway.deliver.related import Related
from karnak.gateway.deliver.stow_response import answer_of, lists_instance, named, read_answer
from karnak.version import VERSION

# Bytes of data sets in one request: services keep requests in memory.
_MAXIMUM_REQUEST = 64 << 20
_MAXIMUM_ANSWER = 4 << 20
_ACCEPTED = "application/dicom+json, application/dicom+xml;q=0.5"
# What is about the instances of a request: table 10.5.3-1 of PS3.18, and what services answer in fact.
_ABOUT_INSTANCES = frozenset({200, 202, 400, 409, 413, 415, 422, 500})
# What a service that has an instance already may answer, without a word about which.
_ABOUT_WHAT_IS_THERE = frozenset({202, 409})
# How often a request is sent, where a connection breaks that was kept for a while.
_ATTEMPTS = 2

# Status, content type and body of an answer.
_Said: TypeAlias = tuple[int, str, bytes]


@dataclass(frozen=True, slots=True)
class Service:
    """A DICOMweb service, and how long it may take.

    Attributes:
        url: its base, to which `/studies` is added.
        headers: more that is sent with each request.
        connect_timeout: seconds for connecting.
        send_timeout: seconds for taking a piece of a request.
        response_timeout: seconds for the answer, once everything is sent.
        tls: what TLS asks for, where the URL begins with https.
        http2: whether HTTP/2 is offered; it needs TLS.
        instances_per_request: how many go into one request at most.
        connections: how many requests may run at once.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    connect_timeout: float = 10.0
    send_timeout: float = 60.0
    response_timeout: float = 60.0
    tls: ssl.SSLContext | None = None
    http2: bool = True
    instances_per_request: int = 16
    connections: int = 2


def http_client(service: Service) -> httpx.Client:
    """Make what sends requests: it follows no redirects and asks no environment for proxies or passwords."""
    waits = httpx.Timeout(
        connect=service.connect_timeout,
        write=service.send_timeout,
        read=service.response_timeout,
        pool=service.response_timeout,
    )
    return httpx.Client(
        # Without TLS no authorities are trusted, and none need be read.
        verify=service.tls if service.tls is not None else service.url.startswith("https:"),
        http2=service.http2,
        timeout=waits,
        limits=httpx.Limits(max_connections=service.connections, max_keepalive_connections=service.connections),
        follow_redirects=False,
        trust_env=False,
        headers={"User-Agent": f"Karnak/{VERSION}"},
    )


class StowDestination:
    """A DICOMweb service that takes instances.

    Args:
        service: where it is.
        new_boundary: gives 32 random hexadecimal digits.
        credentials: who we are there.
        http: what sends requests.
        monotonic: a clock that never goes back, in seconds.
    """

    def __init__(
        self,
        service: Service,
        new_boundary: Callable[[], str],
        credentials: Credentials | None = None,
        http: httpx.Client | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = service
        self._new_boundary = new_boundary
        self._credentials = credentials or Anonymous()
        self._http = http or http_client(service)
        self._monotonic = monotonic

    def __str__(self) -> str:
        return self._service.url

    @property
    def at_once(self) -> int:
        """How many parcels one call takes."""
        return self._service.instances_per_request

    @property
    def parallel(self) -> int:
        """How many requests may run at once."""
        return self._service.connections

    def deliver(self, parcels: Sequence[Parcel]) -> Sequence[Answer]:
        """Send parcels in one request, or in a few where they are large.

        Raises:
            DeliveryError: the service can't be reached, or takes nothing from us.
        """
        told: list[Answer] = []
        for group in _groups(parcels):
            try:
                told += self._store(group)
            except DeliveryError as error:
                if not told:
                    raise
                told += [Refused(str(error))] * (len(parcels) - len(told))
                break
        return told

    def close(self) -> None:
        """Close connections; requests that run end in an error."""
        self._http.close()

    def _store(self, parcels: Sequence[Parcel]) -> list[Answer]:
        body = Related(parcels, self._new_boundary())
        try:
            status, content_type, answer = self._exchange(functools.partial(self._post, body))
        except httpx.HTTPError as error:
            return [Refused(_broken(error))] * len(parcels)
        if status not in _ABOUT_INSTANCES:
            raise DeliveryError(_not_ours(status))
        told = read_answer(content_type, answer)
        if status not in (HTTPStatus.OK, HTTPStatus.ACCEPTED) and not told and len(parcels) > 1:
            # Nobody says which one it is about: in smaller requests the others get through.
            half = len(parcels) // 2
            return [*self._store(parcels[:half]), *self._store(parcels[half:])]
        answers = [answer_of(status, told, parcel.sop_instance_uid) for parcel in parcels]
        if status not in _ABOUT_WHAT_IS_THERE or told:
            return answers
        there = Delivered(f"the service answered {named(status)}, and has the instance")
        return [there if self._has(one) else answer for one, answer in zip(parcels, answers, strict=True)]

    def _has(self, parcel: Parcel) -> bool:
        """Ask the service whether an instance is there (QIDO-RS); one that doesn't say so has it not."""
        study, series, uid = parcel.study_instance_uid, parcel.series_instance_uid, parcel.sop_instance_uid
        if not all(is_uid(one or "") for one in (study, series, uid)):
            return False
        url = f"{self._studies}/{study}/series/{series}/instances?SOPInstanceUID={uid}"
        try:
            status, content_type, answer = self._exchange(functools.partial(self._get, url))
        except (httpx.HTTPError, DeliveryError):
            return False
        return status == HTTPStatus.OK and lists_instance(content_type, answer, uid)

    def _exchange(self, send: Callable[[str | None], _Said]) -> _Said:
        """Send one request, with other credentials or over another connection where that may help.

        Args:
            send: sends it, with the value of the Authorization header.
        """
        renewed, attempts = False, 0
        while True:
            authorization = self._credentials.header()
            attempts += 1
            try:
                said = send(authorization)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
                raise DeliveryError(_unreachable(error)) from None
            except (httpx.NetworkError, httpx.RemoteProtocolError):
                if attempts >= _ATTEMPTS:
                    raise
                continue
            except httpx.InvalidURL:
                raise DeliveryError("the address of the service can't be used") from None
            except RuntimeError:
                raise DeliveryError("the gateway is being stopped") from None
            if said[0] != HTTPStatus.UNAUTHORIZED or renewed or not self._credentials.renew(authorization):
                return said
            renewed = True

    @property
    def _studies(self) -> str:
        return self._service.url.rstrip("/") + "/studies"

    def _post(self, body: Related, authorization: str | None) -> _Said:
        headers = {
            "Content-Type": body.content_type,
            "Content-Length": str(body.size),
            "Accept": _ACCEPTED,
        }
        pieces = _once(body)
        # Closed in the end: what is left of an exception must not keep instances open.
        with contextlib.closing(pieces):
            return self._send("POST", self._studies, headers, authorization, pieces)

    def _get(self, url: str, authorization: str | None) -> _Said:
        return self._send("GET", url, {"Accept": "application/dicom+json"}, authorization)

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        authorization: str | None,
        content: Iterator[bytes] | None = None,
    ) -> _Said:
        headers = {**self._service.headers, **headers, "Accept-Encoding": "identity"}
        if authorization is not None:
            headers["Authorization"] = authorization
        with self._http.stream(method, url, content=content, headers=headers) as answer:
            deadline = self._monotonic() + self._service.response_timeout
            read = bytearray()
            for piece in answer.iter_bytes():
                read += piece
                if len(read) > _MAXIMUM_ANSWER:
                    # What is that long is read as if it said nothing; the status stands.
                    return answer.status_code, "", b""
                if self._monotonic() > deadline:
                    raise httpx.ReadTimeout("the answer drips")
            return answer.status_code, answer.headers.get("Content-Type", ""), bytes(read)


def _once(body: Related) -> Generator[bytes, None, None]:
    yield from body


def _groups(parcels: Sequence[Parcel]) -> Iterator[list[Parcel]]:
    """Divide parcels into requests that are not too large; one that is too large alone goes alone."""
    group: list[Parcel] = []
    size = 0
    for parcel in parcels:
        if group and size + parcel.size > _MAXIMUM_REQUEST:
            yield group
            group, size = [], 0
        group.append(parcel)
        size += parcel.size
    if group:
        yield group


def _unreachable(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.ConnectTimeout):
        return "no connection in time"
    if isinstance(error, httpx.PoolTimeout):
        return "all connections stayed busy"
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "the service's certificate is not trusted"
        if isinstance(cause, ssl.SSLError):
            return "the service and we agree on no TLS"
        if isinstance(cause, ConnectionRefusedError):
            return "no connection: Connection refused"
    return "no connection"


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _broken(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.ReadTimeout):
        return "no answer in time"
    if isinstance(error, httpx.WriteTimeout):
        return "the service stopped taking data"
    return "the connection broke before the answer"


def _not_ours(status: int) -> str:
    if 300 <= status < 400:
        return f"the service redirects with {named(status)}, and redirects are not followed: change the URL"
    hints = {
        HTTPStatus.UNAUTHORIZED: ": it wants other credentials",
        HTTPStatus.FORBIDDEN: ": we may not store there",
        HTTPStatus.NOT_FOUND: ": there is no STOW-RS at this URL",
        HTTPStatus.METHOD_NOT_ALLOWED: ": there is no STOW-RS at this URL",
    }
    with contextlib.suppress(ValueError):
        return f"the service answered {named(status)}{hints.get(HTTPStatus(status), '')}"
    return f"the service answered {status}"
