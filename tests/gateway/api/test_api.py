"""The API says what is so, does what it is told, and answers mistakes with what is wrong."""

import json
from dataclasses import replace

import httpx
import pytest

from karnak.gateway.api.house import Check
from karnak.gateway.metrics import ReloadOutcome
from karnak.gateway.states import State
from karnak.gateway.store.database import IndexUnavailable
from karnak.gateway.store.rows import Change, Entry, NewUids
from tests.gateway.api.houses import FakeHouse
from tests.gateway.store.entries import LATER, at, entry


def fill(house: FakeHouse) -> None:
    """Three instances: the first was delivered to the PACS, the second waits for it."""
    house.index.add([entry("r1", uid="1.1", study="1.2.7"), entry("r2", "pacs", uid="1.2"), entry("r3", "research")])
    new = NewUids("2.25.1", "2.25.2", "2.25.3")
    house.index.note(
        [
            Change("r1", "pacs", State.DELIVERED, LATER, "the peer has it", None, "d1", new),
            Change("r2", "pacs", State.WAITING, at(1), "no answer", at(60)),
        ]
    )


def test_it_is_alive_and_ready(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "ready": True,
            "checks": [
                {"name": "spool", "ready": True, "reason": None},
                {"name": "index", "ready": True, "reason": None},
            ],
        },
    )


def test_it_says_why_it_is_not_ready(client: httpx.Client, house: FakeHouse) -> None:
    house.checks = (Check("spool", True), Check("disk", False, "less than 1 GB is free"))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["ready"] is False
    assert answer.json()["checks"][1] == {"name": "disk", "ready": False, "reason": "less than 1 GB is free"}


def test_metrics_are_there_for_prometheus(client: httpx.Client) -> None:
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert 'karnak_received_total{door="stow"} 0.0' in answer.text.splitlines()


def test_destinations_are_listed_with_what_waits(client: httpx.Client) -> None:
    first, second = client.get("/api/v1/destinations").json()
    assert first == {
        "name": "pacs",
        "forward_node": "KARNAK",
        "target": "PACS at pacs port 104",
        "mode": "deidentify",
        "project": "T",
        "profile": "p",
        "digest": "d1",
        "queue": {"routed": 3, "waiting": 1},
        "oldest_seconds": 12.5,
    }
    assert (second["name"], second["project"], second["queue"]) == ("disk", None, {})


def test_the_queue_is_listed_without_uids_of_originals(client: httpx.Client, house: FakeHouse) -> None:
    fill(house)
    answer = client.get("/api/v1/queue")
    said = answer.json()
    assert said["total"] == 3
    assert [(part["receipt"], part["destination"], part["state"]) for part in said["parts"]] == [
        ("r1", "research", "routed"),
        ("r2", "pacs", "waiting"),
        ("r3", "research", "routed"),
    ]
    waiting = said["parts"][1]
    assert (waiting["cause"], waiting["attempts"], waiting["size"], waiting["wish"]) == ("no answer", 1, 1000, None)
    assert waiting["retry_at"].startswith("2026-01-03T03:05:05")
    assert not {"1.1", "1.2", "1.2.7", "1.2.9"} & set(json.dumps(said).split('"'))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"destination": "research"}, ["r1", "r3"]),
        ({"state": "waiting"}, ["r2"]),
        ({"state": "delivered"}, ["r1"]),
        ({"study_instance_uid": "1.2.7"}, ["r1"]),
        ({"receipt": "r3"}, ["r3"]),
        ({"receipt": "r3", "destination": "pacs"}, []),
        ({"limit": "2"}, ["r1", "r2"]),
    ],
)
def test_the_queue_is_narrowed(client: httpx.Client, house: FakeHouse, query: dict[str, str], found: list[str]) -> None:
    fill(house)
    said = client.get("/api/v1/queue", params=query).json()
    assert [part["receipt"] for part in said["parts"]] == found
    assert said["total"] == (3 if "limit" in query else len(found))


def test_parts_are_retried_and_dropped(client: httpx.Client, house: FakeHouse) -> None:
    fill(house)
    answer = client.post("/api/v1/queue/retry", json={"destination": "pacs"})
    assert (answer.status_code, answer.json()) == (202, {"count": 1})
    assert client.get("/api/v1/queue", params={"receipt": "r2"}).json()["parts"][0]["wish"] == "retry"
    assert house.index.fulfil(at(2)) == []
    assert client.get("/api/v1/queue", params={"receipt": "r2"}).json()["parts"][0]["state"] == "routed"
    assert client.post("/api/v1/queue/drop", json={"destination": "research"}).json() == {"count": 2}
    assert sorted(house.index.fulfil(at(3))) == ["r1", "r3"]
    said = client.get("/api/v1/queue", params={"state": "excluded"}).json()
    assert [(part["receipt"], part["cause"]) for part in said["parts"]] == [
        ("r1", "dropped by a person"),
        ("r3", "dropped by a person"),
    ]
    assert house.asked == [("retry", "local"), ("drop", "local")]


@pytest.mark.parametrize("order", ["retry", "drop"])
def test_everything_is_meant_only_where_that_is_said(client: httpx.Client, house: FakeHouse, order: str) -> None:
    fill(house)
    for body in ({}, {"all": False}, {"all": True, "destination": "pacs"}, {"destination": None}):
        assert client.post(f"/api/v1/queue/{order}", json=body).status_code == 400
    assert house.asked == []
    answer = client.post(f"/api/v1/queue/{order}", json={"all": True})
    assert answer.json() == {"count": 3}


def test_the_ledger_tells_what_became_of_instances(client: httpx.Client, house: FakeHouse) -> None:
    fill(house)
    found = client.get("/api/v1/ledger/instances").json()
    assert [record["receipt"] for record in found] == ["r3", "r2", "r1"]
    record = client.get("/api/v1/ledger/instances", params={"uid": "2.25.3"}).json()[0]
    assert (record["sop_instance_uid"], record["study_instance_uid"], record["door"]) == ("1.1", "1.2.7", "dimse")
    assert record["fates"][0]["new"] == {
        "sop_instance_uid": "2.25.1",
        "series_instance_uid": "2.25.2",
        "study_instance_uid": "2.25.3",
    }
    assert record["fates"][1] == {
        "destination": "research",
        "state": "routed",
        "since": record["fates"][1]["since"],
        "cause": None,
        "attempts": 0,
        "program": None,
        "new": None,
    }
    page = client.get("/api/v1/ledger/instances", params={"before": "r3", "limit": "1"}).json()
    assert [record["receipt"] for record in page] == ["r2"]
    assert house.asked == [("ledger", "local")] * 3


def test_the_ledger_tells_of_series_and_studies(client: httpx.Client, house: FakeHouse) -> None:
    fill(house)
    studies = client.get("/api/v1/ledger/studies").json()
    assert {study["uid"]: study["instances"] for study in studies} == {"1.2.7": 1, "1.2.9": 2}
    (study,) = client.get("/api/v1/ledger/studies", params={"uid": "1.2.7"}).json()
    assert study["tallies"][0] == {
        "destination": "pacs",
        "states": {"delivered": 1},
        "causes": {"the peer has it": 1},
        "since": "2026-01-03T03:04:05.678901Z",
        "new_uids": ["2.25.3"],
        "programs": ["d1"],
    }
    (series,) = client.get("/api/v1/ledger/series", params={"state": "waiting"}).json()
    assert (series["uid"], series["instances"], series["bytes"]) == ("1.2.9.1", 1, 1000)
    since = {"since": "2026-01-02T03:04:06Z"}
    assert client.get("/api/v1/ledger/studies", params=since).json() == []
    assert len(client.get("/api/v1/ledger/studies", params={"until": "2026-01-02T04:04:06+01:00"}).json()) == 2


def test_looks_beside_the_api_are_noted(client: httpx.Client, house: FakeHouse) -> None:
    for patients in (True, False):
        answer = client.post("/api/v1/ledger/looks", json={"patients": patients})
        assert (answer.status_code, answer.json()) == (200, {"noted": True})
    assert client.post("/api/v1/ledger/looks", json={}).status_code == 400
    assert house.asked == [("look", "local", "True"), ("look", "local", "False")]


def test_patients_are_in_no_answer(client: httpx.Client, house: FakeHouse) -> None:
    secret = replace(entry("r1"), patient=b"concealed")
    assert isinstance(secret, Entry)
    house.index.add([secret])
    for path in ("queue", "ledger/instances", "ledger/series", "ledger/studies"):
        assert "concealed" not in client.get(f"/api/v1/{path}").text


def test_the_rules_in_force_are_told(client: httpx.Client) -> None:
    assert client.get("/api/v1/profiles").json() == {
        "epoch": 3,
        "began": "2026-01-02T00:00:00Z",
        "profiles": [{"project": "TRIAL", "profile": "Research", "file": "research.yml", "digest": "d1"}],
    }


@pytest.mark.parametrize("outcome", [ReloadOutcome.ACTIVATED, ReloadOutcome.UNCHANGED])
def test_rules_are_read_again(client: httpx.Client, house: FakeHouse, outcome: ReloadOutcome) -> None:
    house.outcome = outcome
    answer = client.post("/api/v1/profiles/reload", json={})
    assert (answer.status_code, answer.json()) == (200, {"outcome": str(outcome), "epoch": 4, "findings": []})
    assert house.asked == [("reload", "local")]


def test_bad_rules_are_a_problem_with_its_place(client: httpx.Client, house: FakeHouse) -> None:
    house.outcome = ReloadOutcome.REFUSED
    answer = client.post("/api/v1/profiles/reload", json={})
    assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
    assert answer.json() == {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "detail": "there are errors; the rules stay as they were",
        "outcome": "refused",
        "epoch": 4,
        "findings": [
            {
                "file": "research.yml",
                "line": 14,
                "column": 18,
                "code": "K203",
                "severity": "error",
                "message": "unknown tag keyword",
            }
        ],
    }


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/api/v1/queue?limit=0", "limit: Input should be greater than or equal to 1"),
        ("/api/v1/queue?limit=1001", "limit: "),
        ("/api/v1/queue?limit=x", "limit: "),
        ("/api/v1/queue?state=lost", "state: Input should be 'received', 'routed'"),
        ("/api/v1/queue?sate=waiting", "sate: Extra inputs are not permitted"),
        ("/api/v1/queue?state=waiting&state=routed", "a parameter is given more than once"),
        ("/api/v1/ledger/instances?since=2026-01-02T03:04:05", "since: Input should have timezone info"),
        ("/api/v1/ledger/series?before=r1", "before: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_parameter_is_named(client: httpx.Client, path: str, what: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(what)


@pytest.mark.parametrize("body", ["", "[]", "{", '{"destination": 1}', '{"patient": "DOE"}', '{"all": "DOE"}'])
def test_a_wrong_body_is_refused_without_repeating_it(client: httpx.Client, house: FakeHouse, body: str) -> None:
    answer = client.post("/api/v1/queue/drop", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert "DOE" not in answer.text
    assert house.asked == []


def test_a_body_has_a_limit(client: httpx.Client) -> None:
    body = b'{"destination": "' + b"x" * 70_000 + b'"}'
    headers = {"Content-Type": "application/json"}
    assert client.post("/api/v1/queue/drop", content=body, headers=headers).status_code == 413


def test_what_is_not_there_is_a_problem(client: httpx.Client) -> None:
    answer = client.get("/api/v2/queue")
    assert (answer.status_code, answer.json()["title"]) == (404, "Not Found")
    answer = client.request("DELETE", "/api/v1/queue")
    assert (answer.status_code, answer.json()["status"]) == (405, 405)
    assert client.post("/api/v1/queue", json={}).status_code == 405


def test_an_index_that_is_not_there_is_a_problem_for_people(client: httpx.Client, house: FakeHouse) -> None:
    house.error = IndexUnavailable("the index can't be used (locked)")
    answer = client.get("/api/v1/destinations")
    assert (answer.status_code, answer.json()["detail"]) == (503, "the index can't be used (locked)")


def test_an_error_that_nobody_has_foreseen_says_nothing_of_itself(
    client: httpx.Client, house: FakeHouse, errors: list[Exception]
) -> None:
    house.error = ZeroDivisionError("DOE^JANE")
    answer = client.get("/api/v1/destinations")
    assert answer.status_code == 500
    assert answer.json()["detail"] == "an internal error of type ZeroDivisionError; the journal has its place"
    assert errors == [house.error]
