"""What monitoring reads is what happened, and no label holds anything that a sender chose."""

import threading

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from karnak.gateway.metrics import (
    UNKNOWN_DESTINATION,
    Door,
    End,
    Levels,
    Metrics,
    QueueLength,
    ReasonClass,
    ReloadOutcome,
)

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def no_levels() -> Levels:
    return Levels({}, 0, 0)


def read(metrics: Metrics) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return read(metrics)[name, tuple(sorted(labels.items()))]


def test_what_can_be_expected_is_there_as_zero_from_the_start() -> None:
    metrics = Metrics(["archive"], no_levels)
    assert value(metrics, "karnak_received_total", door="stow") == 0
    assert value(metrics, "karnak_ended_total", destination="archive", door="dimse", state="quarantined") == 0
    assert value(metrics, "karnak_rejections_total", destination="archive", reason="expression") == 0
    assert value(metrics, "karnak_reloads_total", outcome="refused") == 0


def test_received_instances_are_counted_with_their_bytes_and_time() -> None:
    metrics = Metrics([], no_levels)
    metrics.received(Door.STOW, 1000, 0.02)
    metrics.received(Door.STOW, 24, 4.0)
    metrics.refused(Door.DIMSE)
    assert value(metrics, "karnak_received_total", door="stow") == 2
    assert value(metrics, "karnak_received_bytes_total", door="stow") == 1024
    assert value(metrics, "karnak_received_total", door="dimse") == 0
    assert value(metrics, "karnak_refused_total", door="dimse") == 1
    assert value(metrics, "karnak_receive_seconds_bucket", door="stow", le="0.025") == 1
    assert value(metrics, "karnak_receive_seconds_bucket", door="stow", le="5.0") == 2
    assert value(metrics, "karnak_receive_seconds_sum", door="stow") == 4.02


def test_what_became_of_parts_is_counted_by_destination() -> None:
    metrics = Metrics(["archive", "research"], no_levels)
    metrics.ended("archive", Door.DIMSE, End.DELIVERED)
    metrics.ended("archive", Door.STOW, End.DELIVERED)
    metrics.ended("research", Door.DIMSE, End.REJECTED)
    metrics.rejected("research", ReasonClass.PSEUDONYM)
    metrics.retried("archive")
    metrics.fell_back("research")
    metrics.treated("research", 0.0005)
    metrics.delivered_in("archive", 0.3)
    metrics.reloaded(ReloadOutcome.REFUSED)
    assert value(metrics, "karnak_ended_total", destination="archive", door="dimse", state="delivered") == 1
    assert value(metrics, "karnak_ended_total", destination="archive", door="stow", state="delivered") == 1
    assert value(metrics, "karnak_ended_total", destination="research", door="dimse", state="rejected") == 1
    assert value(metrics, "karnak_rejections_total", destination="research", reason="pseudonym") == 1
    assert value(metrics, "karnak_retries_total", destination="archive") == 1
    assert value(metrics, "karnak_fallbacks_total", destination="research") == 1
    assert value(metrics, "karnak_treat_seconds_bucket", destination="research", le="0.001") == 1
    assert value(metrics, "karnak_deliver_seconds_bucket", destination="archive", le="0.25") == 0
    assert value(metrics, "karnak_deliver_seconds_count", destination="archive") == 1
    assert value(metrics, "karnak_reloads_total", outcome="refused") == 1


def test_levels_are_measured_when_somebody_asks_and_not_before() -> None:
    asked: list[int] = []

    def levels() -> Levels:
        asked.append(1)
        queues = {"archive": QueueLength(len(asked), 12.5)}
        return Levels(queues, 2048, 1 << 40, {Door.DIMSE: 3})

    metrics = Metrics(["archive"], levels)
    assert asked == []
    assert value(metrics, "karnak_queue_depth", destination="archive") == 1
    assert value(metrics, "karnak_queue_depth", destination="archive") == 2
    assert value(metrics, "karnak_queue_oldest_seconds", destination="archive") == 12.5
    assert value(metrics, "karnak_spool_bytes") == 2048
    assert value(metrics, "karnak_spool_free_bytes") == 1 << 40
    assert value(metrics, "karnak_associations_open", door="dimse") == 3
    assert value(metrics, "karnak_associations_open", door="stow") == 0


def test_levels_that_can_not_be_measured_do_not_hide_the_counters() -> None:
    def levels() -> Levels:
        raise OSError("DOE^JANE")

    metrics = Metrics(["archive"], levels)
    metrics.received(Door.DIMSE, 1, 0.1)
    assert value(metrics, "karnak_received_total", door="dimse") == 1
    assert value(metrics, "karnak_collection_errors_total") >= 1
    assert b"karnak_queue_depth{" not in metrics.text()
    assert b"DOE" not in metrics.text()


@given(st.lists(st.text(), max_size=8))
def test_a_name_that_the_configuration_lacks_is_no_label(names: list[str]) -> None:
    metrics = Metrics(["archive"], lambda: Levels({name: QueueLength(1, 2.0) for name in names}, 0, 0))
    for name in names:
        metrics.ended(name, Door.DIMSE, End.DELIVERED)
        metrics.treated(name, 0.1)
    shown = {text for _, labels in read(metrics) for label, text in labels if label == "destination"}
    assert shown <= {"archive", UNKNOWN_DESTINATION}
    unknown = [name for name in names if name != "archive"]
    if unknown:
        counted = value(metrics, "karnak_ended_total", destination=UNKNOWN_DESTINATION, door="dimse", state="delivered")
        assert counted == len(unknown)
        assert value(metrics, "karnak_queue_depth", destination=UNKNOWN_DESTINATION) == len(set(unknown))


def test_a_new_configuration_brings_its_names_and_keeps_counts() -> None:
    metrics = Metrics(["archive"], no_levels)
    metrics.retried("archive")
    metrics.configure(["research"])
    metrics.retried("research")
    metrics.retried("archive")
    assert value(metrics, "karnak_retries_total", destination="research") == 1
    assert value(metrics, "karnak_retries_total", destination="archive") == 1
    assert value(metrics, "karnak_retries_total", destination=UNKNOWN_DESTINATION) == 1


def test_two_gateways_in_one_process_count_apart() -> None:
    first, second = Metrics(["archive"], no_levels), Metrics(["archive"], no_levels)
    first.retried("archive")
    assert value(second, "karnak_retries_total", destination="archive") == 0


def test_many_threads_lose_no_count() -> None:
    metrics = Metrics(["archive"], no_levels)

    def work() -> None:
        for _ in range(200):
            metrics.received(Door.DIMSE, 2, 0.01)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value(metrics, "karnak_received_total", door="dimse") == 1200
    assert value(metrics, "karnak_received_bytes_total", door="dimse") == 2400
