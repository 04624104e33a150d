"""How fast instances are received, against dcmtk's storescp and a pynetdicom handler, from dcmtk's storescu.

Claims: at least 0.7 times storescp --fork and 3 times pynetdicom with fsync on; at least 500 instances/s from a sender
with Nagle's algorithm on; memory of a receiver that doesn't grow with what it receives. All receivers write to one
disk, which must be a real one for fsync to mean anything; only Karnak and the floors wait for it. The same once more in
memory's file system tells what the programs take and what the disk.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks import corpus
from benchmarks.setting import ROOT, Setting, working_folder
from benchmarks.tables import Table, rounded, times
from karnak.gateway.journal import Value
from karnak.gateway.receive.admission import Admission, Limits
from karnak.gateway.receive.commitment import Reporter, Transaction
from karnak.gateway.receive.process import Settings
from karnak.gateway.receive.supervisor import Receivers, listen
from karnak.gateway.route import Caller, ForwardNode
from karnak.gateway.spool import Durability
from tests.gateway.receive.door import Sender, store_message
from tests.system.programs import free_port, server, tool

ROUNDS = 5
INSTANCES, INSTANCES_OF_THE_SLOW = 200, 20
ASSOCIATIONS_HELD = 100
# Of an instance that each of them is in the middle of.
HALF = 4 << 20
PROCESSES = 2
# Where /tmp is in memory, this one usually is not.
DISK = Path("/var/tmp")
ANYONE = Admission((ForwardNode("ANYONE", None, ()),))
STORESCP, PYNETDICOM = "dcmtk storescp --fork", "pynetdicom, save_as"
FSYNC, OS = "Karnak, durability fsync", "Karnak, durability os"
# What does nothing else, and how it keeps instances.
FLOORS = {"plain sockets, the same syncs": "files", "plain sockets, space laid out before": "laid-out"}
ON_DISK = "CT of 535 kB received per second, Nagle's algorithm off at dcmtk's ends"
IN_MEMORY = "The same where nobody waits for a disk: all write to memory's file system"


@dataclass(frozen=True)
class Receiver:
    """Something that listens.

    Attributes:
        port: where.
        folder: where what it gets lies.
        processes: that receive, or their parents.
    """

    port: int
    folder: Path
    processes: Sequence[int]

    def seconds(self) -> float:
        """Processor time that it has used, with that of children that have ended."""
        fields = [Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split() for process in self.processes]
        return sum(int(tick) for one in fields for tick in one[11:15]) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Round:
    """What one round has shown.

    Attributes:
        rate: instances per second.
        processor: seconds of processor time for each instance.
    """

    rate: float
    processor: float


class Deaf:
    """A gateway that does nothing with what its receivers tell."""

    def stored(self, receipt: str, size: int, seconds: float) -> None:
        pass

    def refused(self) -> None:
        raise RuntimeError("an instance was refused")

    def gone(self) -> None:
        raise RuntimeError("a receiver died")

    def journal(self, event: str, values: Mapping[str, Value]) -> None:
        pass

    def commit(self, transaction: Transaction, caller: Caller, reporter: Reporter) -> bool:
        return False


def measure(setting: Setting) -> list[Table]:
    """Measure rates with the sender's Nagle algorithm off and on, and memory."""
    with tempfile.TemporaryDirectory(prefix="karnak-receive-", dir=DISK if DISK.is_dir() else None) as name:
        disk = Path(name)
        files = setting.folder / "ct"
        files.mkdir()
        for number in range(setting.count(INSTANCES)):
            (files / f"{number:04}.dcm").write_bytes(corpus.instance("ct", number))
        with receivers(disk, no_delay=True) as found:
            fast = _in_turn(found, setting, files, (1, 4), no_delay=True)
        with receivers(disk, no_delay=False) as found:
            slow = _in_turn(found, setting, files, (1,), no_delay=False)
        tables = [_fast_table(fast, ON_DISK), _slow_table(slow), _memory(disk, setting)]
    memory = working_folder()
    if memory is not None:
        with receivers(memory, no_delay=True) as found:
            in_memory = _in_turn(found, setting, files, (1, 4), no_delay=True)
        tables.insert(1, _fast_table(in_memory, IN_MEMORY))
    return tables


@contextmanager
def receivers(disk: Path, *, no_delay: bool) -> Iterator[Mapping[str, Receiver]]:
    """Run all receivers.

    Args:
        disk: an empty folder each gets a folder in.
        no_delay: dcmtk is told to turn Nagle's algorithm off.
    """
    with ExitStack() as stack, tempfile.TemporaryDirectory(dir=disk) as name:
        folder = Path(name)
        folders = {what: folder / str(number) for number, what in enumerate((STORESCP, PYNETDICOM, *FLOORS, FSYNC, OS))}
        for one in folders.values():
            one.mkdir()
        ports = {what: free_port() for what in (STORESCP, PYNETDICOM, *FLOORS)}
        options: list[str | Path] = [
            "--fork",
            "+B",
            "-pdu",
            "131072",
            "--disable-host-lookup",
            "-od",
            folders[STORESCP],
        ]
        commands: dict[str, list[str | Path]] = {
            STORESCP: [tool("storescp"), *options, str(ports[STORESCP])],
            PYNETDICOM: [
                sys.executable,
                "-m",
                "benchmarks.pynetdicom_scp",
                str(ports[PYNETDICOM]),
                folders[PYNETDICOM],
            ],
        }
        for what, way in FLOORS.items():
            commands[what] = [sys.executable, "-m", "benchmarks.plain_scp", str(ports[what]), folders[what], way]
        processes: dict[str, Sequence[int]] = {}
        for what, command in commands.items():
            environment = _environment(no_delay) | {"PYTHONPATH": str(ROOT)}
            log = folder / f"{ports[what]}.log"
            processes[what] = [stack.enter_context(server(command, ports[what], log, env=environment)).pid]
        durabilities: dict[str, Durability] = {FSYNC: "fsync", OS: "os"}
        for what, durability in durabilities.items():
            made = stack.enter_context(_karnak(folders[what], durability))
            ports[what], processes[what] = made.port, made.process_ids
            folders[what] = folders[what] / "spool" / "ready"
        yield {what: Receiver(ports[what], folders[what], processes[what]) for what in folders}


@contextmanager
def _karnak(folder: Path, durability: Durability) -> Iterator[Receivers]:
    with listen("127.0.0.1", 0) as listening:
        settings = Settings(folder, durability, Limits(2 * ASSOCIATIONS_HELD))
        made = Receivers(listening, PROCESSES, settings, ANYONE, Deaf())
        try:
            if not made.start(60):
                raise RuntimeError("the receivers don't start")
            yield made
        finally:
            made.stop(5)


def _environment(no_delay: bool) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "TCP_NODELAY"} | (
        {"TCP_NODELAY": "1"} if no_delay else {}
    )


def _in_turn(
    found: Mapping[str, Receiver], setting: Setting, files: Path, associations: Sequence[int], *, no_delay: bool
) -> Mapping[tuple[str, int], Round]:
    """Send by receiver and number of associations: medians over rounds, in turn."""
    rounds: dict[tuple[str, int], list[Round]] = {(what, at_once): [] for at_once in associations for what in found}
    # dcmtk and pynetdicom wait 40 ms for each instance then.
    few = {STORESCP, PYNETDICOM} if not no_delay else set()
    for number in range(setting.rounds(ROUNDS) + 1):
        for (what, at_once), taken in rounds.items():
            count = setting.count(INSTANCES_OF_THE_SLOW if what in few else INSTANCES)
            one = _send(found[what], sorted(files.iterdir())[:count], at_once, no_delay)
            if number:
                taken.append(one)
    return {
        key: Round(median(one.rate for one in taken), median(one.processor for one in taken))
        for key, taken in rounds.items()
    }


def _send(receiver: Receiver, files: Sequence[Path], associations: int, no_delay: bool) -> Round:
    """Send files by storescu, divided among associations."""
    shares = [share for number in range(associations) if (share := files[number::associations])]
    options = ["-aec", "ANYONE", "127.0.0.1", str(receiver.port)]
    used = receiver.seconds()
    start = perf_counter()
    senders = [
        subprocess.Popen([tool("storescu"), *options, *share], env=_environment(no_delay), stderr=subprocess.PIPE)
        for share in shares
    ]
    for sender in senders:
        _, said = sender.communicate()
        if sender.returncode:
            raise RuntimeError(said.decode(errors="replace"))
    took = perf_counter() - start
    used = receiver.seconds() - used
    stored = list(receiver.folder.iterdir())
    if len(stored) != len(files):
        raise RuntimeError(f"{len(stored)} of {len(files)} instances were stored")
    for one in stored:
        one.unlink()
    return Round(len(files) / took, used / len(files))


def _fast_table(rounds: Mapping[tuple[str, int], Round], title: str) -> Table:
    rows = [
        (
            what,
            *(rounded(rounds[what, at_once].rate) for at_once in (1, 4)),
            *(times(rounds[what, at_once].rate / rounds[STORESCP, at_once].rate) for at_once in (1, 4)),
            *(times(rounds[what, at_once].rate / rounds[PYNETDICOM, at_once].rate) for at_once in (1, 4)),
            rounded(rounds[what, 1].processor * 1e3),
        )
        for what in dict.fromkeys(what for what, _ in rounds)
    ]
    of = ("1, of storescp", "4, of storescp", "1, of pynetdicom", "4, of pynetdicom")
    return Table(title, ("associations", "1", "4", *of, "processor, ms each"), rows)


def _slow_table(rounds: Mapping[tuple[str, int], Round]) -> Table:
    rows = [
        (what, rounded(rounds[what, 1].rate), times(rounds[what, 1].rate / rounds[STORESCP, 1].rate))
        for what, _ in rounds
    ]
    return Table("The same with Nagle's algorithm on, as dcmtk has it by default", ("", "1", "of storescp"), rows)


def _memory(disk: Path, setting: Setting) -> Table:
    """Memory of the receivers without associations, and with many that are in the middle of an instance."""
    held = setting.count(ASSOCIATIONS_HELD)
    with tempfile.TemporaryDirectory(dir=disk) as name, _karnak(Path(name), "os") as made, ExitStack() as stack:
        before = _resident(made.process_ids)
        message = store_message(bytes(2 * HALF))
        for _ in range(held):
            sender = stack.enter_context(Sender(made.port))
            sender.associate(called="ANYONE")
            sender.send(message[:HALF])
        after = _resident(made.process_ids)
    rows = [
        ("no association", rounded(before / 1024), ""),
        (f"{held} associations", rounded(after / 1024), rounded((after - before) / held)),
    ]
    title = f"Resident memory of {PROCESSES} receivers together, associations in the middle of an instance"
    return Table(title, ("", "MB", "kB for each"), rows)


def _resident(processes: Iterable[int]) -> int:
    """Resident memory in kB."""
    lines = [line for process in processes for line in Path(f"/proc/{process}/status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
