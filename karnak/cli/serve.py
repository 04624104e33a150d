"""`karnak serve`: run the gateway until it is told to stop."""

import queue
import secrets
import signal
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import click

from karnak.cli.configured import show_findings
from karnak.cli.plans import read_plan
from karnak.dsl.diagnostics import Diagnostic
from karnak.errors import KarnakError
from karnak.gateway.doors import open_doors
from karnak.gateway.gateway import Gateway, Read
from karnak.gateway.journal import Journal, quieten_libraries
from karnak.gateway.machine import spare_what_stays
from karnak.gateway.plan import Plan
from karnak.gateway.programs import Programs
from karnak.gateway.receipts import Receipts
from karnak.gateway.store.database import IndexUnavailable
from karnak.runtime.deidentify import Engine

EXIT_FINDINGS = 1
EXIT_USAGE = 2


class NotStarted(KarnakError):
    """What a gateway needs can't be had; the message says what and why."""


@click.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Configuration of the gateway. Without one: listen on 127.0.0.1 port 11112 as KARNAK, de-identify with the "
    "basic profile and write to ./out.",
)
@click.option(
    "--engine",
    type=click.Choice(["tables", "reference"]),
    help="What carries the rules out, whatever the configuration says; reference is slow and the judge.",
)
@click.option("--check", is_flag=True, help="Only check the configuration and everything it names; exit 1 on findings.")
def serve(config: Path | None, engine: Engine | None, check: bool) -> None:
    """Receive, de-identify and forward instances.

    The journal goes to stderr, one line of JSON per event. SIGTERM and Ctrl-C let what comes in be answered first; a
    second one doesn't. SIGHUP reads the configuration again.
    """
    programs = Programs()
    journal = Journal(sys.stderr, _now)

    def read() -> tuple[Plan | None, tuple[Diagnostic, ...]]:
        plan, found = read_plan(
            config, programs, lambda error: journal.write("certificate not renewed", reason=str(error))
        )
        return plan if plan is None or engine is None else replace(plan, engine=engine), found

    plan, found = read()
    show_findings(found)
    if check:
        sys.exit(EXIT_FINDINGS if found else 0)
    if plan is None:
        sys.exit(EXIT_USAGE)
    _run(plan, read, journal)


def _now() -> datetime:
    return datetime.now(UTC)


def _run(plan: Plan, read: Read, journal: Journal) -> None:
    quieten_libraries(journal.write_error)
    receipts = Receipts(time.time_ns, secrets.token_bytes)
    gateway = Gateway(plan, read, journal, _now, receipts, secrets.token_bytes, open_doors)
    wishes: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def stop(number: int, _: FrameType | None) -> None:
        # The next one ends the process as it would without us.
        signal.signal(number, signal.SIG_DFL)
        wishes.put(False)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.signal(signal.SIGHUP, lambda _number, _frame: wishes.put(True))
    try:
        gateway.start()
    except IndexUnavailable as error:
        raise NotStarted(f"{error}; `karnak doctor` looks at it") from None
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise NotStarted(f"can't start: {error.strerror or type(error).__name__}{where}") from None
    spare_what_stays()
    _greet(plan, gateway.port)
    while wishes.get():
        gateway.reload()
    gateway.stop()


def _greet(plan: Plan, port: int) -> None:
    """Say where the gateway listens, where instances go, and how to send a first study."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    console.print(Text.assemble(("Karnak", "bold green"), f" listens on {plan.listen.host} port {port}"))
    for node in plan.nodes:
        senders = "anyone" if node.senders is None else ", ".join(sender.ae_title for sender in node.senders)
        console.print(Text.assemble("  called ", (node.ae_title, "bold"), f", from {senders}, to"))
        for outlet in node.outlets:
            treatment = outlet.treatment
            how = "as received"
            if treatment is not None:
                words = {"deid": "de-identified", "morph": "morphed"}[treatment.mode]
                how = f"{words} by {treatment.program.profile.name or 'the profile'} for {treatment.project.name}"
            console.print(Text(f"    {outlet.name}: {outlet.destination}, {how}"))
    console.print(Text(f"  instances that can't be de-identified are kept in {plan.data_dir / 'quarantine'}"))
    host = "127.0.0.1" if plan.listen.host in ("0.0.0.0", "::") else plan.listen.host
    console.print(Text("\nSend a first study:"))
    first = plan.nodes[0]
    calling = f"-aet {first.senders[0].ae_title} " if first.senders else ""
    secure = "+tla -ic " if plan.house.tls is not None else ""
    command = f"storescu {secure}{calling}-aec {first.ae_title} {host} {port} file.dcm"
    console.print(Text(f"  {command}", style="bold"))
    sys.stdout.flush()
