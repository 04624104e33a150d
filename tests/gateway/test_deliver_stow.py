"""Delivery by STOW-RS: what the service says of an instance is what becomes of it, and no word of it is repeated."""

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from itertools import count
from pathlib import Path

import pytest
from pydicom import dcmread
from starlette.responses import JSONResponse, Response

from karnak.errors import KarnakError
from karnak.gateway.deliver.credentials import Basic
from karnak.gateway.deliver.parcel import Answer, Delivered, DeliveryError, Parcel, Refused
from karnak.gateway.deliver.service import Service
from karnak.gateway.deliver.stow import StowDestination
from karnak.gateway.deliver.tls import RenewedTrust, Trust
from karnak.testing.specimen import EXPLICIT, encoded, leaf
from tests.gateway.certificates import Authority
from tests.gateway.instances import SECONDARY_CAPTURE
from tests.gateway.test_stow_response import XML
from tests.gateway.web import (
    Answering,
    Asked,
    Script,
    WebService,
    bytes_service,
    http2_service,
    read_request,
    web_service,
)

SECRET = "DOE^JANE"


def parcel(number: int = 1, size: int = 1000) -> Parcel:
    data_set = encoded([leaf("SOPClassUID", SECONDARY_CAPTURE), leaf("SOPInstanceUID", f"2.25.{number}"),
                        leaf("PatientName", "P^1"), leaf("PixelData", bytes(size), "OW")])  # fmt: skip
    return Parcel((data_set[:70], memoryview(data_set)[70:]), EXPLICIT, SECONDARY_CAPTURE, f"2.25.{number}")


def _rules(trust: Trust) -> RenewedTrust:
    return RenewedTrust(trust, _fails)


def _fails(error: KarnakError) -> None:
    raise AssertionError(error)


def boundaries() -> Iterator[str]:
    return (f"{number:032x}" for number in count(0xABCDEF))


def destination(to: WebService, **settings: object) -> StowDestination:
    waits = {"connect_timeout": 5.0, "send_timeout": 5.0, "response_timeout": 5.0}
    new = boundaries()
    return StowDestination(Service(**{"url": to.url, **waits, **settings}), lambda: next(new))  # type: ignore[arg-type]


def send(made: StowDestination, *numbers: int) -> list[Answer]:
    try:
        return list(made.deliver([parcel(number) for number in numbers]))
    finally:
        made.close()


def item(uid: str, **reasons: int) -> dict[str, object]:
    tags = {"warning": "00081196", "failure": "00081197"}
    return {
        "00081150": {"vr": "UI", "Value": [SECONDARY_CAPTURE]},
        "00081155": {"vr": "UI", "Value": [uid]},
        **{tags[name]: {"vr": "US", "Value": [reason]} for name, reason in reasons.items()},
    }


def report(stored: list[dict[str, object]], failed: list[dict[str, object]] | None = None) -> dict[str, object]:
    made: dict[str, object] = {"00081199": {"vr": "SQ", "Value": stored}} if stored else {}
    return made | ({"00081198": {"vr": "SQ", "Value": failed}} if failed else {})


def says(status: int, document: object = None) -> Answering:
    def answer(asked: Asked) -> Response:
        if document is None:
            return Response(SECRET, status, media_type="text/plain")
        return Response(json.dumps(document), status, media_type="application/dicom+json")

    return answer


def takes_all(asked: Asked) -> Response:
    """Answer as PS3.18 asks, from what is in the request."""
    uids = [str(dcmread(BytesIO(content)).SOPInstanceUID) for _, content in asked.parts()]
    return JSONResponse(report([item(uid) for uid in uids]), media_type="application/dicom+json")


def test_several_instances_go_in_one_request_as_whole_files() -> None:
    with web_service(takes_all) as to:
        assert send(destination(to, headers={"X-Trial": "1"}), 1, 2, 3) == [Delivered()] * 3
    (asked,) = to.asked
    assert (asked.method, asked.path) == ("POST", "/dicom-web/studies")
    assert asked.headers["content-length"] == str(len(asked.body))
    assert "transfer-encoding" not in asked.headers
    assert asked.headers["accept"] == "application/dicom+json, application/dicom+xml;q=0.5"
    assert asked.headers["x-trial"] == "1"
    assert "authorization" not in asked.headers
    parts = asked.parts()
    assert [head for head, _ in parts] == [b"Content-Type: application/dicom"] * 3
    assert [content for _, content in parts] == [b"".join(parcel(number).file()) for number in (1, 2, 3)]


def test_large_instances_are_streamed_and_requests_stay_bearable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("karnak.gateway.deliver.stow._MAXIMUM_REQUEST", 3_000_000)
    parcels = [parcel(number, size) for number, size in enumerate((1_000_000, 1_500_000, 1_000_000, 9_000_000, 10))]
    with web_service(takes_all) as to:
        made = destination(to)
        assert list(made.deliver(parcels)) == [Delivered()] * 5
        made.close()
    sent = [[content for _, content in asked.parts()] for asked in to.asked]
    wanted = [b"".join(one.file()) for one in parcels]
    assert sent == [wanted[:2], wanted[2:3], wanted[3:4], wanted[4:]]
    assert len({asked.headers["content-type"] for asked in to.asked}) == 4


@pytest.mark.parametrize(
    ("status", "document", "answers"),
    [
        (200, None, [Delivered(), Delivered()]),
        (200, {}, [Delivered(), Delivered()]),
        (200, report([item("2.25.1")]), [Delivered(), Refused("the service's answer leaves the instance out")]),
        (
            202,
            report([item("2.25.1", warning=0xB000)], [item("2.25.2", failure=0xA700)]),
            [
                Delivered("the service warns: reason B000H (coercion of data elements)"),
                Refused("the service did not store the instance: reason A700H (out of resources)"),
            ],
        ),
        (
            409,
            report([], [item("2.25.1", failure=0x0111), item("2.25.2", failure=0xC001)]),
            [
                Delivered("the service has had this instance already"),
                Refused("the service did not store the instance: reason C001H (cannot understand)"),
            ],
        ),
        (
            409,
            [report([], [item("2.25.1", failure=0xA901)]), report([item("2.25.2")])],
            [
                Refused("the service did not store the instance: reason A901H (data set doesn't match SOP Class)"),
                Delivered(),
            ],
        ),
        (202, None, [Refused("the service answered 202 (Accepted) and did not say why")] * 2),
        (202, report([], [item("2.25.1"), item("2.25.2", failure=0x4711)]),
            [Refused("the service did not store the instance: no reason is given"),
             Refused("the service did not store the instance: reason 4711H")]),
    ],
)  # fmt: skip
def test_each_instance_gets_what_the_service_says_of_it(status: int, document: object, answers: list[Answer]) -> None:
    with web_service(says(status, document)) as to:
        assert send(destination(to), 1, 2) == answers
    assert len(to.asked) == 1


def test_an_answer_can_be_xml() -> None:
    def answer(asked: Asked) -> Response:
        return Response(XML, 202, media_type="application/dicom+xml")

    with web_service(answer) as to:
        refusal = "the service did not store the instance: reason A900H (data set doesn't match SOP Class)"
        assert send(destination(to), 1, 2) == [Delivered(), Refused(refusal)]


def test_an_answer_without_end_says_nothing() -> None:
    def answer(asked: Asked) -> Response:
        return Response(b" " * 5_000_000 + b"{}", 202, media_type="application/dicom+json")

    with web_service(answer) as to:
        assert send(destination(to), 1) == [Refused("the service answered 202 (Accepted) and did not say why")]


def has(*uids: str, status: int = 409, answer: Response | None = None) -> Answering:
    """A service that has instances, tells nobody why it takes nothing, and can be asked for what it has."""

    def respond(asked: Asked) -> Response:
        if asked.method == "POST":
            return Response(SECRET, status, media_type="text/plain")
        if answer is not None:
            return answer
        found = [
            {"00080018": {"vr": "UI", "Value": [uid]}} for uid in uids if asked.path.endswith(f"?SOPInstanceUID={uid}")
        ]
        return Response(json.dumps(found), 200 if found else 204, media_type="application/dicom+json")

    return respond


def known(number: int) -> Parcel:
    return replace(parcel(number), study_instance_uid="1.2.1", series_instance_uid="1.2.2")


@pytest.mark.parametrize("status", [202, 409])
def test_what_a_service_has_already_is_delivered(status: int) -> None:
    """It says so to nobody; it is asked for each instance alone."""
    with web_service(has("2.25.1", "2.25.4", status=status)) as to:
        made = destination(to, headers={"X-Trial": "1"})
        found = list(made.deliver([known(number) for number in (1, 2, 4)]))
        made.close()
    phrase = {202: "202 (Accepted)", 409: "409 (Conflict)"}[status]
    there = Delivered(f"the service answered {phrase}, and has the instance")
    assert found == [there, Refused(f"the service answered {phrase} and did not say why"), there]
    questions = [asked for asked in to.asked if asked.method == "GET"]
    assert [asked.path for asked in questions] == [
        f"/dicom-web/studies/1.2.1/series/1.2.2/instances?SOPInstanceUID=2.25.{number}" for number in (1, 2, 4)
    ]
    assert {(asked.headers["accept"], asked.headers["x-trial"]) for asked in questions} == {
        ("application/dicom+json", "1")
    }


@pytest.mark.parametrize(
    "answer",
    [
        Response("[]", media_type="application/dicom+json"),
        Response(json.dumps([{"00080018": {"vr": "UI", "Value": ["2.25.10"]}}]), media_type="application/dicom+json"),
        Response(json.dumps([{"00080018": {"vr": "UI", "Value": ["2.25.1"]}}]), 500, media_type="application/json"),
        Response("2.25.1", media_type="text/plain"),
        Response("[1]", media_type="application/dicom+json"),
        Response("[" * 100_000, media_type="application/dicom+json"),
        Response("{", media_type="application/dicom+json"),
        Response(SECRET, 404),
        Response(SECRET, 401),
        Response(SECRET, 302, {"Location": "http://192.0.2.1/"}),
    ],
)
def test_what_a_service_does_not_show_is_not_delivered(answer: Response) -> None:
    with web_service(has(answer=answer)) as to:
        made = destination(to)
        assert list(made.deliver([known(1)])) == [Refused("the service answered 409 (Conflict) and did not say why")]
        made.close()


def test_nobody_is_asked_for_what_has_no_series() -> None:
    with web_service(has("2.25.1")) as to:
        assert send(destination(to), 1) == [Refused("the service answered 409 (Conflict) and did not say why")]
    assert [asked.method for asked in to.asked] == ["POST"]


@pytest.mark.parametrize("status", [400, 409, 413, 415, 422, 500])
def test_what_nobody_is_named_for_is_sent_in_smaller_requests(status: int) -> None:
    """One instance that the service stumbles over doesn't hold up those beside it."""

    def answer(asked: Asked) -> Response:
        uids = [str(dcmread(BytesIO(content)).SOPInstanceUID) for _, content in asked.parts()]
        return Response(SECRET, status) if "2.25.3" in uids else takes_all(asked)

    with web_service(answer) as to:
        found = send(destination(to), 1, 2, 3, 4)
    assert [found[0], found[1], found[3]] == [Delivered()] * 3
    assert isinstance(found[2], Refused)
    assert found[2].reason.startswith(f"the service answered {status} (")
    assert [len(asked.parts()) for asked in to.asked] == [4, 2, 2, 1, 1]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (204, "the service answered 204 (No Content)"),
        (302, "the service redirects with 302 (Found), and redirects are not followed: change the URL"),
        (307, "the service redirects with 307 (Temporary Redirect), and redirects are not followed: change the URL"),
        (401, "the service answered 401 (Unauthorized): it wants other credentials"),
        (403, "the service answered 403 (Forbidden): we may not store there"),
        (404, "the service answered 404 (Not Found): there is no STOW-RS at this URL"),
        (429, "the service answered 429 (Too Many Requests)"),
        (502, "the service answered 502 (Bad Gateway)"),
        (503, "the service answered 503 (Service Unavailable)"),
        (599, "the service answered 599"),
    ],
)
def test_a_service_that_takes_nothing_is_named_and_not_quoted(status: int, message: str) -> None:
    def answer(asked: Asked) -> Response:
        headers = {"Location": f"http://127.0.0.1:1/{SECRET}", "WWW-Authenticate": SECRET}
        return Response(SECRET if status != 204 else None, status, headers=headers)

    with web_service(answer) as to, pytest.raises(DeliveryError) as caught:
        send(destination(to), 1, 2)
    assert str(caught.value) == message
    assert len(to.asked) == 1


def test_basic_credentials_are_sent_and_stand_in_no_repr() -> None:
    basic = Basic("trial", "gehörtmir")
    with web_service(takes_all) as to:
        made = StowDestination(Service(to.url), lambda: "b" * 32, basic)
        assert send(made, 1) == [Delivered()]
    assert to.asked[0].headers["authorization"] == "Basic dHJpYWw6Z2Vow7ZydG1pcg=="
    assert "geh" not in repr(basic)


def falls_silent(connection: socket.socket) -> None:
    read_request(connection)
    threading.Event().wait(20)


def stops_taking(connection: socket.socket) -> None:
    connection.recv(1000)
    threading.Event().wait(20)


def cuts_the_line(connection: socket.socket) -> None:
    connection.recv(1000)


def drips(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(1000):
        connection.sendall(b" ")
        threading.Event().wait(0.05)


def answers_nonsense(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"DOE^JANE\r\n\r\n")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (falls_silent, "no answer in time"),
        (stops_taking, "the service stopped taking data"),
        (drips, "no answer in time"),
    ],
)
def test_a_service_that_is_slow_is_left_in_time(script: Script, reason: str) -> None:
    with bytes_service(script) as to:
        made = destination(to, send_timeout=0.5, response_timeout=0.5)
        assert list(made.deliver([parcel(1, 20_000_000), parcel(2)])) == [Refused(reason)] * 2
        made.close()
    assert len(to.asked) == 1


@pytest.mark.parametrize("script", [cuts_the_line, answers_nonsense])
def test_a_service_that_breaks_off_is_asked_twice(script: Script) -> None:
    with bytes_service(script) as to:
        made = destination(to, send_timeout=60, response_timeout=60)
        assert list(made.deliver([parcel(1, 1_000_000)])) == [Refused("the connection broke before the answer")]
        made.close()
    assert len(to.asked) == 2


ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nContent-Length: 49\r\n\r\n"
    b'{"00081199":{"vr":"SQ","Value":[]},"00081198":{}}'
)


def test_an_answer_that_breaks_off_at_any_byte_is_no_delivery() -> None:
    sent = 0

    def breaks_off(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(ANSWER[:sent])

    # Once the head is whole the service has answered; what it said of the instance is not known.
    whole = ANSWER.index(b"\r\n\r\n") + 4
    with bytes_service(breaks_off) as to:
        made = destination(to)
        for sent in range(len(ANSWER)):
            (answer,) = made.deliver([parcel(1, 10)])
            assert isinstance(answer, Refused), sent
            asked = len(to.asked)
        made.close()
    assert whole < len(ANSWER) <= asked


@pytest.mark.parametrize("count", [0, 1, 20, 80, -1])
def test_an_answer_that_stops_at_a_byte_is_left(count: int) -> None:
    def stops(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(ANSWER[:count])
        threading.Event().wait(20)

    with bytes_service(stops) as to:
        made = destination(to, response_timeout=0.3)
        assert list(made.deliver([parcel(1, 10)])) == [Refused("no answer in time")]
        made.close()
    assert len(to.asked) == 1


@pytest.mark.parametrize("hundred", [3, 4, 5])
def test_no_status_of_redirection_or_failure_is_a_delivery(hundred: int) -> None:
    status = 0

    def answer(asked: Asked) -> Response:
        return Response(SECRET if status != 304 else None, status, headers={"WWW-Authenticate": SECRET})

    with web_service(answer) as to:
        made = destination(to)
        for status in range(100 * hundred, 100 * hundred + 100):
            try:
                (said,) = made.deliver([parcel(1, 10)])
                assert isinstance(said, Refused)
                reason = said.reason
            except DeliveryError as error:
                reason = str(error)
            assert f" {status}" in reason
            assert SECRET not in reason
        made.close()
    assert len(to.asked) == 100


def test_a_connection_that_broke_is_replaced_once() -> None:
    def answers(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        threading.Event().wait(5)

    with bytes_service(cuts_the_line, answers) as to:
        assert send(destination(to), 1) == [Delivered()]
    assert len(to.asked) == 2


def test_no_proxy_of_the_environment_gets_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with web_service(takes_all) as to:
        assert send(destination(to), 1) == [Delivered()]


def test_nobody_listens() -> None:
    with bytes_service(falls_silent) as to:
        pass
    with pytest.raises(DeliveryError, match=r"^no connection: Connection refused$"):
        send(destination(to), 1)


def test_a_destination_that_was_closed_sends_nothing() -> None:
    with web_service(takes_all) as to:
        made = destination(to)
        made.close()
        with pytest.raises(DeliveryError, match="the gateway is being stopped"):
            made.deliver([parcel(1)])
    assert to.asked == []


def test_tls_and_whom_it_trusts(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    with web_service(takes_all, tls=authority.issue("server")) as to:
        assert send(destination(to, tls=_rules(Trust(authority.file))), 1) == [Delivered()]
        with pytest.raises(DeliveryError, match=r"^the service's certificate is not trusted$"):
            send(destination(to, tls=_rules(Trust(other.file))), 1)
        assert send(destination(to, tls=_rules(Trust(verify=False))), 1) == [Delivered()]
    assert len(to.asked) == 2


def test_renewed_authorities_hold_for_the_next_request(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(other.file.read_bytes())
    failures: list[str] = []
    with web_service(takes_all, tls=authority.issue("server")) as to:
        made = destination(to, tls=RenewedTrust(Trust(trusted), lambda error: failures.append(str(error))))
        with pytest.raises(DeliveryError, match="the service's certificate is not trusted"):
            made.deliver([parcel(1)])
        trusted.write_bytes(authority.file.read_bytes() + b"\n")
        assert list(made.deliver([parcel(1)])) == [Delivered()]
        trusted.write_text("half of a certificate")
        assert list(made.deliver([parcel(2)])) == [Delivered()]
        assert failures == ["trusted.pem holds no certificates in PEM form"]
        trusted.write_bytes(other.file.read_bytes())
        with pytest.raises(DeliveryError, match="the service's certificate is not trusted"):
            made.deliver([parcel(3)])
        made.close()
    assert len(to.asked) == 2


def test_http_2_where_the_service_speaks_it(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    document = json.dumps(report([item("2.25.1"), item("2.25.2")])).encode()
    with http2_service(authority.issue("server"), 200, document) as to:
        made = destination(to, tls=_rules(Trust(authority.file)))
        parcels = [parcel(1, 1_000_000), parcel(2)]
        assert list(made.deliver(parcels)) == [Delivered()] * 2
        made.close()
        (asked,) = to.asked
        assert (asked.method, asked.path) == ("POST", "/dicom-web/studies")
        assert [content for _, content in asked.parts()] == [b"".join(one.file()) for one in parcels]
        only_one = destination(to, tls=_rules(Trust(authority.file)), http2=False)
        assert send(only_one, 1) == [Refused("the connection broke before the answer")]


def test_requests_of_several_threads_do_not_mix() -> None:
    with web_service(takes_all) as to:
        made = destination(to, connections=3)
        answers: dict[int, list[Answer]] = {}

        def work(start: int) -> None:
            answers[start] = list(made.deliver([parcel(number) for number in range(start, start + 4)]))

        threads = [threading.Thread(target=work, args=(start,)) for start in range(0, 24, 4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        made.close()
    assert answers == {start: [Delivered()] * 4 for start in range(0, 24, 4)}
    uids = [str(dcmread(BytesIO(content)).SOPInstanceUID) for asked in to.asked for _, content in asked.parts()]
    assert sorted(uids) == sorted(f"2.25.{number}" for number in range(24))
