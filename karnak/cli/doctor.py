"""`karnak doctor`: check what the gateway keeps, and mend its index."""

import json
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click

from karnak.cli.configured import config_option, premises_of, services_of
from karnak.errors import KarnakError
from karnak.gateway.audit_chain import summarize_audit
from karnak.gateway.disk import Disk
from karnak.gateway.doctor import Finding, Severity, examine, rebuild
from karnak.gateway.ledger import Ledger
from karnak.gateway.premises import Premises
from karnak.gateway.spool import Spool

EXIT_PROBLEMS = 1
FORMAT_VERSION = 1
# Receipts that are shown of one finding; JSON has all that it names.
_SHOWN = 5

_MARKS = {Severity.GOOD: ("ok", "green"), Severity.NOTE: ("note", "cyan"), Severity.PROBLEM: ("PROBLEM", "red")}


@click.command()
@config_option
@click.option("--rebuild", "mend", is_flag=True, help="Make the index anew from the spool; no gateway may run.")
@click.option("--audit", is_flag=True, help="Check that nobody has changed the audit log, and nothing else.")
@click.option("--read-back", "count", type=click.IntRange(min=1), metavar="N",
              help="Ask the DICOMweb destinations for the last N delivered to each, and nothing else.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
              help="JSON is for programs.")  # fmt: skip
def doctor(config: Path | None, mend: bool, audit: bool, count: int | None, form: str) -> None:
    """Check what the gateway keeps: disk, spool, index, quarantine; and say what to do.

    It only looks, also while a gateway runs. With --rebuild the index is made anew: what is in the spool is routed
    again by the next start, and may be delivered a second time, under the same UIDs. With --read-back each DICOMweb
    destination is asked whether it has what was delivered to it last.

    Exit codes: 0 all is well, 1 there are problems, 2 usage or the disk refuses.
    """
    if mend + audit + (count is not None) > 1:
        raise click.UsageError("--rebuild, --audit and --read-back are three things: name one")
    premises = premises_of(config)
    try:
        if mend:
            _rebuild(premises)
        elif audit:
            _check_audit(premises, form)
        elif count is not None:
            _read_back(config, premises, count, form)
        else:
            _examine(premises, form)
    except OSError as error:
        raise KarnakError(f"the data folder {premises.data_dir} can't be used: {error.strerror}") from None


def _spool(premises: Premises) -> Spool:
    # Nothing is received here.
    return Spool(premises.data_dir, Disk(), "os", _nothing_is_received)


def _nothing_is_received() -> NoReturn:
    raise AssertionError("the doctor receives nothing")


def _examine(premises: Premises, form: str) -> None:
    findings = list(examine(premises, _spool(premises), running=premises.gateway_runs()))
    _show(findings, form)
    _end_with(findings)


def _end_with(findings: list[Finding]) -> None:
    if any(finding.severity is Severity.PROBLEM for finding in findings):
        sys.exit(EXIT_PROBLEMS)


def _read_back(config: Path | None, premises: Premises, count: int, form: str) -> None:
    # Few look after this, and it takes a quarter of a second to load.
    from karnak.gateway.reading_back import read_back

    services = services_of(config)
    with premises.open_index() as database, _progress() as asked:
        findings = list(read_back(services, Ledger(database), count, asked))
    _show(findings, form)
    _end_with(findings)


@contextmanager
def _progress() -> Iterator[Callable[[], None]]:
    """Count on a terminal what services were asked for; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("asked for {task.completed} instances"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda: bar.advance(task)


def _rebuild(premises: Premises) -> None:
    done = rebuild(premises, lambda: _spool(premises), datetime.now(UTC), lambda: secrets.token_hex(16))
    if done.aside is not None:
        click.echo(f"the index could not be read; it is now {done.aside}, and its ledger with it")
    click.echo(f"the index is made anew; the next start takes in what the spool holds: {done.stored} instances")


def _check_audit(premises: Premises, form: str) -> None:
    folder = premises.data_dir / "audit"
    summary = summarize_audit(folder)
    whole = f"{summary.lines} lines of the audit log are in order; the last has the hash {summary.last}"
    findings = [Finding(Severity.GOOD, whole, "keep the hash elsewhere: it shows whether the end is cut off later")]
    if summary.torn:
        findings.append(Finding(Severity.NOTE, f"{summary.torn} lines were cut off by crashes, and that was noted"))
    if summary.finding is not None:
        what = f"the audit log was changed: {summary.finding}"
        findings.append(
            Finding(Severity.PROBLEM, what, "compare it with a copy; what follows that line proves nothing")
        )
    _show(findings, form)
    _end_with(findings)


def _show(findings: list[Finding], form: str) -> None:
    if form == "json":
        shown = [
            {
                "severity": str(finding.severity),
                "what": finding.what,
                "advice": finding.advice,
                "receipts": list(finding.receipts),
            }
            for finding in findings
        ]
        click.echo(json.dumps({"version": FORMAT_VERSION, "findings": shown}, indent=2))
        return
    for finding in findings:
        mark, color = _MARKS[finding.severity]
        click.echo(f"{click.style(mark.rjust(7), fg=color)}  {finding.what}")
        if finding.receipts:
            click.echo(f"         such as {', '.join(finding.receipts[:_SHOWN])}")
        if finding.advice is not None:
            click.echo(f"         {click.style(finding.advice, dim=True)}")
