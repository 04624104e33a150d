"""Shadows are started, told of and ended by the API, and its own client understands what it says."""

import httpx
import pytest

from karnak.dsl.nodes import Source
from karnak.dsl.source import MAX_CHARACTERS
from karnak.gateway.api.caller import NoAnswer
from karnak.gateway.api.house import ShadowStart
from karnak.gateway.api.shadow_caller import Refusal, ShadowCaller
from karnak.gateway.bearer import Token
from karnak.gateway.house_plan import ApiPlan
from tests.gateway.api.conftest import Open
from tests.gateway.api.houses import FINDING, HINT, FakeHouse, shadow_report

ORDER = {"destination": "pacs", "candidate": "name: x\n", "name": "x.yml", "seconds": 3600}


def caller(client: httpx.Client) -> ShadowCaller:
    return ShadowCaller(ApiPlan("127.0.0.1", client.base_url.port or 0, None))


def test_one_is_started_told_of_and_ended(client: httpx.Client, house: FakeHouse) -> None:
    assert client.get("/api/v1/shadows").json() == []
    assert client.post("/api/v1/shadows/end", json={"destination": "pacs"}).status_code == 404
    answer = client.post("/api/v1/shadows", json=ORDER)
    assert answer.status_code == 201
    report = answer.json()["report"]
    assert answer.json()["findings"][0]["code"] == "K112"
    assert (report["seen"], report["same"], report["different"], report["passed_by"], report["failed"]) == (
        1200,
        700,
        480,
        19,
        1,
    )
    assert report["differences"][0] == {
        "place": "(0008,1010)",
        "active": {"action": "keep", "rule": "station", "line": 4},
        "candidate": {"action": "remove", "rule": "PS3.15", "line": 9},
        "instances": 440,
    }
    assert report["fates"][0]["candidate"] == {"status": "rejected", "reason": "rule X cannot be carried out"}
    assert client.get("/api/v1/shadows").json() == [report]
    assert client.post("/api/v1/shadows", json=ORDER).status_code == 409
    ended = client.post("/api/v1/shadows/end", json={"destination": "pacs"}).json()
    assert ended["because"] == "a person has ended it"
    assert house.asked == [
        ("end shadow", "pacs", "local"),
        ("shadow", "pacs", "1:00:00", "local"),
        ("end shadow", "pacs", "local"),
    ]
    assert house.texts == [Source("x.yml", "name: x\n")]


def test_a_candidate_with_errors_and_an_unknown_destination_are_told(client: httpx.Client) -> None:
    answer = client.post("/api/v1/shadows", json=ORDER | {"candidate": "no.such"})
    assert answer.status_code == 422
    assert answer.json()["findings"][0]["line"] == FINDING.line
    assert client.post("/api/v1/shadows", json=ORDER | {"destination": "nobody"}).status_code == 404


@pytest.mark.parametrize("more", [{"seconds": 0}, {"seconds": 8 * 24 * 3600}, {"candidate": 1}, {"else": 1}])
def test_a_wrong_order_is_refused(client: httpx.Client, house: FakeHouse, more: dict[str, object]) -> None:
    assert client.post("/api/v1/shadows", json=ORDER | more).status_code == 400
    assert house.asked == []


def test_the_largest_profile_fits_and_a_larger_body_does_not(client: httpx.Client, house: FakeHouse) -> None:
    text = "\x07" * MAX_CHARACTERS
    assert client.post("/api/v1/shadows", json=ORDER | {"candidate": text}).status_code == 201
    assert house.texts[0].text == text
    assert client.post("/api/v1/shadows", json=ORDER | {"candidate": 2 * text}).status_code == 413
    assert client.post("/api/v1/shadows/end", json={"destination": 70_000 * "x"}).status_code == 413


def test_the_client_understands_what_is_said(client: httpx.Client, house: FakeHouse) -> None:
    asking = caller(client)
    assert asking.reports() == []
    with pytest.raises(Refusal, match="there is no such shadow"):
        asking.end("pacs")
    with pytest.raises(Refusal, match="the candidate has errors") as refusal:
        asking.start("pacs", Source("x.yml", "no.such"), 60)
    assert list(refusal.value.findings) == [FINDING]
    assert asking.start("pacs", Source("x.yml", "name: x"), 60) == ShadowStart(shadow_report("pacs"), [HINT])
    with pytest.raises(Refusal, match="a shadow runs for pacs already"):
        asking.start("pacs", Source("x.yml", "name: x"), 60)
    assert asking.reports() == [shadow_report("pacs")]
    assert asking.end("pacs") == shadow_report("pacs", ended=True)


def test_a_gateway_that_wants_a_token_is_told_apart(open_api: Open) -> None:
    port = open_api(Token.of("operator", "the-token-of-the-operator")).base_url.port or 0
    assert ShadowCaller(ApiPlan("127.0.0.1", port, "the-token-of-the-operator")).reports() == []
    with pytest.raises(NoAnswer, match="answered with HTTP status 401"):
        ShadowCaller(ApiPlan("127.0.0.1", port, None)).reports()
