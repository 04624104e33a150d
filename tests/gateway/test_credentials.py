"""Tokens are fetched once for many, used until shortly before they end, and renewed once when they are refused."""

import base64
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import parse_qs

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from karnak.gateway.deliver.credentials import Bearer, Client, ClientCredentials, CredentialsError
from karnak.gateway.deliver.parcel import Delivered, DeliveryError, Parcel
from karnak.gateway.deliver.service import Service
from karnak.gateway.deliver.stow import StowDestination
from karnak.testing.specimen import EXPLICIT
from tests.gateway.instances import SECONDARY_CAPTURE
from tests.gateway.web import Answering, Asked, WebService, bytes_service, web_service

SECRET = "s3cret:/?"
PARCEL = Parcel((b"",), EXPLICIT, SECONDARY_CAPTURE, "2.25.1")


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Tokens:
    """A token endpoint that numbers its tokens."""

    lifetime: object = 3600
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __call__(self, asked: Asked) -> Response:
        token = {"access_token": f"token-{next(self.numbers)}", "token_type": "Bearer"}
        return JSONResponse(token | ({"expires_in": self.lifetime} if self.lifetime is not None else {}))


@contextmanager
def client_of(to: WebService, clock: Clock, **more: object) -> Iterator[ClientCredentials]:
    with httpx.Client(timeout=2, trust_env=False, verify=False) as http:
        client = Client(f"{to.url}/token", "karnak", SECRET, **more)  # type: ignore[arg-type]
        assert SECRET not in repr(client)
        yield ClientCredentials(client, lambda: http, clock)


def test_a_token_is_used_until_shortly_before_it_ends() -> None:
    clock = Clock()
    with web_service(Tokens(lifetime=600)) as to, client_of(to, clock) as credentials:
        assert credentials.header() == "Bearer token-1"
        clock.now += 539
        assert credentials.header() == "Bearer token-1"
        clock.now += 2
        assert credentials.header() == "Bearer token-2"
    first, _ = to.asked
    assert (first.method, first.path) == ("POST", "/dicom-web/token")
    assert parse_qs(first.body.decode()) == {"grant_type": ["client_credentials"]}
    basic = base64.b64encode(f"karnak:{SECRET}".encode()).decode()
    assert first.headers["authorization"] == f"Basic {basic}"


@pytest.mark.parametrize(
    ("lifetime", "used_for"), [(10, 5), ("10", 5), (None, 10**9), (-5, 10**9), (120, 60), (119, 59.5)]
)
def test_half_of_a_short_life_is_used(lifetime: object, used_for: float) -> None:
    clock = Clock()
    with web_service(Tokens(lifetime)) as to, client_of(to, clock) as credentials:
        credentials.header()
        clock.now = 1000.0 + used_for - 0.25
        assert credentials.header() == "Bearer token-1"
        clock.now = 1000.0 + used_for
        assert credentials.header() == ("Bearer token-2" if used_for < 10**9 else "Bearer token-1")


def test_scope_audience_and_secret_in_the_body() -> None:
    with (
        web_service(Tokens()) as to,
        client_of(to, Clock(), scope="stow read", in_body=True, parameters={"audience": "pacs"}) as credentials,
    ):
        credentials.header()
    assert parse_qs(to.asked[0].body.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["stow read"],
        "audience": ["pacs"],
        "client_id": ["karnak"],
        "client_secret": [SECRET],
    }
    assert "authorization" not in to.asked[0].headers


def test_many_threads_ask_for_one_token() -> None:
    with web_service(Tokens()) as to, client_of(to, Clock()) as credentials:
        found: list[str | None] = []
        threads = [threading.Thread(target=lambda: found.append(credentials.header())) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert found == ["Bearer token-1"] * 8
        # What several of them were refused with is renewed once.
        assert credentials.renew("Bearer token-1")
        assert credentials.renew("Bearer token-1")
        assert credentials.header() == "Bearer token-2"
    assert len(to.asked) == 2


def refuses(status: int, document: object) -> Answering:
    return lambda asked: JSONResponse(document, status)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (refuses(401, {"error": "invalid_client", "error_description": "DOE^JANE"}), "gives no token (invalid_client)"),
        (refuses(400, {"error": "DOE^JANE"}), "the authorization server gives no token"),
        (refuses(503, {"error": "DOE^JANE"}), "gives no token: it answered 503"),
        (refuses(429, "DOE^JANE"), "gives no token: it answered 429"),
        (refuses(302, "DOE^JANE"), "the authorization server gives no token: it answered 302"),
        (refuses(200, {"access_token": "abc", "token_type": "bearer", "expires_in": "DOE^JANE"}), "is malformed"),
        (refuses(200, "DOE^JANE"), "the answer of the authorization server is malformed"),
        (refuses(200, {"access_token": "DOE^JANE", "token_type": "bearer"}), "gives no bearer token"),
        (refuses(200, {"access_token": "abc", "token_type": "mac"}), "gives no bearer token"),
        (refuses(200, {"access_token": "abc\r\nX: y", "token_type": "bearer"}), "gives no bearer token"),
        (refuses(200, {"access_token": 7, "token_type": "bearer"}), "gives no bearer token"),
        (refuses(200, {"access_token": "a" * 2_000_000, "token_type": "bearer"}), "is malformed"),
    ],
)
def test_a_server_that_gives_none_is_not_quoted(answer: Answering, message: str) -> None:
    with web_service(answer) as to, client_of(to, Clock()) as credentials:
        with pytest.raises(CredentialsError) as caught:
            credentials.header()
        assert str(caught.value).endswith(message)
        assert "DOE" not in str(caught.value)


def hangs_up(connection: socket.socket) -> None:
    connection.recv(100)


def is_silent(connection: socket.socket) -> None:
    threading.Event().wait(10)


def test_a_server_that_is_not_there_or_silent() -> None:
    with bytes_service(hangs_up) as to, client_of(to, Clock()) as credentials:
        for _ in range(2):
            with pytest.raises(CredentialsError, match="can't be reached"):
                credentials.header()
    with client_of(to, Clock()) as credentials, pytest.raises(CredentialsError, match="can't be reached"):
        credentials.header()
    with bytes_service(is_silent) as to, httpx.Client(timeout=0.2, verify=False) as http:
        credentials = ClientCredentials(Client(to.url, "karnak", SECRET), lambda: http, Clock())
        with pytest.raises(CredentialsError, match="did not answer in time"):
            credentials.header()


def guarded(good: set[str]) -> Answering:
    """A DICOMweb service that takes some tokens."""
    return lambda asked: Response(None, 200 if asked.headers.get("authorization") in good else 401)


def test_a_refused_token_is_renewed_once_and_the_request_sent_again() -> None:
    with web_service(Tokens()) as server, client_of(server, Clock()) as credentials:
        with web_service(guarded({"Bearer token-2"})) as to:
            made = StowDestination(Service(to.url), lambda: "b" * 32, credentials)
            assert list(made.deliver([PARCEL])) == [Delivered()]
            assert list(made.deliver([PARCEL])) == [Delivered()]
            made.close()
        used = [asked.headers["authorization"] for asked in to.asked]
        assert used == ["Bearer token-1", "Bearer token-2", "Bearer token-2"]
        assert to.asked[0].body == to.asked[1].body
        with web_service(guarded(set())) as to:
            made = StowDestination(Service(to.url), lambda: "b" * 32, credentials)
            with pytest.raises(DeliveryError, match=r"401 \(Unauthorized\): it wants other credentials"):
                made.deliver([PARCEL])
            made.close()
        assert [asked.headers["authorization"] for asked in to.asked] == ["Bearer token-2", "Bearer token-3"]


def test_a_bearer_token_is_read_again_when_it_is_refused() -> None:
    values = iter(["old", "new", "new"])
    with web_service(guarded({"Bearer new"})) as to:
        made = StowDestination(Service(to.url), lambda: "b" * 32, Bearer(lambda: next(values)))
        assert list(made.deliver([PARCEL])) == [Delivered()]
        made.close()
    assert [asked.headers["authorization"] for asked in to.asked] == ["Bearer old", "Bearer new"]
    same = Bearer(lambda: "same")
    assert same.header() == "Bearer same"
    assert not same.renew("Bearer same")


def test_a_bearer_token_that_can_not_be_read() -> None:
    def missing() -> str:
        raise FileNotFoundError("/secret/place")

    with pytest.raises(CredentialsError, match=r"^the bearer token can't be read$"):
        Bearer(missing).header()
    for text in ("", "a b", "a\r\nX: y", "gehört"):
        with pytest.raises(CredentialsError, match=r"^what should be the bearer token is none$"):
            Bearer(lambda text=text: text).header()  # type: ignore[misc]
