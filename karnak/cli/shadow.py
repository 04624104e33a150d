"""`karnak shadow`: have the running gateway run a candidate beside the active rules, and show what would be otherwise.

The gateway does the work and keeps the report; this command starts it, watches and shows. Ctrl-C ends the watching
alone: an hour of live traffic is not lost with a terminal.
"""

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from karnak.cli.configured import api_of, config_option, show_findings
from karnak.cli.shadow_screen import Progress, show_reports
from karnak.dsl.nodes import Source
from karnak.dsl.source import open_source
from karnak.gateway.api.house import Finding
from karnak.gateway.api.shadow_caller import Refusal, ShadowCaller
from karnak.gateway.api.shadows import LONGEST_SECONDS
from karnak.gateway.compiling import compile_and_lint
from karnak.gateway.shadow_report import ShadowReport

EXIT_REFUSED = 1
# As shells say it of a program that Ctrl-C has ended.
EXIT_INTERRUPTED = 130
_SECONDS_BETWEEN_LOOKS = 1.0
_DURATION = re.compile(r"(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_SECONDS = (86400, 3600, 60, 1)


class _Duration(click.ParamType[int]):
    """A duration such as 90s, 30m, 1h or 1h30m, in seconds."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = _DURATION.fullmatch(str(value))
        if found is None:
            self.fail("write it as 90s, 30m, 1h30m or 2d", param, ctx)
        seconds = sum(int(number or 0) * each for number, each in zip(found.groups(), _SECONDS, strict=True))
        if not 1 <= seconds <= LONGEST_SECONDS:
            self.fail("a shadow runs for a second to seven days", param, ctx)
        return seconds


@click.command(short_help="Run a candidate beside the active rules; it sends nothing.")
@click.argument("candidate", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--destination", help="Name of the destination whose instances are looked at.")
@click.option("--for", "seconds", type=_Duration(), help="How long, such as 30m, 1h or 2d.")
@click.option("--report", is_flag=True, help="Show what shadows have seen so far.")
@click.option("--stop", is_flag=True, help="End a shadow and show what it has seen.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON, for programs.")
@config_option
@click.pass_context
def shadow(
    ctx: click.Context,
    candidate: Path | None,
    destination: str | None,
    seconds: int | None,
    report: bool,
    stop: bool,
    as_json: bool,
    config: Path | None,
) -> None:
    """Run a candidate profile beside the active rules of a destination, on the instances that come.

    Nothing of it is sent. What would be decided otherwise is told by attribute and rule, with the number of instances,
    without values. Ctrl-C ends the watching; the shadow goes on until its time is over or --stop.

    Exit codes: 0; 1 the candidate has errors; 2 usage, or the gateway doesn't do it; 130 Ctrl-C.
    """
    if [candidate is not None, report, stop].count(True) != 1:
        raise click.UsageError("say one of: a candidate, --report, --stop", ctx)
    if candidate is None:
        if seconds is not None:
            raise click.UsageError("--for belongs to a candidate", ctx)
        asking = ShadowCaller(api_of(config))
        show_reports(_ended(asking, destination) if stop else _known(asking, destination), as_json=as_json)
        return
    if destination is None or seconds is None:
        raise click.UsageError("a candidate needs --destination and --for", ctx)
    source = _checked(candidate)
    asking = ShadowCaller(api_of(config))
    began = _started(asking, destination, source, seconds)
    try:
        done = _watched(asking, began)
    except KeyboardInterrupt:
        show_reports(_known(asking, destination), as_json=as_json)
        click.echo(f"karnak: the shadow goes on; karnak shadow --stop --destination {destination} ends it", err=True)
        sys.exit(EXIT_INTERRUPTED)
    show_reports([done], as_json=as_json)


def _checked(candidate: Path) -> Source:
    """Read a candidate; what the linter says is shown, and errors end the command."""
    source, found = open_source(candidate)
    if not found:
        compiled = compile_and_lint(source)
        found = compiled.findings
        if compiled.program is not None:
            show_findings(found)
            return source
    show_findings(found)
    sys.exit(EXIT_REFUSED)


def _started(asking: ShadowCaller, destination: str, source: Source, seconds: int) -> ShadowReport:
    try:
        report = asking.start(destination, source, seconds).report
    except Refusal as refusal:
        if not refusal.findings:
            raise
        # It was good enough here: the gateway is of another version.
        for finding in refusal.findings:
            click.echo(_line(finding), err=True)
        sys.exit(EXIT_REFUSED)
    assert report is not None
    return report


def _line(finding: Finding) -> str:
    severity = "" if finding.severity == "error" else f"{finding.severity}: "
    return f"{finding.file}:{finding.line}:{finding.column}: {finding.code} {severity}{finding.message}"


def _watched(asking: ShadowCaller, began: ShadowReport) -> ShadowReport:
    """Watch a shadow until it has ended."""
    with Progress(began) as progress:
        while True:
            known = {report.destination: report for report in asking.reports()}
            now = known.get(began.destination)
            if now is None or now.began != began.began:
                raise click.ClickException("the gateway does not know this shadow any more: it was started again")
            progress.show(now)
            if now.ended is not None:
                return now
            time.sleep(_SECONDS_BETWEEN_LOOKS)


def _known(asking: ShadowCaller, destination: str | None) -> Sequence[ShadowReport]:
    return [report for report in asking.reports() if destination in (None, report.destination)]


def _ended(asking: ShadowCaller, destination: str | None) -> Sequence[ShadowReport]:
    if destination is None:
        running = [report.destination for report in asking.reports() if report.ended is None]
        if len(running) != 1:
            raise click.UsageError("no shadow runs" if not running else "several run; say --destination")
        (destination,) = running
    return [asking.end(destination)]
