"""`karnak ledger`: what came in, and what became of it at each destination, also when it has left long ago.

It works while the gateway runs and while it doesn't. The audit log says that somebody has looked, before anything is
shown. A table on a terminal, aligned text in a pipe, JSON for programs.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias, get_args

import click
from pydantic import TypeAdapter

from karnak.cli.configured import api_of, config_option, patient_key_of, premises_of
from karnak.errors import KarnakError
from karnak.gateway.ledger import Grouping, GroupRecord, InstanceRecord, Ledger
from karnak.gateway.looking import note_look
from karnak.gateway.patient_cipher import Patient, PatientCipher, WrongKey
from karnak.gateway.questions import Question
from karnak.gateway.states import State

EXIT_NOTHING_FOUND = 1
FORMAT_VERSION = 1

_STATES = [str(state) for state in State]
_GROUPINGS: tuple[Grouping, ...] = get_args(Grouping)
_PLURAL: Mapping[Grouping, str] = {"instance": "instances", "series": "series", "study": "studies"}
_OF_INSTANCES = ("Receipt", "SOP Instance", "Received", "Destination", "State", "Sent as", "Cause")
_OF_GROUPS = ("Instances", "Last received", "Destination", "States", "Sent as", "Causes")
_RECORDS: TypeAdapter[Sequence[InstanceRecord | GroupRecord]] = TypeAdapter(Sequence[InstanceRecord | GroupRecord])
_PATIENT = "Patient"
Records: TypeAlias = Sequence[InstanceRecord | GroupRecord]
# By receipt or UID: the patients, and None for one who was encrypted with another key.
Patients: TypeAlias = Mapping[str, Sequence[Patient | None]]


class _Time(click.ParamType[datetime]):
    """A time such as 2026-01-31 or 2026-01-31T12:00:00+01:00; UTC where it doesn't say."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            found = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail("write it as 2026-01-31 or 2026-01-31T12:00:00+01:00; without a zone it is UTC", param, ctx)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


@click.command(short_help="Show what came in and what became of it, also when it has left.")
@click.argument("uid", required=False)
@click.option(
    "--by", type=click.Choice(_GROUPINGS), help="What a line is about; study, or instance where a UID is given."
)
@click.option("--destination", help="Name of a destination.")
@click.option("--state", type=click.Choice(_STATES), help="With a delivery in this state.")
@click.option("--from", "calling_ae", help="AE title of the sender.")
@click.option("--since", type=_Time(), help="Received at this time or later.")
@click.option("--until", type=_Time(), help="Received before this time.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many to show.")
@click.option("--patients", is_flag=True, help="With PatientIDs, where the ledger keeps them; reads the ledger's key.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True,
              help="JSON is for programs.")  # fmt: skip
@config_option
@click.pass_context
def ledger(
    ctx: click.Context,
    uid: str | None,
    by: Grouping | None,
    destination: str | None,
    state: str | None,
    calling_ae: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    patients: bool,
    form: str,
    config: Path | None,
) -> None:
    """Show what came in, the last first, and what became of it at each destination.

    UID is a Study, Series or SOP Instance UID, of the original or of what was sent. The audit log notes each look.

    Exit codes: 0, 1 nothing was found, 2 usage and errors.
    """
    question = Question(uid, None, destination, State(state) if state else None, calling_ae, since, until)
    by = by or ("study" if uid is None else "instance")
    premises = premises_of(config)
    key = patient_key_of(config) if patients else None
    with premises.open_index() as database:
        try:
            note_look(premises, lambda: api_of(config), patients=patients, clock=lambda: datetime.now(UTC))
        except OSError as error:
            raise KarnakError(f"the audit log in {premises.data_dir} can't be written: {error.strerror}") from None
        book = Ledger(database)
        records = _find(book, by, question, limit)
        known = None if key is None else _patients(book, by, records, key)
    if form == "json":
        click.echo(_as_json(by, records, known))
    elif records:
        _show(by, records, known)
    if not records:
        click.echo("karnak: the ledger knows nothing of it", err=True)
        ctx.exit(EXIT_NOTHING_FOUND)
    if len(records) == limit:
        click.echo(f"the last {limit} {_PLURAL[by]}; more with --limit", err=True)


def _find(book: Ledger, by: Grouping, question: Question, limit: int) -> Records:
    if by == "instance":
        return book.instances(question, limit)
    return book.series(question, limit) if by == "series" else book.studies(question, limit)


def _name(record: InstanceRecord | GroupRecord) -> str:
    return record.receipt if isinstance(record, InstanceRecord) else record.uid


def _patients(book: Ledger, by: Grouping, records: Records, key: bytes) -> Patients:
    cipher = PatientCipher(key, _nothing_is_encrypted)
    found: dict[str, Sequence[Patient | None]] = {}
    for name, concealed in book.concealed(by, [_name(record) for record in records]).items():
        known: dict[Patient | None, None] = {}
        for sop_instance_uid, sealed in concealed:
            try:
                known[cipher.decrypt(sealed, sop_instance_uid)] = None
            except WrongKey:
                known[None] = None
        found[name] = list(known)
    return found


def _nothing_is_encrypted(_: int) -> bytes:
    raise AssertionError("nothing is encrypted here")


def _show(by: Grouping, records: Records, known: Patients | None) -> None:
    headings: tuple[str, ...] = _OF_INSTANCES if by == "instance" else (by.capitalize(), *_OF_GROUPS)
    rows: list[tuple[str, ...]] = []
    for record in records:
        lines = _of_instance(record) if isinstance(record, InstanceRecord) else _of_group(record)
        if known is not None:
            lines = [(*line, "; ".join(map(_words, known[_name(record)]))) for line in lines]
        rows += [tuple(map(_printable, line)) for line in lines]
    if known is not None:
        headings = (*headings, _PATIENT)
    if _on_terminal():
        _show_table(headings, rows)
    else:
        click.echo(_as_text([headings, *rows]))


def _on_terminal() -> bool:
    return sys.stdout.isatty()


def _of_instance(record: InstanceRecord) -> list[tuple[str, ...]]:
    head = (record.receipt, record.sop_instance_uid, _time(record.received))
    return [
        (
            *head,
            fate.destination or "-",
            str(fate.state),
            fate.new.sop_instance_uid if fate.new is not None else "",
            fate.cause or "",
        )
        for fate in record.fates
    ]


def _of_group(record: GroupRecord) -> list[tuple[str, ...]]:
    head = (record.uid, str(record.instances), _time(record.last))
    return [
        (
            *head,
            tally.destination or "-",
            ", ".join(f"{count} {state}" for state, count in sorted(tally.states.items())),
            ", ".join(tally.new_uids),
            ", ".join(f"{count} {cause}" for cause, count in sorted(tally.causes.items())),
        )
        for tally in record.tallies
    ]


def _words(patient: Patient | None) -> str:
    if patient is None:
        return "(encrypted with another key)"
    said = patient.patient_id or "(no PatientID)"
    return said if patient.issuer is None else f"{said} of {patient.issuer}"


def _printable(text: str) -> str:
    """Text that is safe on a terminal, whatever a sender has put into it."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _time(time: datetime) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def _as_text(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def _show_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=SIMPLE_HEAD)
    for heading in headings:
        shown.add_column(heading, no_wrap=heading == "Receipt", overflow="fold")
    for row in rows:
        shown.add_row(*map(Text, row))
    Console().print(shown)


def _as_json(by: Grouping, records: Records, known: Patients | None) -> str:
    shown: list[dict[str, Any]] = _RECORDS.dump_python(records, mode="json")
    if known is not None:
        for one, record in zip(shown, records, strict=True):
            one["patients"] = [
                None if patient is None else {"patient_id": patient.patient_id, "issuer": patient.issuer}
                for patient in known[_name(record)]
            ]
    return json.dumps({"version": FORMAT_VERSION, _PLURAL[by]: shown}, indent=2)
