"""`/metrics`: what Prometheus reads."""

from karnak.gateway.api.operation import Call, Operation
from karnak.gateway.metrics import CONTENT_TYPE


def _metrics(call: Call) -> bytes:
    return call.house.metrics()


OPERATIONS = (
    Operation(
        "GET",
        "/metrics",
        "metrics",
        "Give all metrics in Prometheus' text form.",
        _metrics,
        str,
        media_type=CONTENT_TYPE,
    ),
)
