"""The STOW-RS door over real sockets: what is stored, what is refused and how, and what becomes of broken senders."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pydicom
import pytest
import requests
from dicomweb_client.api import DICOMwebClient

from karnak.gateway.receive.stow_request import Limits
from karnak.gateway.receiving import Receiving
from karnak.runtime.part10 import split_part10
from tests.gateway.receive.stow_doors import NOON, TOKEN, Running, running, wait_until
from tests.gateway.receive.test_stow_request import STUDY, body, data_set, file

TYPE = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=B'}
HEADERS = TOKEN | TYPE
INSTANCES = Path(__file__).resolve().parents[2] / "data" / "instances"


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as made:
        yield made


def post(door: Running, content: Any, path: str = "/dicomweb/studies", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(door.url + path, content=content, headers=HEADERS | named, timeout=30)


def values(item: dict[str, Any]) -> dict[str, Any]:
    return {tag: element["Value"][0] for tag, element in item.items() if "Value" in element}


def test_instances_are_stored_and_the_answer_names_them(door: Running) -> None:
    answer = post(door, body(file(1), file(2)))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/dicom+json")
    said = answer.json()
    assert said["00081190"] == {"vr": "UR"}
    assert [values(item) for item in said["00081199"]["Value"]] == [
        {"00081150": "1.2.840.10008.5.1.4.1.1.7", "00081155": f"1.2.3.{number}"} for number in (1, 2)
    ]
    assert set(said) == {"00081190", "00081199"}
    assert door.data_sets() == [data_set(1), data_set(2)]
    arrival = door.spool.open(door.spool.stored()[0]).arrival
    assert (arrival.calling_ae, arrival.called_ae, arrival.address, arrival.door) == (
        "CT01",
        "KARNAK",
        "127.0.0.1",
        "stow",
    )
    assert (arrival.sop_instance_uid, arrival.transfer_syntax_uid) == ("1.2.3.1", "1.2.840.10008.1.2.1")
    assert arrival.received == NOON
    assert [story[1:] for story in sorted(door.watched.stories)] == [
        (replace(arrival, sop_instance_uid=f"1.2.3.{number}"), len(data_set(number))) for number in (1, 2)
    ]
    assert sorted(story[0] for story in door.watched.stories) == door.spool.stored()
    assert door.watched.refusals == []


def test_real_instances_come_from_dicomweb_client(door: Running) -> None:
    names = ("ct_small", "mr_small_implicit", "nm_jpeg2000", "rtplan", "sc_rle_2frame")
    files = [(INSTANCES / f"{name}.dcm").read_bytes() for name in names]
    session = requests.Session()
    session.headers.update(TOKEN)
    # Small pieces make it send chunked, without a length.
    client = DICOMwebClient(f"{door.url}/dicomweb", session=session, chunk_size=10_000)
    read = [pydicom.dcmread(BytesIO(data)) for data in files]
    answer = client.store_instances(read)
    # As the file meta information says it; one of these files says another in its data set.
    expected = [item.file_meta.MediaStorageSOPInstanceUID for item in read]
    assert [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence] == expected
    assert "FailedSOPSequence" not in answer
    arrivals = [door.spool.open(receipt).arrival for receipt in door.spool.stored()]
    assert [arrival.sop_instance_uid for arrival in arrivals] == expected
    assert [arrival.transfer_syntax_uid for arrival in arrivals] == [item.file_meta.TransferSyntaxUID for item in read]
    session.close()


def test_a_file_comes_out_of_the_spool_byte_by_byte(door: Running) -> None:
    data = (INSTANCES / "ct_small.dcm").read_bytes()
    assert post(door, body(data)).status_code == 200
    assert door.data_sets() == [split_part10(data)[1]]


def test_an_instance_of_another_study_is_refused_and_the_others_are_stored(door: Running) -> None:
    answer = post(door, body(file(1), file(2, study="9.9"), b"no DICOM"), f"/dicomweb/studies/{STUDY}")
    assert answer.status_code == 202
    said = answer.json()
    assert [values(item)["00081155"] for item in said["00081199"]["Value"]] == ["1.2.3.1"]
    assert [values(item) for item in said["00081198"]["Value"]] == [
        {"00081150": "1.2.840.10008.5.1.4.1.1.7", "00081155": "1.2.3.2", "00081197": 0xA900}
    ]
    assert [values(item) for item in said["0008119A"]["Value"]] == [{"00081197": 0xC000}]
    assert door.data_sets() == [data_set(1)]
    assert door.watched.refusals == [("CT01", "KARNAK", 202, 2)]
    assert door.half_received() == []
    answer = post(door, body(file(2, study="9.9")), f"/OTHER/dicomweb/studies/{STUDY}")
    assert answer.status_code == 409
    assert door.watched.refusals[1] == ("CT01", "OTHER", 409, 1)


def test_the_answer_may_be_xml(door: Running) -> None:
    content = body(file(1), file(2, study="9.9"))
    answer = post(door, content, f"/dicomweb/studies/{STUDY}", Accept="application/dicom+xml")
    assert (answer.status_code, answer.headers["content-type"]) == (202, "application/dicom+xml")
    root = ElementTree.fromstring(answer.content)
    space = "{http://dicom.nema.org/PS3.19/models/NativeDICOM}"
    assert root.tag == f"{space}NativeDicomModel"
    found = {
        attribute.get("keyword"): [(item.get("keyword"), item.findtext(f"{space}Value")) for item in attribute[0]]
        for attribute in root
        if len(attribute)
    }
    assert found["ReferencedSOPSequence"] == [
        ("ReferencedSOPClassUID", "1.2.840.10008.5.1.4.1.1.7"),
        ("ReferencedSOPInstanceUID", "1.2.3.1"),
        ("RetrieveURL", None),
    ]
    assert found["FailedSOPSequence"][1:] == [
        ("ReferencedSOPInstanceUID", "1.2.3.2"),
        ("FailureReason", str(0xA900)),
    ]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "application/dicom+json"),
        ("application/json", "application/json"),
        ("application/dicom+xml;q=0.4, application/dicom+json;q=0.5", "application/dicom+json"),
        ("text/html, application/dicom+xml;q=0.9, */*;q=0.8", "application/dicom+xml"),
        ("application/dicom+json;q=0, application/*;q=x, application/dicom+xml;q=0.1", "application/dicom+xml"),
    ],
)
def test_the_answer_is_what_its_reader_likes_best(door: Running, accept: str, kind: str) -> None:
    assert post(door, body(file(1)), Accept=accept).headers["content-type"] == kind


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/dicomweb/studies", {"Authorization": "Bearer wrong"}, 401),
        ("/dicomweb/studies", {"Authorization": ""}, 401),
        ("/dicomweb/studies", {"Authorization": "Bearer secret-of-mr01"}, 403),
        ("/NOBODY/dicomweb/studies", {}, 403),
        ("/dicomweb/studies", {"Content-Type": "application/dicom"}, 415),
        ("/dicomweb/studies", {"Content-Type": 'multipart/related; type="application/dicom+json"; boundary=B'}, 415),
        ("/dicomweb/studies", {"Content-Type": 'multipart/form-data; type="application/dicom"; boundary=B'}, 415),
        ("/dicomweb/studies", {"Content-Type": ""}, 415),
        ("/dicomweb/studies", {"Content-Type": 'multipart/related; type="application/dicom"'}, 400),
        ("/dicomweb/studies", {"Content-Type": 'multipart/related; type="application/dicom"; boundary=A'}, 400),
        ("/dicomweb/studies", {"Accept": "text/html"}, 406),
    ],
)
def test_what_is_not_as_it_should_be_is_refused(door: Running, path: str, headers: dict[str, str], status: int) -> None:
    answer = httpx.post(door.url + path, content=body(file(1)), headers=HEADERS | headers, timeout=30)
    assert answer.status_code == status
    assert door.data_sets() == []
    assert len(door.watched.refusals) == 1
    assert door.watched.refusals[0][2] == status
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
        assert door.watched.refusals[0] == ("", "", 401, 0)


def test_each_token_stands_for_its_ae_title_and_the_address_may_name_the_node(door: Running) -> None:
    answer = post(door, body(file(1)), "/OTHER/dicomweb/studies", Authorization="Bearer secret-of-mr01")
    assert answer.status_code == 200
    arrival = door.watched.stories[0][1]
    assert (arrival.calling_ae, arrival.called_ae) == ("MR01", "OTHER")


def test_an_address_that_is_no_ae_title_is_not_told(door: Running) -> None:
    assert post(door, body(file(1)), "/DOE_JANE_1970-01-01/dicomweb/studies").status_code == 403
    assert post(door, body(file(1)), "/SIXTEEN_LETTERS_/dicomweb/studies").status_code == 403
    assert door.watched.refusals == [("CT01", "", 403, 0), ("CT01", "SIXTEEN_LETTERS_", 403, 0)]


def test_errors_are_problem_details(door: Running) -> None:
    answer = post(door, body(file(1)), Authorization="Bearer wrong")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "a bearer token is needed, one that is known",
    }


def test_other_methods_and_addresses_are_not_there(door: Running) -> None:
    assert httpx.get(f"{door.url}/dicomweb/studies", headers=HEADERS).status_code == 405
    assert httpx.post(f"{door.url}/dicomweb/series", headers=HEADERS).status_code == 404


def test_a_nearly_full_disk_asks_to_come_again_and_takes_nothing(tmp_path: Path) -> None:
    full = [True]
    with running(tmp_path, full=lambda: full[0]) as door:
        answer = post(door, body(file(1)))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
        assert door.data_sets() == []
        full[0] = False
        assert post(door, body(file(1))).status_code == 200


@pytest.mark.parametrize("said", [True, False])
def test_a_body_that_is_too_large_is_refused_with_or_without_a_length(tmp_path: Path, said: bool) -> None:
    large = body(file(1), file(2))
    with running(tmp_path, limits=Limits(request_bytes=len(large) - 1)) as door:
        answer = post(door, large if said else iter([large[:100], large[100:]]))
        assert answer.status_code == 413
        assert len(door.data_sets()) in ((0,) if said else (0, 1))
        assert door.half_received() == []


def test_a_large_instance_streams_through_in_bounded_memory(door: Running) -> None:
    head, piece, count = file(1), bytes(range(256)) * 4096, 64
    size = piece.__len__() * count

    def pieces() -> Iterator[bytes]:
        start = b"--B\r\n\r\n" + head + b"\xe0\x7f\x10\x00OB\0\0" + size.to_bytes(4, "little")
        yield start
        for _ in range(count):
            yield piece
        yield b"\r\n--B--"

    assert post(door, pieces()).status_code == 200
    held = door.spool.open(door.spool.stored()[0])
    assert held.size == len(data_set(1)) + 12 + size
    assert bytes(held.data_set()[-len(piece) :]) == piece
    held.close()


def connection(door: Running, *lines: str) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", door.port), timeout=30)
    head = [
        "POST /dicomweb/studies HTTP/1.1",
        "Host: karnak",
        *(f"{name}: {HEADERS[name]}" for name in HEADERS),
        *lines,
    ]
    made.sendall("\r\n".join([*head, "", ""]).encode())
    return made


def test_a_sender_that_goes_away_leaves_nothing_half_received(door: Running) -> None:
    whole = body(file(1), file(2, pixels=4 << 20))
    with connection(door, f"Content-Length: {len(whole)}") as client:
        client.sendall(whole[:-100])
        wait_until(lambda: door.half_received() != [])
    wait_until(lambda: door.door.in_work == 0)
    assert door.half_received() == []
    # The first was whole: it is safe, and will be recognised when it is sent again.
    assert door.data_sets() == [data_set(1)]
    assert door.watched.refusals == [("CT01", "KARNAK", 400, 0)]


def test_a_sender_that_falls_silent_is_told_and_cut(tmp_path: Path) -> None:
    with running(tmp_path, idle_timeout=0.3) as door, connection(door, "Content-Length: 10000") as client:
        client.sendall(body(file(1))[:400])
        answer = client.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert door.half_received() == []
        assert door.watched.refusals == [("CT01", "KARNAK", 408, 0)]


def test_a_sender_that_drips_is_told_and_cut(tmp_path: Path) -> None:
    pause = threading.Event()
    with (
        running(tmp_path, idle_timeout=0.5, minimum_rate=1000) as door,
        connection(door, "Content-Length: 10000") as client,
    ):
        with suppress(ConnectionError):
            for byte in body(file(1))[:400]:
                client.sendall(bytes([byte]))
                pause.wait(0.05)
                if door.watched.refusals:
                    break
        answer = client.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert door.half_received() == []
        assert door.watched.refusals == [("CT01", "KARNAK", 408, 0)]


def test_a_slow_sender_is_waited_for(door: Running) -> None:
    whole = body(file(1))
    with connection(door, f"Content-Length: {len(whole)}", "Connection: close") as client:
        for start in range(0, len(whole), 50):
            client.sendall(whole[start : start + 50])
        answer = client.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert door.data_sets() == [data_set(1)]


def test_a_caller_without_a_word_is_cut(tmp_path: Path) -> None:
    with running(tmp_path, patience=1.5) as door:
        with socket.create_connection(("127.0.0.1", door.port), timeout=30) as client:
            assert ended(client)
        with socket.create_connection(("127.0.0.1", door.port), timeout=30) as client:
            client.sendall(b"POST /dicomweb/studies HTTP/1.1\r\nHost: ")
            assert ended(client)
        with connection(door, "Content-Length: 100000000") as client:
            client.sendall(b"x" * 100)
            wait_until(lambda: door.door.in_work == 1)
            assert not door.watched.refusals
        wait_until(lambda: door.door.in_work == 0)


def ended(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_an_answer_to_a_refused_body_is_heard_before_the_body_is_sent(door: Running) -> None:
    with connection(door, "Content-Length: 100000000", "Expect: 100-continue", "Accept: text/html") as client:
        assert client.recv(12) == b"HTTP/1.1 406"


def test_chunks_that_are_no_chunks_are_refused(door: Running) -> None:
    with connection(door, "Transfer-Encoding: chunked") as client:
        client.sendall(b"%x\r\n" % 300 + body(file(1))[:300] + b"\r\nDOE\r\n")
        assert client.makefile("rb").read().startswith(b"HTTP/1.1 400 ")
    wait_until(lambda: door.door.in_work == 0)
    assert door.data_sets() == []
    assert door.half_received() == []


def test_many_senders_at_once_lose_nothing(door: Running) -> None:
    statuses = []

    def send(first: int) -> None:
        content = body(*(file(number) for number in range(first, first + 5)))
        statuses.append(post(door, content).status_code)

    threads = [threading.Thread(target=send, args=(100 * index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 6
    assert sorted(door.data_sets()) == sorted(data_set(100 * i + k) for i in range(6) for k in range(5))


def test_more_senders_than_can_be_taken_are_told_to_come_again(tmp_path: Path) -> None:
    with running(tmp_path, maximum_requests=1) as door:
        with connection(door, "Content-Length: 10000"):
            wait_until(lambda: door.door.in_work == 1)
            answer = post(door, body(file(1)))
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
        wait_until(lambda: door.door.in_work == 0)
        assert post(door, body(file(1))).status_code == 200


def test_requests_in_work_end_before_the_door_closes(tmp_path: Path) -> None:
    with running(tmp_path, drain_timeout=30) as door:
        whole = body(file(1))
        with connection(door, f"Content-Length: {len(whole)}") as client:
            client.sendall(whole[:300])
            wait_until(lambda: door.door.in_work == 1)
            stopping = threading.Thread(target=door.server.stop)
            stopping.start()
            wait_until(lambda: refuses(door.port))
            client.sendall(whole[300:])
            assert client.makefile("rb").read().startswith(b"HTTP/1.1 200 ")
            stopping.join()
        assert door.data_sets() == [data_set(1)]


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=30).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_request_that_does_not_end_is_cut_when_the_door_closes(tmp_path: Path) -> None:
    with running(tmp_path, drain_timeout=1) as door:
        client = connection(door, "Content-Length: 10000")
        client.sendall(body(file(1))[:400])
        wait_until(lambda: bool(door.half_received()) or door.door.in_work == 1)
        door.server.stop()
        assert door.half_received() == []
        client.close()


def test_an_error_that_nobody_has_foreseen_is_told_and_leaves_nothing(
    door: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(receiving: Receiving) -> str:
        receiving.drop()
        raise ZeroDivisionError("DOE^JANE")

    monkeypatch.setattr(Receiving, "keep", fail)
    answer = post(door, body(file(1), file(2)))
    assert (answer.status_code, answer.json()["detail"]) == (500, "an internal error of type ZeroDivisionError")
    assert [type(error) for error in door.errors] == [ZeroDivisionError]
    assert door.half_received() == []
    assert door.data_sets() == []
    assert door.watched.refusals == [("CT01", "KARNAK", 500, 0)]


def test_nothing_of_an_instance_is_in_what_the_door_says(door: Running) -> None:
    answer = post(door, body(file(1, study="9.9"), b"DOE^JANE"), "/dicomweb/studies/8.8")
    assert "DOE" not in answer.text + json.dumps(door.watched.refusals)
