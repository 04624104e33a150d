"""Shadows of a gateway: one for a destination, told of when they have ended, audited, and ended with the gateway."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from karnak.dsl.nodes import Source
from karnak.gateway.api.house import NoSuchDestination
from karnak.gateway.front_desk import FrontDesk
from karnak.gateway.shadows import ShadowTaken
from tests.gateway.house import House, Shelf, deidentified, instance, make_plan, running

CANDIDATE = Source("next.yml", "name: Next\nprofileElements:\n  - { name: basic, codename: basic.dicom.profile }\n")
HOUR = timedelta(hours=1)


def audited(house: House) -> list[tuple[str, str, str]]:
    """Event, actor and destination of the lines about shadows."""
    text = "".join(path.read_text() for path in sorted((house.data_dir / "audit").glob("*.jsonl")))
    lines = [json.loads(line) for line in text.splitlines()]
    return [(one["event"], one["actor"], one["destination"]) for one in lines if one["event"].startswith("shadow")]


def test_one_runs_for_a_destination_and_ends_with_a_person_the_rules_or_the_gateway(tmp_path: Path) -> None:
    first, second, plain = deidentified("first", Shelf()), deidentified("second", Shelf()), Shelf()
    as_received = replace(first, name="plain", destination=plain, treatment=None)
    with running(make_plan(tmp_path, first, second, as_received)) as house:
        desk = FrontDesk(house.gateway)
        for name in ("plain", "nobody"):
            with pytest.raises(NoSuchDestination):
                desk.start_shadow(name, CANDIDATE, HOUR, "ann")
        refused = desk.start_shadow("first", Source("next.yml", "name: 1\n"), HOUR, "ann")
        assert refused.report is None
        assert "error" in {finding.severity for finding in refused.findings}
        assert audited(house) == []

        started = desk.start_shadow("first", CANDIDATE, HOUR, "ann")
        assert started.report is not None
        assert [finding.code for finding in started.findings] == ["K112"]
        with pytest.raises(ShadowTaken, match="a shadow runs for first already"):
            desk.start_shadow("first", CANDIDATE, HOUR, "bob")
        house.receive(instance())
        house.settle(3)
        ended = desk.end_shadow("first", "bob")
        assert ended is not None
        assert (ended.seen, ended.same, ended.because) == (1, 1, "a person has ended it")
        # Once more is no event.
        assert desk.end_shadow("first", "bob") == ended
        assert desk.end_shadow("second", "bob") is None
        assert desk.shadows() == [ended]

        desk.start_shadow("first", CANDIDATE, HOUR, "ann")
        house.next_plan[0] = (make_plan(tmp_path, replace(first, treatment=None), second, as_received), ())
        house.gateway.reload()
        (gone,) = desk.shadows()
        assert (gone.seen, gone.because) == (0, "the active configuration has no such destination with rules")
        desk.start_shadow("second", CANDIDATE, HOUR, "ann")
        assert audited(house) == [
            ("shadow began", "ann", "first"),
            ("shadow ended", "bob", "first"),
            ("shadow began", "ann", "first"),
            ("shadow began", "ann", "second"),
        ]
    last = desk.shadows()[-1]
    assert (last.destination, last.because) == ("second", "the gateway stops")
    assert [line["reason"] for line in house.lines("shadow ended")] == [ended.because, gone.because, last.because]
    assert not house.gateway.shadows.running
