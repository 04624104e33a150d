"""`karnak shadow` beside `karnak serve` and dcmtk's storescu: what docs/shadow.md shows, and nothing of it is sent."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydicom import dcmread

from tests.system.programs import Karnak, environment, karnak, node, storescu, to_folder
from tests.system.studies import make

MANUAL = (Path(__file__).parents[2] / "docs" / "shadow.md").read_text(encoding="utf-8")
ACTIVE, CANDIDATE = re.findall(r"```yaml\n(.*?)```", MANUAL, re.DOTALL)
SHOWN = dict(re.findall(r"^\$ (karnak shadow .*)\n((?:.*\n)*?)```", MANUAL, re.MULTILINE))
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def without_times(text: str) -> str:
    return TIME.sub("TIME", text)


@contextmanager
def watching(house: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    words = [sys.executable, "-m", "karnak", "shadow", *arguments, "--config", "gateway.yml"]
    with subprocess.Popen(
        words, cwd=house, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def reports(gateway: Karnak) -> Any:
    return gateway.ask("/api/v1/shadows")


def test_a_candidate_is_compared_on_live_instances_and_told_of_as_the_manual_shows(tmp_path: Path) -> None:
    house = tmp_path / "house"
    files = [make(kind, tmp_path, number) for kind, number in (("ct", 1), ("ct", 2), ("mr", 1), ("mr", 2), ("us", 1))]
    with karnak(house, node(to_folder("disk", "out"), to_folder("other", "other"))) as gateway:
        (house / "profile.yml").write_text(ACTIVE)
        gateway.post("/api/v1/profiles/reload", {})
        (house / "candidate.yml").write_text(CANDIDATE)
        with watching(house, "candidate.yml", "--destination", "disk", "--for", "1h") as watch:
            gateway.wait(lambda: len(reports(gateway)) == 1)
            for file in files:
                assert storescu(gateway.port, file).returncode == 0
            gateway.settled()
            gateway.wait(lambda: sum(reports(gateway)[0][what] for what in ("same", "different")) == 5)
            shown = gateway.command("shadow", "--report")
            assert without_times(shown.stdout) == without_times(SHOWN["karnak shadow --report"]), shown.stdout
            # Ctrl-C ends the watching alone.
            watch.send_signal(signal.SIGINT)
            out, said = watch.communicate(timeout=60)
            assert (watch.returncode, without_times(out)) == (130, without_times(shown.stdout))
            assert "the shadow goes on; karnak shadow --stop --destination disk ends it" in said
        assert reports(gateway)[0]["ended"] is None
        stopped = gateway.command("shadow", "--stop", "--json")
        (report,) = json.loads(stopped.stdout)["shadows"]
        assert (report["because"], report["different"]) == ("a person has ended it", 5)

        outputs = [dcmread(path) for folder in ("out", "other") for path in (house / folder).rglob("*.dcm")]
        assert len(outputs) == 10
        assert {str(output.InstitutionName) for output in outputs} == {"SITE 1"}
        everything = gateway.log + shown.stdout + out + stopped.stdout
        assert [one for one in ("PLANTED", "1.2.826.0.1.3680043.8.498.7777") if one in everything] == []
        (ended,) = gateway.events("shadow ended")
        assert (ended["destination"], ended["count"], ended["reason"]) == ("disk", 5, "a person has ended it")


def test_it_ends_with_its_time_or_with_its_destination_and_errors_are_shown(tmp_path: Path) -> None:
    house = tmp_path / "house"
    with karnak(house, node(to_folder("disk", "out"), to_folder("other", "other"))) as gateway:
        (house / "candidate.yml").write_text(CANDIDATE.replace("basic.dicom", "basik.dicom"))
        refused = gateway.command("shadow", "candidate.yml", "--destination", "disk", "--for", "1s")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "candidate.yml:7:34: K104 " in refused.stderr
        assert '7 |   - { name: "PS3.15", codename: "basik.dicom.profile" }' in refused.stderr
        (house / "candidate.yml").write_text(CANDIDATE)
        unknown = gateway.command("shadow", "candidate.yml", "--destination", "nobody", "--for", "1s")
        assert (unknown.returncode, "no destination with rules is called so" in unknown.stderr) == (2, True)
        assert reports(gateway) == []

        done = gateway.command("shadow", "candidate.yml", "--destination", "disk", "--for", "1s")
        assert (done.returncode, "ended TIME: its time was over" in without_times(done.stdout)) == (0, True), done
        assert "0 instances: 0 same, 0 different" in done.stdout
        order = {"destination": "other", "candidate": CANDIDATE, "seconds": 3600}
        gateway.post("/api/v1/shadows", order)
        config = house / "gateway.yml"
        config.write_text(re.sub(".*name: other.*\n", "", config.read_text()))
        gateway.post("/api/v1/profiles/reload", {})
        gateway.wait(lambda: len(gateway.events("shadow ended")) == 2)
        by_name = {report["destination"]: report for report in reports(gateway)}
        assert by_name["other"]["because"] == "the active configuration has no such destination with rules"
        assert gateway.stop() == 0
