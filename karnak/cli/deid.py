"""`karnak deid`: de-identify files and folders with a profile.

Options in, exit code out; the work is done by karnak.gateway.batch and shown by
karnak.cli.deid_screen.
"""

import os
import signal
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Literal, NoReturn

import click

from karnak.cli.app import EXIT_USAGE
from karnak.standard.confidentiality import DEFAULT_EDITION, EDITIONS

if TYPE_CHECKING:
    from karnak.gateway.pseudonyms import PseudonymSource

SECRET_VARIABLE = "KARNAK_SECRET"
EXIT_REJECTED = 1
# As shells have it: 128 and the number of the signal.
EXIT_INTERRUPTED = 128 + signal.SIGINT
EXIT_TERMINATED = 128 + signal.SIGTERM

_EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _timestamp(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """Read a point in time in ISO 8601; without an offset it is UTC."""
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        message = f"{value!r} is no ISO 8601 timestamp such as 2026-01-31T12:00:00Z"
        raise click.BadParameter(message, ctx, param) from None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)


@click.command(short_help="De-identify files and folders with a profile.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--output", metavar="DIR|FILE", type=click.Path(path_type=Path), help="Where outputs go.")
@click.option("-p", "--profile", required=True, type=_EXISTING_FILE, help="The profile, a YAML file.")
@click.option("--project", required=True, metavar="NAME", help="Name of the project; goes into every output.")
@click.option("--secret", metavar="HEX", help="Secret of the project, 32 hexadecimal digits; others can see it.")
@click.option("--secret-file", type=_EXISTING_FILE, help=f"File that holds the secret. Or set {SECRET_VARIABLE}.")
@click.option("--pseudonym", metavar="VALUE", help="Pseudonym, for instances of one patient.")
@click.option("--pseudonym-csv", type=_EXISTING_FILE, help="Table with columns patient_id, pseudonym [, issuer].")
@click.option("--pseudonym-tag", metavar="TAG", help="Attribute that holds the pseudonym: keyword or number.")
@click.option("--pseudonym-generated", is_flag=True, help="Derive it from PatientID, issuer and secret.")
@click.option("--delimiter", metavar="TEXT", help="Splits the value of --pseudonym-tag, or the cells of the table.")
@click.option("--position", type=click.IntRange(min=0), help="Which piece is the pseudonym, from 0.")
@click.option(
    "--mode", type=click.Choice(["deid", "morph"]), default="deid", show_default=True, help="morph: rules only."
)
@click.option(
    "--engine",
    type=click.Choice(["tables", "reference"]),
    default="tables",
    show_default=True,
    help="reference: the interpreter, slow and plain.",
)
@click.option("--edition", type=click.Choice(EDITIONS), default=DEFAULT_EDITION, help="Edition of PS3.15 Table E.1-1.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Processes; default: one per processor, 1 for one file.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write a line of JSON per file here.")
@click.option("--report-sources", is_flag=True, help="Put the paths of the files into the report.")
@click.option("--dry-run", is_flag=True, help="Show what would change and which rule decides; write no output.")
@click.option("--at", metavar="TIMESTAMP", callback=_timestamp, help="Time of the run, for repeatable outputs.")
def deid(
    inputs: tuple[Path, ...],
    output: Path | None,
    profile: Path,
    project: str,
    secret: str | None,
    secret_file: Path | None,
    pseudonym: str | None,
    pseudonym_csv: Path | None,
    pseudonym_tag: str | None,
    pseudonym_generated: bool,
    delimiter: str | None,
    position: int | None,
    mode: Literal["deid", "morph"],
    engine: Literal["tables", "reference"],
    edition: str,
    jobs: int | None,
    report: Path | None,
    report_sources: bool,
    dry_run: bool,
    at: datetime | None,
) -> None:
    """De-identify DICOM files, and all files in folders, with a profile.

    Outputs are named by their new UIDs: STUDY/SERIES/INSTANCE.dcm. Files that are not DICOM are
    counted and named. Exit code 0: all well, 1: something was rejected, 2: usage or profile errors.
    """
    from karnak.cli.profiles import compiled
    from karnak.gateway.batch import Work, processors, run
    from karnak.gateway.placing import output_at
    from karnak.gateway.report import Report
    from karnak.gateway.results import Fate
    from karnak.gateway.tally import Tally
    from karnak.gateway.walk import walk
    from karnak.runtime.keys import Project

    if output is None and not dry_run:
        raise click.UsageError("Give --output, or --dry-run to write nothing.")
    if report_sources and report is None:
        raise click.UsageError("--report-sources needs --report.")
    if report is not None and not report.parent.is_dir():
        raise click.UsageError(f"There is no folder {report.parent} for the report.")
    named = Project(project, _secret(secret, secret_file))
    program = compiled(profile, edition)
    pseudonyms = _pseudonyms(
        mode, program.profile.default_issuer, pseudonym, pseudonym_csv, pseudonym_tag, pseudonym_generated,
        delimiter, position,
    )  # fmt: skip
    place = None if output is None else output_at(output, inputs)
    if jobs is None:
        jobs = 1 if len(inputs) == 1 and inputs[0].is_file() else processors()
    now, name = at or datetime.now(UTC), None if place is None else place.name
    work = Work(
        program,
        named,
        mode,
        pseudonyms,
        now,
        output_name=name,
        count_actions=report is not None,
        digests=report is not None,
        explain=dry_run,
        engine=engine,
    )

    from karnak.cli.deid_screen import progress, show_decisions, show_summary

    signal.signal(signal.SIGTERM, _end)
    tally = Tally()
    try:
        with ExitStack() as stack:
            lines = None if report is None else stack.enter_context(Report(report, with_sources=report_sources))
            ours = [] if lines is None else [lines.path, lines.unfinished]
            if place is not None and place.name is None:
                ours.append(place.folder)
            folder = None if place is None or dry_run else place.folder
            results = stack.enter_context(closing(run(work, inputs, folder, jobs=jobs, leave_out=ours)))
            advance = stack.enter_context(progress(lambda: sum(1 for _ in walk(inputs, ours))))
            for result in results:
                tally.add(result)
                if lines is not None:
                    lines.write(result)
                advance()
    except (KeyboardInterrupt, _Terminated) as stopped:
        show_summary(tally, dry_run=dry_run)
        click.echo("interrupted: what is counted is done, nothing is half done; run it again to do the rest", err=True)
        raise SystemExit(EXIT_TERMINATED if isinstance(stopped, _Terminated) else EXIT_INTERRUPTED) from None
    except OSError as error:
        click.echo(f"karnak: {error.strerror}: {error.filename}", err=True)
        raise SystemExit(EXIT_USAGE) from None
    if dry_run:
        show_decisions(tally, profile.name)
    show_summary(tally, dry_run=dry_run)
    if pseudonym is not None and tally.patients > 1:
        click.echo(f"warning: {tally.patients} patients were given the one pseudonym of --pseudonym", err=True)
    if tally.fates[Fate.REJECTED]:
        raise SystemExit(EXIT_REJECTED)


class _Terminated(SystemExit):
    """SIGTERM has come; not an Exception, so that nobody on the way takes it for an instance's trouble."""


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    """End as after Ctrl-C: workers stopped, temporary files removed, a summary for whoever reads the log."""
    raise _Terminated(EXIT_TERMINATED)


def _secret(given: str | None, file: Path | None) -> bytes:
    """Find the project's secret; no message repeats it."""
    from karnak.gateway.projects import read_secret, readable_by_others
    from karnak.runtime.keys import parse_secret

    variable = os.environ.get(SECRET_VARIABLE)
    sources = {"--secret": given, "--secret-file": file, SECRET_VARIABLE: variable}
    present = [name for name, value in sources.items() if value is not None]
    if not present:
        raise click.UsageError(f"The project needs its secret: give --secret-file, {SECRET_VARIABLE} or --secret.")
    if len(present) > 1:
        raise click.UsageError(f"The secret is given more than once: {' and '.join(present)}; keep one.")
    if file is not None:
        if readable_by_others(file):
            click.echo(f"warning: everybody on this machine can read {file}; chmod 600 it", err=True)
        return read_secret(file)
    if given is not None:
        click.echo("warning: --secret is seen in the list of processes and kept by the shell; "
                   f"--secret-file and {SECRET_VARIABLE} are not", err=True)  # fmt: skip
    return parse_secret(given if given is not None else variable or "")


def _pseudonyms(
    mode: str,
    default_issuer: str,
    value: str | None,
    table: Path | None,
    tag: str | None,
    generated: bool,
    delimiter: str | None,
    position: int | None,
) -> "PseudonymSource | None":
    """Settle where pseudonyms come from; None when morphing."""
    from karnak.gateway.pseudonyms import CsvPseudonyms, FixedPseudonym, GeneratedPseudonym, TagPseudonym

    options = {
        "--pseudonym": value is not None,
        "--pseudonym-csv": table is not None,
        "--pseudonym-tag": tag is not None,
        "--pseudonym-generated": generated,
    }
    given = [name for name, is_given in options.items() if is_given]
    if mode == "morph":
        if given:
            raise click.UsageError(f"{given[0]} has no meaning with --mode morph, which sets no pseudonym.")
        return None
    if len(given) != 1:
        found = f"not {' and '.join(given)}" if given else "there is none"
        raise click.UsageError(f"Give exactly one of {', '.join(options)}; {found}.")
    if delimiter is not None and tag is None and table is None:
        raise click.UsageError("--delimiter belongs to --pseudonym-tag or --pseudonym-csv.")
    if position is not None and tag is None:
        raise click.UsageError("--position belongs to --pseudonym-tag.")
    if value is not None:
        return FixedPseudonym(value)
    if table is not None:
        return CsvPseudonyms.read(table, delimiter or ",", default_issuer)
    if tag is not None:
        return TagPseudonym(_tag(tag), delimiter, position or 0)
    return GeneratedPseudonym(default_issuer)


def _tag(text: str) -> int:
    """Read a tag as a profile would."""
    from karnak.dsl.findings import Findings
    from karnak.dsl.nodes import Line
    from karnak.dsl.selectors import read_tag
    from karnak.ir.span import Span

    findings = Findings()
    tag = read_tag(Line(text, Span("", 1, 1, 1, len(text) + 1)), findings)
    if tag is None:
        said = findings.all[0]
        raise click.BadParameter(f"{said.message}{f'; {said.hint}' if said.hint else ''}", param_hint="--pseudonym-tag")
    return tag
