"""Nothing is lost, doubled or leaked, wherever the gateway is struck; `scripts/crash` strikes a thousand times."""

from pathlib import Path
from random import Random

import pytest

from tests.crash.edges import strikes
from tests.crash.house import ORIGINALS, crash_house
from tests.crash.law import check

CHAINS = 4
BLOWS = 15


@pytest.mark.parametrize("chain", range(CHAINS))
def test_a_gateway_that_is_struck_again_and_again_loses_nothing(chain: int, tmp_path: Path) -> None:
    chosen = strikes(Random("crash"), CHAINS * BLOWS)[chain::CHAINS]
    house = crash_house(tmp_path / "house", ORIGINALS[chain % len(ORIGINALS)])
    for number, strike in enumerate(chosen):
        house.round(strike, number)
    house.finish()
    check(house)
    assert house.log.acknowledged > BLOWS
    # A blow may wait for a call that does not come; most fall.
    assert len(house.fallen) >= BLOWS // 2
