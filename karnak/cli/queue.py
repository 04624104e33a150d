"""`karnak queue`: what is owed to destinations; retry it now, or drop it.

It works while the gateway runs and while it doesn't: a gateway that runs does within seconds
what is asked. A table on a terminal, aligned text in a pipe, JSON for programs.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from karnak.cli.configured import config_option, premises_of
from karnak.dsl.nearest import nearest
from karnak.gateway.premises import wish
from karnak.gateway.states import State
from karnak.gateway.store.queue import Choice, Queue
from karnak.gateway.store.rows import Part, Wish

EXIT_NOTHING_FOUND = 1
FORMAT_VERSION = 1

_STATES = [str(state) for state in State]
_HEADINGS = ("Receipt", "Destination", "State", "Tries", "Received", "Next try", "Study", "Cause")


@click.group(short_help="Show what is owed to destinations; retry it now, or drop it.")
def queue() -> None:
    """Show what is owed to destinations; retry it now, or drop it.

    An instance is owed to each of its destinations until it was delivered there, excluded by a rule, rejected, or
    dropped by a person.
    """


def _choice_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--study", help="Study Instance UID, of the original or of what was sent."),
        click.option("--destination", help="Name of a destination."),
        config_option,
    ):
        command = option(command)
    return command


@queue.command("list")
@_choice_options
@click.option("--state", type=click.Choice(_STATES), help="Only these; also those that have ended.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many to show.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
              help="JSON is for programs.")  # fmt: skip
def list_(
    config: Path | None, destination: str | None, study: str | None, state: str | None, limit: int, form: str
) -> None:
    """List what is owed, the oldest first."""
    choice = Choice(destination, study, State(state) if state is not None else None)
    with premises_of(config).open_index() as database:
        found = Queue(database)
        parts, total = found.list(choice, limit), found.count(choice)
    if form == "json":
        click.echo(_as_json(parts, total))
        return
    if parts and sys.stdout.isatty():
        _show_table(parts)
    elif parts:
        click.echo(_as_text(parts))
    click.echo(_summary(len(parts), total), err=True)


@queue.command()
@_choice_options
@click.option("--all", "everything", is_flag=True, help="All that is owed.")
@click.argument("receipts", nargs=-1, metavar="[RECEIPT]...")
@click.pass_context
def retry(
    ctx: click.Context,
    config: Path | None,
    destination: str | None,
    study: str | None,
    everything: bool,
    receipts: tuple[str, ...],
) -> None:
    """Try now what is owed, however long it was to wait or its destination to be left alone.

    Exit codes: 0 something is tried, 1 nothing is owed, 2 usage.
    """
    choices = _choices(ctx, Choice(destination, study), receipts, everything=everything)
    _wish(ctx, config, choices, Wish.RETRY, ask=False)


@queue.command()
@_choice_options
@click.option("--all", "everything", is_flag=True, help="All that is owed.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.argument("receipts", nargs=-1, metavar="[RECEIPT]...")
@click.pass_context
def drop(
    ctx: click.Context,
    config: Path | None,
    destination: str | None,
    study: str | None,
    everything: bool,
    yes: bool,
    receipts: tuple[str, ...],
) -> None:
    """Never send what is owed; an original that nobody else is owed is removed.

    What is being sent at this moment is only dropped when that fails.

    Exit codes: 0 something was dropped, 1 nothing was, 2 usage.
    """
    choices = _choices(ctx, Choice(destination, study), receipts, everything=everything)
    _wish(ctx, config, choices, Wish.DROP, ask=not yes)


def _choices(ctx: click.Context, choice: Choice, receipts: Sequence[str], *, everything: bool) -> list[Choice]:
    if choice.is_all and not receipts and not everything:
        raise click.UsageError("say which: receipts, --destination, --study or --all", ctx)
    return [replace(choice, receipt=receipt) for receipt in receipts] or [choice]


def _wish(ctx: click.Context, config: Path | None, choices: Sequence[Choice], wanted: Wish, *, ask: bool) -> None:
    premises = premises_of(config)
    with premises.open_index() as database:
        if ask:
            meant = sum(Queue(database).count(choice) for choice in choices)
            if meant:
                click.confirm(f"Drop {_parts(meant)}? They are not sent any more", abort=True, err=True)
        came = [wish(premises, database, choice, wanted, datetime.now(UTC)) for choice in choices]
    parts = sum(one.parts for one in came)
    if not parts:
        click.echo("karnak: nothing that is owed is meant", err=True)
        named = choices[0].destination
        if named is not None and named not in premises.destinations:
            known = tuple(sorted(premises.destinations))
            near = nearest(named, known)
            hint = f"did you mean {near}?" if near is not None else f"there are {', '.join(known)}"
            click.echo(f"  the configuration has no destination {named}; {hint}", err=True)
        ctx.exit(EXIT_NOTHING_FOUND)
    if not came[-1].done:
        click.echo(f"{_parts(parts)}: the gateway does it within seconds")
    elif wanted is Wish.RETRY:
        click.echo(f"{_parts(parts)} due when the gateway starts")
    else:
        click.echo(f"{_parts(parts)} dropped; originals that nobody is owed go when the gateway starts")


def _parts(count: int) -> str:
    return "1 delivery" if count == 1 else f"{count} deliveries"


def _cells(part: Part) -> tuple[str, ...]:
    state = str(part.state) if part.wish is None else f"{part.state}, to {part.wish.name.lower()}"
    return (
        part.receipt,
        part.destination or "-",
        state,
        str(part.attempts),
        _time(part.received) or "",
        _time(part.retry_at) or "",
        part.study_instance_uid or "",
        part.cause or "",
    )


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat(timespec="seconds").replace("+00:00", "Z")


def _as_text(parts: Sequence[Part]) -> str:
    lines = [_HEADINGS, *map(_cells, parts)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _show_table(parts: Sequence[Part]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=SIMPLE_HEAD)
    for heading in _HEADINGS:
        # What a person copies is not broken in two.
        shown.add_column(heading, no_wrap=heading == "Receipt", overflow="fold")
    styles = ("cyan", "bold", "yellow", "", "dim", "", "dim", "")
    for part in parts:
        shown.add_row(*(Text(cell, style=style) for cell, style in zip(_cells(part), styles, strict=True)))
    Console().print(shown)


def _as_json(parts: Sequence[Part], total: int) -> str:
    shown = [
        {
            "receipt": part.receipt,
            "destination": part.destination or None,
            "state": str(part.state),
            "cause": part.cause,
            "attempts": part.attempts,
            "received": _time(part.received),
            "retry_at": _time(part.retry_at),
            "bytes": part.size,
            "sop_class_uid": part.sop_class_uid,
            "study_instance_uid": part.study_instance_uid,
            "wish": None if part.wish is None else part.wish.name.lower(),
        }
        for part in parts
    ]
    return json.dumps({"version": FORMAT_VERSION, "total": total, "parts": shown}, indent=2)


def _summary(shown: int, total: int) -> str:
    if total == 0:
        return "nothing"
    return _parts(total) if shown == total else f"{shown} of {_parts(total)}; more with --limit"
