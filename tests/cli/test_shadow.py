"""`karnak shadow`: what is asked for, what is shown, and how it ends; the API is real, the house behind it a test's."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from karnak.cli.app import cli
from karnak.cli.shadow import _Duration
from karnak.cli.shadow_screen import Progress, show_reports
from karnak.gateway.api.app import make_api
from karnak.gateway.api.server import HttpServer, listen_on
from karnak.gateway.api.shadow_caller import Refusal
from karnak.gateway.bearer import Token
from karnak.gateway.premises import NoPremises
from karnak.gateway.store.database import Database, index_url, open_database
from tests.cli.gateway_house import configure
from tests.gateway.api.houses import FakeHouse, shadow_report

TOKEN = "the-token-of-the-operator"
GOOD = "name: Next\nversion: '2'\nprofileElements:\n  - { name: basic, codename: basic.dicom.profile }\n"
SHOWN = """\
pacs: "Research 2" beside the active rules since 2026-01-02T00:00:00Z; \
ended 2026-01-02T00:30:00Z: a person has ended it
1,200 instances: 700 same, 480 different, 19 not looked at, 1 could not be compared

tag          attribute                  active                   candidate                               instances
(0008,1010)  StationName                keep by "station" line 4  remove by "PS3.15" line 9                     440
(0010,4000)  PatientComments            -                        add by "note" line 7                            3
(0012,0010)  ClinicalTrialSponsorName   replace by "who" line 5  replace by "who" line 6, another value         12

active     candidate                              instances
forwarded  rejected: rule X cannot be carried out        40
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = open_database(index_url(tmp_path), upgrade=True)
    yield made
    made.close()


@pytest.fixture
def house(database: Database) -> FakeHouse:
    return FakeHouse(database)


@pytest.fixture
def config(tmp_path: Path, house: FakeHouse) -> Iterator[Path]:
    """The configuration of a gateway that runs, with a token."""
    app = make_api(house, Token.of("operator", TOKEN), lambda _: None)
    server = HttpServer(app, listen_on("127.0.0.1", 0), 1)
    server.start()
    file = configure(tmp_path)
    (tmp_path / "api.token").write_text(TOKEN)
    file.write_text(f"api: {{ port: {server.port}, token_file: api.token }}\n" + file.read_text())
    (tmp_path / "next.yml").write_text(GOOD)
    yield file
    server.stop()


def shadow(config: Path, *arguments: str) -> Result:
    words = [str(config.parent / word) if word.endswith(".yml") else word for word in arguments]
    return CliRunner().invoke(cli, ["shadow", *words, "--config", str(config)], catch_exceptions=False)


def squeezed(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_a_candidate_is_started_watched_and_told_of(config: Path, house: FakeHouse) -> None:
    def end() -> None:
        while house.end_shadow("pacs", "local") is None:
            time.sleep(0.05)

    # Somebody else ends it.
    other = threading.Thread(target=end, daemon=True)
    other.start()
    done = shadow(config, "next.yml", "--destination", "pacs", "--for", "1h30m")
    other.join()
    assert (done.exit_code, squeezed(done.stdout)) == (0, squeezed(SHOWN))
    assert ("shadow", "pacs", "1:30:00", "operator") in house.asked
    assert house.texts[0].text == GOOD


def test_reports_are_aligned_text_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    show_reports([shadow_report("pacs", ended=True)], as_json=False)
    text = capsys.readouterr().out
    assert squeezed(text) == squeezed(SHOWN)
    assert len({line.index("line") for line in text.splitlines() if "(0008" in line or "(0012" in line}) == 2
    show_reports([shadow_report("pacs"), shadow_report("disk")], as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert said["version"] == 1
    assert [one["destination"] for one in said["shadows"]] == ["pacs", "disk"]
    assert said["shadows"][0]["differences"][0]["instances"] == 440
    show_reports([], as_json=False)
    assert capsys.readouterr().err == "no shadows\n"


def test_one_that_runs_is_reported_and_stopped(config: Path, house: FakeHouse) -> None:
    assert "no shadow runs" in shadow(config, "--stop").stderr
    house.reports = {"pacs": shadow_report("pacs"), "disk": shadow_report("disk", ended=True)}
    assert "until 2026-01-02T01:00:00Z; runs" in shadow(config, "--report").stdout
    only = json.loads(shadow(config, "--report", "--destination", "disk", "--json").stdout)["shadows"]
    assert [one["destination"] for one in only] == ["disk"]
    assert "a person has ended it" in shadow(config, "--stop").stdout
    assert house.asked == [("end shadow", "pacs", "operator")]
    house.reports = {name: shadow_report(name) for name in ("pacs", "disk")}
    assert "several run; say --destination" in shadow(config, "--stop").stderr
    with pytest.raises(Refusal, match="there is no such shadow"):
        shadow(config, "--stop", "--destination", "nobody")


def test_errors_are_shown_with_their_lines_and_nothing_is_asked(config: Path, house: FakeHouse) -> None:
    (config.parent / "next.yml").write_text(GOOD.replace("basic.dicom", "basik.dicom"))
    done = shadow(config, "next.yml", "--destination", "pacs", "--for", "1h")
    assert (done.exit_code, done.stdout, house.asked) == (1, "", [])
    assert "next.yml:4:30: K104 " in done.stderr
    # A gateway of another version may know better.
    (config.parent / "next.yml").write_text(GOOD.replace("Next", "no.such"))
    done = shadow(config, "next.yml", "--destination", "pacs", "--for", "1h")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.endswith("research.yml:14:18: K203 unknown tag keyword\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say one of: a candidate, --report, --stop"),
        (("next.yml", "--stop"), "say one of: a candidate, --report, --stop"),
        (("--report", "--for", "1h"), "--for belongs to a candidate"),
        (("next.yml", "--for", "1h"), "a candidate needs --destination and --for"),
        (("next.yml", "--destination", "pacs"), "a candidate needs --destination and --for"),
        (("next.yml", "--destination", "pacs", "--for", "an hour"), "write it as 90s, 30m, 1h30m or 2d"),
        (("next.yml", "--destination", "pacs", "--for", "8d"), "a shadow runs for a second to seven days"),
    ],
)
def test_usage(config: Path, arguments: tuple[str, ...], said: str) -> None:
    done = shadow(config, *arguments)
    assert (done.exit_code, said in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    ("text", "seconds"), [("1s", 1), ("90s", 90), ("30m", 1800), ("1h30m", 5400), ("1d2h3m4s", 93784), ("7d", 604800)]
)
def test_durations(text: str, seconds: int) -> None:
    assert _Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "1m1h", "-1s", "1.5h", "0s", "1w", "604801s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter):
        _Duration().convert(text, None, None)


@pytest.mark.parametrize(
    ("section", "said"), [("{ enabled: false }", "has no API to ask"), ("{ port: 0 }", "a port that nobody knows")]
)
def test_a_gateway_that_can_not_be_asked_is_told(tmp_path: Path, section: str, said: str) -> None:
    file = configure(tmp_path)
    file.write_text(f"api: {section}\n" + file.read_text())
    with pytest.raises(NoPremises, match=said):
        shadow(file, "--report")


def test_a_terminal_sees_how_far_it_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("rich.console.Console", lambda **_: Console(width=140, force_terminal=True))
    report = shadow_report("pacs")
    with Progress(report) as progress:
        progress.show(report)
    assert "1,200 instances: 700 same, 480 different" in capsys.readouterr().out
    assert report.ends - report.began == timedelta(hours=1)
