"""The spool keeps what it took, whatever fails; and takes nothing by halves."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread

from karnak.gateway.disk import Disk
from karnak.gateway.spool import DamagedFile, NotInSpool, Spool
from tests.gateway.arrivals import START, arrival, receipts
from tests.gateway.instances import dataset_bytes
from tests.gateway.model_disk import ModelDisk
from tests.system import programs

DATA = dataset_bytes(SOPInstanceUID="1.2.3.4", PatientName="A^B")
HERE = Path("/data")


def on_disk(folder: Path, durability: Literal["fsync", "os"] = "fsync") -> Spool:
    return Spool(folder, Disk(), durability, receipts())


def on_model(disk: ModelDisk, durability: Literal["fsync", "os"] = "fsync") -> Spool:
    return Spool(HERE, disk, durability, receipts())


def put(spool: Spool, *pieces: bytes, **changes: str) -> str:
    receiving = spool.begin(arrival(**changes))
    for piece in pieces:
        receiving.write(piece)
    return receiving.keep()


def failing(call: str, number: int, times: int = 1) -> Callable[[str], None]:
    """Make some calls of a name fail as on a full disk."""
    seen = 0

    def fail(name: str) -> None:
        nonlocal seen
        seen += name == call
        if name == call and number <= seen < number + times:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return fail


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    spool = on_disk(tmp_path)
    receiving = spool.begin(arrival())
    piece = bytearray(DATA[:10])
    receiving.write(piece)
    piece[:] = bytes(10)
    receiving.write(memoryview(DATA)[10:])
    assert receiving.size == len(DATA)
    assert spool.stored() == []
    receipt = receiving.keep()
    assert receipt == receiving.receipt
    assert spool.stored() == [receipt]
    held = spool.open(receipt)
    assert held.arrival == arrival()
    assert held.data_set() == DATA
    assert (held.receipt, held.size) == (receipt, len(DATA))
    assert held.path == tmp_path / "spool" / "ready" / f"{receipt}.dcm"
    assert dcmread(BytesIO(held.path.read_bytes())).PatientName == "A^B"
    assert spool.half_received() == 0


def test_only_the_owner_may_look(tmp_path: Path) -> None:
    spool = on_disk(tmp_path / "data")
    old = os.umask(0)
    try:
        receipt = put(spool, DATA)
        folder = spool.quarantine(receipt, {"reason": "none"}, START)
    finally:
        os.umask(old)
    assert {(folder / name).stat().st_mode & 0o777 for name in ("instance.dcm", "report.json")} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "data").rglob("*") if path.is_dir()} == {0o700}


def test_views_outlive_the_file(tmp_path: Path) -> None:
    spool = on_disk(tmp_path)
    receipt = put(spool, DATA)
    held = spool.open(receipt)
    view = held.data_set()
    held.close()
    spool.remove(receipt)
    assert view == DATA
    assert spool.stored() == []


def test_receipts_come_in_the_order_of_receipt(tmp_path: Path) -> None:
    spool = on_disk(tmp_path)
    first, second, third = (spool.begin(arrival()) for _ in range(3))
    kept = [receiving.keep() for receiving in (third, first, second)]
    assert spool.stored() == sorted(kept) == [first.receipt, second.receipt, third.receipt]


def test_a_dropped_instance_leaves_nothing(tmp_path: Path) -> None:
    spool = on_disk(tmp_path)
    receiving = spool.begin(arrival())
    receiving.write(DATA)
    assert spool.half_received() == 1
    receiving.drop()
    receiving.drop()
    assert (spool.half_received(), spool.stored()) == (0, [])


def test_a_kept_instance_is_not_dropped(tmp_path: Path) -> None:
    spool = on_disk(tmp_path)
    receiving = spool.begin(arrival())
    receipt = receiving.keep()
    receiving.drop()
    assert spool.stored() == [receipt]


def test_success_comes_after_file_name_and_folder() -> None:
    disk = ModelDisk()
    spool = on_model(disk)
    disk.calls.clear()
    put(spool, DATA, DATA)
    assert disk.calls == [
        *("lock", "lock"),  # this process takes its name
        *("create", "write", "write", "write", "write_at", "sync", "rename", "sync_folder"),
    ]
    disk.calls.clear()
    put(spool, DATA)
    assert disk.calls == ["create", "write", "write", "write_at", "sync", "rename", "sync_folder"]


def test_without_durability_nothing_is_synced() -> None:
    disk = ModelDisk()
    spool = on_model(disk, "os")
    spool.quarantine(put(spool, DATA), {}, START)
    put(spool, DATA)
    assert not {"sync", "sync_folder"} & set(disk.calls)
    disk.lose_power(lambda most: 0 if most > 1 else most)
    assert on_model(disk, "os").stored() == []


@given(most=st.integers(1, 60), pieces=st.lists(st.binary(max_size=50), max_size=6))
def test_writes_that_take_only_some_are_gone_on_with(most: int, pieces: list[bytes]) -> None:
    disk = ModelDisk()
    disk.most = most
    spool = on_model(disk)
    data = b"\x08" + b"".join(pieces)
    held = spool.open(put(spool, b"\x08", *pieces))
    assert bytes(held.data_set()) == data


@pytest.mark.parametrize(
    ("call", "number"),
    [("lock", 1), ("lock", 2), ("create", 1), ("write", 1), ("write", 2), ("write", 3), ("write_at", 1), ("sync", 1),
     ("rename", 1)],
)  # fmt: skip
def test_a_full_disk_leaves_nothing_half_received(call: str, number: int) -> None:
    disk = ModelDisk()
    spool = on_model(disk)
    disk.fail = failing(call, number)
    with pytest.raises(OSError, match="No space left"):
        put(spool, DATA, DATA)
    assert (spool.half_received(), spool.stored()) == (0, [])
    # The next one is taken: nothing is left in a state that stands in its way.
    kept = put(spool, DATA)
    assert spool.stored() == [kept]


def test_what_the_disk_does_not_even_remove_is_removed_later() -> None:
    disk = ModelDisk()
    spool = on_model(disk)
    receiving = spool.begin(arrival())

    def fail(name: str) -> None:
        if name in ("write", "remove"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    disk.fail = fail
    with pytest.raises(OSError, match="Input/output"):
        receiving.write(DATA)
    disk.fail = None
    assert spool.half_received() == 1
    spool.close()
    assert on_model(disk).tidy() == 1
    assert spool.half_received() == 0


def test_a_whole_instance_whose_last_sync_fails_stays_though_its_sender_hears_no() -> None:
    disk = ModelDisk()
    spool = on_model(disk)
    receiving = spool.begin(arrival())
    disk.fail = failing("sync_folder", 1)
    with pytest.raises(OSError, match="No space left"):
        receiving.keep()
    assert spool.stored() == [receiving.receipt]
    assert spool.open(receiving.receipt).size == 0


def test_what_is_not_there_is_no_instance(tmp_path: Path) -> None:
    spool = on_disk(tmp_path)
    (tmp_path / "spool" / "secret.dcm").write_bytes(b"")
    for receipt in ("00", "../secret", "", "a\0b"):
        with pytest.raises(NotInSpool):
            spool.open(receipt)
        with pytest.raises(NotInSpool):
            spool.quarantine(receipt, {}, START)
    assert (tmp_path / "spool" / "secret.dcm").exists()


@pytest.mark.parametrize("data", [b"", b"no DICOM at all", bytes(1000)], ids=["empty", "text", "zeros"])
def test_what_can_t_be_read_is_recognised_and_not_lost(tmp_path: Path, data: bytes) -> None:
    spool = on_disk(tmp_path)
    (tmp_path / "spool" / "ready" / "00.dcm").write_bytes(data)
    assert spool.stored() == ["00"]
    with pytest.raises(DamagedFile):
        spool.open("00")
    folder = spool.quarantine("00", {"reason": "damaged"}, START)
    assert (folder / "instance.dcm").read_bytes() == data
    assert spool.stored() == []


def test_what_somebody_else_put_there_is_told_apart(tmp_path: Path) -> None:
    spool = on_disk(tmp_path)
    receipt = put(spool, DATA)
    (tmp_path / "spool" / "ready" / ".nfs0001").write_bytes(b"")
    (tmp_path / "spool" / "ready" / "notes.txt").write_bytes(b"")
    (tmp_path / "spool" / "ready" / "DOE JANE.dcm").write_bytes(b"")
    assert spool.stored() == [receipt]
    assert spool.foreign() == [".nfs0001", "DOE JANE.dcm", "notes.txt"]


def test_quarantine_holds_instance_and_report(tmp_path: Path) -> None:
    spool = on_disk(tmp_path)
    receipt = put(spool, DATA)
    original = spool.open(receipt).path.read_bytes()
    folder = spool.quarantine(receipt, {"reason": "no forward node"}, START)
    assert folder == tmp_path / "quarantine" / "2026-01-02" / receipt
    assert sorted(path.name for path in folder.iterdir()) == ["instance.dcm", "report.json"]
    assert (folder / "instance.dcm").read_bytes() == original
    assert (folder / "report.json").read_text() == '{\n  "reason": "no forward node"\n}\n'
    # Again after a crash: the same.
    assert spool.quarantine(receipt, {"reason": "again"}, START) == folder
    assert '"again"' in (folder / "report.json").read_text()


def test_originals_can_be_kept(tmp_path: Path) -> None:
    spool = on_disk(tmp_path)
    receipt = put(spool, DATA)
    original = spool.open(receipt).path.read_bytes()
    file = spool.archive(receipt, START)
    assert file == tmp_path / "kept" / "2026-01-02" / f"{receipt}.dcm"
    assert file.read_bytes() == original
    assert spool.archive(receipt, START) == file
    assert spool.stored() == []


def test_a_watermark_is_a_number_of_free_bytes() -> None:
    disk = ModelDisk()
    spool = on_model(disk)
    disk.free = 1000
    assert [spool.full(least) for least in (0, 1000, 1001)] == [False, False, True]
    disk.fail = failing("free_bytes", 1)
    assert spool.full(0)


def test_free_bytes_are_those_of_the_file_system(tmp_path: Path) -> None:
    spool = on_disk(tmp_path)
    assert not spool.full(1)
    assert spool.full(1 << 62)


_RECEIVER = """
import sys, pathlib, itertools
from datetime import UTC, datetime
from karnak.gateway.disk import Disk
from karnak.gateway.spool import Arrival, Spool
names = map("{}{{}}".format, itertools.count())
spool = Spool(pathlib.Path(sys.argv[1]), Disk(), "fsync", lambda: next(names))
arrival = Arrival("A", "B", "192.0.2.1", "dimse", "1.2", "1.2.3", "1.2.840.10008.1.2", datetime.now(UTC))
spool.begin(arrival).keep()
spool.begin(arrival).write(b"half")
print("receiving", flush=True)
sys.stdin.read()
"""


def receiver(folder: Path, name: str) -> subprocess.Popen[str]:
    """A process that has kept one instance and received half of another."""
    command = [sys.executable, "-c", _RECEIVER.format(name), str(folder)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=programs.environment()
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "receiving\n"
    return process


def test_only_what_dead_processes_left_is_tidied_away(tmp_path: Path) -> None:
    spool = on_disk(tmp_path)
    ours = spool.begin(arrival())
    with receiver(tmp_path, "dies") as dies, receiver(tmp_path, "lives") as lives:
        assert spool.tidy() == 0
        assert spool.half_received() == 3
        dies.send_signal(signal.SIGKILL)
        dies.wait()
        assert spool.tidy() == 1
        assert spool.tidy() == 0
        names = sorted(path.name for path in (tmp_path / "spool" / "receiving").glob("*.part"))
        assert [name.startswith(("lives", ours.receipt)) for name in names] == [True, True]
        lives.communicate()
    assert spool.tidy() == 1
    ours.write(DATA)
    kept = ours.keep()
    assert spool.stored() == sorted(["dies0", "lives0", kept])
    spool.close()
    assert sorted(path.name for path in (tmp_path / "spool" / "receiving").iterdir()) == ["door.lock"]


class _SlowSync(ModelDisk):
    """A disk on which syncs of the folder begin and end when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[int] = []
        self.renamed = threading.Semaphore(0)
        self.running = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)
        self.slow = False
        self.fails = 0

    def rename(self, old: Path, new: Path) -> None:
        super().rename(old, new)
        self.renamed.release()

    def sync_folder(self, path: Path) -> None:
        if self.slow:
            self.begun.append(sum(name.parent.name == "ready" for name in self.names))
            self.running.release()
            assert self.go_on.acquire(timeout=60)
            if self.fails:
                self.fails -= 1
                raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync_folder(path)


def begin_many(disk: _SlowSync, spool: Spool, count: int) -> tuple[list[threading.Thread], list[str], list[int | None]]:
    """Keep instances in threads of their own: the first alone, the others while its sync runs."""
    kept: list[str] = []
    errors: list[int | None] = []

    def keep() -> None:
        try:
            kept.append(spool.begin(arrival()).keep())
        except OSError as error:
            errors.append(error.errno)

    threads = [threading.Thread(target=keep) for _ in range(count)]
    threads[0].start()
    assert disk.running.acquire(timeout=60)
    for thread in threads[1:]:
        thread.start()
    for _ in threads:
        assert disk.renamed.acquire(timeout=60)
    return threads, kept, errors


def test_parallel_associations_share_a_sync() -> None:
    disk = _SlowSync()
    spool = on_model(disk)
    disk.slow = True
    threads, kept, errors = begin_many(disk, spool, 6)
    sync = spool._ready_sync
    assert sync is not None
    waiting = getattr(sync._turn, "_waiters")  # noqa: B009
    while len(waiting) < 5:
        time.sleep(0.001)
    assert kept == []
    for _ in range(2):
        disk.go_on.release()
    for thread in threads:
        thread.join(60)
    # The second began when all had renamed, and served five.
    assert disk.begun == [1, 6]
    assert len(kept) == 6
    assert errors == []


def test_a_sync_that_fails_is_nobody_else_s() -> None:
    disk = _SlowSync()
    spool = on_model(disk)
    disk.slow = True
    disk.fails = 1
    threads, kept, errors = begin_many(disk, spool, 4)
    for _ in range(20):
        disk.go_on.release()
    for thread in threads:
        thread.join(60)
    assert errors == [errno.EIO]
    assert len(kept) == 3
    assert len(spool.stored()) == 4


def test_threads_keep_each_other_s_instances_apart(tmp_path: Path) -> None:
    spool = on_disk(tmp_path)
    sent: dict[str, bytes] = {}

    def work(number: int) -> None:
        for i in range(10):
            data = b"\x08" + bytes([number, i]) * 5000
            receiving = spool.begin(arrival(sop_instance_uid=f"1.{number}.{i}"))
            for at in range(0, len(data), 999):
                receiving.write(memoryview(data)[at : at + 999])
            sent[receiving.keep()] = data

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert spool.stored() == sorted(sent)
    for receipt, data in sent.items():
        held = spool.open(receipt)
        assert held.data_set() == data
        assert held.arrival.sop_instance_uid == f"1.{data[1]}.{data[2]}"
