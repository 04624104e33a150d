"""Strike gateways until they were killed so many times: python -m tests.crash.run [KILLS] [SEED].

Beside kills there are blows that fill the disk or make a call fail.

Blows fall in chains; after each chain the gateway is left alone, and all that was acknowledged is counted. A blow that
waits for a call that does not come has not fallen, and does not count. A chain that lost something is told with its
blows, and its folder stays.
"""

import shutil
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from tempfile import mkdtemp

from rich.console import Console

from tests.crash.edges import EDGES, Strike, strikes
from tests.crash.house import ORIGINALS, crash_house
from tests.crash.law import check

BLOWS_PER_CHAIN = 25


def main(arguments: list[str]) -> int:
    """Print what was sent, acknowledged and lost; 1 where something was."""
    wanted = int(arguments[0]) if arguments else 1000
    seed = arguments[1] if len(arguments) > 1 else str(time.time_ns())
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{wanted} kills from seed {seed}")
    stream = _stream(Random(seed))
    waited = sent = acknowledged = chains = failed = kills = 0
    fallen: Counter[Strike] = Counter()
    while kills < wanted:
        chosen = [*islice(stream, min(BLOWS_PER_CHAIN, wanted - kills))]
        folder = Path(mkdtemp(prefix="karnak-crash-")) / "house"
        house = crash_house(folder, ORIGINALS[chains % len(ORIGINALS)])
        chains += 1
        waited += len(chosen)
        try:
            for number, strike in enumerate(chosen):
                house.round(strike, number)
            house.finish()
            check(house)
        except AssertionError:
            failed += 1
            console.print(f"[red]chain {chains} in {folder}:[/red]")
            console.print(f"{traceback.format_exc()}\n  " + "; ".join(map(str, chosen)), markup=False)
        else:
            shutil.rmtree(folder.parent)
        fallen.update(house.fallen)
        kills = sum(count for strike, count in fallen.items() if strike.action in ("one", "all"))
        sent += house.log.sent
        acknowledged += house.log.acknowledged
        console.print(
            f"{fallen.total()} blows of {waited} have fallen, {kills} of them kills, "
            f"{acknowledged} of {sent} acknowledged"
        )
    console.print(
        f"{fallen.total()} blows fell, {kills} of them kills; {waited - fallen.total()} more waited for a call that "
        f"did not come. {acknowledged} of {sent} instances were acknowledged. {failed} of {chains} chains failed."
    )
    spared = set(EDGES) - {strike.edge for strike in fallen}
    console.print("edges that no blow fell at: " + (", ".join(sorted(map(str, spared))) or "none"), markup=False)
    return 1 if failed else 0


def _stream(random: Random) -> Iterator[Strike]:
    """Blows without end; every edge comes once before any comes again."""
    while True:
        yield from strikes(random, len(EDGES))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
