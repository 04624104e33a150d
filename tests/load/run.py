"""Load a gateway for as long as is asked: python -m tests.load.run [MINUTES] [SENDERS].

Modalities send without a pause while one of two archives falls again and again; at the end all is counted. A run that
lost something leaves its folder.
"""

import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tests.load.house import Load, load_house
from tests.load.memory import MEBIBYTE

# Where /tmp is in memory, this one usually is not.
DISK = Path("/var/tmp")
# How much more memory the gateway, or its receivers together, may have in the last tenth of a run than in the fifth, in
# MiB. Before that, its buffers grow to what they need.
MOST_GROWTH = 8.0


def _table(load: Load) -> Table:
    """How it goes."""
    shown = Table("", "", show_header=False, box=None)
    last, waiting = load.samples[-1], load.gateway.owed()
    rows = {
        "seconds": f"{last.seconds:.0f}",
        "instances sent": f"{load.sent}",
        "acknowledged": f"{load.acknowledged}",
        "at the archive that stands": f"{load.steady.delivered}",
        "at the one that falls": f"{load.flapping.delivered}, and {load.flapping.again} a second time",
        "it": f"{load.peer.act}, {load.peer.falls} falls",
        "in the spool": f"{waiting}",
        "memory, gateway": f"{last.gateway / MEBIBYTE:.1f} MiB",
        "memory, receivers": f"{last.receivers / MEBIBYTE:.1f} MiB",
        "files mapped": f"{last.mapped / MEBIBYTE:.1f} MiB",
        "failures": f"{sum(len(sender.failures) for sender in load.senders)}",
    }
    for name, value in rows.items():
        shown.add_row(name, f"[bold]{value}")
    return shown


def main(arguments: list[str]) -> int:
    """Print what was sent, delivered and lost; 1 where something was, or memory grew."""
    minutes = float(arguments[0]) if arguments else 10.0
    senders = int(arguments[1]) if len(arguments) > 1 else 8
    console = Console(highlight=False)
    folder = Path(mkdtemp(prefix="karnak-load-", dir=DISK if DISK.is_dir() else None))
    try:
        with load_house(folder, senders, minutes * 60) as load:
            with Live(console=console, auto_refresh=False) as live:
                load.send(minutes * 60, lambda load: live.update(_table(load), refresh=True))
                load.drain(lambda load: live.update(_table(load), refresh=True))
            load.check()
            load.end()
    except AssertionError as error:
        console.print(f"[red]in {folder}:[/red] {error}")
        return 1
    shutil.rmtree(folder)
    console.print(
        f"{load.acknowledged} instances in {minutes:g} minutes from {senders} senders, each at both archives; "
        f"{load.peer.falls} falls, after which {load.flapping.again} came a second time under the same UIDs"
    )
    curve = [load.memory(tenth) for tenth in range(1, 11)]
    for name, values in zip(("gateway", "receivers"), zip(*curve, strict=True), strict=True):
        console.print(f"MiB of the {name} in each tenth: {' '.join(f'{value:.1f}' for value in values)}")
    grown = max(late - middle for late, middle in zip(curve[-1], curve[4], strict=True))
    return 1 if grown > MOST_GROWTH else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
