"""`karnak show`: what a profile decides, attribute by attribute, for one SOP Class and one outcome of its conditions.

A table on a terminal, aligned text in a pipe, JSON for programs. It looks into the table that the engine works by, and
at no instance.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from karnak.standard.confidentiality import DEFAULT_EDITION, EDITIONS

if TYPE_CHECKING:
    from karnak.dsl.analysis.decisions import Answer, Row
    from karnak.dsl.nodes import Source
    from karnak.runtime.program import Program

FORMAT_VERSION = 1
ALL, NONE = "all", "none"

_HEADINGS = ("Tag", "Type", "Name", "Decision", "Rule", "Line")
_WIDTHS = (32, 4, 48, 40, 40, 4)
_LEGEND = (
    "Type: of the attribute in the IOD; nothing where the IOD does not have it. Nothing under Rule: no element of the "
    "profile speaks of it."
)
Line = tuple[str, ...]


@click.command(short_help="Show what a profile decides, attribute by attribute.")
@click.argument("profile", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--sop-class", required=True, metavar="NAME", help="CT, EnhancedCT, a keyword, a name or a UID.")
@click.option("--guards", default=NONE, show_default=True, metavar="N,N|all|none",
              help="Numbers of the conditions that hold.")  # fmt: skip
@click.option("--nested", is_flag=True, help="Also show the items of sequences that stay.")
@click.option("--mode", type=click.Choice(["deid", "morph"]), default="deid", show_default=True,
              help="morph: without what de-identification always sets.")  # fmt: skip
@click.option("--edition", type=click.Choice(EDITIONS), default=DEFAULT_EDITION, show_default=True,
              help="Edition of PS3.15 Table E.1-1.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
              help="JSON is for programs.")  # fmt: skip
def show(
    profile: Path,
    sop_class: str,
    guards: str,
    nested: bool,
    mode: Literal["deid", "morph"],
    edition: str,
    form: str,
) -> None:
    """Show what a profile decides, attribute by attribute.

    For instances of one SOP Class, and for one outcome of the profile's conditions, which are listed by number. By
    default none of them holds; --guards 1,3 shows the table where the first and the third one do.

    Exit codes: 0 shown, 2 usage or a profile with errors.
    """
    from karnak.cli.profiles import compiled
    from karnak.dsl.analysis.decisions import decisions
    from karnak.dsl.source import open_source

    uid = _sop_class_uid(sop_class)
    program = compiled(profile, edition)
    holds = _holds(guards, len(program.conditions))
    source, _ = open_source(profile)
    rows = list(decisions(program, uid, holds, mode=mode, nested=nested))
    if form == "json":
        click.echo(json.dumps(_as_json(program, source, uid, holds, mode, rows), indent=2))
        return
    click.echo("\n".join(_head(program, source, uid, holds)))
    lines = [line for row in rows for line in _lines(row)]
    if sys.stdout.isatty():
        _show_table(lines)
    else:
        click.echo(_as_text((_HEADINGS, *lines)))


def _sop_class_uid(text: str) -> str:
    """Find a SOP Class, or say what may have been meant."""
    from karnak.dsl.nearest import nearest
    from karnak.gateway.sop_classes import SHORT_NAMES, names_with, sop_class_uid, storage_names

    uid = sop_class_uid(text)
    if uid is not None:
        return uid
    named = names_with(text)
    near = nearest(text, frozenset((*SHORT_NAMES, *storage_names())))
    near = near or nearest(text, frozenset(name.replace(" ", "") for name in storage_names()))
    if named:
        hint = f"; there are {', '.join(named[:3])}{' and more' if len(named) > 3 else ''}"
    else:
        hint = f"; did you mean {near}?" if near else ""
    raise click.BadParameter(f"no SOP Class for storage is called {text}{hint}", param_hint="--sop-class")


def _holds(guards: str, count: int) -> tuple[bool, ...]:
    """Read which conditions hold."""
    if guards in (ALL, NONE):
        return (guards == ALL,) * count
    numbers = [part.strip() for part in guards.split(",")]
    if not all(part.isascii() and part.isdigit() for part in numbers):
        message = f"{guards!r} is no list of numbers such as 1,3"
        raise click.BadParameter(message, param_hint="--guards")
    chosen = set(map(int, numbers))
    unknown = sorted(chosen - set(range(1, count + 1)))
    if unknown:
        has = {0: "no conditions", 1: "one condition"}.get(count, f"{count} conditions")
        raise click.BadParameter(f"there is no condition {unknown[0]}; the profile has {has}", param_hint="--guards")
    return tuple(number in chosen for number in range(1, count + 1))


def _head(program: "Program", source: "Source", uid: str, holds: Sequence[bool]) -> Iterator[str]:
    from karnak.standard.iods import attributes
    from karnak.standard.uids import uid_name

    profile = program.profile
    named = f"{profile.name} {profile.version}".strip() or "a profile without a name"
    yield f"{named}, PS3.15 {program.edition}, digest {program.digest[:16]}"
    yield f"{uid_name(uid) or 'SOP Class'} {uid}"
    if attributes(uid) is None:
        yield "Its IOD is not known: what depends on the Type of an attribute is settled as strictly as possible."
    yield ""
    for number, (condition, answer) in enumerate(zip(program.conditions.asked, holds, strict=True), 1):
        if number == 1:
            yield "Conditions (--guards chooses which hold)"
        said = "holds        " if answer else "does not hold"
        yield f"{number:>4}  {said}  line {condition.span.line}: {source.at(condition.span)}"
    if holds:
        yield ""


def _lines(row: "Row") -> Iterator[Line]:
    """A line for each answer; the first one names the element."""
    some_vrs = f" ({', '.join(row.vrs)})" if row.vrs and not row.place.vrs else ""
    head = (row.place.tag, str(row.kind or ""), row.place.name + some_vrs)
    for answer in row.answers:
        yield (*head, _decision(answer), answer.rule or "", str(answer.line or ""))
        head = ("", "", "")


def _decision(answer: "Answer") -> str:
    words = {
        "": answer.decision,
        "otherwise": f"otherwise {answer.decision}",
        "if absent": f"{answer.decision} if absent",
    }
    return words[answer.case] + (f", {answer.note}" if answer.note else "")


def _as_text(lines: Sequence[Line]) -> str:
    # A cell that is much longer than most is not cut; what stands behind it moves.
    widths = [min(max(map(len, column)), most) for column, most in zip(zip(*lines, strict=True), _WIDTHS, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _show_table(lines: Sequence[Line]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, caption=_LEGEND, caption_justify="left")
    for heading in _HEADINGS:
        # A tag that is broken in two can't be copied.
        table.add_column(
            heading,
            no_wrap=heading in ("Tag", "Type"),
            overflow="fold",
            justify="right" if heading == "Line" else "left",
        )
    for tag, kind, name, decision, rule, line in lines:
        table.add_row(
            Text(tag, style="cyan"), kind, Text(name, style="bold"), Text(decision, style="yellow"), Text(rule), line
        )
    Console().print(table)


def _as_json(
    program: "Program", source: "Source", uid: str, holds: Sequence[bool], mode: str, rows: Sequence["Row"]
) -> dict[str, Any]:
    from karnak.standard.uids import uid_name

    profile = program.profile
    conditions = [
        {"number": number, "holds": answer, "line": condition.span.line, "text": source.at(condition.span)}
        for number, (condition, answer) in enumerate(zip(program.conditions.asked, holds, strict=True), 1)
    ]
    return {
        "version": FORMAT_VERSION,
        "profile": {"name": profile.name, "version": profile.version, "digest": program.digest},
        "edition": program.edition,
        "mode": mode,
        "sop_class": {"uid": uid, "name": uid_name(uid)},
        "conditions": conditions,
        "rows": [
            {
                "tag": row.place.tag,
                "name": row.place.name,
                "vr": list(row.vrs),
                "type": row.kind,
                "answers": [_answer_as_json(answer, source) for answer in row.answers],
            }
            for row in rows
        ],
    }


def _answer_as_json(answer: "Answer", source: "Source") -> dict[str, object]:
    return {
        "decision": answer.decision,
        "case": answer.case or None,
        "note": answer.note or None,
        "rule": answer.rule,
        "line": answer.line or None,
        "expression": None if answer.asks is None else source.at(answer.asks.span),
    }
