"""What `karnak deid` shows: progress while it runs, a summary at the end, and decisions for a dry run.

Tables are drawn on a terminal and aligned text elsewhere, so that other programs can read it.
Names of files are shown to the person at the terminal; values of instances never are.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from karnak.cli.tabular import Row, show_table
from karnak.gateway.results import Decision, Fate
from karnak.gateway.tally import NAMED, Tally
from karnak.gateway.walk import shown
from karnak.ir.selector import format_tag
from karnak.standard.dictionary import by_tag

if TYPE_CHECKING:
    from rich.progress import Task
    from rich.text import Text

_REASONS_SHOWN = 10
_ALWAYS = "(always set)"
_KEEP = "keep"
_HEADINGS = {Fate.REJECTED: "rejected:", Fate.NOT_DICOM: "not DICOM:"}


@contextmanager
def progress(total: Callable[[], int]) -> Iterator[Callable[[], None]]:
    """Show a bar with rate and remaining time on a terminal, and nothing elsewhere.

    Args:
        total: counts the files; only called where it is shown.

    Yields:
        What to call after each file.
    """
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Files per second."""

        def render(self, task: "Task") -> "Text":
            return Text("- files/s" if task.speed is None else f"{task.speed:.1f} files/s")

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("de-identifying", total=total())
        yield lambda: bar.advance(task)


def show_summary(tally: Tally, *, dry_run: bool) -> None:
    """Show how many files met which fate, and why."""
    rows: list[Row] = []
    for fate in Fate:
        count = tally.fates[fate]
        if not count and fate not in (Fate.FORWARDED, Fate.REJECTED):
            continue
        word = "would be forwarded" if dry_run and fate is Fate.FORWARDED else str(fate)
        rows.append((word, str(count), ""))
        reasons = tally.reasons[fate].most_common()
        rows += [("", str(number), reason) for reason, number in reasons[:_REASONS_SHOWN]]
        if len(reasons) > _REASONS_SHOWN:
            rest = sum(number for _, number in reasons[_REASONS_SHOWN:])
            rows.append(("", str(rest), f"{len(reasons) - _REASONS_SHOWN} other reasons"))
    show_table(("", "files", "reason"), rows, right=(1,))
    for fate, heading in _HEADINGS.items():
        _names(heading, tally, fate)
    for why, count in tally.fallbacks.most_common():
        click.echo(f"left to the reference engine: {why} ({count} {'file' if count == 1 else 'files'})")
    for warning, count in tally.warnings.most_common(_REASONS_SHOWN):
        click.echo(f"warning: {warning} ({count} files)")


def _names(heading: str, tally: Tally, fate: Fate) -> None:
    named, more = tally.named[fate], tally.fates[fate] - NAMED
    if not named:
        return
    click.echo(f"\n{heading}")
    for result in named:
        reason = f": {result.reason}" if result.reason else ""
        first = f" ({shown(result.first.path)})" if result.first else ""
        click.echo(f"  {shown(result.found.path)}{reason}{first}")
    if more > 0:
        click.echo(f"  and {more} more; --report with --report-sources names all of them")


def show_decisions(tally: Tally, profile: str) -> None:
    """Show what would become of which attribute, and the rule that decides it.

    Args:
        tally: the sum of the batch.
        profile: name of the profile file.
    """
    decisions = sorted(tally.decisions.items(), key=_order)
    rows = [
        (_tags(d), _keywords(d), d.action, d.rule or _ALWAYS, f"{profile}:{d.line}" if d.line else "", str(count))
        for d, count in decisions
        if d.action != _KEEP
    ]
    if rows:
        show_table(("tag", "attribute", "action", "rule", "line", "instances"), rows, right=(5,))
    kept = len({d.path for d, _ in decisions if d.action == _KEEP})
    if kept:
        click.echo(f"{kept} more attributes are kept by a rule that says so")
    click.echo()


def _order(item: tuple[Decision, int]) -> tuple[tuple[int, ...], str, str, int]:
    decision = item[0]
    return decision.path, decision.action, decision.rule or "", decision.line


def _tags(decision: Decision) -> str:
    return "/".join(format_tag(tag) for tag in decision.path)


def _keywords(decision: Decision) -> str:
    attribute = by_tag(decision.path[-1])
    return attribute.keyword if attribute is not None else ""
