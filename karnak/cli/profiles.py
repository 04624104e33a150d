"""Profiles that commands are given: compiled, or shown with everything that is wrong with them."""

import os
import sys
from pathlib import Path

import click

from karnak.cli.app import EXIT_USAGE
from karnak.dsl.compile import compile_profile
from karnak.dsl.diagnostics import ProfileError
from karnak.dsl.render.text import render_text
from karnak.dsl.source import open_source
from karnak.runtime.program import Program


def compiled(path: Path, edition: str) -> Program:
    """Compile a profile, or show what is wrong with it on standard error and end the command.

    Args:
        path: the profile's file.
        edition: edition of PS3.15 Table E.1-1.

    Raises:
        SystemExit: it has errors.
    """
    try:
        return compile_profile(path, edition=edition)
    except ProfileError as error:
        source, _ = open_source(path)
        color = sys.stderr.isatty() and "NO_COLOR" not in os.environ
        for diagnostic in error.diagnostics:
            click.echo(render_text(diagnostic, source, color=color), err=True)
        raise SystemExit(EXIT_USAGE) from None
