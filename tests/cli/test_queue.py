"""`karnak queue`: what is owed is listed, retried and dropped, whether a gateway runs or not."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from karnak.cli import queue as command
from karnak.gateway.house_lock import HouseLock
from karnak.gateway.premises import NoPremises
from karnak.gateway.store.database import WrongVersion
from karnak.gateway.store.queue import Choice
from tests.cli.gateway_house import configure, fill, index_at, karnak
from tests.gateway.store.entries import LATER, at, names


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return configure(tmp_path)


@pytest.fixture
def receipts(config: Path) -> list[str]:
    return fill(config.parent)


def test_a_list_is_aligned_text_in_a_pipe(config: Path, receipts: list[str]) -> None:
    done = karnak("queue", "list", "--config", config)
    a, b, c = receipts
    assert done.exit_code == 0
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["Receipt", "Destination", "State", "Tries", "Received", "Next", "try", "Study", "Cause"],
        [a, "pacs", "waiting", "1", "2026-01-02T03:04:05Z", "2026-01-03T03:05:05Z", "1.9.0", "no", "answer"],
        [a, "research", "routed", "0", "2026-01-02T03:04:05Z", "1.9.0"],
        [b, "research", "routed", "0", "2026-01-02T03:04:05Z", "1.9.0"],
        [c, "pacs", "routed", "0", "2026-01-02T03:04:05Z", "1.9.1"],
        [c, "research", "routed", "0", "2026-01-02T03:04:05Z", "1.9.1"],
    ]
    assert done.stderr == "5 deliveries\n"
    assert len({line.index("2026") for line in done.stdout.splitlines()[1:]}) == 1


def test_a_list_for_programs(config: Path, receipts: list[str]) -> None:
    done = karnak("queue", "list", "--config", config, "--format", "json", "--destination", "pacs", "--limit", "1")
    assert json.loads(done.stdout) == {
        "version": 1,
        "total": 2,
        "parts": [
            {
                "receipt": receipts[0],
                "destination": "pacs",
                "state": "waiting",
                "cause": "no answer",
                "attempts": 1,
                "received": "2026-01-02T03:04:05Z",
                "retry_at": "2026-01-03T03:05:05Z",
                "bytes": 1,
                "sop_class_uid": "1.2.840.10008.5.1.4.1.1.2",
                "study_instance_uid": "1.9.0",
                "wish": None,
            }
        ],
    }


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        (("--study", "1.9.1"), [2, 2]),
        (("--destination", "pacs"), [0, 2]),
        (("--state", "waiting"), [0]),
        (("--state", "delivered"), [1]),
        (("--state", "routed", "--destination", "research", "--study", "1.9.0"), [0, 1]),
        (("--destination", "nobody"), []),
    ],
)
def test_lists_are_chosen(config: Path, receipts: list[str], chosen: tuple[str, ...], found: list[int]) -> None:
    done = karnak("queue", "list", "--config", config, "--format", "json", *chosen)
    assert [part["receipt"] for part in json.loads(done.stdout)["parts"]] == [receipts[i] for i in found]


def test_a_list_says_that_there_is_more_or_nothing(config: Path, receipts: list[str]) -> None:
    done = karnak("queue", "list", "--config", config, "--limit", "2")
    assert done.stderr == "2 of 5 deliveries; more with --limit\n"
    done = karnak("queue", "list", "--config", config, "--state", "rejected")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "nothing\n")


def test_a_terminal_gets_a_table(
    config: Path, receipts: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with index_at(config.parent) as index:
        parts = index.due("pacs", at(99), 9)
    monkeypatch.setattr("rich.console.Console", lambda: Console(width=140, force_terminal=False))
    command._show_table(parts)
    shown = capsys.readouterr().out
    assert [receipt in shown for receipt in receipts] == [True, False, True]
    assert "no answer" in shown


def test_what_waits_is_retried(config: Path, receipts: list[str]) -> None:
    done = karnak("queue", "retry", "--config", config, "--destination", "pacs")
    assert (done.exit_code, done.stdout) == (0, "2 deliveries due when the gateway starts\n")
    with index_at(config.parent) as index:
        assert names(index.due("pacs", LATER, 9)) == [receipts[0], receipts[2]]


@pytest.mark.parametrize("command", ["retry", "drop"])
def test_a_destination_that_is_not_there_is_told(command: str, config: Path, receipts: list[str]) -> None:
    done = karnak("queue", command, "--config", config, "--destination", "pac")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "karnak: nothing that is owed is meant\n" in done.stderr
    assert "  the configuration has no destination pac; did you mean pacs?\n" in done.stderr


def test_a_running_gateway_is_asked(config: Path, receipts: list[str]) -> None:
    with HouseLock(config.parent / "data"):
        done = karnak("queue", "drop", "--config", config, "--yes", *receipts[1:])
        assert (done.exit_code, done.stdout) == (0, "3 deliveries: the gateway does it within seconds\n")
        listed = karnak("queue", "list", "--config", config).stdout
        assert listed.count("routed, to drop") == 3
    with index_at(config.parent) as index:
        assert index.fulfil(LATER) == receipts[1:]


def test_what_is_dropped_is_not_sent(config: Path, receipts: list[str]) -> None:
    done = karnak("queue", "drop", "--config", config, "--study", "1.9.0", answer="y\n")
    assert done.exit_code == 0
    assert "Drop 3 deliveries? They are not sent any more [y/N]" in done.stderr
    assert done.stdout.endswith("3 deliveries dropped; originals that nobody is owed go when the gateway starts\n")
    with index_at(config.parent) as index:
        assert index.unsettled(9) == receipts[:2]
        assert names(index.due("pacs", at(99), 9)) == receipts[2:]


def test_nothing_is_dropped_without_a_yes(config: Path, receipts: list[str]) -> None:
    for answer in ("n\n", ""):
        assert karnak("queue", "drop", "--config", config, "--all", answer=answer).exit_code == 1
    assert karnak("queue", "list", "--config", config).stderr == "5 deliveries\n"


@pytest.mark.parametrize("act", ["retry", "drop"])
def test_one_has_to_say_what_is_meant(config: Path, receipts: list[str], act: str) -> None:
    done = karnak("queue", act, "--config", config)
    assert done.exit_code == 2
    assert "say which: receipts, --destination, --study or --all" in done.stderr
    assert karnak("queue", act, "--config", config, "nothing").exit_code == 1
    assert karnak("queue", act, "--config", config, "--all", answer="y\n").exit_code == 0


def test_without_an_index_nothing_is_made(config: Path) -> None:
    with pytest.raises(NoPremises, match="`karnak serve` makes it"):
        karnak("queue", "list", "--config", config)
    (config.parent / "data").mkdir()
    with pytest.raises(WrongVersion, match="there is no index"):
        karnak("queue", "list", "--config", config)
    assert list((config.parent / "data").iterdir()) == []


def test_the_built_in_configuration_is_that_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoPremises, match="--config FILE"):
        karnak("queue", "list")
    assert list(tmp_path.iterdir()) == []
    receipts = fill(tmp_path)
    assert karnak("queue", "list", "--state", "delivered").stdout.count(receipts[1]) == 1


def test_a_mistake_in_the_configuration_is_shown(config: Path) -> None:
    config.write_text(config.read_text().replace("data_dir", "data_dirt"))
    done = karnak("queue", "list", "--config", config)
    assert done.exit_code == 2
    assert "data_dirt" in done.stderr


def test_a_choice_of_receipts_is_cut_by_destination(config: Path, receipts: list[str]) -> None:
    done = karnak("queue", "drop", "--config", config, "--yes", "--destination", "research", receipts[0])
    assert done.stdout.startswith("1 delivery dropped")
    with index_at(config.parent) as index:
        assert [ending.destination for ending in index.endings(receipts[:1])[receipts[0]]] == ["research"]
    assert Choice(receipt="a") != Choice()
