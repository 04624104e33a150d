"""The doctor says what is wrong with spool and index, and makes the index anew without losing anything."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from karnak.gateway.disk import Disk
from karnak.gateway.doctor import Finding, Severity, examine, rebuild
from karnak.gateway.house_lock import HouseLock, HouseTaken
from karnak.gateway.owed_reports import Owed, OwedReports
from karnak.gateway.premises import Premises, wish
from karnak.gateway.receive.commitment import Transaction
from karnak.gateway.route import Caller
from karnak.gateway.spool import Spool
from karnak.gateway.states import State
from karnak.gateway.store.database import IndexUnavailable, index_url, open_database
from karnak.gateway.store.index import Index
from karnak.gateway.store.queue import Choice, Queue
from karnak.gateway.store.rows import Change, Entry, Wish
from tests.gateway.arrivals import START, arrival, receipts
from tests.gateway.store.entries import LATER, at

DESTINATIONS = ("pacs", "research")


class House:
    """A data folder with a spool and an index, as a gateway leaves them."""

    def __init__(self, folder: Path, url: str | None = None) -> None:
        self.folder = folder
        self.new_receipt: Callable[[], str] = receipts()
        self.spool = Spool(folder, Disk(), "os", self.new_receipt)
        self.premises = Premises(folder, index_url(folder, url), 1, frozenset(DESTINATIONS))
        self.open()

    def open(self) -> None:
        self.database = open_database(self.premises.index, upgrade=True)
        self.index = Index(self.database)

    def receive(self, **changes: str) -> str:
        receiving = self.spool.begin(arrival(**changes))
        receiving.write(b"\x08data")
        return receiving.keep()

    def take_in(self, *receipts: str) -> None:
        self.index.add([Entry(receipt, self.spool.open(receipt).arrival, 5, DESTINATIONS) for receipt in receipts])

    def end(self, receipt: str) -> None:
        """It was delivered everywhere, and its file is gone."""
        for destination in DESTINATIONS:
            self.index.note([Change(receipt, destination, State.DELIVERED, LATER, "taken")])
        self.spool.remove(receipt)
        self.index.settle([receipt], LATER)

    def findings(self, *, running: bool = False) -> list[Finding]:
        return list(examine(self.premises, self.spool, running=running))

    def worse(self, *, running: bool = False) -> list[tuple[str, tuple[str, ...]]]:
        return [(f.what, f.receipts) for f in self.findings(running=running) if f.severity is not Severity.GOOD]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "data")
    yield made
    made.database.close()


def test_a_healthy_house(house: House) -> None:
    house.take_in(house.receive(sop_instance_uid="1"), house.receive(sop_instance_uid="2"))
    assert house.worse() == []
    assert [finding.what for finding in house.findings()] == [
        f"a gateway does not run on {house.folder}",
        "the disk of the spool has the 0 MiB free that it must have",
        "2 instances in the spool",
        "owed to pacs: 2 routed",
        "owed to research: 2 routed",
    ]


def test_files_without_rows(house: House) -> None:
    receipt = house.receive()
    assert house.worse() == [("1 instance in the spool and not in the index", (receipt,))]
    advice = [[f.advice for f in house.findings(running=running) if f.receipts] for running in (True, False)]
    assert advice == [["the gateway takes them in within seconds"], ["the next start takes them in"]]


def test_rows_without_files(house: House) -> None:
    names = [house.receive(sop_instance_uid=str(i)) for i in range(7)]
    house.take_in(*names)
    for name in names[:6]:
        (house.folder / "spool" / "ready" / f"{name}.dcm").unlink()
    assert house.worse() == [("6 instances owed to destinations, but not in the spool any more", tuple(names[:5]))]


def test_files_that_are_done_with(house: House) -> None:
    receipt = house.receive()
    house.take_in(receipt)
    for destination in DESTINATIONS:
        house.index.note([Change(receipt, destination, State.DELIVERED, LATER, "taken")])
    assert house.worse() == [("1 instance done with, but still in the spool", (receipt,))]
    assert house.worse(running=True) == []


def test_damaged_and_foreign_files(house: House) -> None:
    receipt = house.receive()
    house.take_in(receipt)
    path = house.folder / "spool" / "ready" / f"{receipt}.dcm"
    path.write_bytes(path.read_bytes()[:-1])
    (path.parent / "DOE^JANE.txt").write_text("")
    assert house.worse() == [
        ("1 files in spool/ready are not Karnak's", ()),
        ("1 instance damaged in the spool", (receipt,)),
    ]


def test_half_received_files(house: House) -> None:
    house.spool.begin(arrival())
    assert house.worse() == [("1 instance half received", ())]
    assert house.worse(running=True) == [("1 instance being received, or left by a receiver that died", ())]


def test_a_full_disk(house: House) -> None:
    full = Premises(house.folder, house.premises.index, 1 << 60, house.premises.destinations)
    found = [f for f in examine(full, house.spool, running=False) if f.severity is Severity.PROBLEM]
    assert [f.what for f in found] == [
        "the disk of the spool has less than 1099511627776 MiB free: senders are refused"
    ]


def test_destinations_that_are_gone(house: House) -> None:
    house.take_in(house.receive())
    other = Premises(house.folder, house.premises.index, 1, frozenset({"pacs"}))
    found = [f for f in examine(other, house.spool, running=False) if f.severity is Severity.PROBLEM]
    assert [(f.what, f.advice) for f in found] == [
        (
            "the destination research is owed instances, but the configuration does not have it",
            "put it back, or run: karnak queue drop --destination 'research'",
        )
    ]


def test_reports_that_are_owed_are_counted(house: House) -> None:
    reports = OwedReports(house.folder, Disk(), "os")
    caller = Caller("KARNAK", "CT01", "127.0.0.1")
    for _ in range(2):
        reports.keep(Owed(house.new_receipt(), Transaction("1.2", (("1.3", "1.4"),)), caller, START))
    half = house.folder / "commitments" / "half.part"
    half.write_text("{")
    ((what, _),) = house.worse(running=True)
    assert what.startswith("2 reports of Storage Commitment owed since 2026-")
    # It may be somebody's who writes just now.
    assert half.exists()


def test_quarantine_is_counted(house: House) -> None:
    house.spool.quarantine(house.receive(), {}, START)
    assert [what for what, _ in house.worse()] == ["1 instance in quarantine"]


def test_an_index_that_is_missing_or_broken_is_told(house: House) -> None:
    house.database.close()
    index = house.folder / "index.sqlite"
    index.write_bytes(b"no database" * 1000)
    for name in ("index.sqlite-wal", "index.sqlite-shm"):
        (house.folder / name).unlink(missing_ok=True)
    found = [f for f in house.findings() if f.severity is Severity.PROBLEM]
    assert [f.what for f in found] == [f"the index {index} can't be used (SQLITE_NOTADB)"]
    assert "karnak doctor --rebuild" in str(found[0].advice)
    index.unlink()
    assert [what for what, _ in house.worse()] == [f"there is no index {index}; `karnak serve` makes it"]
    assert not index.exists()


def test_looking_changes_nothing(house: House) -> None:
    house.take_in(house.receive())
    house.receive(sop_instance_uid="2")
    house.spool.begin(arrival())
    (house.folder / "spool" / "ready" / "x").write_text("")
    before = sorted((path, path.read_bytes()) for path in house.folder.glob("spool/**/*") if path.is_file())
    house.findings()
    assert sorted((path, path.read_bytes()) for path in house.folder.glob("spool/**/*") if path.is_file()) == before


def restart(house: House) -> None:
    """What a gateway does at its start: it takes in what it does not know."""
    house.database.close()
    house.open()
    house.take_in(*house.index.unknown(house.spool.stored()))


def test_a_rebuilt_index_owes_what_the_spool_holds_and_remembers_what_has_ended(house: House) -> None:
    done, half, fresh = (house.receive(sop_instance_uid=str(i)) for i in range(3))
    house.take_in(done, half)
    house.end(done)
    house.index.note([Change(half, "pacs", State.DELIVERED, LATER, "taken")])
    house.index.add([Entry("lost", arrival(sop_instance_uid="9"), 5, DESTINATIONS)])
    rebuilt = rebuild(house.premises, lambda: house.spool, LATER, lambda: "house")
    assert (rebuilt.aside, rebuilt.forgotten, rebuilt.stored) == (None, 2, 2)
    restart(house)
    queue = Queue(house.database)
    assert [(part.receipt, part.destination) for part in queue.list(Choice(), 9)] == [
        (receipt, destination) for receipt in (half, fresh) for destination in DESTINATIONS
    ]
    assert queue.count(Choice(receipt=done, state=State.DELIVERED)) == 2
    assert house.worse() == []


@pytest.mark.parametrize("damage", ["text", "zeros in the middle", "other tables", "a newer Karnak", "gone"])
def test_an_index_that_is_beyond_use_is_set_aside(house: House, damage: str) -> None:
    names = [house.receive(sop_instance_uid=str(i)) for i in range(200)]
    house.take_in(*names)
    house.database.close()
    index = house.folder / "index.sqlite"
    if damage == "text":
        index.write_bytes(b"no database" * 1000)
    elif damage == "zeros in the middle":
        with index.open("r+b") as file:
            file.seek(8192)
            file.write(bytes(index.stat().st_size - 16384))
    elif damage == "gone":
        index.unlink()
    else:
        with sqlite3.connect(index) as connection:
            if damage == "a newer Karnak":
                connection.execute("UPDATE alembic_version SET version_num = '9999'")
            else:
                connection.execute("DROP TABLE alembic_version")
        connection.close()
    old = index.read_bytes() if damage != "gone" else b""
    rebuilt = rebuild(house.premises, lambda: house.spool, START, lambda: "house")
    if damage == "gone":
        assert rebuilt.aside is None
    else:
        assert rebuilt.aside == house.folder / "index.sqlite.20260102T030405.old"
        assert rebuilt.aside.read_bytes() == old
    restart(house)
    assert list(Queue(house.database).owed()) == names
    assert house.worse() == []


def test_an_index_that_can_t_be_reached_is_left_alone(house: House) -> None:
    house.database.close()
    index = house.folder / "index.sqlite"
    index.unlink()
    index.mkdir()
    with pytest.raises(IndexUnavailable, match="SQLITE_CANTOPEN"):
        rebuild(house.premises, lambda: house.spool, START, lambda: "house")
    assert index.is_dir()


def test_nothing_is_rebuilt_under_a_running_gateway(house: House) -> None:
    house.take_in(house.receive())
    with HouseLock(house.folder), pytest.raises(HouseTaken, match="a gateway runs"):
        rebuild(house.premises, lambda: house.spool, LATER, lambda: "house")
    assert Queue(house.database).count(Choice()) == 2


def test_wishes_are_done_here_or_left_to_the_gateway(house: House) -> None:
    receipt = house.receive()
    house.take_in(receipt)
    part = house.index.due("pacs", LATER, 1)[0]
    house.index.note([Change(receipt, "pacs", State.WAITING, LATER, "no answer", at(900))])
    queue = Queue(house.database)
    with HouseLock(house.folder):
        left = wish(house.premises, house.database, Choice(), Wish.RETRY, LATER)
    assert (left.parts, left.done) == (2, False)
    assert queue.list(Choice(destination="pacs"), 9)[0].wish is Wish.RETRY
    done = wish(house.premises, house.database, Choice(), Wish.DROP, LATER)
    assert (done.parts, done.done) == (2, True)
    assert queue.count(Choice()) == 0
    assert house.index.unsettled(9) == [part.receipt]


def test_premises_know_whether_a_gateway_runs(house: House) -> None:
    assert not house.premises.gateway_runs()
    with HouseLock(house.folder):
        assert house.premises.gateway_runs()
    assert not house.premises.gateway_runs()


def test_postgresql_is_rebuilt_in_place(tmp_path: Path) -> None:
    from tests.system.postgresql import postgresql

    with postgresql() as url:
        house = House(tmp_path / "data", url)
        done, half = house.receive(sop_instance_uid="1"), house.receive(sop_instance_uid="2")
        house.take_in(done, half)
        house.end(done)
        assert house.worse() == []
        rebuilt = rebuild(house.premises, lambda: house.spool, LATER, lambda: "house")
        assert (rebuilt.aside, rebuilt.forgotten, rebuilt.stored) == (None, 1, 1)
        restart(house)
        assert list(Queue(house.database).owed()) == [half]
        assert len(house.index.endings([done])[done]) == 2
        house.database.close()
    assert not (tmp_path / "data" / "index.sqlite").exists()
