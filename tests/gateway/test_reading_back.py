"""Reading back: what DICOMweb services say they have, held to what the ledger says was delivered to them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from starlette.responses import Response

from karnak.dsl.nodes import Source
from karnak.gateway.deliver.credentials import Anonymous, Basic, Bearer, Credentials
from karnak.gateway.deliver.service import Service
from karnak.gateway.deliver.tls import RenewedTrust, Trust
from karnak.gateway.doctor import Finding, Severity
from karnak.gateway.ledger import Ledger
from karnak.gateway.reading_back import find_services, read_back
from karnak.gateway.states import State
from karnak.gateway.store.database import Database, index_url, open_database
from karnak.gateway.store.index import Index
from karnak.gateway.store.rows import Change, NewUids
from tests.gateway.certificates import Authority
from tests.gateway.store.entries import LATER, entry
from tests.gateway.web import Answering, Asked, WebService, web_service

PATIENT = "DOE^JANE"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = open_database(index_url(tmp_path), upgrade=True)
    yield made
    made.close()


def deliver(database: Database, *receipts: str, destination: str = "research", new: bool = True) -> None:
    index = Index(database)
    index.add([entry(receipt, destination, uid=f"1.2.3.{number}") for number, receipt in enumerate(receipts)])
    index.note(
        [
            Change(receipt, destination, State.DELIVERED, LATER, "taken",
                   new=NewUids(f"2.25.{number}", "2.25.77", "2.25.7") if new else None)
            for number, receipt in enumerate(receipts)
        ]
    )  # fmt: skip


def listing(*uids: str) -> Answering:
    """A service that has some instances, and lists the one that is asked for by its UID."""

    def answer(asked: Asked) -> Response:
        uid = asked.path.partition("?SOPInstanceUID=")[2]
        found = [{"00080018": {"vr": "UI", "Value": [uid]}, "00100010": {"vr": "PN"}}] if uid in uids else []
        return Response(json.dumps(found), media_type="application/dicom+json")

    return answer


def answering(status: int, body: str = "", headers: Mapping[str, str] | None = None) -> Answering:
    return lambda _: Response(body, status, dict(headers or {}), media_type="application/dicom+json")


def findings(
    database: Database, service: Service, credentials: Credentials | None = None, count: int = 9
) -> list[tuple[Severity, str, tuple[str, ...]]]:
    services = {"research": (service, credentials or Anonymous())}
    return told(list(read_back(services, Ledger(database), count, lambda: None)))


def told(found: Sequence[Finding]) -> list[tuple[Severity, str, tuple[str, ...]]]:
    assert PATIENT not in repr(found)
    return [(finding.severity, finding.what, finding.receipts) for finding in found]


def paths(service: WebService) -> list[str]:
    return [asked.path for asked in service.asked]


def test_what_is_there_and_what_is_missing(database: Database) -> None:
    deliver(database, "a", "b", "c")
    counted: list[None] = []
    with web_service(listing("2.25.0", "2.25.2")) as service:
        services = {"research": (Service(service.url), Anonymous())}
        found = told(list(read_back(services, Ledger(database), 9, lambda: counted.append(None))))
    assert found == [(Severity.PROBLEM, "research does not have 1 of the last 3 delivered to it", ("b",))]
    assert len(counted) == 3
    # By the UIDs that they were sent under, the last first.
    place = "/dicom-web/studies/2.25.7/series/2.25.77/instances?SOPInstanceUID="
    assert paths(service) == [place + uid for uid in ("2.25.2", "2.25.1", "2.25.0")]
    assert {asked.headers["accept"] for asked in service.asked} == {"application/dicom+json"}


def test_all_are_there(database: Database) -> None:
    deliver(database, "a", "b", "c")
    with web_service(listing("2.25.0", "2.25.1", "2.25.2")) as service:
        assert findings(database, Service(service.url + "/")) == [
            (Severity.GOOD, "research has 3 of the last 3 delivered to it", ())
        ]


def test_so_many_as_were_asked_for(database: Database) -> None:
    deliver(database, "a", "b", "c")
    with web_service(listing("2.25.2")) as service:
        assert findings(database, Service(service.url), count=1) == [
            (Severity.GOOD, "research has 1 of the last 1 delivered to it", ())
        ]
    assert len(service.asked) == 1


def test_what_was_not_delivered_there_is_not_asked_for(database: Database) -> None:
    deliver(database, "a", destination="pacs")
    Index(database).add([entry("b", "research", uid="1.2.8")])
    with web_service(listing()) as service:
        assert findings(database, Service(service.url)) == [
            (Severity.GOOD, "the ledger has nothing that was delivered to research", ())
        ]
    assert service.asked == []


def test_what_was_sent_as_it_came_is_asked_for_as_it_came(database: Database) -> None:
    deliver(database, "a", new=False)
    with web_service(listing("1.2.3.0")) as service:
        assert findings(database, Service(service.url)) == [
            (Severity.GOOD, "research has 1 of the last 1 delivered to it", ())
        ]
    assert paths(service) == ["/dicom-web/studies/1.2.9/series/1.2.9.1/instances?SOPInstanceUID=1.2.3.0"]


def test_uids_that_are_none_go_into_no_address(database: Database) -> None:
    index = Index(database)
    index.add([entry("a", "research", uid="../system?x=1"), entry("b", "research", uid="1.2", study=PATIENT)])
    for receipt in ("a", "b"):
        index.note([Change(receipt, "research", State.DELIVERED, LATER, "taken")])
    with web_service(listing()) as service:
        ((severity, what, receipts),) = findings(database, Service(service.url))
    assert (severity, what) == (Severity.NOTE, "nobody can ask research for 2 delivered to it: their UIDs are none")
    assert sorted(receipts) == ["a", "b"]
    assert service.asked == []


def test_a_study_that_is_not_known_is_asked_for_by_the_instance(database: Database) -> None:
    index = Index(database)
    index.add([entry("a", "research", uid="1.2", study=None)])
    index.note([Change("a", "research", State.DELIVERED, LATER, "taken")])
    with web_service(listing("1.2")) as service:
        assert findings(database, Service(service.url))[0][0] is Severity.GOOD
    assert paths(service) == ["/dicom-web/instances?SOPInstanceUID=1.2"]


def test_a_service_that_does_not_know_one_study(database: Database) -> None:
    deliver(database, "a", "b")
    with web_service(answering(404), listing("2.25.0")) as service:
        assert findings(database, Service(service.url)) == [
            (Severity.PROBLEM, "research does not have 1 of the last 2 delivered to it", ("b",))
        ]


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (answering(404), "the service answers every search with 404 (Not Found)"),
        (answering(401, PATIENT), "the service answers a search with 401 (Unauthorized)"),
        (answering(503, PATIENT, {"Retry-After": "1"}), "the service answers a search with 503 (Service Unavailable)"),
        (answering(302, headers={"Location": "/elsewhere"}), "the service answers a search with 302 (Found)"),
        (answering(200, PATIENT), "the answer to a search is not what PS3.18 says"),
        (answering(200, json.dumps([PATIENT])), "the answer to a search is not what PS3.18 says"),
        (answering(200, json.dumps({"error": PATIENT})), "the answer to a search is not what PS3.18 says"),
        (answering(200, json.dumps([{"00080018": {"vr": "UI"}}])), "the answer to a search is not what PS3.18 says"),
        (answering(200, "[" * 100_000), "the answer to a search is not what PS3.18 says"),
    ],
    ids=["404", "401", "503", "302", "text", "strings", "error", "no value", "deep"],
)  # fmt: skip
def test_a_service_that_can_t_be_asked(
    database: Database, answer: Answering, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    deliver(database, "a", "b")
    with web_service(answer) as service:
        assert findings(database, Service(service.url)) == [
            (Severity.PROBLEM, f"research can't be asked for what it has: {trouble}", ())
        ]
    assert len(service.asked) == (2 if "every" in trouble else 1)
    assert PATIENT not in caplog.text


def test_what_was_found_before_a_service_fell_is_told(database: Database) -> None:
    deliver(database, "a", "b", "c")
    trouble = "the service answers a search with 500 (Internal Server Error)"
    with web_service(listing("2.25.9"), answering(500)) as service:
        assert findings(database, Service(service.url)) == [
            (Severity.PROBLEM, f"research can't be asked for what it has: {trouble}", ()),
            (Severity.PROBLEM, "research does not have 1 of the last 3 delivered to it", ("c",)),
        ]  # fmt: skip


def test_a_service_that_is_away(database: Database) -> None:
    deliver(database, "a")
    with web_service(listing()) as service:
        url = service.url
    assert findings(database, Service(url)) == [
        (Severity.PROBLEM, "research can't be asked for what it has: no connection: Connection refused", ())
    ]


def test_one_service_that_is_away_keeps_no_other_from_being_asked(database: Database) -> None:
    deliver(database, "a")
    Index(database).add([entry("b", "pacs", uid="1.2.7")])
    Index(database).note([Change("b", "pacs", State.DELIVERED, LATER, "taken", new=NewUids("2.25.0"))])
    with web_service(listing("2.25.0")) as service:
        services = {
            "pacs": (Service("http://127.0.0.1:1"), Anonymous()),
            "research": (Service(service.url), Anonymous()),
        }
        found = told(list(read_back(services, Ledger(database), 9, lambda: None)))
    assert [severity for severity, _, _ in found] == [Severity.PROBLEM, Severity.GOOD]


def test_headers_and_credentials_are_those_of_deliveries(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    # What whoever runs this has set for other programs goes nowhere.
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    deliver(database, "a")
    with web_service(listing("2.25.0")) as service:
        made = Service(service.url, headers={"X-Key": "k-1"})
        assert findings(database, made, Basic("trial", "secret"))[0][0] is Severity.GOOD
    (asked,) = service.asked
    assert asked.headers["x-key"] == "k-1"
    assert asked.headers["authorization"] == "Basic dHJpYWw6c2VjcmV0"


def test_a_token_that_is_refused_is_read_again(database: Database) -> None:
    deliver(database, "a")
    tokens = iter(["old", "new"])

    def answer(asked: Asked) -> Response:
        return answering(401)(asked) if asked.headers["authorization"] == "Bearer old" else listing("2.25.0")(asked)

    with web_service(answer) as service:
        bearer = Bearer(lambda: next(tokens))
        assert findings(database, Service(service.url), bearer)[0][0] is Severity.GOOD
    assert len(service.asked) == 2


def test_a_token_that_can_t_be_read(database: Database) -> None:
    deliver(database, "a")

    def gone() -> str:
        raise OSError

    with web_service(listing()) as service:
        assert findings(database, Service(service.url), Bearer(gone)) == [
            (Severity.PROBLEM, "research can't be asked for what it has: the bearer token can't be read", ())
        ]
    assert service.asked == []


def test_only_authorities_that_deliveries_trust_are_trusted(database: Database, tmp_path: Path) -> None:
    deliver(database, "a")
    ours, others = Authority(tmp_path), Authority(tmp_path, "others")
    with web_service(listing("2.25.0"), tls=ours.issue("server")) as service:

        def asked(ca: Path) -> list[tuple[Severity, str, tuple[str, ...]]]:
            trust = RenewedTrust(Trust(ca), lambda _: None)
            return findings(database, Service(service.url, tls=trust))

        assert asked(ours.file)[0][0] is Severity.GOOD
        assert asked(others.file) == [
            (Severity.PROBLEM,
             "research can't be asked for what it has: the service's certificate is not trusted", ())
        ]  # fmt: skip


CONFIG = """\
listen: { port: 11112 }
data_dir: data
forward_nodes:
  - ae_title: KARNAK
    sources: any
    destinations:
      - { name: files, type: folder, path: out, mode: none }
      - { name: off, type: stow, url: "http://127.0.0.1:1/off", mode: none, enabled: false }
  - ae_title: OTHER
    sources: any
    destinations:
      - { name: research, type: stow, url: "http://127.0.0.1:1/dicom-web", mode: none, headers: { X-Key: k-1 },
          response_timeout: 7, auth: { type: basic, user: trial, password_env: PASSWORD } }
"""


def test_services_of_a_configuration(tmp_path: Path) -> None:
    services, found = find_services(Source("gateway.yml", CONFIG), tmp_path, {"PASSWORD": "secret"})
    assert found == ()
    assert services is not None
    ((name, (service, credentials)),) = services.items()
    assert (name, service.url, service.headers) == ("research", "http://127.0.0.1:1/dicom-web", {"X-Key": "k-1"})
    assert service.response_timeout == 7
    assert credentials == Basic("trial", "secret")


def test_credentials_that_are_missing_are_told(tmp_path: Path) -> None:
    services, found = find_services(Source("gateway.yml", CONFIG), tmp_path, {})
    assert services is None
    assert [(one.code, one.span.line) for one in found] == [("G306", 13)]


def test_without_services_there_is_nothing_to_ask(database: Database) -> None:
    assert told(list(read_back({}, Ledger(database), 9, lambda: None))) == [
        (Severity.NOTE, "no destination of the configuration is a DICOMweb service: nothing to read back", ())
    ]
