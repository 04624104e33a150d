"""Nothing is lost, doubled or leaked, wherever the gateway is struck; `scripts/crash` strikes a thousand times."""

from pathlib import Path
from random import Random

import pytest

from tests.crash.edges import EDGES, strikes
from tests.crash.house import crash_house

CHAINS = 4
BLOWS = 15


@pytest.mark.parametrize("chain", range(CHAINS))
def test_a_gateway_that_is_struck_again_and_again_loses_nothing(chain: int, tmp_path: Path) -> None:
    chosen = strikes(Random("crash"), CHAINS * BLOWS)[chain::CHAINS]
    with crash_house(tmp_path / "house") as house:
        for number, strike in enumerate(chosen):
            house.round(strike, number)
        house.finish()
        house.check()
        assert len(house.acknowledged) > BLOWS
        # A blow may wait for a call that does not come; most fall.
        assert house.fallen >= BLOWS // 2


def test_every_edge_is_struck_and_is_there() -> None:
    from importlib import import_module

    chosen = strikes(Random("crash"), CHAINS * BLOWS)
    assert {strike.edge for strike in chosen} == set(EDGES)
    for edge in EDGES:
        assert callable(getattr(getattr(import_module(edge.module), edge.owner), edge.method))
