"""A gateway under load: many senders, one archive that stands, one that falls; and what must hold afterwards."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from karnak.runtime.keys import Project
from tests.load.archives import Counting, Flapping, steady
from tests.load.memory import MEBIBYTE, Sample, sample
from tests.load.senders import Sender, write_templates
from tests.system.programs import DEIDENTIFIED, SECRET, Karnak, karnak, node, to_dicom

PROJECT = Project("TRIAL", bytes.fromhex(SECRET))
# Instances that may wait for the archive that falls: 8 senders are faster than two cores de-identify twice, and what
# waits lies on the disk.
MOST_WAITING = 6000
_SECONDS_OF_A_LONG_RUN = 600.0
_SECONDS_TO_DRAIN = 900.0
_SECONDS_BETWEEN_LOOKS = 0.5
_PAGE = 1000
_RETRY = f"{DEIDENTIFIED}, retry: {{ first: 0.5, longest: 3 }}"


@dataclass
class Load:
    """A run.

    Attributes:
        gateway: the gateway.
        senders: who sends.
        steady: counts at the archive that stands.
        flapping: counts at the one that falls.
        peer: the one that falls.
        samples: memory, one every half second while instances are sent.
    """

    gateway: Karnak
    senders: list[Sender]
    steady: Counting
    flapping: Counting
    peer: Flapping
    samples: list[Sample] = field(default_factory=list)

    @property
    def sent(self) -> int:
        return sum(sender.sent for sender in self.senders)

    @property
    def acknowledged(self) -> int:
        return sum(len(sender.acknowledged) for sender in self.senders)

    def send(self, seconds: float, show: Callable[["Load"], None]) -> None:
        """Let the senders send for so long, and end what they have begun.

        Args:
            seconds: how long.
            show: called about twice a second.
        """
        begin = time.monotonic()
        for sender in self.senders:
            sender.start()
        while (passed := time.monotonic() - begin) < seconds:
            self.samples.append(sample(self.gateway.process.pid, passed))
            show(self)
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        for sender in self.senders:
            sender.stop()
        for sender in self.senders:
            sender.join(_SECONDS_TO_DRAIN)

    def drain(self, show: Callable[["Load"], None]) -> None:
        """Let the archive that falls stand, and wait until nothing is owed."""
        self.peer.stand()
        deadline = time.monotonic() + _SECONDS_TO_DRAIN
        while self.gateway.owed():
            show(self)
            assert self.gateway.process.poll() is None, self.gateway.log[-3000:]
            assert time.monotonic() < deadline, f"still owed: {self.gateway.owed()}"
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        for counting in (self.steady, self.flapping):
            counting.look()
        show(self)

    def memory(self, tenth: int) -> tuple[float, float]:
        """What the gateway and its receivers have in a tenth of the run, in MiB: the median of what was seen.

        Args:
            tenth: from 1 to 10.
        """
        width = self.samples[-1].seconds / 10
        some = [one for one in self.samples if (tenth - 1) * width <= one.seconds <= tenth * width]
        return (
            median(one.gateway for one in some) / MEBIBYTE,
            median(one.receivers for one in some) / MEBIBYTE,
        )

    def check(self) -> None:
        """Nothing is lost, doubled, leaked or left, and everybody counts the same."""
        assert [failure for sender in self.senders for failure in sender.failures] == []
        originals = [uid for sender in self.senders for uid in sender.acknowledged]
        expected = {PROJECT.uid(uid): uid for uid in originals}
        assert len(expected) == len(originals) == self.sent
        for counting in (self.steady, self.flapping):
            arrived = counting.arrivals.keys()
            name = counting.folder.name
            assert len(expected.keys() - arrived) == 0, f"{name} lacks instances that were acknowledged"
            assert len(arrived - expected.keys()) == 0, f"{name} has instances that nobody sent"
            assert counting.identified == [], f"identified instances at {name}"
            assert [*counting.folder.iterdir()] == [], f"{name} was left with half an instance"
        # Where no line is cut, nothing is sent a second time.
        assert self.steady.again == 0
        self._check_metrics(len(originals))
        self._check_ledger(expected)
        kept = self.gateway.folder / "data"
        assert [*(kept / "spool" / "ready").iterdir()] == []
        assert [*(kept / "spool" / "receiving").glob("**/*.part")] == []
        assert [*kept.glob("quarantine/*/*")] == []

    def end(self) -> None:
        """Stop the gateway as an operator does, and have the doctor look at what it leaves."""
        assert self.gateway.stop() == 0, self.gateway.log[-3000:]
        for arguments in (("doctor",), ("doctor", "--audit")):
            done = self.gateway.command(*arguments)
            assert done.returncode == 0, done.stdout + done.stderr

    def _check_metrics(self, count: int) -> None:
        metrics = read_metrics(self.gateway.ask("/metrics"))
        for name in ("steady", "flapping"):
            assert metrics[f'karnak_ended_total{{destination="{name}",door="dimse",state="delivered"}}'] == count
        assert metrics['karnak_received_total{door="dimse"}'] == count
        assert metrics['karnak_refused_total{door="dimse"}'] == 0
        assert metrics["karnak_spool_bytes"] == 0
        assert not any(value for name, value in metrics.items() if name.startswith("karnak_queue_depth"))

    def _check_ledger(self, expected: Mapping[str, str]) -> None:
        found: dict[str, str] = {}
        path = f"/api/v1/ledger/instances?limit={_PAGE}"
        page = self.gateway.ask(path)
        while page:
            for record in page:
                assert [fate["state"] for fate in record["fates"]] == ["delivered", "delivered"]
                (new,) = {fate["new"]["sop_instance_uid"] for fate in record["fates"]}
                assert new not in found
                found[new] = record["sop_instance_uid"]
            page = self.gateway.ask(f"{path}&before={page[-1]['receipt']}")
        assert found == expected


def read_metrics(text: str) -> dict[str, float]:
    """The samples of Prometheus' text form, by name and labels."""
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


@contextmanager
def load_house(folder: Path, senders: int, seconds: float) -> Iterator[Load]:
    """Run a gateway, its archives, and modalities that have not begun yet.

    Args:
        folder: an empty folder, on a real disk where syncs are to mean something.
        senders: how many modalities there are.
        seconds: how long they are going to send: in a short run the archive falls more often.
    """
    counts = Counting(folder / "steady"), Counting(folder / "flapping")
    peer = Flapping(counts[1], min(seconds / _SECONDS_OF_A_LONG_RUN * 4, 1.0))
    files = write_templates(folder / "templates")
    with steady(counts[0]) as port, peer.running():
        nodes = node(to_dicom("steady", "STORESCP", port, _RETRY), to_dicom("flapping", "STORESCP", peer.port, _RETRY))
        with karnak(folder / "karnak", nodes) as gateway, counts[0].going_on(), counts[1].going_on():
            made = Load(gateway, [], *counts, peer)

            def may_send() -> bool:
                return made.acknowledged - min(counts[0].delivered, counts[1].delivered) < MOST_WAITING

            made.senders += [Sender(number + 1, gateway.port, files, may_send) for number in range(senders)]
            yield made
