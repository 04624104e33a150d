"""`karnak reload`: have the running gateway take new rules, after they were looked at here."""

import sys
from pathlib import Path

import click

from karnak.cli.configured import config_option, show_findings
from karnak.dsl.diagnostics import has_errors

EXIT_REFUSED = 1


@click.command()
@config_option
def reload(config: Path | None) -> None:
    """Have the running gateway take its configuration and profiles as they are now.

    They are checked here first; with an error nothing is asked of the gateway, and exit code is 1. The gateway is asked
    by its API. Without one, send it SIGHUP.
    """
    from karnak.cli.plans import read_plan
    from karnak.gateway.api.caller import order_reload
    from karnak.gateway.metrics import ReloadOutcome

    plan, found = read_plan(config)
    show_findings(found)
    if plan is None or has_errors(found):
        sys.exit(EXIT_REFUSED)
    if plan.house.api is None:
        raise click.ClickException("the configuration has no API to ask; send the gateway SIGHUP instead")
    if plan.house.api.port == 0:
        raise click.ClickException("the API has a port that nobody knows (0); send the gateway SIGHUP instead")
    result = order_reload(plan.house.api.host, plan.house.api.port, plan.house.api.token)
    if result.outcome is ReloadOutcome.REFUSED:
        click.echo("the gateway found mistakes and keeps its rules; its journal has them", err=True)
        sys.exit(EXIT_REFUSED)
    click.echo(f"new rules are active, epoch {result.epoch}")
