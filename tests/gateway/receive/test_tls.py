"""TLS: what is agreed on, who is let in, and certificates that are renewed while associations last."""

import socket
import ssl
from pathlib import Path

import pytest

from karnak.errors import KarnakError
from karnak.gateway.receive.pdu import RELEASE_RP
from karnak.gateway.receive.tls import CIPHERS, RenewedRules, TlsFiles, UnusableCertificate, listening_rules
from tests.gateway.instances import file_bytes
from tests.gateway.receive.certificates import Authority
from tests.gateway.receive.door import Desk, Sender, door, limits, store_message
from tests.gateway.receive.house import house
from tests.system.programs import run, storescu

DATA = bytes(range(256)) * 1000


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "authority")


@pytest.fixture
def files(authority: Authority) -> TlsFiles:
    return TlsFiles(*authority.sign("gateway"))


def client_rules(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.certificate)


class TlsSender(Sender):
    """A peer that speaks in bytes under TLS."""

    def __init__(self, port: int, rules: ssl.SSLContext) -> None:
        super().__init__(port)
        self.tls = rules.wrap_socket(self.socket, server_hostname="127.0.0.1")
        self.socket = self.tls


def rules_of(files: TlsFiles) -> RenewedRules:
    def fail(error: KarnakError) -> None:
        raise AssertionError(error)

    return RenewedRules(files, fail)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_an_instance_under_tls(version: ssl.TLSVersion, authority: Authority, files: TlsFiles, tmp_path: Path) -> None:
    client = client_rules(authority)
    client.minimum_version = client.maximum_version = version
    with door(tmp_path / "data", tls=rules_of(files)) as opened, TlsSender(opened.port, client) as sender:
        assert sender.tls.version() == version.name.replace("_", ".")
        sender.associate()
        assert sender.store(DATA) == 0
        # In pieces that have nothing to do with PDUs.
        message = store_message(DATA, "1.2.4", 999)
        for start in range(0, len(message), 7777):
            sender.send(message[start : start + 7777])
        assert sender.status() == 0
        assert opened.stored() == [("1.2.3", DATA), ("1.2.4", DATA)]
        assert sender.release() == RELEASE_RP
    assert opened.desk.events == []


def test_the_end_is_told(authority: Authority, files: TlsFiles, tmp_path: Path) -> None:
    """A peer that must know a break from an end (RFC 8446 section 6.1) sees the end."""
    with door(tmp_path / "data", limits(artim=1), tls=rules_of(files)) as opened:
        plain = socket.create_connection(("127.0.0.1", opened.port), 20)
        rules = client_rules(authority)
        with rules.wrap_socket(plain, server_hostname="127.0.0.1", suppress_ragged_eofs=False) as tls:
            assert tls.recv(1) == b""


def test_only_what_bcp_195_names(authority: Authority, files: TlsFiles, tmp_path: Path) -> None:
    rules = listening_rules(files)
    assert rules.minimum_version == ssl.TLSVersion.TLSv1_2
    names = {str(cipher["name"]) for cipher in rules.get_ciphers()}
    assert {name for name in names if not name.startswith("TLS_")} == set(CIPHERS.split(":"))
    desk = Desk()
    with door(tmp_path / "data", desk=desk, tls=rules_of(files)) as opened:
        client = client_rules(authority)
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        client.set_ciphers("ECDHE-ECDSA-AES128-SHA")
        with socket.create_connection(("127.0.0.1", opened.port), 20) as plain, pytest.raises(ssl.SSLError):
            client.wrap_socket(plain, server_hostname="127.0.0.1")
        desk.wait(lambda: desk.reasons() == ["no agreement on TLS"])


def test_who_speaks_in_the_clear_gets_no_answer(files: TlsFiles, tmp_path: Path) -> None:
    desk = Desk()
    with door(tmp_path, desk=desk, tls=rules_of(files)) as opened, Sender(opened.port) as sender:
        sender.send(store_message(DATA))
        with pytest.raises((EOFError, ConnectionError)):
            # Perhaps an alert of TLS, but no PDU.
            assert sender.pdu()[0] == 0x15
        desk.wait(lambda: desk.reasons() == ["no agreement on TLS"])


def test_a_handshake_that_stalls_is_cut_off(files: TlsFiles, tmp_path: Path) -> None:
    bounds = limits(artim=0.2)
    with door(tmp_path, bounds, tls=rules_of(files)) as opened, Sender(opened.port) as sender:
        sender.send(b"\x16\x03\x01")
        assert sender.is_closed()


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("shown", ["ours", "another's", "none"])
def test_client_certificates(required: bool, shown: str, authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    files = TlsFiles(*authority.sign("gateway"), authority.certificate, required)
    client = client_rules(authority)
    if shown != "none":
        client.load_cert_chain(*(authority if shown == "ours" else stranger).sign("sender"))
    is_let_in = shown == "ours" or (shown == "none" and not required)
    with door(tmp_path / "data", tls=rules_of(files)) as opened:
        try:
            with TlsSender(opened.port, client) as sender:
                sender.associate()
                assert sender.store(DATA) == 0
                was_let_in = True
        except (OSError, EOFError):
            was_let_in = False
    assert was_let_in is is_let_in


def test_a_renewed_certificate_serves_new_connections(authority: Authority, files: TlsFiles, tmp_path: Path) -> None:
    client = client_rules(authority)
    with door(tmp_path / "data", tls=rules_of(files)) as opened, TlsSender(opened.port, client) as old:
        old.associate()
        authority.sign("gateway")
        with TlsSender(opened.port, client) as new:
            assert new.tls.getpeercert(True) != old.tls.getpeercert(True)
            new.associate()
            assert new.store(DATA, "1.2.1") == 0
        assert old.store(DATA, "1.2.2") == 0


def test_files_that_do_not_fit_leave_the_last_good_ones(authority: Authority, files: TlsFiles) -> None:
    failures: list[str] = []
    rules = RenewedRules(files, lambda error: failures.append(str(error)))
    good = rules()
    files.key.write_text("half of a k")
    assert rules() is good
    assert rules() is good
    assert len(failures) == 1
    assert str(files.key) in failures[0]
    files.key.unlink()
    assert rules() is good
    assert len(failures) == 2
    authority.sign("gateway")
    assert rules() is not good


def test_certificates_that_cannot_be_used_are_named(authority: Authority, files: TlsFiles, tmp_path: Path) -> None:
    other = authority.sign("other")[1]
    for wrong in (
        TlsFiles(files.certificate, other),
        TlsFiles(files.certificate, tmp_path / "missing"),
        TlsFiles(files.key, files.key),
    ):
        with pytest.raises(UnusableCertificate, match=f"{wrong.certificate} and {wrong.key} can't be used: .+"):
            listening_rules(wrong)
    with pytest.raises(UnusableCertificate, match="the authorities in .*gateway.key can't be used: "):
        listening_rules(TlsFiles(files.certificate, files.key, files.key))


def test_dcmtk_under_tls(authority: Authority, tmp_path: Path) -> None:
    """As processes: a client certificate is asked for, and renewed ones are used."""
    tls = TlsFiles(*authority.sign("gateway"), authority.certificate)
    certificate, key = authority.sign("sender")
    options = ["+tls", str(key), str(certificate), "+cf", str(authority.certificate)]
    data = file_bytes("1.2.840.10008.1.2.1", SOPClassUID="1.2.840.10008.5.1.4.1.1.2", SOPInstanceUID="1.2.3",
                      PatientName="Doe^Jane", BitsAllocated=16, PixelData=DATA)  # fmt: skip
    (tmp_path / "one.dcm").write_bytes(data)
    with house(tmp_path / "data", tls=tls) as gateway:
        done = run("echoscu", "-v", "-aec", "KARNAK", *options, "127.0.0.1", str(gateway.port))
        assert done.returncode == 0, done.stderr
        authority.sign("gateway")
        done = storescu(gateway.port, tmp_path / "one.dcm", options=options)
        assert done.returncode == 0, done.stderr
        ((uid, stored),) = gateway.content()
        assert uid == "1.2.3"
        assert data.endswith(stored)
        refused = run("echoscu", "-v", "-aec", "KARNAK", "+tla", "-ic", "127.0.0.1", str(gateway.port))
        assert refused.returncode != 0
        gateway.wait(lambda: gateway.events)
    assert [values["reason"] for _, values in gateway.events] == ["no agreement on TLS"]
