"""The ledger answers by instance, series and study, as the parts are; what is open is never forgotten."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from karnak.gateway.ledger import GroupRecord, InstanceRecord, Ledger, Retention, Tally, prune
from karnak.gateway.questions import Question
from karnak.gateway.states import State
from karnak.gateway.store.database import Database
from karnak.gateway.store.index import Index
from karnak.gateway.store.rows import Change, Entry, NewUids
from tests.gateway.arrivals import START, receipts
from tests.gateway.store.entries import LATER, at, entry


@pytest.fixture
def ledger(database: Database) -> Ledger:
    return Ledger(database)


def put(index: Index, *entries: Entry) -> None:
    index.add(entries)


def finish(
    index: Index, receipt: str, destination: str, state: State = State.DELIVERED, study: str = "2.25.9", **more: str
) -> None:
    new = NewUids(f"2.25.{receipt[-3:]}", "2.25.91", study) if state is State.DELIVERED else None
    index.note([Change(receipt, destination, state, LATER, "because", None, more.get("program", "d" * 8), new)])


def test_an_instance_is_told_with_what_became_of_it(index: Index, ledger: Ledger) -> None:
    put(index, entry("r1", "pacs", "research", uid="1.2.3", calling_ae="MR01", door="stow"))
    finish(index, "r1", "pacs")
    index.note([Change("r1", "research", State.WAITING, at(1), "no answer", at(60))])
    (record,) = ledger.instances(Question(), 10)
    assert (record.receipt, record.calling_ae, record.called_ae, record.door) == ("r1", "MR01", "KARNAK", "stow")
    assert (record.sop_instance_uid, record.series_instance_uid, record.study_instance_uid) == (
        "1.2.3",
        "1.2.9.1",
        "1.2.9",
    )
    assert (record.received, record.size, record.ended) == (START, 1000, None)
    first, second = record.fates
    assert (first.destination, first.state, first.cause, first.since) == ("pacs", State.DELIVERED, "because", LATER)
    assert (first.attempts, first.program, first.new) == (1, "dddddddd", NewUids("2.25.r1", "2.25.91", "2.25.9"))
    assert (second.destination, second.state, second.cause, second.new) == (
        "research",
        State.WAITING,
        "no answer",
        None,
    )


def test_instances_are_found_by_every_uid_of_the_original_and_of_what_was_sent(index: Index, ledger: Ledger) -> None:
    put(index, entry("r1", uid="1.1"), entry("r2", uid="1.2", study="1.2.8"))
    finish(index, "r1", "pacs")
    expected: dict[str, list[str]] = {
        "1.1": ["r1"],
        "1.2.9.1": ["r2", "r1"],
        "1.2.9": ["r1"],
        "1.2.8": ["r2"],
        "2.25.r1": ["r1"],
        "2.25.91": ["r1"],
        "2.25.9": ["r1"],
        "1.2": ["r2"],
        "9.9": [],
        "1.1\0": [],
        "' OR 1=1": [],
    }
    found = {uid: [record.receipt for record in ledger.instances(Question(uid=uid), 10)] for uid in expected}
    assert found == expected


def test_questions_narrow_each_other(index: Index, ledger: Ledger) -> None:
    put(index, entry("r1", calling_ae="CT01"), entry("r2", calling_ae="MR01"), entry("r3", "pacs", calling_ae="MR01"))
    finish(index, "r2", "pacs")
    finish(index, "r3", "pacs", State.REJECTED)

    def ask(**question: Any) -> list[str]:
        return [record.receipt for record in ledger.instances(replace(Question(), **question), 10)]

    assert ask(calling_ae="MR01") == ["r3", "r2"]
    assert ask(destination="research") == ["r2", "r1"]
    assert ask(state=State.DELIVERED) == ["r2"]
    assert ask(state=State.DELIVERED, destination="research") == []
    assert ask(state=State.REJECTED, calling_ae="MR01") == ["r3"]
    assert ask(receipt="r1") == ["r1"]
    assert ask(receipt="r1", calling_ae="MR01") == []


def test_pages_follow_each_other_and_times_bound_them(index: Index, ledger: Ledger) -> None:
    name = receipts()
    names = [name() for _ in range(7)]
    put(index, *(entry(name, received=START + timedelta(seconds=n)) for n, name in enumerate(names)))
    first = [record.receipt for record in ledger.instances(Question(), 3)]
    second = [record.receipt for record in ledger.instances(Question(), 3, before=first[-1])]
    third = [record.receipt for record in ledger.instances(Question(), 3, before=second[-1])]
    assert [*first, *second, *third] == names[::-1]
    between = Question(since=START + timedelta(seconds=2), until=START + timedelta(seconds=4))
    assert [record.receipt for record in ledger.instances(between, 10)] == [names[3], names[2]]


def test_an_instance_that_came_twice_is_one_instance_with_two_receipts(index: Index, ledger: Ledger) -> None:
    put(index, entry("r1", "pacs", uid="1.1"), entry("r2", "pacs", uid="1.1"))
    finish(index, "r2", "pacs")
    (study,) = ledger.studies(Question(), 10)
    assert (study.uid, study.study_instance_uid, study.instances, study.receipts, study.bytes) == (
        "1.2.9",
        "1.2.9",
        1,
        2,
        2000,
    )
    (tally,) = study.tallies
    assert tally.states == {State.EXCLUDED: 1, State.DELIVERED: 1}
    assert tally.causes == {"replaced by a newer receipt": 1, "because": 1}
    assert tally.since == LATER
    assert (tally.new_uids, tally.programs) == (("2.25.9",), ("dddddddd",))


def test_what_was_never_read_belongs_to_no_study_but_is_told(index: Index, ledger: Ledger) -> None:
    unread = replace(entry("r1", study=None), series_instance_uid=None, quarantined="it is unreadable")
    put(index, unread)
    assert ledger.studies(Question(), 10) == []
    (record,) = ledger.instances(Question(), 10)
    assert [(fate.destination, fate.state, fate.cause) for fate in record.fates] == [
        ("", State.QUARANTINED, "it is unreadable")
    ]


def test_groups_are_the_sums_of_their_instances(index: Index, ledger: Ledger) -> None:
    draw = random.Random(7)
    name = receipts()
    entries = []
    for number in range(60):
        study = f"1.2.{draw.randrange(4)}"
        received = START + timedelta(seconds=number)
        made = entry(name(), uid=f"1.{draw.randrange(40)}", study=study, received=received)
        entries.append(replace(made, series_instance_uid=f"{study}.{draw.randrange(3)}", size=draw.randrange(1, 999)))
    put(index, *entries)
    opened = {made.receipt: made for made in ledger.instances(Question(), 100)}
    for record in opened.values():
        for fate in record.fates:
            if fate.state is State.ROUTED and draw.random() < 0.7:
                state = draw.choice([State.DELIVERED, State.REJECTED, State.EXCLUDED])
                study = f"2.25.{record.study_instance_uid}{fate.destination == 'pacs'}"
                finish(index, record.receipt, fate.destination, state, study, program=draw.choice("ab"))
    records = ledger.instances(Question(), 100)
    for question in (Question(), Question(destination="pacs"), Question(uid="1.2.1"), Question(state=State.REJECTED)):
        meant = ledger.instances(question, 100)
        assert ledger.studies(question, 100) == model(meant, "study_instance_uid", question)
        assert ledger.series(question, 100) == model(meant, "series_instance_uid", question)
    assert len(records) == 60
    assert ledger.studies(Question(), 2) == model(records, "study_instance_uid", Question())[:2]


def model(records: Sequence[InstanceRecord], by: str, question: Question) -> list[GroupRecord]:
    """What the groups are, counted by hand."""
    found = []
    for uid in {getattr(record, by) for record in records}:
        mine = [record for record in records if getattr(record, by) == uid]
        fates = [fate for record in mine for fate in record.fates if question.destination in (None, fate.destination)]
        tallies = []
        for destination in sorted({fate.destination for fate in fates}):
            here = [fate for fate in fates if fate.destination == destination]
            news = {getattr(fate.new, by) for fate in here if fate.new is not None}
            programs = {fate.program for fate in here if fate.program is not None}
            states = Counter(fate.state for fate in here)
            causes = Counter(fate.cause for fate in here if fate.cause is not None)
            since = max(fate.since for fate in here)
            tallies.append(
                (destination, dict(states), dict(causes), since, tuple(sorted(news)), tuple(sorted(programs)))
            )
        found.append(
            GroupRecord(
                uid=uid,
                study_instance_uid=mine[0].study_instance_uid,
                instances=len({record.sop_instance_uid for record in mine}),
                receipts=len(mine),
                bytes=sum(record.size for record in mine),
                first=min(record.received for record in mine),
                last=max(record.received for record in mine),
                tallies=tuple(Tally(*tally) for tally in tallies),
            )
        )
    return sorted(found, key=lambda group: (-group.last.timestamp(), group.uid))


def test_old_rows_go_and_open_ones_stay(index: Index, ledger: Ledger) -> None:
    put(index, *(entry(f"r{number}", "pacs") for number in range(6)))
    for number in range(4):
        finish(index, f"r{number}", "pacs")
        index.settle([f"r{number}"], at(number))

    def left() -> list[str]:
        return sorted(record.receipt for record in ledger.instances(Question(), 10))

    assert prune(index, Retention(None, None), at(1e9)) == 0
    assert prune(index, Retention(timedelta(days=1), None), at(86400)) == 0
    assert prune(index, Retention(timedelta(days=1), None), at(86401)) == 1
    assert left() == ["r1", "r2", "r3", "r4", "r5"]
    assert prune(index, Retention(None, 2), at(0)) == 1
    assert left() == ["r2", "r3", "r4", "r5"]
    assert prune(index, Retention(timedelta(0), 0), at(1e9)) == 2
    assert left() == ["r4", "r5"]


def test_more_rows_than_one_step_removes_go(index: Index, ledger: Ledger) -> None:
    put(index, *(replace(entry(f"r{n:05d}", study=None), quarantined="unreadable") for n in range(2100)))
    index.settle([f"r{n:05d}" for n in range(2100)], LATER)
    assert prune(index, Retention(None, 50), LATER) == 2050
    assert len(ledger.instances(Question(), 100)) == 50


def test_patients_are_kept_as_they_were_concealed_and_are_in_no_answer(index: Index, ledger: Ledger) -> None:
    put(index, replace(entry("r1"), patient=b"\0concealed\xff"), entry("r2"))
    assert ledger.patient("r1") == b"\0concealed\xff"
    assert ledger.patient("r2") is None
    assert ledger.patient("none") is None
    assert "concealed" not in repr(ledger.instances(Question(), 10)) + repr(ledger.studies(Question(), 10))
