"""What monitoring reads: counters, latencies and the length of queues, in the form of Prometheus.

A label's value is always one that Karnak or its configuration has given: a destination's name,
a door, a state, a class of reasons. Nothing that a sender can choose becomes a label, so the
number of series is bounded and no patient's value gets in.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from karnak.version import VERSION

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# What a destination is called that the configuration doesn't name any more.
UNKNOWN_DESTINATION = "(unknown)"
# Seconds; from a small instance to a multi-frame over a slow line.
_LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0)


class Door(StrEnum):
    """The ways in."""

    DIMSE = "dimse"
    STOW = "stow"


class End(StrEnum):
    """The ways in which one destination's part of an instance ends."""

    DELIVERED = "delivered"
    EXCLUDED = "excluded"
    REJECTED = "rejected"
    QUARANTINED = "quarantined"


class ReasonClass(StrEnum):
    """Why an instance was rejected, coarsely; the sentence for people is in the quarantine's report."""

    UNREADABLE = "unreadable"
    MISMATCH = "mismatch"
    NO_FORWARD_NODE = "no_forward_node"
    EXPRESSION = "expression"
    PSEUDONYM = "pseudonym"
    RULE = "rule"
    ENCODING = "encoding"
    INTERNAL = "internal"


class ReloadOutcome(StrEnum):
    """What came of reading profiles and configuration again."""

    ACTIVATED = "activated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class QueueLength:
    """What waits for one destination.

    Attributes:
        depth: parts that have not ended.
        oldest_seconds: age of the one that was received first, in seconds; 0 where there is none.
    """

    depth: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Levels:
    """What is measured only when somebody asks.

    Attributes:
        queues: by destination.
        spool_bytes: size of the files that are owed to destinations.
        spool_free_bytes: what the disk below them has left.
        associations: open ones by door; for STOW-RS, requests in work.
    """

    queues: Mapping[str, QueueLength]
    spool_bytes: int
    spool_free_bytes: int
    associations: Mapping[Door, int] = field(default_factory=dict)


class Metrics:
    """Counts what happens, from any thread.

    Args:
        destinations: names that the configuration has.
        levels: measures queues and spool; asked whenever somebody reads the metrics.
    """

    def __init__(self, destinations: Iterable[str], levels: Callable[[], Levels]) -> None:
        self._destinations = frozenset(destinations)
        self._lock = threading.Lock()
        self.registry = CollectorRegistry(auto_describe=True)
        self._received = self._counter("received", "Instances that are safe in the spool.", "door")
        self._received_bytes = self._counter("received_bytes", "Bytes of data sets received.", "door")
        self._refused = self._counter("refused", "Instances that a door did not take.", "door")
        self._ended = self._counter("ended", "Parts that have ended, by destination.", "destination", "door", "state")
        self._rejections = self._counter("rejections", "Rejections by class of reason.", "destination", "reason")
        self._retries = self._counter("retries", "Deliveries that failed and wait.", "destination")
        self._fallbacks = self._counter(
            "fallbacks", "Instances that the tables left to the interpreter.", "destination"
        )
        self._reloads = self._counter("reloads", "Reloads of profiles and configuration.", "outcome")
        self._receiving = self._histogram(
            "receive", "From the first byte of an instance to its acknowledgement.", "door"
        )
        self._treating = self._histogram("treat", "Applying the rules.", "destination")
        self._delivering = self._histogram("deliver", "Handing an instance to its destination.", "destination")
        Gauge("karnak_info", "What runs.", ["version"], registry=self.registry).labels(VERSION).set(1)
        failures = Counter("karnak_collection_errors", "Levels that could not be measured.", registry=self.registry)
        self.registry.register(_OnDemand(levels, self._name_of, failures))
        self._show_zeroes()

    def configure(self, destinations: Iterable[str]) -> None:
        """Take the names of a new configuration; counts of earlier names stay."""
        with self._lock:
            self._destinations = frozenset(destinations)
        self._show_zeroes()

    def received(self, door: Door, size: int, seconds: float) -> None:
        """Count an instance that is safe in the spool.

        Args:
            door: where it came in.
            size: bytes of its data set.
            seconds: from its first byte to its acknowledgement.
        """
        self._received.labels(door).inc()
        self._received_bytes.labels(door).inc(size)
        self._receiving.labels(door).observe(seconds)

    def refused(self, door: Door) -> None:
        """Count an instance that a door did not take: the sender was told so."""
        self._refused.labels(door).inc()

    def treated(self, destination: str, seconds: float) -> None:
        """Note how long the rules took, in seconds."""
        self._treating.labels(self._name_of(destination)).observe(seconds)

    def delivered_in(self, destination: str, seconds: float) -> None:
        """Note how long a delivery took, in seconds."""
        self._delivering.labels(self._name_of(destination)).observe(seconds)

    def ended(self, destination: str, door: Door, end: End) -> None:
        """Count a part that has ended."""
        self._ended.labels(self._name_of(destination), door, end).inc()

    def rejected(self, destination: str, reason: ReasonClass) -> None:
        """Count why a part was rejected or quarantined; `ended` counts that it was."""
        self._rejections.labels(self._name_of(destination), reason).inc()

    def retried(self, destination: str) -> None:
        """Count a delivery that failed and waits for another."""
        self._retries.labels(self._name_of(destination)).inc()

    def fell_back(self, destination: str) -> None:
        """Count an instance that the tables left to the interpreter."""
        self._fallbacks.labels(self._name_of(destination)).inc()

    def reloaded(self, outcome: ReloadOutcome) -> None:
        """Count a reload."""
        self._reloads.labels(outcome).inc()

    def text(self) -> bytes:
        """All metrics in Prometheus' text form 0.0.4."""
        return generate_latest(self.registry)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"karnak_{name}", meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, *labels: str) -> Histogram:
        return Histogram(f"karnak_{name}_seconds", meaning, labels, buckets=_LATENCIES, registry=self.registry)

    def _name_of(self, destination: str) -> str:
        return destination if destination in self._destinations else UNKNOWN_DESTINATION

    def _show_zeroes(self) -> None:
        """Make every series that can be expected, so that a rate over its first event is right."""
        for door in Door:
            for counter in (self._received, self._received_bytes, self._refused):
                counter.labels(door)
        for outcome in ReloadOutcome:
            self._reloads.labels(outcome)
        for destination in self._destinations:
            self._fallbacks.labels(destination)
            self._retries.labels(destination)
            for door in Door:
                for end in End:
                    self._ended.labels(destination, door, end)
            for reason in ReasonClass:
                self._rejections.labels(destination, reason)


class _OnDemand(Collector):
    """Levels as gauges. Where they can't be measured, the counters are still given, and the failure is counted."""

    def __init__(self, levels: Callable[[], Levels], name_of: Callable[[str], str], failures: Counter) -> None:
        self._levels = levels
        self._name_of = name_of
        self._failures = failures

    def describe(self) -> Iterator[Metric]:
        """The families without samples: registering must not measure."""
        yield from _families()

    def collect(self) -> Iterator[Metric]:
        """Measure now."""
        try:
            levels = self._levels()
        except Exception:
            self._failures.inc()
            return
        depth, oldest, size, free, associations = _families()
        queues: dict[str, QueueLength] = {}
        for name, queue in levels.queues.items():
            known = self._name_of(name)
            other = queues.get(known, QueueLength(0, 0.0))
            queues[known] = QueueLength(other.depth + queue.depth, max(other.oldest_seconds, queue.oldest_seconds))
        for name, queue in queues.items():
            depth.add_metric([name], queue.depth)
            oldest.add_metric([name], queue.oldest_seconds)
        size.add_metric([], levels.spool_bytes)
        free.add_metric([], levels.spool_free_bytes)
        for door in Door:
            associations.add_metric([door], levels.associations.get(door, 0))
        yield from (depth, oldest, size, free, associations)


def _families() -> tuple[GaugeMetricFamily, ...]:
    return (
        GaugeMetricFamily("karnak_queue_depth", "Parts that have not ended.", labels=["destination"]),
        GaugeMetricFamily("karnak_queue_oldest_seconds", "Age of the oldest of them.", labels=["destination"]),
        GaugeMetricFamily("karnak_spool_bytes", "Size of what is owed to destinations."),
        GaugeMetricFamily("karnak_spool_free_bytes", "What the disk of the spool has left."),
        GaugeMetricFamily("karnak_associations_open", "Associations or requests in work.", labels=["door"]),
    )
