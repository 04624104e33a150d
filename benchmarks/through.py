"""How fast instances go through the gateway: storescu -> Karnak with the basic profile -> storescp.

Claim: at least 0.4 times storescu -> storescp without anything between, each instance having been brought to the disk,
taken into the index, de-identified, sent on, and ended. A gateway that runs is measured, from the first byte that its
sender sends until the last instance is at storescp and nothing is owed any more. Spool and index lie on a real disk,
what storescp writes in memory's file system.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks import corpus
from benchmarks.receive import DISK
from benchmarks.setting import Setting, seconds
from benchmarks.tables import Table, rounded, times
from karnak.gateway.spool import Durability
from tests.system.programs import Karnak, free_port, karnak, node, server, to_dicom, tool

ROUNDS = 5
INSTANCES = 1000
ASSOCIATIONS = (1, 4)
DIRECT = "storescu -> storescp"
THROUGH: Mapping[str, Durability] = {
    "storescu -> Karnak, durability fsync -> storescp": "fsync",
    "storescu -> Karnak, durability os -> storescp": "os",
}


def measure(setting: Setting) -> list[Table]:
    """Measure rates with one and with four associations to the first receiver."""
    files = corpus.write(setting.folder / "corpus", {"ct": setting.count(INSTANCES)})["ct"]
    environment = os.environ | {"TCP_NODELAY": "1"}
    got = setting.folder / "got"
    got.mkdir()
    port = free_port()
    listen = [tool("storescp"), "--fork", "+B", "-pdu", "131072", "--disable-host-lookup", "-od", str(got), str(port)]
    with ExitStack() as stack:
        stack.enter_context(server(listen, port, setting.folder / "storescp.log", env=environment))
        ways: dict[str, Callable[[int], object]] = {
            DIRECT: lambda associations: _send(port, files, associations, environment)
        }
        for what, durability in THROUGH.items():
            gateway = stack.enter_context(_gateway(port, durability))
            ways[what] = partial(_through, gateway, files, environment=environment)
        rates = _in_turn(setting, ways, len(files), got)
    rows = [
        (
            what,
            *(rounded(rates[what, associations]) for associations in ASSOCIATIONS),
            *(times(rates[what, associations] / rates[DIRECT, associations]) for associations in ASSOCIATIONS),
        )
        for what in ways
    ]
    size = files[0].stat().st_size
    title = f"CT of {size / 1000:,.0f} kB that arrived at the last storescp per second, Nagle's algorithm off"
    return [Table(title, ("associations of storescu", "1", "4", "1, of direct", "4, of direct"), rows)]


@contextmanager
def _gateway(port: int, durability: Durability) -> Iterator[Karnak]:
    with tempfile.TemporaryDirectory(prefix="karnak-through-", dir=DISK if DISK.is_dir() else None) as name:
        nodes = node(to_dicom("research", "STORESCP", port))
        with karnak(Path(name), f"{nodes}spool: {{ durability: {durability} }}\n") as gateway:
            yield gateway


def _send(port: int, files: Sequence[Path], associations: int, environment: Mapping[str, str]) -> None:
    shares = [share for number in range(associations) if (share := files[number::associations])]
    command = [tool("storescu"), "-aec", "KARNAK", "127.0.0.1", str(port)]
    senders = [
        subprocess.Popen([*command, *map(str, share)], env=environment, stderr=subprocess.PIPE) for share in shares
    ]
    for sender in senders:
        _, said = sender.communicate()
        if sender.returncode:
            raise RuntimeError(said.decode(errors="replace"))


def _through(gateway: Karnak, files: Sequence[Path], associations: int, environment: Mapping[str, str]) -> None:
    _send(gateway.port, files, associations, environment)
    ready = gateway.folder / "data" / "spool" / "ready"
    while any(ready.iterdir()):
        time.sleep(0.002)


def _in_turn(
    setting: Setting, ways: Mapping[str, Callable[[int], object]], instances: int, got: Path
) -> Mapping[tuple[str, int], float]:
    """Instances per second, by way and number of associations: medians over rounds, in turn."""
    taken: dict[tuple[str, int], list[float]] = {(what, number): [] for what in ways for number in ASSOCIATIONS}
    for turn in range(setting.rounds(ROUNDS) + 1):
        for (what, associations), rates in taken.items():
            took = seconds(partial(ways[what], associations))
            stored = list(got.iterdir())
            if len(stored) != instances:
                raise RuntimeError(f"{len(stored)} of {instances} instances arrived")
            for one in stored:
                one.unlink()
            if turn:
                rates.append(instances / took)
    return {key: median(rates) for key, rates in taken.items()}
