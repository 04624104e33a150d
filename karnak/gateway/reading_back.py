"""Reading back: asks DICOMweb services whether they have what the ledger says was delivered to them.

dicomweb-client asks (QIDO-RS), so that what looks is not what has sent; its requests travel the way of deliveries, with
the same headers, credentials, TLS and time-outs. Only UIDs of the answers are looked at, and findings name receipts.
Source: PS3.18 section 10.6.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from dicomweb_client.api import DICOMwebClient
from requests import PreparedRequest, Response, Session
from requests.adapters import BaseAdapter

from karnak.dsl.diagnostics import Diagnostic
from karnak.dsl.nodes import Source
from karnak.gateway.config import Config
from karnak.gateway.config_destinations import StowEntry
from karnak.gateway.config_notes import Notes
from karnak.gateway.deliver.credentials import Credentials
from karnak.gateway.deliver.messages import is_uid
from karnak.gateway.deliver.parcel import DeliveryError
from karnak.gateway.deliver.service import Requests, Service, broken
from karnak.gateway.deliver.stow_response import named
from karnak.gateway.destination_plans import DestinationPlanner
from karnak.gateway.doctor import Finding, Severity
from karnak.gateway.ledger import InstanceRecord, Ledger
from karnak.gateway.premises import plan_from
from karnak.gateway.questions import Question
from karnak.gateway.states import State
from karnak.gateway.store.rows import NewUids

_SOP_INSTANCE_UID = "00080018"
# What dicomweb-client asks for, which some services answer best without a second choice (PS3.18 section 10.6.3).
_ACCEPT = {"Accept": "application/dicom+json"}
_CHANGED = "if nobody removed them there, have their senders send them again; some services list late what they took"
_UNASKED = "look at `url`, `headers`, `auth` and `tls` of this destination, and at whether it offers QIDO-RS"

# A service and who we are there, by the name of the destination.
Services = Mapping[str, tuple[Service, Credentials]]


def find_services(
    source: Source, base: Path, environment: Mapping[str, str]
) -> tuple[Services | None, tuple[Diagnostic, ...]]:
    """Read in a configuration which DICOMweb services are delivered to.

    Args:
        source: the text of the configuration.
        base: folder that its relative paths start from.
        environment: environment variables.

    Returns:
        The services, or None where a diagnostic is an error.
    """

    def plan(config: Config, notes: Notes) -> Services:
        planner = DestinationPlanner(base, environment, notes, lambda _: None)
        return {
            entry.name: planner.service(entry, ("forward_nodes", i, "destinations", j))
            for i, node in enumerate(config.forward_nodes)
            for j, entry in enumerate(node.destinations)
            if isinstance(entry, StowEntry) and entry.enabled
        }

    return plan_from(source, plan)


def read_back(services: Services, ledger: Ledger, count: int, asked: Callable[[], None]) -> Iterator[Finding]:
    """Ask each service for the instances that were delivered to it last.

    Args:
        services: which.
        ledger: says what was delivered.
        count: how many receipts of each service are looked at, at most.
        asked: is called after each of them.

    Raises:
        IndexUnavailable: the database refuses.
    """
    if not services:
        yield Finding(Severity.NOTE, "no destination of the configuration is a DICOMweb service: nothing to read back")
    for name, (service, credentials) in services.items():
        question = Question(destination=name, state=State.DELIVERED)
        delivered = [(one.receipt, _sent(one, name)) for one in ledger.instances(question, count)]
        yield from _of_one(name, service, credentials, delivered, asked)


def _sent(record: InstanceRecord, destination: str) -> NewUids:
    """The UIDs that an instance was sent under; those of the original where it is not known under which."""
    (new,) = [fate.new for fate in record.fates if fate.destination == destination]
    return new or NewUids(record.sop_instance_uid, record.series_instance_uid, record.study_instance_uid)


@dataclass(slots=True)
class _Seen:
    """What a service has said so far, by receipts.

    Attributes:
        there: how many it lists.
        missing: those that it doesn't list.
        nowhere: those whose study or series it doesn't know, unless it doesn't know the whole address.
        nameless: those whose UIDs are none, so that nobody can ask for them.
    """

    there: int = 0
    missing: list[str] = field(default_factory=list)
    nowhere: list[str] = field(default_factory=list)
    nameless: list[str] = field(default_factory=list)


def _of_one(
    name: str,
    service: Service,
    credentials: Credentials,
    delivered: Sequence[tuple[str, NewUids]],
    asked: Callable[[], None],
) -> Iterator[Finding]:
    if not delivered:
        yield Finding(Severity.GOOD, f"the ledger has nothing that was delivered to {name}")
        return
    seen, trouble = _Seen(), None
    requests = Requests(service, credentials)
    try:
        client = _client(service, requests)
        for receipt, uids in delivered:
            _look(client, receipt, uids, seen)
            asked()
    except DeliveryError as error:
        trouble = str(error)
    finally:
        requests.close()
    if seen.nowhere and not (seen.there or seen.missing):
        trouble = trouble or f"the service answers every search with {named(HTTPStatus.NOT_FOUND)}"
    else:
        seen.missing += seen.nowhere
    if trouble is not None:
        yield Finding(Severity.PROBLEM, f"{name} can't be asked for what it has: {trouble}", _UNASKED)
    if seen.missing:
        what = f"{name} does not have {len(seen.missing)} of the last {len(delivered)} delivered to it"
        yield Finding(Severity.PROBLEM, what, _CHANGED, tuple(seen.missing))
    elif seen.there:
        yield Finding(Severity.GOOD, f"{name} has {seen.there} of the last {len(delivered)} delivered to it")
    if seen.nameless:
        what = f"nobody can ask {name} for {len(seen.nameless)} delivered to it: their UIDs are none"
        yield Finding(Severity.NOTE, what, None, tuple(seen.nameless))


def _look(client: DICOMwebClient, receipt: str, uids: NewUids, seen: _Seen) -> None:
    study, series, uid = uids.study_instance_uid, uids.series_instance_uid, uids.sop_instance_uid
    if not all(is_uid(one) for one in (study, series, uid) if one is not None):
        seen.nameless.append(receipt)
        return
    try:
        # A series is asked for by its study, or not at all.
        found = client.search_for_instances(
            study, series if study is not None else None, search_filters={"SOPInstanceUID": uid}
        )
        there = uid in [one[_SOP_INSTANCE_UID]["Value"][0] for one in found]
    except _NoSuchResource:
        seen.nowhere.append(receipt)
    except (ValueError, TypeError, LookupError, RecursionError):
        raise DeliveryError("the answer to a search is not what PS3.18 says") from None
    else:
        seen.there += there
        seen.missing += [] if there else [receipt]


class _NoSuchResource(Exception):
    """The service knows nothing at this address."""


class _Adapter(BaseAdapter):
    """Carries requests of the library requests as deliveries are carried: no redirects, no words of the service's."""

    def __init__(self, requests: Requests) -> None:
        super().__init__()
        self._requests = requests

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        try:
            status, content_type, body = self._requests.send("GET", request.url or "", _ACCEPT)
        except httpx.HTTPError as error:
            raise DeliveryError(broken(error)) from None
        if status == HTTPStatus.NOT_FOUND:
            raise _NoSuchResource
        if status not in (HTTPStatus.OK, HTTPStatus.NO_CONTENT, HTTPStatus.PARTIAL_CONTENT):
            raise DeliveryError(f"the service answers a search with {named(status)}")
        answer = Response()
        answer.status_code, answer.url, answer.request = status, request.url or "", request
        answer.headers["Content-Type"] = content_type
        answer.raw = BytesIO(body)
        return answer

    def close(self) -> None:
        """Nothing is open here."""


def _client(service: Service, requests: Requests) -> DICOMwebClient:
    session = Session()
    # Neither proxies nor passwords of whoever runs this.
    session.trust_env = False
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(requests))
    client = DICOMwebClient(service.url.rstrip("/"), session, permissive_uid=True)
    client.set_http_retry_params(retry=False)
    return client
