"""`karnak tags`: find attributes by name, keyword or number, and what the basic profile does to them.

A table on a terminal, aligned text in a pipe, JSON for programs. It reads the standard only, no instance.
"""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from karnak.standard import dictionary
from karnak.standard.confidentiality import DEFAULT_EDITION, EDITIONS, Row, Table, table

if TYPE_CHECKING:
    from karnak.standard.dictionary import Attribute

EXIT_NOTHING_FOUND = 1
FORMAT_VERSION = 1

_HEADINGS = ("Tag", "Keyword", "Name", "VR", "VM", "Basic", "Options")
_LEGEND = (
    "X remove, Z empty, D dummy, U new UID, K keep, C clean; X/Z and the like: by the attribute's Type. "
    "Nothing under Basic: the table has no row for it, so the basic profile keeps it."
)


@click.command(short_help="Find attributes, and what the basic profile does to them.")
@click.argument("query", nargs=-1, required=True, metavar="QUERY...")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
              help="JSON is for programs.")  # fmt: skip
@click.option("--edition", type=click.Choice(EDITIONS), default=DEFAULT_EDITION, show_default=True,
              help="Edition of PS3.15 Table E.1-1.")  # fmt: skip
@click.pass_context
def tags(ctx: click.Context, query: tuple[str, ...], form: str, edition: str) -> None:
    """Find attributes, and what the basic profile does to them.

    QUERY is a number in any form, with X for any digit (0010,0010 or 60XX,3000 or 0010 for a group); or words of
    a name or a keyword, in any case.

    Exit codes: 0 found, 1 nothing found, 2 usage.
    """
    text = " ".join(query).strip()
    if not text:
        raise click.UsageError("QUERY is empty; try: karnak tags patient name", ctx)
    found = dictionary.search(text)
    rows = table(edition)
    if form == "json":
        click.echo(_as_json(found, rows))
    elif found and sys.stdout.isatty():
        _show_table(found, rows)
    elif found:
        click.echo(_as_text(found, rows))
    if not found:
        click.echo(f"karnak: {_nothing(text)}", err=True)
        ctx.exit(EXIT_NOTHING_FOUND)


def _cells(attribute: "Attribute", row: Row | None) -> tuple[str, ...]:
    options = " ".join(f"{option}={code}" for option, code in row.options.items()) if row else ""
    name = attribute.name + (" (retired)" if attribute.retired else "")
    vr = " or ".join(attribute.vr)
    return (attribute.number, attribute.keyword, name, vr, attribute.vm, row.basic if row else "", options)


def _as_text(found: Sequence["Attribute"], rows: Table) -> str:
    lines = [_HEADINGS, *(_cells(attribute, rows.row(attribute.tag)) for attribute in found)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _show_table(found: Sequence["Attribute"], rows: Table) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    shown = RichTable(box=SIMPLE_HEAD, caption=f"PS3.15 Table E.1-1 {rows.edition}. {_LEGEND}", caption_justify="left")
    for heading in _HEADINGS:
        # A number that is broken in two can't be copied.
        shown.add_column(heading, no_wrap=heading == "Tag", overflow="fold")
    for attribute in found:
        number, keyword, name, vr, vm, basic, options = _cells(attribute, rows.row(attribute.tag))
        shown.add_row(
            Text(number, style="cyan"),
            Text(keyword, style="bold"),
            Text(name),
            Text(vr),
            Text(vm),
            Text(basic, style="yellow"),
            Text(options.replace(" ", "\n")),
            style="dim" if attribute.retired else "",
        )
    Console().print(shown)


def _as_json(found: Sequence["Attribute"], rows: Table) -> str:
    attributes = []
    for attribute in found:
        row = rows.row(attribute.tag)
        attributes.append(
            {
                "tag": attribute.number,
                "keyword": attribute.keyword or None,
                "name": attribute.name,
                "vr": list(attribute.vr),
                "vm": attribute.vm,
                "retired": attribute.retired,
                "basic_profile": row.basic if row else None,
                "options": {str(option): code for option, code in row.options.items()} if row else {},
                "source": row.source if row else None,
            }
        )
    return json.dumps({"version": FORMAT_VERSION, "edition": rows.edition, "attributes": attributes}, indent=2)


def _nothing(text: str) -> str:
    """Say that nothing was found, and what may have been meant."""
    from karnak.dsl.nearest import nearest

    if dictionary.is_private_number(text):
        return (
            f"{text!r} is private, so PS3.6 does not have it; the basic profile removes it, "
            "unless an option retains safe private attributes"
        )
    # People write names with spaces and apostrophes; keywords have neither.
    near = nearest(text.replace(" ", "").replace("'s", ""), sorted(dictionary.keywords()))
    attribute = dictionary.by_keyword(near) if near else None
    hint = f"did you mean {attribute.keyword} {attribute.number}?" if attribute else "try a word of its name"
    return f"no attribute matches {text!r}; {hint}"
