"""The option --config of commands that look after a gateway, and what it leads to."""

import os
import secrets
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeAlias, TypeVar

import click

from karnak.dsl.diagnostics import Diagnostic
from karnak.dsl.nodes import Source
from karnak.dsl.render.text import render_text
from karnak.dsl.source import open_source
from karnak.gateway.defaults import default_source
from karnak.gateway.house_plan import ApiPlan
from karnak.gateway.premises import NoPremises, Premises, find_api, find_patient_key, find_premises

if TYPE_CHECKING:
    from karnak.gateway.reading_back import Services

EXIT_USAGE = 2
_DEFAULT_DATA = "data"

Found = TypeVar("Found")
# Reads something in a configuration, given its folder and the environment: that, or None and what is wrong.
_Find: TypeAlias = Callable[[Source, Path, Mapping[str, str]], tuple[Found | None, tuple[Diagnostic, ...]]]


def config_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add the option --config."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="Configuration of the gateway, as for karnak serve; without one: the built-in one, with ./data.",
    )(command)


def premises_of(config: Path | None) -> Premises:
    """Find where a gateway keeps things; mistakes in the configuration are shown, and end the command.

    Args:
        config: its configuration, or None for the built-in one and the current folder.

    Raises:
        NoPremises: there is no data folder.
    """
    return _found(config, find_premises)


def api_of(config: Path | None) -> ApiPlan:
    """Find where the gateway that runs can be asked; mistakes in the configuration are shown, and end the command.

    Args:
        config: its configuration, or None for the built-in one and the current folder.

    Raises:
        NoPremises: there is no data folder, no API, or one whose port nobody knows.
    """
    return _found(config, find_api)


def patient_key_of(config: Path | None) -> bytes:
    """Read the key of patients' identifiers; mistakes in the configuration are shown, and end the command.

    Args:
        config: the gateway's configuration, or None for the built-in one and the current folder.

    Raises:
        NoPremises: there is no data folder, or the ledger keeps no identifiers.
    """
    return _found(config, find_patient_key)


def services_of(config: Path | None) -> "Services":
    """Find the DICOMweb services that are delivered to; mistakes in the configuration are shown, and end the command.

    Args:
        config: the gateway's configuration, or None for the built-in one and the current folder.

    Raises:
        NoPremises: there is no data folder.
    """
    # Few commands need what it loads.
    from karnak.gateway.reading_back import find_services

    return _found(config, find_services)


def _found(config: Path | None, find: _Find[Found]) -> Found:
    """What is found in a configuration; mistakes in it are shown, and end the command."""
    source, folder = _source_of(config)
    found, mistakes = find(source, folder, os.environ)
    if found is None:
        _end(mistakes)
    return found


def _source_of(config: Path | None) -> tuple[Source, Path]:
    """The text of a configuration, and the folder that its paths start from."""
    if config is None:
        folder = Path.cwd()
        if not (folder / _DEFAULT_DATA).is_dir():
            raise NoPremises(f"there is no folder {folder / _DEFAULT_DATA}; name the configuration with --config FILE")
        return default_source(folder, secrets.token_bytes), folder
    source, found = open_source(config)
    if found:
        _end(found)
    return source, config.parent


def show_findings(found: Iterable[Diagnostic]) -> None:
    """Show what was found, with the lines that it was found in, on stderr."""
    sources: dict[str, Source] = {}
    color = sys.stderr.isatty()
    for diagnostic in found:
        file = diagnostic.span.file
        if file and file not in sources:
            sources[file], _ = open_source(Path(file))
        click.echo(render_text(diagnostic, sources.get(file), color=color), err=True)


def _end(found: Iterable[Diagnostic]) -> NoReturn:
    show_findings(found)
    sys.exit(EXIT_USAGE)
