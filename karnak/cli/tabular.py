"""Tables on stdout: drawn on a terminal, aligned text elsewhere, so that other programs can read it."""

import sys
from collections.abc import Sequence

import click

Row = tuple[str, ...]


def show_table(header: Row, rows: Sequence[Row], right: Sequence[int]) -> None:
    """Show a table.

    Args:
        header: what stands above the columns.
        rows: the cells.
        right: columns that are aligned to the right, counted from 0.
    """
    if not sys.stdout.isatty():
        widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
        for row in (header, *rows):
            cells = [
                cell.rjust(width) if column in right else cell.ljust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            click.echo("  ".join(cells).rstrip())
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, name in enumerate(header):
        table.add_column(name, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(highlight=False).print(table)
