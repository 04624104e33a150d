"""Which epoch an instance belongs to, and what a reload changes."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.dsl.diagnostics import Diagnostic
from karnak.dsl.nodes import Source
from karnak.gateway.giving_way import SOON, giving_way
from karnak.gateway.library import KEPT_EPOCHS, MAXIMUM_EPOCHS, MAXIMUM_STUDIES, Library, outlet_of
from karnak.gateway.plan import Plan, make_plan
from karnak.gateway.programs import Programs
from karnak.runtime.deidentify import deidentify
from karnak.runtime.keys import Project
from tests.gateway.instances import SECONDARY_CAPTURE, dataset_bytes

START = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
CONFIGURATION = """\
data_dir: data
forward_nodes:
  - ae_title: TRIAL1
    sources: any
    destinations:
      - { name: here, type: folder, path: out, mode: none }
      - { name: there, type: folder, path: out, mode: none, enabled: false }
"""


def plan(folder: Path = Path("/nowhere")) -> Plan:
    made, found = make_plan(Source("gateway.yml", CONFIGURATION), folder, {})
    assert made is not None, found
    return made


@dataclass
class World:
    """A library with a clock that a test moves, and plans that a test hands in."""

    study_idle: float | None = None
    owed_since: datetime | None = None
    now: datetime = START
    next: tuple[Plan | None, tuple[Diagnostic, ...]] = field(default_factory=lambda: (plan(), ()))
    library: Library = field(init=False)

    def __post_init__(self) -> None:
        self.library = Library(plan(), lambda: self.next, lambda: self.now, self.study_idle, lambda: self.owed_since)

    def after(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


def test_the_first_epoch_takes_what_was_left_from_before() -> None:
    library = World().library
    assert library.current.number == 1
    assert library.epoch_of("r0", START - timedelta(days=3)) is library.current
    assert library.epoch_of("r1", START + timedelta(days=3)) is library.current


def test_a_clean_reload_begins_an_epoch_and_leaves_what_was_taken_before_it() -> None:
    world = World()
    first, before = world.library.current, world.after(10)
    world.after(10)
    world.next = (plan(), ())
    done = world.library.reload()
    assert (done.is_new, done.epoch.number, done.epoch.plan) == (True, 2, world.next[0])
    assert world.library.current is done.epoch
    assert world.library.epoch_of("r1", before) is first
    assert world.library.epoch_of("r2", world.now) is done.epoch
    assert world.library.epoch_of("r3", world.now - timedelta(microseconds=1)) is first


def test_a_reload_with_mistakes_changes_nothing() -> None:
    world = World()
    first = world.library.current
    _, found = make_plan(Source("gateway.yml", "data_dir: 1\nnonsense: 2\n"), Path("/nowhere"), {})
    assert found
    world.next = (None, found)
    world.after(10)
    done = world.library.reload()
    assert (done.is_new, done.epoch, done.diagnostics) == (False, first, found)
    assert world.library.current is first


def begin(world: World, count: int, seconds: float) -> list[datetime]:
    """Begin epochs; gives when each began, the first one too."""
    times = [world.now]
    for _ in range(count):
        times.append(world.after(seconds))
        world.library.reload()
    return times


def test_old_epochs_are_let_go_and_the_oldest_left_stands_for_them() -> None:
    world = World()
    times = begin(world, KEPT_EPOCHS + 3, seconds=600)
    assert world.library.current.number == KEPT_EPOCHS + 4
    assert world.library.epoch_of("r", times[0]).number == 5
    assert world.library.epoch_of("r", times[5]).number == 6


def test_what_is_owed_keeps_its_epoch_however_often_rules_change() -> None:
    world = World()
    first, second, *_ = begin(world, 2, seconds=600)
    world.owed_since = second + timedelta(seconds=400)
    begin(world, 5 * KEPT_EPOCHS, seconds=600)
    assert world.library.epoch_of("r", world.owed_since).number == 2
    assert world.library.epoch_of("r", first).number == 2
    world.owed_since = None
    begin(world, 1, seconds=600)
    assert world.library.epoch_of("r", first).number == world.library.current.number - KEPT_EPOCHS + 1


def test_a_study_keeps_its_epoch_while_it_may_go_on_and_epochs_are_bounded() -> None:
    world = World(study_idle=1e6)
    first = world.library.current
    world.library.pin("r1", world.now, "1.2.3")
    begin(world, 2 * KEPT_EPOCHS, seconds=600)
    assert world.library.pin("r2", world.now, "1.2.3") is first
    world.owed_since = START
    begin(world, MAXIMUM_EPOCHS, seconds=0.001)
    assert world.library.epoch_of("r", START).number == world.library.current.number - MAXIMUM_EPOCHS + 1


def reloading(world: World) -> Callable[[float], None]:
    def reload(seconds: float) -> None:
        world.after(seconds)
        world.library.reload()

    return reload


def test_a_study_stays_with_its_epoch_while_it_comes() -> None:
    world = World(study_idle=60)
    first = world.library.current
    assert world.library.pin("r1", world.now, "1.2.3") is first
    reloading(world)(30)
    assert world.library.pin("r2", world.after(20), "1.2.3") is first
    assert world.library.epoch_of("r2", world.now) is first
    # Each instance gives the study time.
    assert world.library.pin("r3", world.after(59), "1.2.3") is first
    assert world.library.pin("r4", world.now, "1.2.4") is world.library.current
    assert world.library.pin("r5", world.now, None) is world.library.current
    # Silence ends it.
    assert world.library.pin("r6", world.after(61), "1.2.3") is world.library.current
    world.library.forget("r2")
    assert world.library.epoch_of("r2", world.now) is world.library.current


def test_where_instances_are_pinned_a_study_moves() -> None:
    world = World()
    world.library.pin("r1", world.now, "1.2.3")
    reloading(world)(1)
    assert world.library.pin("r2", world.now, "1.2.3") is world.library.current


def test_studies_are_remembered_up_to_a_bound() -> None:
    world = World(study_idle=1e6)
    first = world.library.current
    for number in range(MAXIMUM_STUDIES + 1):
        world.library.pin(f"r{number}", world.now, f"1.2.{number}")
    reloading(world)(1)
    assert world.library.pin("x", world.now, "1.2.0") is world.library.current
    assert world.library.pin("y", world.now, "1.2.2") is first


@given(st.lists(st.tuples(st.floats(0.001, 100), st.booleans()), max_size=20), st.floats(0, 2000))
def test_an_instance_has_one_epoch_that_never_changes(steps: list[tuple[float, bool]], taken: float) -> None:
    world = World()
    received = START + timedelta(seconds=taken)
    seen = set()
    for seconds, reload in steps:
        world.after(seconds)
        if reload:
            world.library.reload()
        if world.now >= received:
            seen.add(world.library.epoch_of("r", received).number)
    assert len(seen) <= 1


def test_a_profile_with_another_text_has_the_tables_of_the_last_good_one(tmp_path: Path) -> None:
    path, programs = tmp_path / "rules.yml", Programs()
    text = "name: Rules\nprofileElements:\n  - { name: basic, codename: basic.dicom.profile }\n"
    path.write_text(text)
    first, _ = programs.program(path)
    assert first is not None
    assert programs.program(path)[0] is first
    data = dataset_bytes(
        SOPClassUID=SECONDARY_CAPTURE, SOPInstanceUID="1.2.3", PatientID="P1", PatientName="DOE^JANE", StationName="CT7"
    )
    now = datetime(2026, 5, 4, tzinfo=UTC)
    project = Project("TRIAL", bytes(16))
    deidentify(data, first, project, pseudonym="K", now=now, transfer_syntax_uid="1.2.840.10008.1.2.1")
    path.write_text(text.replace("basic.dicom", "basik.dicom"))
    assert programs.program(path)[0] is None
    path.write_text(text.replace("name: basic,", "name: the rest,"))
    second, _ = programs.program(path)
    assert second is not None
    assert second.table_count == first.table_count == 1


def test_threads_change_sooner_while_rules_are_read_whatever_happens() -> None:
    usual = sys.getswitchinterval()
    with giving_way():
        assert sys.getswitchinterval() == pytest.approx(SOON)
    assert sys.getswitchinterval() == usual
    with pytest.raises(ZeroDivisionError), giving_way():
        raise ZeroDivisionError
    assert sys.getswitchinterval() == usual


@pytest.mark.parametrize(
    ("called", "name", "there"), [("TRIAL1", "here", True), ("TRIAL1", "there", False), ("X", "here", False)]
)
def test_outlets_are_found_by_forward_node_and_name(called: str, name: str, there: bool) -> None:
    assert (outlet_of(plan(), called, name) is not None) is there
