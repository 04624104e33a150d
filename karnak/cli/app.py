"""The command `karnak`: finds the command that is meant and loads that one only.

Nothing is imported here but click: `karnak --help` must answer before a person notices.
"""

import os
import sys
from collections.abc import Mapping
from importlib import import_module

import click

from karnak.errors import KarnakError
from karnak.version import VERSION

EXIT_USAGE = 2

# Command -> where it is defined, and its line in the help; the line stands here so that help imports nothing.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "deid": ("karnak.cli.deid:deid", "De-identify files and folders with a profile."),
    "doctor": ("karnak.cli.doctor:doctor", "Check what the gateway keeps, and mend its index."),
    "ledger": ("karnak.cli.ledger:ledger", "Show what came in and what became of it, also when it has left."),
    "lint": ("karnak.cli.lint:lint", "Check profiles and show what is wrong with them."),
    "queue": ("karnak.cli.queue:queue", "Show what is owed to destinations; retry it now, or drop it."),
    "reload": ("karnak.cli.reload:reload", "Have the running gateway take new rules."),
    "serve": ("karnak.cli.serve:serve", "Receive, de-identify and forward instances."),
    "shadow": ("karnak.cli.shadow:shadow", "Run a candidate beside the active rules; it sends nothing."),
    "show": ("karnak.cli.show:show", "Show what a profile decides, attribute by attribute."),
    "tags": ("karnak.cli.tags:tags", "Find attributes, and what the basic profile does to them."),
}


class _LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in sorted(COMMANDS.items())])


@click.command(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(VERSION, prog_name="karnak", message="%(prog)s %(version)s")
def cli() -> None:
    """A DICOM de-identification gateway: profiles in, de-identified instances out."""


def main() -> None:
    """Run the command line; an error that a person has to act on ends as one line and exit code 2."""
    # NumPy would start a thread per processor for linear algebra, of which there is none here, in every process.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        cli(prog_name="karnak")
    except KarnakError as error:
        click.echo(f"karnak: {error}", err=True)
        sys.exit(EXIT_USAGE)
