"""Who is let in: forward nodes by called AE title, sources by calling AE title and host, asked with dcmtk's tools."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.programs import Karnak, karnak, node, run, storescu, to_folder
from tests.system.studies import make


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Karnak]:
    nodes = (
        node(to_folder("open", "open"), ae_title="OPEN")
        + node(to_folder("trial", "trial"), ae_title="TRIAL1", sources="[ { ae_title: CT01 } ]")
        + node(
            to_folder("here", "here"),
            ae_title="HERE",
            sources="[ { ae_title: CT01, host: localhost, check_host: true } ]",
        )
        + node(
            to_folder("there", "there"),
            ae_title="THERE",
            sources="[ { ae_title: CT01, host: 192.0.2.7, check_host: true } ]",
        )
    )
    with karnak(tmp_path_factory.mktemp("callers") / "karnak", nodes) as made:
        yield made


@pytest.mark.parametrize(
    ("called", "calling"), [("OPEN", "ANYBODY"), ("TRIAL1", "CT01"), ("HERE", "CT01"), ("  OPEN", "ANYBODY")]
)
def test_echo_is_answered(gateway: Karnak, called: str, calling: str) -> None:
    echo = run("echoscu", "-v", "-aet", calling, "-aec", called, "127.0.0.1", str(gateway.port))
    assert echo.returncode == 0, echo.stderr
    assert "Received Echo Response (Success)" in echo.stderr


@pytest.mark.parametrize(
    ("called", "calling", "reason"),
    [
        ("NOBODY", "CT01", "Called AE Title Not Recognized"),
        ("open", "CT01", "Called AE Title Not Recognized"),
        ("TRIAL1", "MR01", "Calling AE Title Not Recognized"),
        ("THERE", "CT01", "Calling AE Title Not Recognized"),
        ("HERE", "MR01", "Calling AE Title Not Recognized"),
    ],
)
def test_the_wrong_caller_is_told_why(gateway: Karnak, tmp_path: Path, called: str, calling: str, reason: str) -> None:
    before = len(gateway.events("association rejected"))
    echo = run("echoscu", "-aet", calling, "-aec", called, "127.0.0.1", str(gateway.port))
    store = storescu(gateway.port, make("ct", tmp_path), called=called, calling=calling)
    for said in (echo, store):
        assert said.returncode != 0
        assert "Result: Rejected Permanent, Source: Service User" in said.stderr
        assert f"Reason: {reason}" in said.stderr
    # The sender knows before the journal does.
    gateway.wait(lambda: len(gateway.events("association rejected")) >= before + 2)
    events = gateway.events("association rejected")[before:]
    assert [(one["called_ae"], one["calling_ae"], one["address"]) for one in events] == [
        (called, calling, "127.0.0.1")
    ] * 2


@pytest.mark.parametrize(("called", "folder"), [("OPEN", "open"), ("TRIAL1", "trial"), ("HERE", "here")])
def test_a_forward_node_feeds_its_own_destinations(gateway: Karnak, tmp_path: Path, called: str, folder: str) -> None:
    sent = storescu(gateway.port, make("mr", tmp_path), called=called)
    assert sent.returncode == 0, sent.stderr
    gateway.settled()
    assert len(list((gateway.folder / folder).rglob("*.dcm"))) == 1


def test_services_that_are_not_offered_are_refused(gateway: Karnak) -> None:
    find = run("findscu", "-S", "-aec", "OPEN", "-k", "QueryRetrieveLevel=STUDY", "127.0.0.1", str(gateway.port))
    assert find.returncode != 0
    assert "No Acceptable Presentation Contexts" in find.stderr
    assert run("echoscu", "-aec", "OPEN", "127.0.0.1", str(gateway.port)).returncode == 0
