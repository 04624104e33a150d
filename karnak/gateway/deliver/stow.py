"""Deliver by STOW-RS to a DICOMweb service.

A request takes several instances and streams them from where they lie. Delivered means that the service has said so of
that very instance; its words are never quoted.
Source: PS3.18 section 10.5.
"""

import contextlib
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from http import HTTPStatus

import httpx

from karnak.gateway.deliver.credentials import Anonymous, Credentials
from karnak.gateway.deliver.messages import is_uid
from karnak.gateway.deliver.parcel import Answer, Delivered, DeliveryError, Parcel, Refused
from karnak.gateway.deliver.related import Related
from karnak.gateway.deliver.service import Requests, Said, Service, broken
from karnak.gateway.deliver.stow_response import answer_of, lists_instance, named, read_answer

# Bytes of data sets in one request: services keep requests in memory.
_MAXIMUM_REQUEST = 64 << 20
_ACCEPTED = "application/dicom+json, application/dicom+xml;q=0.5"
# What is about the instances of a request: table 10.5.3-1 of PS3.18, and what services answer in fact.
_ABOUT_INSTANCES = frozenset({200, 202, 400, 409, 413, 415, 422, 500})
# What a service that has an instance already may answer, without a word about which.
_ABOUT_WHAT_IS_THERE = frozenset({202, 409})


class StowDestination:
    """A DICOMweb service that takes instances.

    Args:
        service: where it is.
        new_boundary: gives 32 random hexadecimal digits.
        credentials: who we are there.
        monotonic: a clock that never goes back, in seconds.
    """

    def __init__(
        self,
        service: Service,
        new_boundary: Callable[[], str],
        credentials: Credentials | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._service = service
        self._new_boundary = new_boundary
        self._requests = Requests(service, credentials or Anonymous(), monotonic)

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
        self._requests.close()

    def _store(self, parcels: Sequence[Parcel]) -> list[Answer]:
        try:
            status, content_type, answer = self._post(parcels)
        except httpx.HTTPError as error:
            return [Refused(broken(error))] * len(parcels)
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
            status, content_type, answer = self._requests.send("GET", url, {"Accept": "application/dicom+json"})
        except (httpx.HTTPError, DeliveryError):
            return False
        return status == HTTPStatus.OK and lists_instance(content_type, answer, uid)

    @property
    def _studies(self) -> str:
        return self._service.url.rstrip("/") + "/studies"

    def _post(self, parcels: Sequence[Parcel]) -> Said:
        body = Related(parcels, self._new_boundary())
        headers = {"Content-Type": body.content_type, "Content-Length": str(body.size), "Accept": _ACCEPTED}
        return self._requests.send("POST", self._studies, headers, lambda: _once(body))


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
