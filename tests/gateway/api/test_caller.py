"""What asks the API understands its answers, and says in a sentence when there is none."""

import socket
import threading

import pytest

from karnak.gateway.api.caller import NoAnswer, order_reload
from karnak.gateway.bearer import Token
from karnak.gateway.metrics import ReloadOutcome
from tests.gateway.api.conftest import Open
from tests.gateway.api.houses import FINDING, FakeHouse
from tests.system.programs import free_port


def test_rules_are_read_again(open_api: Open, house: FakeHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    port = open_api().base_url.port or 0
    result = order_reload("127.0.0.1", port, None)
    assert (result.outcome, result.epoch, list(result.findings)) == (ReloadOutcome.ACTIVATED, 4, [])
    assert order_reload("localhost", port, None).outcome is ReloadOutcome.ACTIVATED
    assert house.asked == [("reload", "local")] * 2


def test_mistakes_are_told(open_api: Open, house: FakeHouse) -> None:
    house.outcome = ReloadOutcome.REFUSED
    result = order_reload("127.0.0.1", open_api().base_url.port or 0, None)
    assert (result.outcome, list(result.findings)) == (ReloadOutcome.REFUSED, [FINDING])


def test_the_token_is_shown(open_api: Open, house: FakeHouse) -> None:
    port = open_api(Token.of("operator", "the-right-token")).base_url.port or 0
    order_reload("127.0.0.1", port, "the-right-token")
    assert house.asked == [("reload", "operator")]
    for token in ("another", None):
        with pytest.raises(NoAnswer, match="answered with HTTP status 401"):
            order_reload("127.0.0.1", port, token)


def test_nobody_there_is_told() -> None:
    port = free_port()
    with pytest.raises(NoAnswer, match=f"no gateway answers at 127.0.0.1 port {port}"):
        order_reload("127.0.0.1", port, None)


def test_somebody_else_is_recognised() -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:

        def answer() -> None:
            connection, _ = stranger.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(NoAnswer, match="is no gateway"):
            order_reload("127.0.0.1", stranger.getsockname()[1], None)
        thread.join()
