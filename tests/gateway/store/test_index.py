"""The index owes each instance to each destination, in order, until it has ended there."""

from datetime import timedelta
from pathlib import Path

import pytest

from karnak.gateway.states import ImpossibleTransition, State
from karnak.gateway.store.database import Database, IndexUnavailable, index_url, open_database
from karnak.gateway.store.index import Index
from karnak.gateway.store.queue import Choice, Queue
from karnak.gateway.store.rows import NO_DESTINATION, Change, Ending, Entry, NewUids, Wish
from tests.gateway.arrivals import START, arrival, receipts
from tests.gateway.store.entries import LATER, at, ends, entry, names, receipts_due, waits


def test_what_is_added_is_due_at_each_destination_in_order(index: Index) -> None:
    assert index.add([entry("b"), entry("a"), entry("c", "pacs")]) == []
    assert receipts_due(index, "pacs") == ["a", "b", "c"]
    assert receipts_due(index, "research") == ["a", "b"]
    assert receipts_due(index, "nobody") == []


def test_a_part_says_what_a_lane_must_know(index: Index) -> None:
    index.add([entry("a", "pacs", uid="1.2.3")])
    (part,) = index.due("pacs", LATER, 1)
    assert (part.receipt, part.destination, part.state, part.cause) == ("a", "pacs", State.ROUTED, None)
    assert (part.attempts, part.received, part.retry_at, part.size, part.wish) == (0, START, None, 1000, None)
    assert (part.sop_class_uid, part.sop_instance_uid) == (arrival().sop_class_uid, "1.2.3")
    assert (part.study_instance_uid, part.series_instance_uid) == ("1.2.9", "1.2.9.1")
    assert part.transfer_syntax_uid == "1.2.840.10008.1.2.1"


def test_what_is_handed_out_is_not_handed_out_again(index: Index) -> None:
    index.add([entry(name) for name in "abc"])
    first = index.due("pacs", LATER, 2)
    assert names(first) == ["a", "b"]
    assert names(index.due("pacs", LATER, 2)) == ["c"]
    assert index.due("pacs", LATER, 2) == []
    index.put_back(first[:1])
    assert names(index.due("pacs", LATER, 2)) == ["a"]
    assert names(index.due("research", LATER, 9)) == ["a", "b", "c"]


def test_after_a_crash_what_was_in_work_is_due(index: Index, database: Database) -> None:
    index.add([entry(name) for name in "ab"])
    a, _ = index.due("pacs", LATER, 2)
    index.note([Change(a.receipt, "pacs", State.TRANSFORMING, LATER)])
    again = Index(database)
    again.resume([])
    assert receipts_due(again) == ["a", "b"]


def test_what_is_noted_as_in_work_stays_so(index: Index) -> None:
    index.add([entry("a", "pacs")])
    index.due("pacs", LATER, 1)
    index.note([Change("a", "pacs", State.TRANSFORMING, LATER)])
    index.note([Change("a", "pacs", State.DELIVERING, LATER)])
    assert index.due("pacs", LATER, 1) == []
    assert index.note([Change("a", "pacs", State.DELIVERED, LATER, "done")]) == ["a"]


def test_an_instance_has_ended_when_all_its_parts_have(index: Index) -> None:
    index.add([entry("a"), entry("b")])
    pacs, research = index.due("pacs", LATER, 9), index.due("research", LATER, 9)
    assert index.note([ends(pacs[0]), ends(pacs[1], State.EXCLUDED, "a filter")]) == []
    assert index.unsettled(9) == []
    assert index.note([ends(research[1], State.REJECTED, "an error"), waits(research[0], 5)]) == ["b"]
    assert index.unsettled(9) == ["b"]
    assert index.endings(["b", "a"]) == {
        "b": (
            Ending("pacs", State.EXCLUDED, "a filter", None),
            Ending("research", State.REJECTED, "an error", None),
        ),
        "a": (Ending("pacs", State.DELIVERED, "done", None),),
    }
    index.settle(["b"], at(1))
    assert index.unsettled(9) == []


def test_what_waits_is_due_at_its_time(index: Index) -> None:
    index.add([entry("a"), entry("b")])
    a, b = index.due("pacs", LATER, 9)
    assert index.next_retry("pacs") is None
    index.note([waits(a, 10), waits(b, 5)])
    assert index.next_retry("pacs") == at(5)
    assert index.next_retry("research") is None
    assert receipts_due(index, seconds=4.999999) == []
    assert receipts_due(index, seconds=5) == ["b"]
    assert receipts_due(index, seconds=10) == ["a", "b"]
    (b,) = index.due("pacs", at(5), 9)
    assert (b.state, b.cause, b.attempts, b.retry_at) == (State.WAITING, "no answer", 1, at(5))
    # What is in work again does not make a lane come back at once.
    assert index.next_retry("pacs") == at(10)


def test_the_old_come_before_the_new_also_when_they_had_to_wait(index: Index) -> None:
    index.add([entry(name) for name in "abc"])
    a, b, _ = index.due("pacs", LATER, 3)
    index.note([waits(b, 1), ends(a)])
    index.put_back([_])
    assert receipts_due(index, seconds=2) == ["b", "c"]
    assert receipts_due(index, seconds=2, limit=1) == ["b"]


def test_attempts_are_counted(index: Index, queue: Queue) -> None:
    index.add([entry("a", "pacs")])
    for _ in range(3):
        (part,) = index.due("pacs", at(9), 1)
        index.note([waits(part, 1)])
    (part,) = index.due("pacs", at(9), 1)
    assert part.attempts == 3
    index.note([ends(part)])
    (listed,) = queue.list(Choice(state=State.DELIVERED), 9)
    assert listed.attempts == 4


def test_a_known_receipt_is_passed_over(index: Index) -> None:
    index.add([entry("a", "pacs"), entry("a", "research")])
    assert receipts_due(index, "research") == []
    index.note([ends(index.due("pacs", LATER, 1)[0])])
    assert index.add([entry("a"), entry("b", "pacs")]) == []
    assert receipts_due(index, "pacs") == ["b"]
    assert receipts_due(index, "research") == []
    assert index.unknown(["c", "b", "a", "d"]) == ["c", "d"]


def test_what_nobody_s_rules_are_asked_for_has_ended(index: Index) -> None:
    unread = Entry("a", arrival(), 5, ("pacs",), quarantined="the data set can't be read")
    nowhere = Entry("b", arrival(sop_instance_uid="9"), 5, ())
    assert index.add([unread, nowhere, entry("c")]) == ["a", "b"]
    assert index.unsettled(9) == ["a", "b"]
    assert index.endings(["a", "b"]) == {
        "a": (Ending(NO_DESTINATION, State.QUARANTINED, "the data set can't be read", None),),
        "b": (Ending(NO_DESTINATION, State.QUARANTINED, "no destination", None),),
    }


@pytest.mark.parametrize("state", [State.ROUTED, State.WAITING])
def test_a_newer_receipt_replaces_what_was_not_sent(index: Index, queue: Queue, state: State) -> None:
    index.add([entry("a", uid="1")])
    if state is State.WAITING:
        index.note([waits(index.due("pacs", LATER, 1)[0], 5)])
    index.note([ends(index.due("research", LATER, 1)[0])])
    # What was sent to one destination is not taken back; it has ended everywhere now.
    assert index.add([entry("b", uid="1"), entry("c", uid="2")]) == ["a"]
    assert receipts_due(index, "pacs", 9) == ["b", "c"]
    assert receipts_due(index, "research", 9) == ["b", "c"]
    assert [ending.cause for ending in index.endings(["a"])["a"]] == ["replaced by a newer receipt", "done"]
    (listed,) = queue.list(Choice(receipt="a", state=State.EXCLUDED), 9)
    assert (listed.destination, listed.retry_at) == ("pacs", None)


def test_of_several_receipts_taken_in_at_once_the_newest_is_sent(index: Index) -> None:
    assert index.add([entry(name, uid="1") for name in "bdac"]) == ["a", "b", "c"]
    assert receipts_due(index) == ["d"]


def test_a_receipt_that_comes_late_does_not_follow_the_newer_one_that_was_delivered(index: Index) -> None:
    index.add([entry("b", uid="1.2.3")])
    index.note([ends(part) for part in index.due("pacs", LATER, 9)])
    index.note([ends(part, State.REJECTED) for part in index.due("research", LATER, 9)])
    assert index.add([entry("a", uid="1.2.3")]) == []
    assert (receipts_due(index, "pacs"), receipts_due(index, "research")) == ([], ["a"])
    assert index.endings(["a"])["a"] == (Ending("pacs", State.EXCLUDED, "replaced by a newer receipt", None),)
    # What is newer still is sent.
    assert index.add([entry("c", uid="1.2.3")]) == ["a"]
    assert (receipts_due(index, "pacs"), receipts_due(index, "research")) == (["c"], ["c"])


def test_a_receipt_that_comes_late_is_replaced_by_the_newer_one_that_is_there(index: Index) -> None:
    index.add([entry("b", uid="1")])
    assert index.add([entry("a", uid="1")]) == ["a"]
    assert receipts_due(index) == ["b"]


@pytest.mark.parametrize("change", [{"calling_ae": "CT02"}, {"called_ae": "OTHER"}, {"uid": "2"}])
def test_other_sources_and_instances_replace_nothing(index: Index, change: dict[str, str]) -> None:
    index.add([entry("a", "pacs", uid="1")])
    assert index.add([entry("b", "pacs", **{"uid": "1", **change})]) == []
    assert index.unsettled(9) == []
    # But two versions of one instance never overtake each other.
    assert receipts_due(index) == (["a", "b"] if "uid" in change else ["a"])


def test_a_newer_receipt_waits_for_the_one_that_is_being_sent(index: Index) -> None:
    index.add([entry("a", "pacs", uid="1")])
    (a,) = index.due("pacs", LATER, 1)
    assert index.add([entry("b", "pacs", uid="1")]) == []
    assert index.due("pacs", LATER, 9) == []
    assert index.note([ends(a)]) == ["a"]
    assert receipts_due(index) == ["b"]


def test_what_could_not_be_sent_gives_way_to_the_newer_one(index: Index) -> None:
    index.add([entry("a", uid="1"), entry("x", uid="2")])
    parts = index.due("pacs", LATER, 9)
    assert index.add([entry("b", "pacs", uid="1")]) == []
    assert index.note([waits(part, 5) for part in parts]) == []
    assert receipts_due(index, seconds=9) == ["b", "x"]
    assert index.endings(["a"])["a"] == (Ending("pacs", State.EXCLUDED, "replaced by a newer receipt", None),)
    assert receipts_due(index, "research") == ["a", "x"]


def test_versions_of_one_instance_from_two_sources_go_in_order(index: Index) -> None:
    index.add([entry("a", "pacs", uid="1"), entry("b", "pacs", uid="1", calling_ae="CT02"), entry("c", "pacs")])
    a, c = index.due("pacs", LATER, 9)
    assert names([a, c]) == ["a", "c"]
    index.note([waits(a, 5)])
    assert receipts_due(index, seconds=1) == []
    assert receipts_due(index, seconds=9) == ["a"]
    # What stands behind another is no reason to come back for.
    assert index.next_retry("pacs") == at(5)
    (a,) = index.due("pacs", at(9), 9)
    index.note([ends(a)])
    assert receipts_due(index) == ["b"]


def test_what_is_sent_is_on_record(index: Index, queue: Queue) -> None:
    index.add([entry("a", "pacs", study="1.2.9")])
    (part,) = index.due("pacs", LATER, 1)
    sent = NewUids("2.25.1", "2.25.2", "2.25.3")
    index.note([Change("a", "pacs", State.DELIVERED, LATER, "Success", program="ab" * 32, new=sent)])
    assert index.endings(["a"])["a"] == (Ending("pacs", State.DELIVERED, "Success", "ab" * 32),)
    for study in ("1.2.9", "2.25.3"):
        choice = Choice(study_instance_uid=study, state=State.DELIVERED)
        assert names(queue.list(choice, 9)) == [part.receipt]
    assert queue.list(Choice(study_instance_uid="2.25.1", state=State.DELIVERED), 9) == []


def test_what_can_t_happen_is_refused_and_nothing_noted(index: Index) -> None:
    index.add([entry("a", "pacs"), entry("b", "pacs")])
    a, b = index.due("pacs", LATER, 9)
    index.note([ends(a)])
    with pytest.raises(ImpossibleTransition, match="a part that is delivered can't come to be waiting"):
        index.note([ends(b), Change("a", "pacs", State.WAITING, at(1), "no answer", at(2))])
    with pytest.raises(ImpossibleTransition, match="knows no part x for pacs"):
        index.note([ends(b), Change("x", "pacs", State.EXCLUDED, LATER, "none")])
    assert index.due("pacs", LATER, 9) == []
    index.put_back([b])
    assert receipts_due(index) == ["b"]


def test_what_was_noted_may_be_noted_again(index: Index, queue: Queue) -> None:
    index.add([entry("a", "pacs"), entry("b", "pacs", uid="1"), entry("c", "pacs")])
    a, b, c = index.due("pacs", LATER, 9)
    index.add([entry("d", "pacs", uid="1")])
    changes = [Change("a", "pacs", State.TRANSFORMING, LATER), ends(a), waits(b, 1), waits(c, 1)]
    assert index.note(changes) == ["a", "b"]
    before = [queue.list(Choice(state=state), 9) for state in (State.DELIVERED, State.EXCLUDED)]
    # Whoever noted that did not hear it, as when the database went away at this moment.
    assert index.note(changes) == ["a", "b"]
    assert [queue.list(Choice(state=state), 9) for state in (State.DELIVERED, State.EXCLUDED)] == before
    assert receipts_due(index, seconds=9) == ["c", "d"]


def test_a_file_that_is_there_again_is_not_settled(index: Index) -> None:
    index.add([entry(name, "pacs") for name in "abc"])
    index.note([ends(part) for part in index.due("pacs", LATER, 2)])
    index.settle(["a", "b"], LATER)
    index.resume(["a", "c", "unknown"])
    assert index.unsettled(9) == ["a"]


def test_several_changes_of_one_part_are_noted_in_order(index: Index, queue: Queue) -> None:
    index.add([entry("a", "pacs")])
    (part,) = index.due("pacs", LATER, 9)
    index.note([Change("a", "pacs", State.TRANSFORMING, LATER), waits(part, 1), waits(part, 2)])
    (listed,) = queue.list(Choice(), 9)
    assert (listed.attempts, listed.retry_at) == (2, at(2))


@pytest.mark.parametrize(
    ("state", "cause", "retry"),
    [
        (State.DELIVERED, None, False),
        (State.EXCLUDED, "", False),
        (State.WAITING, "none", False),
        (State.WAITING, None, True),
        (State.REJECTED, "none", True),
    ],
)
def test_every_end_has_a_cause_and_every_wait_a_time(state: State, cause: str | None, retry: bool) -> None:
    with pytest.raises(ValueError, match="a part that"):
        Change("a", "pacs", state, LATER, cause, LATER if retry else None)


def test_people_s_wishes_are_done_at_the_next_look(index: Index, queue: Queue) -> None:
    index.add([entry(name) for name in "abcd"])
    a, b, _, d = parts = index.due("pacs", LATER, 9)
    index.note([waits(a, 1000), waits(b, 1000)])
    index.put_back(parts[2:3])
    assert index.fulfil(LATER) == []
    assert queue.wish(Choice(destination="pacs", receipt="a"), Wish.RETRY) == 1
    assert queue.wish(Choice(destination="pacs", receipt="b"), Wish.DROP) == 1
    assert queue.wish(Choice(destination="pacs", receipt="c"), Wish.DROP) == 1
    assert queue.wish(Choice(destination="pacs", receipt="d"), Wish.DROP) == 1
    # Who is due already stays so.
    assert queue.wish(Choice(destination="research"), Wish.RETRY) == 4
    assert index.fulfil(at(1)) == []
    assert receipts_due(index) == ["a"]
    assert [part.wish for part in queue.list(Choice(destination="pacs"), 9)] == [None, Wish.DROP]
    # A lane has d in its hands: it is dropped when that could not send it.
    assert index.note([waits(d, 5)]) == []
    dropped = queue.list(Choice(destination="pacs", state=State.EXCLUDED), 9)
    assert [(part.receipt, part.cause, part.wish) for part in dropped] == [
        (name, "dropped by a person", None) for name in "bcd"
    ]
    assert queue.wish(Choice(receipt="c"), Wish.DROP) == 1
    assert index.fulfil(at(2)) == ["c"]
    assert index.unsettled(9) == ["c"]


def test_what_was_sent_before_it_could_be_dropped_was_sent(index: Index, queue: Queue) -> None:
    index.add([entry("a", "pacs")])
    (part,) = index.due("pacs", LATER, 1)
    queue.wish(Choice(receipt="a"), Wish.DROP)
    assert index.fulfil(LATER) == []
    assert index.note([ends(part)]) == ["a"]
    assert index.endings(["a"])["a"][0].state is State.DELIVERED
    assert index.fulfil(LATER) == []
    assert queue.wish(Choice(receipt="a"), Wish.DROP) == 0


def test_a_retry_of_what_stands_in_line_is_forgotten(index: Index, queue: Queue) -> None:
    index.add([entry("a", "pacs")])
    (part,) = index.due("pacs", LATER, 1)
    index.note([waits(part, 1)])
    queue.wish(Choice(), Wish.RETRY)
    index.fulfil(LATER)
    assert receipts_due(index, seconds=-1) == ["a"]
    assert queue.list(Choice(), 9)[0].wish is None


def test_of_those_in_line_the_first_of_each_destination_is_asked_for(index: Index, queue: Queue) -> None:
    index.add([entry(name, "pacs", "disk") for name in "abc"])
    (part,) = index.due("pacs", LATER, 1)
    index.note([waits(part, 1)])
    opened: list[str] = []
    assert queue.wish(Choice(destination="pacs"), Wish.RETRY) == 3
    wished = [(one.receipt, one.destination) for one in queue.list(Choice(), 9) if one.wish is Wish.RETRY]
    assert wished == [("a", "pacs"), ("b", "pacs")]
    assert index.fulfil(LATER, opened.append) == []
    assert opened == ["pacs"]
    assert [one.wish for one in queue.list(Choice(), 9)] == [None] * 6


def test_dropping_what_waits_opens_the_way(index: Index, queue: Queue) -> None:
    index.add([entry(name, "pacs") for name in "abc"])
    (part,) = index.due("pacs", LATER, 1)
    index.note([waits(part, 1)])
    opened: list[str] = []
    queue.wish(Choice(receipt="b"), Wish.DROP)
    index.fulfil(LATER, opened.append)
    assert opened == []
    queue.wish(Choice(receipt="a"), Wish.DROP)
    index.fulfil(LATER, opened.append)
    assert opened == ["pacs"]


def test_storage_commitment_is_given_for_what_is_safe(index: Index) -> None:
    kind = arrival().sop_class_uid
    index.add([entry(name, "pacs", uid=f"1.{i}") for i, name in enumerate("abcd", 1)])
    a, b, c, _ = index.due("pacs", LATER, 9)
    index.note([ends(a), ends(b, State.REJECTED, "an error"), waits(c, 1)])
    asked = [(kind, f"1.{i}") for i in range(1, 6)] + [("1.2", "1.4")]
    assert index.safe(asked) == {(kind, "1.1"), (kind, "1.3"), (kind, "1.4")}
    assert index.safe([]) == set()
    # The same instance, safe by a later receipt.
    index.add([entry("e", "pacs", uid="1.2")])
    assert (kind, "1.2") in index.safe(asked)


def test_what_nobody_has_is_not_committed(index: Index, queue: Queue) -> None:
    kind = arrival().sop_class_uid
    index.add([entry(name, "pacs", "disk", uid=f"1.{i}") for i, name in enumerate("ab", 1)])
    asked = [(kind, "1.1"), (kind, "1.2")]
    pacs, disk = index.due("pacs", LATER, 9), index.due("disk", LATER, 9)
    index.note([ends(part, State.EXCLUDED, "the destination's condition does not hold") for part in pacs])
    assert index.safe(asked) == set(asked)
    index.note([ends(disk[0]), ends(disk[1], State.EXCLUDED, "the destination's condition does not hold")])
    assert index.safe(asked) == {(kind, "1.1")}
    assert index.safe(asked, originals_kept=True) == set(asked)


def test_rows_go_by_age_and_by_number_and_only_when_all_is_done(index: Index, database: Database) -> None:
    index.add([entry(name, "pacs") for name in "abcdef"])
    parts = index.due("pacs", LATER, 9)
    index.note([ends(part) for part in parts[:5]])
    for i, name in enumerate("abcd"):
        index.settle([name], at(i))
    assert index.forget(None, None, 100) == 0
    assert index.forget(at(1), None, 100) == 1
    assert index.unknown(list("abcdef")) == ["a"]
    assert index.forget(None, 3, 100) == 0
    assert index.forget(at(0), 1, 1) == 1
    assert index.unknown(list("abcdef")) == ["a", "b"]
    assert index.forget(at(99), 0, 100) == 2
    # e has ended but its file is there; f is still owed.
    assert index.unknown(list("abcdef")) == ["a", "b", "c", "d"]
    assert index.endings(["a"]) == {"a": ()}


def test_anything_that_a_sender_can_write_can_be_kept(index: Index, queue: Queue) -> None:
    evil = "1.2\0\ud800'; DROP TABLE part; --"
    index.add(
        [entry("a", "pacs", uid=evil, calling_ae=evil, study=evil), entry("b", "pacs", uid=evil, calling_ae=evil)]
    )
    (part,) = index.due("pacs", LATER, 9)
    assert part.receipt == "b"
    assert "DROP TABLE" in part.sop_instance_uid
    assert names(queue.list(Choice(study_instance_uid=evil, state=State.EXCLUDED), 9)) == ["a"]


def test_a_patient_s_identifiers_are_bytes_that_only_the_key_opens(index: Index, database: Database) -> None:
    index.add([Entry("a", arrival(), 1, ("pacs",), patient=b"\0\xffcipher"), entry("b")])
    with database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT patient FROM instance ORDER BY receipt").scalars().all()
    assert [None if row is None else bytes(row) for row in rows] == [b"\0\xffcipher", None]


def test_many_are_taken_in_and_noted_at_once(index: Index, queue: Queue) -> None:
    give = receipts()
    names_ = [give() for _ in range(6000)]
    index.add([entry(name) for name in names_])
    assert queue.depths() == {("pacs", "routed"): 6000, ("research", "routed"): 6000}
    assert queue.oldest() == {"pacs": START.replace(microsecond=0), "research": START.replace(microsecond=0)}
    parts = index.due("pacs", LATER, 6000)
    assert names(parts) == names_
    assert index.note([ends(part) for part in parts[:5999]] + [waits(parts[5999], 1)]) == []
    assert queue.depths() == {("pacs", "waiting"): 1, ("research", "routed"): 6000}
    assert queue.oldest()["pacs"] == (START + timedelta(seconds=5999)).replace(microsecond=0)


def test_lists_are_chosen_and_limited(index: Index, queue: Queue) -> None:
    index.add([entry("a"), entry("b", "pacs", study="7"), entry("c", study=None)])
    index.note([waits(index.due("pacs", LATER, 1)[0], 3)])
    assert [(part.receipt, part.destination) for part in queue.list(Choice(), 3)] == [
        ("a", "pacs"), ("a", "research"), ("b", "pacs"),
    ]  # fmt: skip
    assert queue.count(Choice()) == 5
    assert names(queue.list(Choice(destination="research"), 9)) == ["a", "c"]
    assert names(queue.list(Choice(study_instance_uid="7"), 9)) == ["b"]
    assert names(queue.list(Choice(state=State.WAITING), 9)) == ["a"]
    assert queue.count(Choice(state=State.DELIVERED)) == 0
    assert Choice().is_all
    assert not Choice(receipt="a").is_all


def test_a_full_disk_notes_nothing_and_loses_nothing(tmp_path: Path) -> None:
    database = open_database(index_url(tmp_path), upgrade=True)
    index = Index(database)
    index.add([entry("a", "pacs")])
    (part,) = index.due("pacs", LATER, 1)

    def allow(more: int) -> None:
        # Holds for the one connection that the pool has.
        with database.engine.connect() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + more}")

    allow(0)
    give = receipts()
    with pytest.raises(IndexUnavailable, match="its disk is full"):
        index.add([entry(give()) for _ in range(2000)])
    assert receipts_due(index) == []
    allow(1000)
    assert index.note([ends(part)]) == ["a"]
    database.close()
