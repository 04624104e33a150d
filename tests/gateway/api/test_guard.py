"""Who may use the API: who shows the token; without one, programs of this machine, and no web page in its browser."""

import socket

import httpx
import pytest

from karnak.gateway.api.app import OPERATIONS
from karnak.gateway.api.guard import UnprotectedApi, check_protected
from karnak.gateway.api.house import Check
from karnak.gateway.bearer import Token
from tests.gateway.api.conftest import Open
from tests.gateway.api.houses import FakeHouse

TOKEN = Token.of("operator", "the-token-of-the-operator")
SHOWN = {"Authorization": "Bearer the-token-of-the-operator"}
PATHS = [(operation.method, operation.path) for operation in OPERATIONS if not operation.open]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_nothing_is_told_or_done_without_the_token(open_api: Open, house: FakeHouse, method: str, path: str) -> None:
    client = open_api(TOKEN)
    for headers in ({}, {"Authorization": "Bearer another"}, {"Authorization": "Basic " + SHOWN["Authorization"]}):
        answer = client.request(method, path, headers=headers, json={"all": True} if method == "POST" else None)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert house.asked == []


def test_with_the_token_everything_is_there_and_its_holder_is_named(open_api: Open, house: FakeHouse) -> None:
    client = open_api(TOKEN)
    assert client.get("/api/v1/queue", headers=SHOWN).status_code == 200
    assert client.get("/metrics", headers=SHOWN).status_code == 200
    assert client.post("/api/v1/queue/retry", headers=SHOWN, json={"all": True}).status_code == 202
    assert client.get("/api/v1/queue", headers=SHOWN | {"Host": "karnak.example:8081"}).status_code == 200
    assert house.asked == [("retry", "operator")]


def test_probes_need_no_token_and_hear_no_reasons(open_api: Open, house: FakeHouse) -> None:
    house.checks = (Check("disk", False, "less than 1 GB is free"),)
    client = open_api(TOKEN)
    assert client.get("/healthz").status_code == 200
    assert (client.get("/readyz").status_code, client.get("/readyz").json()) == (503, {"ready": False, "checks": []})
    assert client.get("/readyz", headers=SHOWN).json()["checks"][0]["reason"] == "less than 1 GB is free"


def test_addresses_that_are_not_there_are_not_told_apart_without_the_token(open_api: Open) -> None:
    assert open_api(TOKEN).get("/api/v1/nothing").status_code == 401


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:8081", "[::1]", "[::1]:8081", "127.0.0.1:1"])
def test_this_machine_may_call_itself_by_its_names(client: httpx.Client, host: str) -> None:
    assert client.get("/api/v1/queue", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8081", "127.0.0.1.evil.example", "localhost.", "0.0.0.0", "[::1].evil", "x:y"],
)
def test_a_name_that_was_bent_to_this_machine_is_refused(client: httpx.Client, host: str) -> None:
    for path in ("/healthz", "/api/v1/queue", "/nothing"):
        assert client.get(path, headers={"Host": host}).status_code == 421


def test_two_hosts_or_none_are_refused(client: httpx.Client) -> None:
    for lines in (b"Host: localhost\r\nHost: evil.example\r\n", b""):
        with socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=30) as connection:
            connection.sendall(b"GET /api/v1/queue HTTP/1.1\r\n" + lines + b"\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
    with socket.create_connection(("127.0.0.1", client.base_url.port or 0), timeout=30) as connection:
        connection.sendall(b"GET /api/v1/queue HTTP/1.0\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 421 ")


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_post_that_a_web_page_can_make_is_refused(client: httpx.Client, house: FakeHouse, kind: str) -> None:
    for path in ("/api/v1/queue/drop", "/api/v1/profiles/reload"):
        answer = client.post(path, content='{"all": true}', headers={"Content-Type": kind})
        assert answer.status_code == 415
    assert house.asked == []


def test_a_web_page_may_not_post_even_json(client: httpx.Client, house: FakeHouse) -> None:
    for origin in ("http://evil.example", "null", "http://localhost:8081"):
        answer = client.post("/api/v1/queue/drop", json={"all": True}, headers={"Origin": origin})
        assert answer.status_code == 403
    assert house.asked == []
    assert (
        "access-control-allow-origin" not in client.get("/healthz", headers={"Origin": "http://evil.example"}).headers
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_without_a_token_it_listens_to_this_machine(host: str) -> None:
    check_protected(host, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1", "host.invalid"])
def test_without_a_token_it_listens_to_nobody_else(host: str) -> None:
    with pytest.raises(UnprotectedApi, match="without a token"):
        check_protected(host, None)
    check_protected(host, TOKEN)


def test_a_name_of_which_one_address_is_others_is_not_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    found = [(*kinds, ("127.0.0.1", 0)), (*kinds, ("192.0.2.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(UnprotectedApi):
        check_protected("host.example", None)
