"""What becomes of instances that are safe: what goes where, what is kept, what waits, what a start finds."""

import errno
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydicom import dcmread

from karnak.dsl.compile import compile_profile
from karnak.dsl.nodes import Source
from karnak.gateway.audit import AuditEntry
from karnak.gateway.audit_chain import audit_files
from karnak.gateway.config_house import ReloadSection, SpoolSection
from karnak.gateway.deliver.backoff import Backoff
from karnak.gateway.deliver.parcel import Delivered, DeliveryError, Refused
from karnak.gateway.route import Outlet
from karnak.gateway.spool import Held, Spool
from karnak.gateway.states import State
from karnak.gateway.store.queue import Choice
from karnak.gateway.store.rows import Change, Wish
from karnak.runtime.deidentify import deidentify
from karnak.testing.specimen import BIG_ENDIAN, encoded, leaf
from tests.gateway.house import BASIC, EXPLICIT, PROJECT, SECONDS, Shelf, deidentified, instance, make_plan, running
from tests.gateway.instances import SECONDARY_CAPTURE

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
NOTHING_LEFT = compile_profile(
    Source(
        "nothing.yml",
        "name: Nothing left\nprofileElements:\n"
        "  - { name: all, codename: action.on.specific.tags, action: X, tags: [ 'XXXX,XXXX' ] }\n",
    )
)


def test_an_instance_is_de_identified_for_its_destination_and_leaves_nothing_behind(tmp_path: Path) -> None:
    shelf = Shelf()
    with running(make_plan(tmp_path, deidentified("shelf", shelf)), lambda: NOW) as house:
        receipt = house.receive(instance())
        assert house.settle(1) == [("shelf", "delivered", "the destination has it")]
        (parcel,) = shelf.parcels
        assert (parcel.sop_class_uid, parcel.sop_instance_uid) == (SECONDARY_CAPTURE, PROJECT.uid("1.2.3"))
        assert (parcel.study_instance_uid, parcel.series_instance_uid) == (PROJECT.uid("1.2.1"), PROJECT.uid("1.2.2"))
        pseudonym = PROJECT.pseudonym("P1", None)
        expected = deidentify(instance(), BASIC, PROJECT, pseudonym=pseudonym, now=NOW, transfer_syntax_uid=EXPLICIT)
        assert b"".join(parcel.file()) == expected.data
        assert house.lines("delivered") == [
            {"time": "2026-05-04T03:02:01.000Z", "event": "delivered", "receipt": receipt, "destination": "shelf"}
        ]
    assert shelf.closed
    assert house.kept() == []
    assert [path.name for path in (tmp_path / "spool" / "ready").iterdir()] == []


def test_each_destination_has_its_own_rules(tmp_path: Path) -> None:
    one, two, three = Shelf(), Shelf(), Shelf()
    outlets = (
        deidentified("one", one),
        replace(deidentified("two", two), sop_classes=frozenset({"1.2.840.10008.5.1.4.1.1.2"})),
        Outlet("three", three, None),
    )
    with running(make_plan(tmp_path, *outlets)) as house:
        house.receive(instance())
        assert house.settle(3) == [
            ("one", "delivered", "the destination has it"),
            ("three", "delivered", "the destination has it"),
            ("two", "excluded", "the destination does not take Secondary Capture Image Storage"),
        ]
    assert len(one.parcels) == 1
    assert two.parcels == []
    assert three.parcels[0].data_set == instance()


@pytest.mark.parametrize("bytes_", [b"", b"no data set", instance()[:-3]])
def test_bytes_that_are_no_data_set_are_quarantined(tmp_path: Path, bytes_: bytes) -> None:
    shelf = Shelf()
    with running(make_plan(tmp_path, deidentified("shelf", shelf))) as house:
        receipt = house.receive(bytes_)
        ((destination, state, cause),) = house.settle(1)
    assert (destination, state) == ("", "quarantined")
    assert shelf.parcels == []
    (report,) = house.kept()
    assert report["receipt"] == receipt
    assert report["parts"] == [{"destination": None, "state": "quarantined", "profile": None, "cause": cause}]
    (file,) = tmp_path.glob("quarantine/*/*/instance.dcm")
    assert file.read_bytes().endswith(bytes_)


@pytest.mark.parametrize(("sop_class", "sop_instance"), [("1.2.9", "1.2.3"), (SECONDARY_CAPTURE, "1.2.4")])
def test_a_sender_that_says_something_else_is_not_believed(tmp_path: Path, sop_class: str, sop_instance: str) -> None:
    shelf = Shelf()
    with running(make_plan(tmp_path, deidentified("shelf", shelf))) as house:
        house.receive(instance(), sop_class, sop_instance)
        ((_, state, cause),) = house.settle(1)
    assert (state, cause) == (
        "quarantined",
        "the command names another SOP Class or SOP Instance than the data set",
    )
    assert shelf.parcels == []


def test_nobody_is_called_so(tmp_path: Path) -> None:
    with running(make_plan(tmp_path, deidentified("shelf", Shelf()))) as house:
        house.receive(instance(), called="OTHER")
        ((_, state, cause),) = house.settle(1)
    assert (state, cause) == ("quarantined", "there is no forward node with the AE title that was called")


def test_a_rule_that_fails_keeps_the_instance_here_and_serves_the_others(tmp_path: Path) -> None:
    good, bad = Shelf(), Shelf()
    with running(make_plan(tmp_path, deidentified("good", good), deidentified("bad", bad, NOTHING_LEFT))) as house:
        house.receive(instance())
        rows = house.settle(2)
    assert [row[:2] for row in rows] == [("bad", "rejected"), ("good", "delivered")]
    assert bad.parcels == []
    assert len(good.parcels) == 1
    (report,) = house.kept()
    assert [(part["destination"], part["state"], part["profile"]) for part in report["parts"]] == [
        ("bad", "rejected", "Nothing left"),
        ("good", "delivered", "Basic"),
    ]
    assert b"DOE^JANE" in next(tmp_path.glob("quarantine/*/*/instance.dcm")).read_bytes()
    assert "DOE" not in house.stream.getvalue()


def test_no_patient_no_pseudonym_no_delivery(tmp_path: Path) -> None:
    shelf = Shelf()
    with running(make_plan(tmp_path, deidentified("shelf", shelf))) as house:
        house.receive(instance(PatientID=""))
        ((_, state, _),) = house.settle(1)
    assert state == "rejected"
    assert shelf.parcels == []
    assert len(house.kept()) == 1


def test_a_destination_that_fails_is_tried_again_until_it_takes_it(tmp_path: Path) -> None:
    shelf = Shelf([DeliveryError("no connection"), Refused("status A700H"), DeliveryError("gone"), Delivered("B000H")])
    with running(make_plan(tmp_path, deidentified("shelf", shelf))) as house:
        house.receive(instance())
        assert house.settle(1) == [("shelf", "delivered", "B000H")]
        assert [(line["reason"], line["count"]) for line in house.lines("waiting")] == [
            ("no connection", 1),
            ("status A700H", 2),
            ("gone", 3),
        ]
    assert len(shelf.parcels) == 1


def test_a_destination_that_is_down_holds_up_no_other(tmp_path: Path) -> None:
    down, good = Shelf([DeliveryError("no connection")] * 10_000), Shelf()
    outlets = (deidentified("down", down, backoff=Backoff(3600, 1, 3600)), deidentified("good", good))
    with running(make_plan(tmp_path, *outlets)) as house:
        for number in range(20):
            house.receive(instance(SOPInstanceUID=f"1.2.3.{number}"), sop_instance=f"1.2.3.{number}")
        wait(lambda: len(good.parcels) == 20)
        wait(lambda: len([row for row in house.rows() if row[0] == "good" and row[1] == "delivered"]) == 20)
        states = {row[:2] for row in house.rows()}
        # One try told that it is down; the others were left alone.
        assert len(down.calls) == 1
        assert states == {("down", "waiting"), ("down", "routed"), ("good", "delivered")}
        assert len(house.spool.stored()) == 20


def test_what_a_destination_that_is_down_is_owed_can_be_dropped_replaced_and_retried(tmp_path: Path) -> None:
    shelf = Shelf([DeliveryError("no connection")])
    with running(make_plan(tmp_path, deidentified("shelf", shelf, backoff=Backoff(3600, 1, 3600)))) as house:
        for number in range(4):
            house.receive(instance(SOPInstanceUID=f"1.2.3.{number}"), sop_instance=f"1.2.3.{number}")
        wait(lambda: sorted(row[1] for row in house.rows()) == ["routed", "routed", "routed", "waiting"])
        tried, replaced, dropped, _ = house.spool.stored()
        house.receive(instance(SOPInstanceUID="1.2.3.1"), sop_instance="1.2.3.1")
        wait(lambda: ("shelf", "excluded", "replaced by a newer receipt") in house.rows())
        house.gateway.queue.wish(Choice(receipt=dropped), Wish.DROP)
        wait(lambda: ("shelf", "excluded", "dropped by a person") in house.rows())
        wait(lambda: not {replaced, dropped} & set(house.spool.stored()))
        assert len(shelf.calls) == 1
        # Who is tried again opens the way for those behind it.
        house.gateway.queue.wish(Choice(receipt=tried), Wish.RETRY)
        wait(lambda: len(shelf.parcels) == 3)
        wait(lambda: house.spool.stored() == [])


@pytest.mark.parametrize("how", ["drop", "retry"])
def test_those_in_line_do_not_wait_for_one_that_is_gone(how: str, tmp_path: Path) -> None:
    """What made the destination be left alone is dropped; or only those behind it are there when a person says: now."""
    shelf = Shelf([DeliveryError("no connection"), DeliveryError("no connection")])
    with running(make_plan(tmp_path, deidentified("shelf", shelf, backoff=Backoff(3600, 1, 3600)))) as house:
        for number in range(3):
            house.receive(instance(SOPInstanceUID=f"1.2.3.{number}"), sop_instance=f"1.2.3.{number}")
        wait(lambda: sorted(row[1] for row in house.rows()) == ["routed", "routed", "waiting"])
        tried, second, third = house.spool.stored()
        if how == "retry":
            assert house.gateway.queue.wish(Choice(receipt=second), Wish.RETRY) == 1
            wait(lambda: len(shelf.calls) == 2)
            assert house.gateway.queue.wish(Choice(receipt=third), Wish.RETRY) == 1
            wait(lambda: house.spool.stored() == [tried, second])
        else:
            shelf.answers.clear()
            house.gateway.queue.wish(Choice(receipt=tried), Wish.DROP)
            wait(lambda: house.spool.stored() == [])
            assert len(shelf.parcels) == 2


def test_an_unforeseen_error_of_a_destination_waits_and_says_nothing_of_its_text(tmp_path: Path) -> None:
    shelf = Shelf([ZeroDivisionError("DOE^JANE")])
    with running(make_plan(tmp_path, deidentified("shelf", shelf))) as house:
        house.receive(instance())
        house.settle(1)
        (line,) = house.lines("destination failed")
    assert (line["error"], line["destination"]) == ("ZeroDivisionError", "shelf")
    assert [line["reason"] for line in house.lines("waiting")] == ["an internal error of type ZeroDivisionError"]
    assert "DOE" not in house.stream.getvalue()
    assert len(shelf.parcels) == 1


def test_an_original_that_the_disk_does_not_give_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, shelf = threading.Event(), Shelf(at_once=3)
    shelf.gate = gate
    opened, fails = Spool.open, {"1.2.3.2"}

    def hesitating(self: Spool, receipt: str) -> Held:
        held = opened(self, receipt)
        # The intake has read it before; it is the lane that can't.
        if threading.current_thread().name == "lane shelf" and held.arrival.sop_instance_uid in fails:
            fails.clear()
            raise OSError(errno.EIO, "no")
        return held

    monkeypatch.setattr(Spool, "open", hesitating)
    with running(make_plan(tmp_path, deidentified("shelf", shelf))) as house:
        # All three of these come to the destination together, while it is busy with the first.
        house.receive(instance(SOPInstanceUID="1.2.3.0"), sop_instance="1.2.3.0")
        wait(lambda: [row[1] for row in house.rows()] == ["routed"])
        for number, patient in enumerate(["", "P1", "P1"], 1):
            uid = f"1.2.3.{number}"
            house.receive(instance(SOPInstanceUID=uid, PatientID=patient), sop_instance=uid)
        wait(lambda: len(house.rows()) == 4)
        gate.set()
        assert [row[1] for row in house.settle(4)] == ["delivered", "rejected", "delivered", "delivered"]
        ((failed, reason),) = ((line["error"], line["destination"]) for line in house.lines("instance failed"))
        assert (failed, reason) == ("OSError", "shelf")
        assert house.lines("index failed") == []


def test_what_the_index_can_not_be_told_holds_up_nothing_else(tmp_path: Path) -> None:
    shelf = Shelf()
    with running(make_plan(tmp_path, deidentified("shelf", shelf))) as house:
        first = house.receive(instance(SOPInstanceUID="1.2.3.1"), sop_instance="1.2.3.1")
        house.settle(1)
        mistake = Change(first, "shelf", State.REJECTED, datetime.now(UTC), "a mistake")
        house.gateway._clerk.note([mistake, mistake])
        wait(lambda: len(house.lines("index failed")) == 2)
        house.receive(instance(SOPInstanceUID="1.2.3.2"), sop_instance="1.2.3.2")
        assert [row[1] for row in house.settle(2)] == ["delivered", "delivered"]
        assert {line["error"] for line in house.lines("index failed")} == {"ImpossibleTransition"}


def test_what_no_hint_told_of_is_found_at_the_start(tmp_path: Path) -> None:
    with running(make_plan(tmp_path, deidentified("shelf", Shelf()))) as first:
        # The intake has looked through the folder when it has taken this one in.
        first.receive(instance(SOPInstanceUID="1.2.3.0"), sop_instance="1.2.3.0")
        first.settle(1)
        lost = first.receive(instance(), hint=False)
    assert first.spool.stored() == [lost]
    shelf = Shelf()
    with running(make_plan(tmp_path, deidentified("shelf", shelf))) as second:
        second.settle(2)
    assert [parcel.sop_instance_uid for parcel in shelf.parcels] == [PROJECT.uid("1.2.3")]


def test_an_instance_that_has_ended_loses_its_file_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Spool, receipt: str) -> None:
        raise OSError(errno.EIO, "no")

    with monkeypatch.context() as patch, running(make_plan(tmp_path, deidentified("shelf", Shelf()))) as first:
        patch.setattr(Spool, "remove", refuse)
        receipt = first.receive(instance())
        wait(lambda: len(first.lines("ending failed")) == 1)
        assert [row[1] for row in first.rows()] == ["delivered"]
        assert first.spool.stored() == [receipt]
    shelf = Shelf()
    with running(make_plan(tmp_path, deidentified("shelf", shelf))) as second:
        second.settle(1)
    assert shelf.parcels == []


def test_what_waits_goes_on_after_a_restart(tmp_path: Path) -> None:
    with running(make_plan(tmp_path, deidentified("a", Shelf([DeliveryError("down")] * 99)))) as first:
        first.receive(instance())
        wait(lambda: len(first.lines("waiting")) >= 1)
    shelf = Shelf()
    with running(make_plan(tmp_path, deidentified("a", shelf))) as second:
        second.settle(1)
    assert len(shelf.parcels) == 1


def test_instances_arrive_in_their_order_and_several_at_once(tmp_path: Path) -> None:
    gate = threading.Event()
    shelf = Shelf(at_once=7, gate=gate)
    with running(make_plan(tmp_path, deidentified("shelf", shelf))) as house:
        for number in range(100):
            house.receive(instance(SOPInstanceUID=f"1.2.3.{number}"), sop_instance=f"1.2.3.{number}")
        gate.set()
        house.settle(100)
    assert [parcel.sop_instance_uid for parcel in shelf.parcels] == [PROJECT.uid(f"1.2.3.{n}") for n in range(100)]
    assert max(shelf.calls) == 7


def test_a_newer_receipt_replaces_what_still_waits(tmp_path: Path) -> None:
    shelf = Shelf([DeliveryError("down")] * 99)
    with running(make_plan(tmp_path, deidentified("shelf", shelf, backoff=Backoff(0.2, 1, 0.2)))) as house:
        house.receive(instance(SeriesDescription="old"))
        wait(lambda: len(house.lines("waiting")) >= 1)
        house.receive(instance(SeriesDescription="new"))
        wait(lambda: ("shelf", "excluded", "replaced by a newer receipt") in house.rows())
        shelf.answers.clear()
        rows = house.settle(2)
    assert [row[1] for row in rows] == ["excluded", "delivered"]
    assert len(shelf.parcels) == 1


def test_originals_can_be_kept(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, deidentified("shelf", Shelf()), spool=SpoolSection(durability="os", originals="keep"))
    with running(plan) as house:
        receipt = house.receive(instance())
        house.settle(1)
    (kept,) = tmp_path.glob("kept/*/*.dcm")
    assert kept.stem == receipt
    assert dcmread(kept).PatientName == "DOE^JANE"


def test_both_engines_give_the_same_and_what_tables_leave_is_counted(tmp_path: Path) -> None:
    elements = (
        leaf("SOPClassUID", SECONDARY_CAPTURE),
        leaf("SOPInstanceUID", "1.2.3"),
        leaf("PatientName", "DOE^JANE"),
        leaf("PatientID", "P1"),
        leaf("Rows", 7),
    )
    parcels = []
    for engine in ("tables", "reference"):
        shelf = Shelf()
        plan = make_plan(tmp_path / engine, deidentified("shelf", shelf), engine=engine)
        with running(plan, lambda: NOW) as house:
            house.receive(encoded(elements, BIG_ENDIAN), transfer_syntax=BIG_ENDIAN)
            house.settle(1)
            parcels.append(shelf.parcels)
            reasons = [line["reason"] for line in house.lines("fallback")]
            assert bool(reasons) is (engine == "tables")
    assert parcels[0] == parcels[1]


# --- reloading


def test_what_a_receiver_had_no_time_to_tell_of_is_found_when_it_is_gone(tmp_path: Path) -> None:
    shelf = Shelf()
    with running(make_plan(tmp_path, deidentified("shelf", shelf))) as house:
        house.receive(instance(SOPInstanceUID="1.2.3.1"), sop_instance="1.2.3.1")
        house.settle(1)
        house.receive(instance(SOPInstanceUID="1.2.3.2"), sop_instance="1.2.3.2", hint=False)
        house.gateway.look()
        house.settle(2)
    assert [parcel.sop_instance_uid for parcel in shelf.parcels] == [PROJECT.uid("1.2.3.1"), PROJECT.uid("1.2.3.2")]


def test_a_reload_changes_the_rules_for_what_comes_after_it(tmp_path: Path) -> None:
    gate, shelf = threading.Event(), Shelf()
    shelf.gate = gate
    plan = make_plan(tmp_path, deidentified("shelf", shelf))
    with running(plan) as house:
        house.receive(instance(SOPInstanceUID="1.2.3.1"), sop_instance="1.2.3.1")
        house.next_plan[0] = (make_plan(tmp_path, deidentified("shelf", shelf, NOTHING_LEFT)), ())
        assert house.gateway.reload().is_new
        house.receive(instance(SOPInstanceUID="1.2.3.2"), sop_instance="1.2.3.2")
        gate.set()
        assert [row[1] for row in house.settle(2)] == ["delivered", "rejected"]
        assert len(house.doors.admitted) == 1
        assert [line["count"] for line in house.lines("reloaded")] == [2]
    assert [parcel.sop_instance_uid for parcel in shelf.parcels] == [PROJECT.uid("1.2.3.1")]


def test_a_bad_reload_leaves_the_last_good_rules(tmp_path: Path) -> None:
    from karnak.gateway.plan import make_plan as read

    shelf = Shelf()
    _, found = read(Source("gateway.yml", "data_dir: x\nforward_nodes: 1\n"), tmp_path, {})
    with running(make_plan(tmp_path, deidentified("shelf", shelf))) as house:
        house.next_plan[0] = (None, found)
        assert not house.gateway.reload().is_new
        house.receive(instance())
        assert [row[1] for row in house.settle(1)] == ["delivered"]
        assert house.lines("reload refused")[0]["reason"].startswith(f"{found[0].code} gateway.yml:2:")
        assert house.doors.admitted == []


def test_a_reload_is_whole_where_the_audit_log_refuses_and_is_told_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(tmp_path, deidentified("shelf", Shelf()))
    with running(plan) as house:
        audit = house.gateway.audit
        write, left = audit.write, iter(range(2))

        def refusing(*entries: AuditEntry) -> None:
            if entries and next(left, None) is not None:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            write(*entries)

        monkeypatch.setattr(audit, "write", refusing)
        assert house.gateway.reload().is_new
        assert len(house.doors.admitted) == 1
        assert [line["event"] for line in house.lines("audit failed")] == ["audit failed"]
        assert house.gateway._clerk.flush(SECONDS)
    lines = [json.loads(line) for path in audit_files(tmp_path / "audit") for line in path.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["started", "configuration activated", "stopped"]


def test_destinations_that_stay_the_same_keep_their_connections(tmp_path: Path) -> None:
    same, other = Shelf(), Shelf()
    old = (deidentified("same", same, settings="port 1"), deidentified("other", other, settings="port 2"))
    unused, new = Shelf(), Shelf()
    with running(make_plan(tmp_path, *old)) as house:
        outlets = (deidentified("same", unused, settings="port 1"), deidentified("other", new, settings="port 3"))
        house.next_plan[0] = (make_plan(tmp_path, *outlets), ())
        house.gateway.reload()
        house.receive(instance())
        house.settle(2)
        assert (same.closed, other.closed) == (False, True)
    assert [len(shelf.parcels) for shelf in (same, other, unused, new)] == [1, 0, 0, 1]


def test_what_is_owed_to_a_destination_that_was_left_out_for_a_time_waits_for_it(tmp_path: Path) -> None:
    one, two = deidentified("one", Shelf()), deidentified("two", Shelf([DeliveryError("down")] * 99))
    with running(make_plan(tmp_path, one, two)) as first:
        first.receive(instance())
        wait(lambda: ("one", "delivered", "the destination has it") in first.rows())
    shelf = Shelf()
    with running(make_plan(tmp_path, one)) as second:
        # It belongs to the rules of this start, which don't have its destination.
        second.next_plan[0] = (make_plan(tmp_path, one, deidentified("two", shelf)), ())
        assert second.gateway.reload().is_new
        assert [row[:2] for row in second.settle(2)] == [("one", "delivered"), ("two", "delivered")]
    assert [parcel.sop_instance_uid for parcel in shelf.parcels] == [PROJECT.uid("1.2.3")]


def test_what_is_owed_by_an_ae_title_that_has_gone_waits_for_it(tmp_path: Path) -> None:
    with running(make_plan(tmp_path, deidentified("shelf", Shelf([DeliveryError("down")] * 99)))) as first:
        first.receive(instance())
        wait(lambda: [row[1] for row in first.rows()] == ["waiting"])
    shelf = Shelf()
    plan = make_plan(tmp_path, deidentified("shelf", shelf))
    with running(replace(plan, nodes=(replace(plan.nodes[0], ae_title="OTHER"),))) as second:
        reason = "the AE title that was called has no such destination any more"
        wait(lambda: second.rows() == [("shelf", "waiting", reason)])
    with running(plan) as third:
        third.settle(1)
    assert len(shelf.parcels) == 1


def test_a_destination_that_came_with_a_reload_is_served(tmp_path: Path) -> None:
    one, two = Shelf(), Shelf()
    with running(make_plan(tmp_path, deidentified("one", one))) as house:
        house.receive(instance(SOPInstanceUID="1.2.3.1"), sop_instance="1.2.3.1")
        house.settle(1)
        house.next_plan[0] = (make_plan(tmp_path, deidentified("one", one), deidentified("two", two)), ())
        house.gateway.reload()
        house.receive(instance(SOPInstanceUID="1.2.3.2"), sop_instance="1.2.3.2")
        house.settle(3)
    assert (len(one.parcels), len(two.parcels)) == (2, 1)


def test_settings_that_take_a_restart_are_told(tmp_path: Path) -> None:
    with running(make_plan(tmp_path, deidentified("shelf", Shelf()))) as house:
        house.gateway.reload()
        assert house.lines("restart needed") == []
        changed = make_plan(tmp_path, deidentified("shelf", Shelf()), reload=ReloadSection(watch=False, pin="study"))
        house.next_plan[0] = (changed, ())
        house.gateway.reload()
        assert len(house.lines("restart needed")) == 1


def test_the_metrics_say_what_is_owed(tmp_path: Path) -> None:
    shelf = Shelf([DeliveryError("down")] * 99)
    with running(make_plan(tmp_path, deidentified("shelf", shelf, backoff=Backoff(3600, 1, 3600)))) as house:
        house.receive(instance(), received=datetime.now(UTC) - timedelta(hours=1))
        wait(lambda: len(house.lines("waiting")) == 1)
        wait(lambda: any(row[1] == "waiting" for row in house.rows()))
        text = house.gateway.metrics.text().decode()
    assert 'karnak_queue_depth{destination="shelf"} 1.0' in text
    assert 'karnak_retries_total{destination="shelf"} 1.0' in text


def wait(holds: Callable[[], bool]) -> None:
    """Wait for something that comes soon or never."""
    pause = threading.Event()
    for _ in range(1500):
        if holds():
            return
        pause.wait(0.02)
    raise AssertionError("it never came")
