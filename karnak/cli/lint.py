"""`karnak lint`: say everything that is wrong with profiles, with the place and what to do.

It reads profiles and the standard, no instance; what it loads stays small, so that editors
and hooks can run it on every change.
"""

import os
import sys
from pathlib import Path

import click

from karnak.dsl.compile import check_profile
from karnak.dsl.diagnostics import Diagnostic, Severity, in_order
from karnak.dsl.lint import ALL_CODES
from karnak.dsl.lint import lint as ask_rules
from karnak.dsl.nodes import Source
from karnak.dsl.render.json import render_json
from karnak.dsl.render.text import render_text
from karnak.dsl.source import MAX_CHARACTERS, decode, open_source

EXIT_FINDINGS = 1
EXIT_USAGE = 2

_STANDARD_INPUT = "-"
_UNREADABLE = "K001"


def _explain(ctx: click.Context, _: click.Parameter, code: str | None) -> None:
    """Say what a code means, and end."""
    if code is None or ctx.resilient_parsing:
        return
    entry = ALL_CODES.get(code.upper())
    if entry is None:
        raise click.BadParameter(f"there is no code {code}; codes look like K203", ctx)
    click.echo(f"{entry.code} {entry.name} ({entry.severity})\n\n{entry.explanation}")
    ctx.exit()


@click.command(short_help="Check profiles and show what is wrong with them.")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
              help="JSON is for programs.")  # fmt: skip
@click.option("--explain", metavar="CODE", is_eager=True, expose_value=False, callback=_explain,
              help="Say what a code such as K203 means, and end.")  # fmt: skip
@click.pass_context
def lint(ctx: click.Context, files: tuple[str, ...], form: str) -> None:
    """Check profiles and show what is wrong with them.

    FILE is a profile in YAML; - reads one from standard input.

    Exit codes: 0 nothing wrong, 1 errors or warnings, 2 usage or a file that can't be read.
    """
    checked = [_check(name) for name in files]
    found = [diagnostic for _, diagnostics in checked for diagnostic in diagnostics]
    if form == "json":
        click.echo(render_json(found), nl=False)
    else:
        color = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        for source, diagnostics in checked:
            for diagnostic in diagnostics:
                click.echo(render_text(diagnostic, source, color=color))
        click.echo(_summary(found, len(files)))
    if any(diagnostic.code == _UNREADABLE for diagnostic in found):
        ctx.exit(EXIT_USAGE)
    if any(diagnostic.severity is not Severity.INFO for diagnostic in found):
        ctx.exit(EXIT_FINDINGS)


def _check(name: str) -> tuple[Source, tuple[Diagnostic, ...]]:
    """Everything there is to say about one file."""
    if name == _STANDARD_INPUT:
        source, found = decode("stdin", sys.stdin.buffer.read(4 * MAX_CHARACTERS + 1))
    else:
        source, found = open_source(Path(name))
    if found:
        return source, found
    profile, found = check_profile(source)
    if profile is not None:
        found = in_order((*found, *ask_rules(profile, source)))
    return source, found


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _summary(found: list[Diagnostic], files: int) -> str:
    """One line: how many findings of which severity."""
    names = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "remark"}
    counts = {severity: sum(diagnostic.severity is severity for diagnostic in found) for severity in Severity}
    parts = [_count(number, names[severity]) for severity, number in counts.items() if number]
    return f"{', '.join(parts) or 'nothing wrong'} in {_count(files, 'file')}"
