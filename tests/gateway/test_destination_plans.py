"""Destinations are made of their settings, and what can't work is said where it stands."""

from collections.abc import Callable
from pathlib import Path

import pytest

from karnak.dsl.diagnostics import Diagnostic, Severity
from karnak.dsl.nodes import Source
from karnak.gateway.config_destinations import DicomEntry, FolderEntry, StowEntry
from karnak.gateway.config_reading import read_config
from karnak.gateway.deliver.backoff import Backoff
from karnak.gateway.deliver.converting import Converting
from karnak.gateway.deliver.credentials import Basic, Bearer, ClientCredentials
from karnak.gateway.deliver.dicom import DicomDestination
from karnak.gateway.deliver.folder import FolderDestination
from karnak.gateway.deliver.stow import StowDestination
from karnak.gateway.deliver.virtual import VirtualDestination
from karnak.gateway.plan import Plan, make_plan
from tests.gateway.certificates import Authority

HEAD = "data_dir: data\nforward_nodes:\n  - ae_title: A\n    sources: any\n    destinations:\n"
DICOM = "type: dicom, ae_title: B, host: 127.0.0.1, port: 104"
STOW = "type: stow, url: 'https://pacs.example/dicom-web'"
FOLDER = "type: folder, path: out"
SECRET = "s3cret"


def config(*destinations: str) -> str:
    lines = (f"      - {{ name: d{number}, mode: none, {one} }}\n" for number, one in enumerate(destinations))
    return HEAD + "".join(lines)


Make = Callable[..., tuple[Plan | None, tuple[Diagnostic, ...]]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    authority = Authority(tmp_path, "ca")
    authority.issue("own")
    for name, text in (("password", SECRET + "\n"), ("two-lines", "a\nb"), ("empty", "\n"), ("spaces", "a b")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    (tmp_path / "open").write_text(SECRET)
    (tmp_path / "open").chmod(0o644)
    (tmp_path / "long").write_text("x" * 70000)

    def made(*destinations: str) -> tuple[Plan | None, tuple[Diagnostic, ...]]:
        return make_plan(Source("gateway.yml", config(*destinations)), tmp_path, {"PASSWORD": SECRET, "EMPTY": ""})

    return made


def test_settings_become_destinations(make: Make, tmp_path: Path) -> None:
    plan, diagnostics = make(
        DICOM + ", transfer_syntax: ImplicitVRLittleEndian, retry: { first: 1, factor: 3, longest: 9 }",
        DICOM + ", tls: { ca_file: ca.pem, certificate_file: own.pem, key_file: own.key, check_host: false }",
        STOW + ", http2: false, instances_per_request: 3, maximum_connections: 7, headers: { X-Trial: one }",
        FOLDER + ", layout: '{PatientID}/{SOPInstanceUID}'",
        "type: virtual",
    )
    assert diagnostics == ()
    assert plan is not None
    implicit, secure, web, folder, nowhere = (outlet.destination for outlet in plan.nodes[0].outlets)
    assert isinstance(implicit, DicomDestination)
    assert implicit._transfer_syntax_uid == "1.2.840.10008.1.2"
    assert implicit._peer.tls is None
    assert isinstance(secure, DicomDestination)
    assert secure._transfer_syntax_uid is None
    assert secure._peer.tls is not None
    assert not secure._peer.tls().check_hostname
    assert secure._peer.tls().get_ca_certs()[0]["subject"] == ((("commonName", "ca"),),)
    assert isinstance(web, StowDestination)
    assert str(web) == "https://pacs.example/dicom-web"
    assert (web.at_once, web.parallel) == (3, 7)
    assert web._service.headers == {"X-Trial": "one"}
    assert not web._service.http2
    assert len(web._new_boundary()) == 32
    assert web._new_boundary() != web._new_boundary()
    assert isinstance(folder, FolderDestination)
    assert len(folder._layout.levels) == 2
    assert isinstance(nowhere, VirtualDestination)
    assert [outlet.backoff for outlet in plan.nodes[0].outlets] == [Backoff(1, 3, 9), *[Backoff(5, 2, 600)] * 4]


def test_credentials_are_read_and_stand_nowhere(make: Make) -> None:
    oauth = "type: oauth2, token_url: 'https://id.example/token', client_id: karnak"
    plan, diagnostics = make(
        STOW + ", auth: { type: basic, user: trial, password_file: password }",
        STOW + ", auth: { type: basic, user: trial, password_env: PASSWORD }",
        STOW + ", auth: { type: bearer, token_file: password }",
        STOW + ", auth: { type: bearer, token_env: PASSWORD }",
        STOW + f", auth: {{ {oauth}, client_secret_env: PASSWORD, scope: a b, client_authentication: body,"
        " parameters: { audience: pacs } }",
    )
    assert diagnostics == ()
    assert plan is not None
    found = []
    for outlet in plan.nodes[0].outlets:
        assert isinstance(outlet.destination, StowDestination)
        found.append(outlet.destination._requests._credentials)
        assert SECRET not in repr(outlet)
    assert found[:2] == [Basic("trial", SECRET)] * 2
    for bearer in found[2:4]:
        assert isinstance(bearer, Bearer)
        assert bearer.header() == f"Bearer {SECRET}"
    assert isinstance(found[4], ClientCredentials)
    client = found[4]._client
    assert (client.token_url, client.client_id, client.client_secret) == ("https://id.example/token", "karnak", SECRET)
    assert (client.scope, client.in_body, client.parameters) == ("a b", True, {"audience": "pacs"})


@pytest.mark.parametrize("host", ["127.0.0.1:8042", "localhost", "[::1]:80"])
def test_credentials_that_do_not_leave_the_machine_are_nobodys_business(make: Make, host: str) -> None:
    address = STOW.replace("https://pacs.example", f"http://{host}")
    _, diagnostics = make(address + ", auth: { type: bearer, token_env: PASSWORD }")
    assert diagnostics == ()


def test_a_token_file_is_read_each_time(make: Make, tmp_path: Path) -> None:
    plan, _ = make(STOW + ", auth: { type: bearer, token_file: password }")
    assert plan is not None
    destination = plan.nodes[0].outlets[0].destination
    assert isinstance(destination, StowDestination)
    credentials = destination._requests._credentials
    assert credentials.header() == f"Bearer {SECRET}"
    (tmp_path / "password").write_text("another")
    assert credentials.renew(f"Bearer {SECRET}")
    assert credentials.header() == "Bearer another"


def test_a_transfer_syntax_goes_before_services_and_folders(make: Make, tmp_path: Path) -> None:
    wanted = ", transfer_syntax: Deflated Explicit VR Little Endian"
    plan, diagnostics = make(STOW + wanted, FOLDER + wanted, STOW + ", transfer_syntax: keep")
    assert diagnostics == ()
    assert plan is not None
    web, folder, kept = (outlet.destination for outlet in plan.nodes[0].outlets)
    for made, kind in ((web, StowDestination), (folder, FolderDestination)):
        assert isinstance(made, Converting)
        assert (made.transfer_syntax_uid, type(made.destination)) == ("1.2.840.10008.1.2.1.99", kind)
    assert isinstance(kept, StowDestination)


@pytest.mark.parametrize(
    ("destination", "code", "message"),
    [
        (STOW + ", transfer_syntax: Implizit", "G209", "there is no transfer syntax Implizit"),
        (FOLDER + ", transfer_syntax: 1.2.840.10008.1.2.4.50", "G210", "Karnak has no codec for it"),
        (DICOM + ", transfer_syntax: Implizit", "G209", "there is no transfer syntax Implizit"),
        (
            DICOM + ", transfer_syntax: 1.2.840.10008.1.2.4.90",
            "G210",
            "instances can't be brought into JPEG 2000 Image Compression (Lossless Only): Karnak has no codec for it",
        ),
        (
            DICOM + ", transfer_syntax: Explicit VR Big Endian",
            "G210",
            "Explicit VR Big Endian: Karnak has no codec for it",
        ),
        (DICOM + ", tls: { ca_file: missing.pem }", "G305", "missing.pem can't be read: No such file or directory"),
        (DICOM + ", tls: { ca_file: password }", "G305", "password holds no certificates in PEM form"),
        (DICOM + ", tls: { key_file: own.key }", "G102", "a `key_file` needs a `certificate_file`"),
        (DICOM + ", tls: { verify: false }", "G213", "whoever pretends to be this peer gets the instances"),
        (FOLDER + ", layout: '{PatientNam}'", "G211", "there is no attribute PatientNam"),
        (FOLDER + ", layout: '../{PatientID}'", "G211", "a name in the layout can't be the name of a file"),
        (FOLDER + ", retry: { first: 10, longest: 5 }", "G212", "`longest` is shorter than `first`"),
        (STOW.replace("https", "http") + ", tls: {}", "G205", "with an address that begins with http:// `tls` has no"),
        (
            STOW.replace("https", "http") + ", auth: { type: bearer, token_env: PASSWORD }",
            "G214",
            "everyone on the way can read these credentials, and the instances",
        ),
        (
            STOW + ", auth: { type: bearer, token_file: missing }",
            "G306",
            "the file missing can't be read: No such",
        ),
        (STOW + ", auth: { type: bearer, token_file: two-lines }", "G306", "there is no token in it"),
        (STOW + ", auth: { type: bearer, token_file: empty }", "G306", "there is no token in it"),
        (STOW + ", auth: { type: bearer, token_file: long }", "G306", "there is no token in it"),
        (STOW + ", auth: { type: bearer, token_env: MISSING }", "G306", "there is no environment variable MISSING"),
        (STOW + ", auth: { type: bearer, token_file: spaces }", "G306", "what is in it can't be a bearer token"),
        (STOW + ", auth: { type: bearer, token_env: EMPTY }", "G306", "there is no token in it"),
        (STOW + ", auth: { type: bearer }", "G102", "one of `token_file` and `token_env` is needed here"),
        (
            STOW + ", auth: { type: basic, user: a, password_file: password, password_env: PASSWORD }",
            "G102",
            "one of `password_file` and `password_env` is needed here",
        ),
        (
            STOW + ", auth: { type: basic, user: a, password_file: open }",
            "G302",
            "everyone on this machine can read the password",
        ),
        (
            STOW + ", auth: { type: oauth2, token_url: 'http://id.a', client_id: a, client_secret_env: PASSWORD }",
            "G214",
            "everyone on the way can read the secret and the tokens",
        ),
    ],
)
def test_what_can_not_work_is_said(make: Make, destination: str, code: str, message: str) -> None:
    plan, diagnostics = make(destination)
    (found,) = diagnostics
    assert found.code == code
    assert message in found.message
    assert SECRET not in found.message + found.hint
    assert found.span.line == 6
    assert (plan is None) == (found.severity is Severity.ERROR)


@pytest.mark.parametrize(
    ("destination", "code", "message"),
    [
        (STOW.replace("https://pacs.example", "ftp://pacs.example"), "G103", "an address here begins with http://"),
        (STOW.replace("pacs.example", "a:b@pacs.example"), "G103", "an address here has no user, no password"),
        (STOW.replace("dicom-web", "dicom-web?a=b"), "G103", "no ? and no #"),
        (STOW.replace("pacs.example", "pacs.example:99999"), "G103", "an address here begins with http://"),
        (STOW + ", headers: { Authorization: x }", "G103", "Karnak sets the header Authorization itself"),
        (STOW + ", headers: { 'X Y': x }", "G103", "a header's name is made of"),
        (STOW + ', headers: { X-Y: "a\\nb" }', "G103", "a header is made of ASCII letters"),
        (STOW + ", auth: { user: a }", "G102", "`type` is missing here"),
        (STOW + ", auth: { type: basik }", "G104", "`type` is basic, bearer or oauth2"),
        (STOW + ", auth: { type: basic, user: a, pasword_env: B }", "G101", "there is no setting `pasword_env` here"),
        (STOW + ", tls: { ca_fil: a }", "G101", "there is no setting `ca_fil` here"),
        (STOW + ", retry: { frist: 1 }", "G101", "there is no setting `frist` here"),
        (STOW + ", retry: { factor: 0.5 }", "G103", "the value must be 1.0 or more"),
        (STOW + ", instances_per_request: 0", "G103", "the value must be 1 or more"),
        ("type: virtual, path: out", "G101", "there is no setting `path` here"),
    ],
)
def test_settings_that_are_no_such_have_a_place(destination: str, code: str, message: str) -> None:
    (found,) = read_config(Source("gateway.yml", config(destination))).diagnostics
    assert found.code == code
    assert message in found.message
    assert found.span.line == 6


def test_defaults() -> None:
    read = read_config(Source("gateway.yml", config(DICOM, STOW, FOLDER))).config
    assert read is not None
    dicom, stow, folder = read.forward_nodes[0].destinations
    assert isinstance(dicom, DicomEntry)
    assert (dicom.transfer_syntax, dicom.tls) == ("keep", None)
    assert (dicom.retry.first, dicom.retry.factor, dicom.retry.longest) == (5, 2, 600)
    assert isinstance(stow, StowEntry)
    assert (stow.auth, stow.tls, stow.headers) == (None, None, {})
    assert isinstance(folder, FolderEntry)
