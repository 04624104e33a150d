"""What `karnak shadow` shows: progress while it watches, and the report. Names, tags and counts; no values."""

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

import click
from pydantic import TypeAdapter

from karnak.cli.tabular import Row, show_table
from karnak.gateway.shadow_report import Decision, Fate, ShadowReport
from karnak.ir.selector import format_tag
from karnak.standard.dictionary import by_tag

FORMAT_VERSION = 1
_REPORTS = TypeAdapter(list[ShadowReport])
_FORWARDED = "forwarded"


class Progress:
    """Shows on a terminal how far a shadow is; nothing elsewhere.

    Args:
        began: the shadow as it began.
    """

    def __init__(self, began: ShadowReport) -> None:
        self._bar = None
        if not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("", total=(began.ends - began.began).total_seconds())

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def show(self, now: ShadowReport) -> None:
        """Show what was seen."""
        if self._bar is not None:
            passed = (datetime.now(now.began.tzinfo) - now.began).total_seconds()
            self._bar.update(self._task, completed=passed, description=_counts(now))


def show_reports(reports: Sequence[ShadowReport], *, as_json: bool) -> None:
    """Show what shadows have seen.

    Args:
        reports: one for each shadow.
        as_json: for programs.
    """
    if as_json:
        shown = _REPORTS.dump_python(list(reports), mode="json")
        click.echo(json.dumps({"version": FORMAT_VERSION, "shadows": shown}, indent=2))
        return
    if not reports:
        click.echo("no shadows", err=True)
    for number, report in enumerate(reports):
        if number:
            click.echo()
        _show(report)


def _show(report: ShadowReport) -> None:
    name = f'"{report.profile}"' if report.profile else "the candidate"
    state = "runs" if report.ended is None else f"ended {_time(report.ended)}: {report.because}"
    until = f", until {_time(report.ends)}" if report.ended is None else ""
    click.echo(f"{report.destination}: {name} beside the active rules since {_time(report.began)}{until}; {state}")
    click.echo(_counts(report))
    if report.differences:
        click.echo()
        rows: list[Row] = [
            (
                one.place,
                _keyword(one.place),
                _decided(one.active),
                _decided(one.candidate, ", another value" if one.active.action == one.candidate.action else ""),
                f"{one.instances:,}",
            )
            for one in report.differences
        ]
        show_table(("tag", "attribute", "active", "candidate", "instances"), rows, right=(4,))
    if report.fates:
        click.echo()
        rows = [(_fate(one.active), _fate(one.candidate), f"{one.instances:,}") for one in report.fates]
        show_table(("active", "candidate", "instances"), rows, right=(2,))
    if report.untold:
        click.echo(f"{report.untold:,} more of other kinds")


def _counts(report: ShadowReport) -> str:
    parts = [f"{report.same:,} same", f"{report.different:,} different"]
    waiting = report.seen - report.same - report.different - report.passed_by - report.failed
    more = (("waiting", waiting), ("not looked at", report.passed_by), ("could not be compared", report.failed))
    parts += [f"{count:,} {what}" for what, count in more if count]
    return f"{report.seen:,} {'instance' if report.seen == 1 else 'instances'}: {', '.join(parts)}"


def _time(time: datetime) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def _keyword(place: str) -> str:
    """The attribute at the end of a place, "" for a private one."""
    tag = int(place[-10:-1].replace(",", ""), 16)
    assert place.endswith(format_tag(tag))
    attribute = by_tag(tag)
    return attribute.keyword if attribute is not None else ""


def _decided(decision: Decision, more: str = "") -> str:
    if not decision.action:
        return "-"
    if not decision.rule and not decision.line:
        return f"{decision.action} (always){more}"
    return f'{decision.action} by "{decision.rule}" line {decision.line}{more}'


def _fate(fate: Fate) -> str:
    return fate.status if fate.status == _FORWARDED else f"{fate.status}: {fate.reason}"
