"""docs/api.md and docs/stow.md list what there is, no more and no less."""

import inspect
import re
from pathlib import Path

from karnak.gateway.api.app import OPERATIONS
from karnak.gateway.audit import KEYS, AuditEvent
from karnak.gateway.audit_chain import TORN
from karnak.gateway.metrics import Door, Levels, Metrics, QueueLength, ReasonClass, ReloadOutcome
from karnak.gateway.receive import stow, stow_answer
from karnak.gateway.receive.part10_stream import MAXIMUM_HEAD
from karnak.gateway.receive.stow_request import FailureReason, Fault

DOCS = Path(__file__).parents[2] / "docs"
API, STOW = ((DOCS / name).read_text(encoding="utf-8") for name in ("api.md", "stow.md"))


def section(page: str, title: str) -> str:
    return page.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def codes(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def test_every_operation_is_listed() -> None:
    listed = re.findall(r"^\| (GET|POST) \| `([^`]+)` \| (.+) \|$", API, re.MULTILINE)
    assert [(method, path) for method, path, _ in listed] == [(one.method, one.path) for one in OPERATIONS]


def test_parameters_are_named() -> None:
    rows = dict(re.findall(r"^\| GET \| `([^`]+)` \| (.+) \|$", API, re.MULTILINE))
    queries = {one.path: set(one.query.model_fields) for one in OPERATIONS if one.query is not None}
    assert set(codes(rows["/api/v1/queue"])) == queries["/api/v1/queue"]
    said = set(codes(section(API, "What there is").split("The ledger takes", 1)[1].split("It holds", 1)[0]))
    assert said == queries["/api/v1/ledger/instances"]


def test_every_metric_is_listed_with_its_labels() -> None:
    rows = re.findall(r"^\| `(karnak_\w+)` \| ([\w, ]*?) ?\| .+ \|$", API, re.MULTILINE)
    listed = {name: sorted(filter(None, labels.split(", "))) for name, labels in rows}
    metrics = Metrics(["pacs"], lambda: Levels({"pacs": QueueLength(1, 1.0)}, 0, 0))
    metrics.treated("pacs", 0.1)
    metrics.delivered_in("pacs", 0.1)
    metrics.received(Door.STOW, 1, 0.1)
    found: dict[str, list[str]] = {}
    for family in metrics.registry.collect():
        for sample in family.samples:
            if not sample.name.endswith(("_created", "_bucket", "_sum")):
                name = sample.name.removesuffix("_count") if family.type == "histogram" else sample.name
                found[name] = sorted(sample.labels)
    assert listed == found


def test_classes_and_outcomes_are_listed() -> None:
    text = section(API, "Metrics")
    assert codes(text.split("Classes of reasons:", 1)[1].split("The sentence")[0]) == list(ReasonClass)
    assert f"reloads: {', '.join(ReloadOutcome)} |" in text


def test_every_event_and_fact_of_the_audit_log_is_listed() -> None:
    text = section(API, "The audit log")
    assert codes(text.split("Events:", 1)[1].split("Facts:", 1)[0]) == [*AuditEvent, TORN]
    assert codes(text.split("Facts:", 1)[1]) == sorted(KEYS)


def test_every_status_and_reason_of_stow_is_listed() -> None:
    source = inspect.getsource(stow) + inspect.getsource(stow_answer)
    answered = {int(status) for status in re.findall(r"(?:problem\(|return )(\d{3})\b", source)} | set(Fault)
    assert {int(status) for status in re.findall(r"^\| (\d{3}) \|", STOW, re.MULTILINE)} == answered
    reasons = [int(text, 16) for text in re.findall(r"^\| ([0-9A-F]{4}) \|", STOW, re.MULTILINE)]
    assert reasons == list(FailureReason)
    assert f"({MAXIMUM_HEAD >> 10} KiB at most)" in STOW
