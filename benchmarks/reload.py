"""What a reload costs the instances that come meanwhile: time to the acknowledgement, and to the delivery.

Claim: at the 99th percentile less than 5 ms more where a changed profile becomes active each second. Instances come at
a steady pace over one association to a real `karnak serve`, which de-identifies them to a folder; with and without
reloads in turn, so that a busy moment of the machine falls on both.
"""

import json
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks import corpus
from benchmarks.receive import DISK
from benchmarks.setting import PROFILES, Setting
from benchmarks.tables import Table, rounded
from karnak.gateway.receipts import time_of
from karnak.runtime.part10 import read_instance, split_part10
from tests.gateway.receive.door import Sender, store_message
from tests.system.programs import DEIDENTIFIED, environment, free_port, node, server, to_folder

ROUNDS = 6
INSTANCES = 250
# Instances per second; a machine that is half idle keeps up with it.
PACE = 25
SECONDS_BETWEEN_RELOADS = 1.0
WITHOUT, WITH = "no reloads", "a changed profile each second"
ACKNOWLEDGED, DELIVERED = "acknowledged", "delivered"


@dataclass
class Taken:
    """Seconds that instances have taken.

    Attributes:
        acknowledged: from the first byte that was sent to the response.
        delivered: from the receipt to the delivery.
        reloads: how many there were meanwhile.
    """

    acknowledged: list[float] = field(default_factory=list)
    delivered: list[float] = field(default_factory=list)
    reloads: int = 0


class House:
    """A gateway that runs, and its journal.

    Args:
        folder: where everything lies.
        api: port of its API.
    """

    def __init__(self, folder: Path, api: int) -> None:
        self._folder = folder
        self._url = f"http://127.0.0.1:{api}/api/v1/profiles/reload"
        self._profile = (PROFILES / "five-rules.yml").read_text("utf-8")
        self._number = 0
        self._read = 0
        self.write_profile()

    def write_profile(self) -> None:
        """Write a profile that is like no other before."""
        self._number += 1
        text = self._profile.replace("No remarks", f"No remarks {self._number}")
        (self._folder / "profile.yml").write_text(text, "utf-8")

    def reload(self) -> None:
        """Have a changed profile become active."""
        self.write_profile()
        order = urllib.request.Request(self._url, b"{}", {"Content-Type": "application/json"})
        with urllib.request.urlopen(order, timeout=60) as answer:
            if json.loads(answer.read())["outcome"] != "activated":
                raise RuntimeError("the profile was not activated")

    def delivered(self, count: int) -> list[float]:
        """Wait for so many deliveries since the last time; seconds from receipt to delivery of each."""
        deadline = time.monotonic() + 120
        while True:
            lines = (self._folder / "log").read_text().splitlines()[self._read :]
            events = [json.loads(line) for line in lines if line.startswith("{")]
            found = [event for event in events if event["event"] == "delivered"]
            if len(found) >= count:
                self._read += len(lines)
                return [_seconds(event) for event in found]
            if time.monotonic() > deadline:
                raise RuntimeError(f"{len(found)} of {count} instances were delivered")
            time.sleep(0.1)


def _seconds(event: Mapping[str, str]) -> float:
    taken = time_of(event["receipt"])
    if taken is None:
        raise RuntimeError("the journal names no receipt")
    return (datetime.fromisoformat(event["time"]) - taken).total_seconds()


def measure(setting: Setting) -> list[Table]:
    """Measure latencies with and without reloads, in turn."""
    messages = [_message(number) for number in range(setting.count(50))]
    taken = {WITHOUT: Taken(), WITH: Taken()}
    with (
        TemporaryDirectory(prefix="karnak-reload-", dir=DISK if DISK.is_dir() else None) as name,
        _gateway(Path(name)) as (house, port),
        Sender(port) as sender,
    ):
        sender.associate()
        for number in range(setting.rounds(ROUNDS) + 1):
            for what, so_far in taken.items():
                one = _phase(house, sender, messages, setting.count(INSTANCES), reloads=what == WITH)
                if number:
                    so_far.acknowledged += one.acknowledged
                    so_far.delivered += one.delivered
                    so_far.reloads += one.reloads
        sender.release()
    return [_table(taken)]


@contextmanager
def _gateway(folder: Path) -> Iterator[tuple[House, int]]:
    port, api = free_port(), free_port()
    (folder / "trial.hex").write_text("0123456789abcdef0123456789abcdef")
    (folder / "trial.hex").chmod(0o600)
    (folder / "gateway.yml").write_text(
        f"listen: {{ port: {port} }}\n"
        "data_dir: data\n"
        f"api: {{ port: {api} }}\n"
        "reload: { watch: false }\n"
        "projects: [ { name: TRIAL, profile: profile.yml, secret_file: trial.hex } ]\n"
        f"forward_nodes:\n{node(to_folder('disk', 'out', DEIDENTIFIED))}"
    )
    house = House(folder, api)
    command = [sys.executable, "-m", "karnak", "serve", "--config", "gateway.yml"]
    with server(command, api, folder / "log", env=environment(), cwd=folder):
        yield house, port


def _message(number: int) -> bytes:
    _, data = split_part10(corpus.instance("ct", number))
    instance = read_instance(data, corpus.EXPLICIT)
    return store_message(data, instance.sop_instance_uid or "", maximum_pdu=1 << 17)


def _phase(house: House, sender: Sender, messages: Sequence[bytes], count: int, *, reloads: bool) -> Taken:
    """Send instances at a steady pace; gives what each of them has taken."""
    taken, over = Taken(), threading.Event()

    def reload() -> None:
        while True:
            house.reload()
            taken.reloads += 1
            if over.wait(SECONDS_BETWEEN_RELOADS):
                return

    other = threading.Thread(target=reload)
    if reloads:
        other.start()
    began = perf_counter()
    for number in range(count):
        time.sleep(max(0.0, began + number / PACE - perf_counter()))
        start = perf_counter()
        sender.send(messages[number % len(messages)])
        if sender.status() != 0:
            raise RuntimeError("an instance was not taken")
        taken.acknowledged.append(perf_counter() - start)
    over.set()
    if reloads:
        other.join()
    taken.delivered += house.delivered(count)
    return taken


def percentile(numbers: Sequence[float], share: float) -> float:
    """The number that so much of all don't exceed."""
    ordered = sorted(numbers)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def _table(taken: Mapping[str, Taken]) -> Table:
    rows = []
    for measured in (ACKNOWLEDGED, DELIVERED):
        middle: list[list[float]] = []
        for what, one in taken.items():
            numbers = one.acknowledged if measured == ACKNOWLEDGED else one.delivered
            found = [1e3 * percentile(numbers, share) for share in (0.5, 0.9, 0.99, 0.999)]
            middle.append(found)
            rows.append((f"{measured}, {what}", *map(rounded, found)))
        added = [with_them - without for without, with_them in zip(*middle, strict=True)]
        rows.append((f"{measured}, added", *(f"{number:+.1f}" for number in added)))
    count, reloads = len(taken[WITH].acknowledged), taken[WITH].reloads
    title = f"ms from the first byte, CT of 535 kB, {PACE} a second, {count:,} of each kind, {reloads} reloads"
    return Table(title, ("", "median", "90 %", "99 %", "99.9 %"), rows)
