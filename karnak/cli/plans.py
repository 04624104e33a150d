"""Reading a configuration and all that it names, for commands that run a gateway or order one about."""

import os
import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from karnak.dsl.diagnostics import Diagnostic
from karnak.dsl.nodes import Source
from karnak.dsl.source import open_source
from karnak.errors import KarnakError
from karnak.gateway.defaults import default_source
from karnak.gateway.plan import Plan, make_plan
from karnak.gateway.programs import Programs


def read_plan(
    config: Path | None, programs: Programs | None = None, failed: Callable[[KarnakError], None] = lambda _: None
) -> tuple[Plan | None, tuple[Diagnostic, ...]]:
    """Read and check a configuration and all that it names.

    Args:
        config: its file, or None for the built-in one.
        programs: profiles that were compiled before.
        failed: is told, later, of renewed files for TLS that can't be used; the last good ones stay in force.

    Returns:
        The plan, or None where a finding is an error; and what was found.
    """
    source, base, found = _read(config)
    if found:
        return None, found
    plan, found = make_plan(source, base, os.environ, programs, failed)
    if plan is None or config is None:
        return plan, found
    return replace(plan, files=(config, *plan.files)), found


def _read(config: Path | None) -> tuple[Source, Path, tuple[Diagnostic, ...]]:
    if config is None:
        folder = Path.cwd()
        return default_source(folder, secrets.token_bytes), folder, ()
    source, found = open_source(config)
    return source, config.parent, found
