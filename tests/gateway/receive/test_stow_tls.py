"""The STOW-RS door under TLS: renewed files are used at once, and clients show a certificate where that is asked."""

import ssl
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from karnak.errors import KarnakError
from karnak.gateway.receive.tls import RenewedRules, TlsFiles
from tests.gateway.certificates import Authority, Pair
from tests.gateway.receive.stow_doors import Running, running
from tests.gateway.receive.test_stow import HEADERS
from tests.gateway.receive.test_stow_request import body, file


def listener(pair: Pair, failures: list[KarnakError], client_ca: Path | None = None) -> RenewedRules:
    return RenewedRules(TlsFiles(pair.certificate, pair.key, client_ca), failures.append)


def client_of(authority: Authority, pair: Pair | None = None) -> httpx.Client:
    context = ssl.create_default_context(cafile=str(authority.file))
    if pair is not None:
        context.load_cert_chain(pair.certificate, pair.key)
    return httpx.Client(verify=context, headers=HEADERS, timeout=30)


def post(door: Running, client: httpx.Client) -> int:
    return client.post(f"https://127.0.0.1:{door.port}/dicomweb/studies", content=body(file(1))).status_code


def put(new: Pair, old: Pair) -> None:
    """Renew a pair as certbot does: other files under the same names."""
    for source, target in ((new.certificate, old.certificate), (new.key, old.key)):
        source.replace(target)


def test_instances_come_over_tls_and_a_renewed_certificate_is_used_at_once(tmp_path: Path) -> None:
    first, second = Authority(tmp_path, "first"), Authority(tmp_path, "second")
    pair, told = first.issue("server"), list[KarnakError]()
    with running(tmp_path / "data", tls=listener(pair, told)) as door, client_of(first) as before:
        assert post(door, before) == 200
        put(second.issue("renewed"), pair)
        with client_of(second) as after:
            assert post(door, after) == 200
        # The connection that was there goes on.
        assert post(door, before) == 200
        assert told == []
        with client_of(first) as late, pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            post(door, late)
    assert len(door.data_sets()) == 3


def test_renewed_files_that_can_not_be_used_leave_the_last_good_ones(tmp_path: Path) -> None:
    authority, told = Authority(tmp_path), list[KarnakError]()
    pair, other = authority.issue("server"), authority.issue("other")
    with running(tmp_path / "data", tls=listener(pair, told)) as door:
        # Half renewed: the certificate of one with the key of the other.
        other.certificate.replace(pair.certificate)
        with client_of(authority) as client:
            assert post(door, client) == 200
        assert len(told) == 1
        other.key.replace(pair.key)
        with client_of(authority) as client:
            assert post(door, client) == 200
        assert len(told) == 1
        pair.key.unlink()
        with client_of(authority) as client:
            assert post(door, client) == 200
        assert len(told) == 2


def test_clients_without_a_certificate_are_turned_away_where_one_is_asked_for(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    tls = listener(ours.issue("server"), [], theirs.file)
    with running(tmp_path / "data", tls=tls) as door:
        with client_of(ours, theirs.issue("modality")) as client:
            assert post(door, client) == 200
        strangers = (None, ours.issue("stranger"), theirs.issue("expired", valid=timedelta(days=-1)))
        for stranger in strangers:
            with client_of(ours, stranger) as client, pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
                post(door, client)
    assert len(door.data_sets()) == 1


def test_a_renewed_authority_of_clients_is_asked(tmp_path: Path) -> None:
    ours, old, new = (Authority(tmp_path, name) for name in ("ours", "old", "new"))
    accepted = tmp_path / "clients.pem"
    accepted.write_bytes(old.file.read_bytes())
    told = list[KarnakError]()
    with running(tmp_path / "data", tls=listener(ours.issue("server"), told, accepted)) as door:
        with client_of(ours, old.issue("old-modality")) as client:
            assert post(door, client) == 200
        new.file.replace(accepted)
        with client_of(ours, new.issue("new-modality")) as client:
            assert post(door, client) == 200
        with client_of(ours, old.issue("late")) as client, pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            post(door, client)
    assert told == []
