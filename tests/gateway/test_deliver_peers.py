"""Delivery to dcmtk's storescp: with TLS, and where it takes only one transfer syntax."""

import ssl
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread

from karnak.errors import KarnakError
from karnak.gateway.deliver.association import Peer
from karnak.gateway.deliver.dicom import DicomDestination
from karnak.gateway.deliver.parcel import Delivered, DeliveryError, Parcel
from karnak.gateway.deliver.tls import RenewedTrust, TlsError, Trust, client_context
from karnak.testing.specimen import DEFLATED, EXPLICIT, IMPLICIT, encoded, leaf
from tests.gateway.certificates import Authority, Pair
from tests.gateway.instances import SECONDARY_CAPTURE
from tests.system.programs import storescp

ELEMENTS = (leaf("SOPClassUID", SECONDARY_CAPTURE), leaf("SOPInstanceUID", "2.25.1"), leaf("PatientName", "P^1"),
            leaf("PixelRepresentation", 1), leaf("SmallestImagePixelValue", (-3,), "SS"),
            leaf("PixelData", bytes(range(256)) * 4000, "OW"))  # fmt: skip


def parcel(syntax: str, number: int = 1) -> Parcel:
    data_set = encoded(ELEMENTS, syntax)
    return Parcel((data_set[:400], memoryview(data_set)[400:]), syntax, SECONDARY_CAPTURE, f"2.25.{number}")


def _fails(error: KarnakError) -> None:
    raise AssertionError(error)


def destination(port: int, trust: Trust | None = None) -> DicomDestination:
    tls = RenewedTrust(trust, _fails) if trust is not None else None
    return DicomDestination(Peer("STORESCP", "127.0.0.1", port, "KARNAK", 10, 10, tls), 1)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, DEFLATED])
@pytest.mark.parametrize(("option", "accepted"), [("+xi", IMPLICIT), ("+xe", EXPLICIT)])
def test_storescp_gets_what_it_takes(tmp_path: Path, syntax: str, option: str, accepted: str) -> None:
    # With +xe it takes Implicit VR Little Endian too, as everybody must (PS3.5 section 10.1).
    wanted = IMPLICIT if syntax == IMPLICIT else accepted
    with storescp(tmp_path / "got", option) as port:
        made = destination(port)
        assert made.deliver([parcel(syntax)]) == [Delivered()]
        made.close()
    (file,) = (tmp_path / "got").iterdir()
    read = dcmread(file)
    assert read.file_meta.TransferSyntaxUID == wanted
    assert file.read_bytes().endswith(encoded(ELEMENTS, wanted))
    assert read == dcmread(BytesIO(b"".join(parcel(EXPLICIT).file())))
    assert read.SmallestImagePixelValue == -3


def tls_options(server: Pair, authority: Authority) -> tuple[str, ...]:
    return ("+tls", str(server.key), str(server.certificate), "+cf", str(authority.file))


def test_tls_with_a_client_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    client = authority.issue("client")
    trust = Trust(authority.file, client.certificate, client.key)
    with storescp(tmp_path / "got", *tls_options(authority.issue("server"), authority)) as port:
        made = destination(port, trust)
        parcels = [parcel(EXPLICIT, number) for number in range(5)]
        assert made.deliver(parcels[:3]) == [Delivered()] * 3
        # The association is used again, whatever TLS has said on its own account meanwhile.
        (idle,) = (association for association, _ in made._idle)
        assert idle.usable()
        assert made.deliver(parcels[3:]) == [Delivered()] * 2
        assert [association for association, _ in made._idle] == [idle]
        made.close()
    files = sorted((tmp_path / "got").iterdir())
    assert len(files) == 5
    assert all(file.read_bytes().endswith(encoded(ELEMENTS)) for file in files)


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("another authority", "its certificate is signed by an authority that isn't trusted"),
        ("another host", "its certificate is for another host"),
        ("expired", "its certificate has expired"),
    ],
)
def test_a_peer_that_can_not_be_trusted_gets_nothing(tmp_path: Path, what: str, message: str) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    server = {
        "another authority": lambda: other.issue("server"),
        "another host": lambda: authority.issue("server", host="10.0.0.1"),
        "expired": lambda: authority.issue("server", valid=timedelta(days=-1)),
    }[what]()
    with storescp(tmp_path / "got", *tls_options(server, authority), "-ic") as port:
        made = destination(port, Trust(authority.file))
        with pytest.raises(DeliveryError) as caught:
            made.deliver([parcel(EXPLICIT)])
        made.close()
        assert str(caught.value) == f"the peer can't be trusted: {message}"
        if what == "another host":
            made = destination(port, Trust(authority.file, check_host=False))
            assert made.deliver([parcel(EXPLICIT)]) == [Delivered()]
            made.close()
        made = destination(port, Trust(verify=False))
        assert made.deliver([parcel(EXPLICIT)]) == [Delivered()]
        made.close()


def test_a_peer_that_asks_for_a_certificate_and_gets_none(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with storescp(tmp_path / "got", *tls_options(authority.issue("server"), authority), "-rc") as port:
        made = destination(port, Trust(authority.file))
        with pytest.raises(DeliveryError, match=r"TLS|the peer closed the connection instead"):
            made.deliver([parcel(EXPLICIT)])
        made.close()
    assert list((tmp_path / "got").iterdir()) == []


def test_a_renewed_certificate_is_shown_to_the_next_association(tmp_path: Path) -> None:
    """The first one is of an authority that the peer doesn't know; then it is replaced, and nobody reloads anything."""
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    wrong, good = other.issue("wrong"), authority.issue("good")
    own = tmp_path / "own.pem"
    own.write_bytes(wrong.certificate.read_bytes() + wrong.key.read_bytes())
    with storescp(tmp_path / "got", *tls_options(authority.issue("server"), authority), "-rc") as port:
        made = destination(port, Trust(authority.file, own))
        with pytest.raises(DeliveryError, match=r"TLS|the peer closed the connection instead"):
            made.deliver([parcel(EXPLICIT)])
        own.write_bytes(good.certificate.read_bytes() + good.key.read_bytes())
        assert made.deliver([parcel(EXPLICIT)]) == [Delivered()]
        made.close()


def test_tls_to_a_peer_without(tmp_path: Path) -> None:
    with storescp(tmp_path / "got") as port:
        made = DicomDestination(
            Peer("STORESCP", "127.0.0.1", port, "KARNAK", 1, 1, RenewedTrust(Trust(verify=False), _fails)), 1
        )
        with pytest.raises(DeliveryError, match=r"the peer and we agree on no TLS|no connection within 1 s"):
            made.deliver([parcel(EXPLICIT)])
        made.close()


def test_tls_is_at_least_1_2_with_forward_secrecy() -> None:
    context = client_context(Trust())
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    suites = context.get_ciphers()
    assert {suite["protocol"] for suite in suites} == {"TLSv1.2", "TLSv1.3"}
    for suite in suites:
        assert suite["protocol"] == "TLSv1.3" or suite["name"].startswith(("ECDHE-", "DHE-"))
        assert suite["aead"]


def test_files_for_tls_that_can_not_be_used(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    one, two = authority.issue("one"), other.issue("two")
    (tmp_path / "nothing.pem").write_text("nothing")
    for trust, message in (
        (Trust(tmp_path / "missing.pem"), "missing.pem can't be read: No such file or directory"),
        (Trust(tmp_path / "nothing.pem"), "nothing.pem holds no certificates in PEM form"),
        (Trust(certificate_file=one.certificate, key_file=two.key), "one.pem and two.key: no certificate in PEM form"),
        (Trust(certificate_file=one.certificate), "one.pem: no certificate in PEM form with its key"),
        (Trust(certificate_file=tmp_path / "missing.pem"), "missing.pem can't be read"),
    ):
        with pytest.raises(TlsError) as caught:
            client_context(trust)
        assert str(caught.value).startswith(message)
