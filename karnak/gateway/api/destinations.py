"""`/api/v1/destinations`: where instances go and what waits for each."""

from collections.abc import Sequence

from karnak.gateway.api.house import DestinationState
from karnak.gateway.api.operation import Call, Operation


def _destinations(call: Call) -> Sequence[DestinationState]:
    return call.house.destinations()


OPERATIONS = (
    Operation(
        "GET",
        "/api/v1/destinations",
        "listDestinations",
        "List the destinations, with what waits for each.",
        _destinations,
        Sequence[DestinationState],
    ),
)
