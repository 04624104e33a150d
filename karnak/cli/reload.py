"""`karnak reload`: have the running gateway take new rules, after they were looked at here."""

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import click

from karnak.cli.configured import config_option
from karnak.dsl.diagnostics import has_errors
from karnak.gateway.plan import Plan

EXIT_REFUSED = 1
_SECONDS = 60


@click.command()
@config_option
def reload(config: Path | None) -> None:
    """Have the running gateway take its configuration and profiles as they are now.

    They are checked here first; with an error nothing is asked of the gateway, and exit code is 1. The gateway is asked
    by its API. Without one, send it SIGHUP.
    """
    from karnak.cli.serve import read_plan, show_findings

    plan, found = read_plan(config)
    show_findings(found)
    if plan is None or has_errors(found):
        sys.exit(EXIT_REFUSED)
    if plan.house.api is None:
        raise click.ClickException("the configuration has no API to ask; send the gateway SIGHUP instead")
    if plan.house.api.port == 0:
        raise click.ClickException("the API has a port that nobody knows (0); send the gateway SIGHUP instead")
    answer = _ask(plan)
    if "findings" in answer and answer.get("outcome") != "activated":
        click.echo("the gateway found mistakes and keeps its rules; its journal has them", err=True)
        sys.exit(EXIT_REFUSED)
    click.echo(f"new rules are active, epoch {answer['epoch']}")


def _ask(plan: Plan) -> dict[str, Any]:
    api = plan.house.api
    assert api is not None
    host = f"[{api.host}]" if ":" in api.host else api.host
    headers = {"Content-Type": "application/json"}
    if api.token is not None:
        headers["Authorization"] = f"Bearer {api.token}"
    request = urllib.request.Request(f"http://{host}:{api.port}/api/v1/profiles/reload", b"{}", headers, method="POST")
    # A proxy of the environment has no business with this machine's own gateway.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_SECONDS) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        if error.code == 409:
            refused: dict[str, Any] = json.load(error)
            return {"findings": refused.get("findings", [])}
        raise click.ClickException(f"the gateway answered with HTTP status {error.code}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None)
        said = os.strerror(reason.errno) if isinstance(reason, OSError) and reason.errno else type(error).__name__
        raise click.ClickException(f"no gateway answers at {host} port {api.port}: {said}") from None
