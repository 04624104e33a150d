"""Strike gateways for as long as is asked: python -m tests.crash.run [BLOWS] [SEED].

Blows fall in chains; after each chain the gateway is left alone, and all that was acknowledged is counted. A chain
that lost something is told with its blows, and its folder stays.
"""

import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from tempfile import mkdtemp

from rich.console import Console
from rich.progress import Progress, TaskID

from tests.crash.edges import Strike, strikes
from tests.crash.house import crash_house

BLOWS_PER_CHAIN = 25


def chain(folder: Path, chosen: list[Strike], progress: Progress, task: TaskID) -> tuple[int, int, int]:
    """Let a chain of blows fall; gives how many instances were sent, acknowledged, and how many blows fell."""
    with crash_house(folder) as house:
        for number, strike in enumerate(chosen):
            house.round(strike, number)
            progress.advance(task)
        house.finish()
        house.check()
        return house.sent, len(house.acknowledged), house.fallen


def main(arguments: list[str]) -> int:
    """Print what was sent, acknowledged and lost; 1 where something was."""
    blows = int(arguments[0]) if arguments else 1000
    seed = arguments[1] if len(arguments) > 1 else str(time.time_ns())
    console = Console()
    chosen = strikes(Random(seed), blows)
    console.print(f"{blows} blows from seed {seed}")
    totals: Counter[str] = Counter()
    failed = 0
    with Progress(console=console) as progress:
        task = progress.add_task("blows", total=blows)
        for start in range(0, blows, BLOWS_PER_CHAIN):
            some = chosen[start : start + BLOWS_PER_CHAIN]
            folder = Path(mkdtemp(prefix="karnak-crash-"))
            try:
                sent, acknowledged, fallen = chain(folder, some, progress, task)
            except AssertionError as error:
                failed += 1
                console.print(f"[red]chain {start // BLOWS_PER_CHAIN} in {folder}:[/red] {error}", highlight=False)
                console.print("  " + "; ".join(map(str, some)), highlight=False)
                continue
            shutil.rmtree(folder)
            totals.update(sent=sent, acknowledged=acknowledged, fallen=fallen)
    console.print(
        f"{totals['fallen']} of {blows} blows fell; {totals['sent']} instances sent, {totals['acknowledged']} "
        f"acknowledged, each at both destinations, once; {failed} chains failed"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
