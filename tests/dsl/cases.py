"""Cases of the front end: texts that are wrong, and what is found in them.

A case gives one of: a whole `profile`; the lines of one `element`; the list of `masks`; or a
`condition`, an `expr` or a `selector` by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

import yaml

from karnak.dsl.check import Place, check_expression
from karnak.dsl.compile import check_profile
from karnak.dsl.diagnostics import Diagnostic, in_order
from karnak.dsl.findings import Findings
from karnak.dsl.lint import lint
from karnak.dsl.nodes import Line, Source
from karnak.dsl.render.text import render_text
from karnak.dsl.selectors import read_selector

FOLDER = Path(__file__).parent.parent / "cases" / "dsl"
KINDS = ("profile", "element", "masks", "condition", "expr", "selector")

_ELEMENT = 'name: "Case"\nversion: "1"\nprofileElements:\n  - name: "element"\n{}  - {{name: basic, codename: {}}}\n'
_MASKS = 'name: "Case"\nversion: "1"\nprofileElements:\n  - {{name: pixels, codename: clean.pixel.data}}\nmasks:\n{}'


@dataclass(frozen=True, slots=True)
class Case:
    """A text and what is found in it.

    Attributes:
        file: the file of cases.
        name: what is wrong with the text.
        kind: what the text is.
        text: the text.
        finds: "K203 5:13": code, line and column of each finding, in order.
        shows: what a person reads, or None where the case doesn't say.
    """

    file: str
    name: str
    kind: str
    text: str
    finds: tuple[str, ...]
    shows: str | None

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


def all_cases() -> list[Case]:
    """Read all files of cases."""
    return [_case(path.stem, entry) for path in sorted(FOLDER.glob("*.yml")) for entry in _read(path)]


def _read(path: Path) -> list[Mapping[str, object]]:
    entries: list[Mapping[str, object]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return entries


def _case(file: str, entry: Mapping[str, object]) -> Case:
    (kind,) = [kind for kind in KINDS if kind in entry]
    finds, shows = entry["finds"], entry.get("shows")
    assert isinstance(finds, list)
    return Case(
        file, str(entry["name"]), kind, str(entry[kind]), tuple(map(str, finds)), None if shows is None else str(shows)
    )


def source_of(kind: str, text: str) -> Source:
    """Give the whole text of a case."""
    if kind == "element":
        basic = (
            "action.on.specific.tags, action: X, tags: ['(XXXX,XXXX)']" if "basic." in text else "basic.dicom.profile"
        )
        return Source("case.yml", _ELEMENT.format(indent(text, "    "), basic))
    if kind == "masks":
        return Source("case.yml", _MASKS.format(indent(text, "  ")))
    return Source("case.yml", text)


def findings_of(kind: str, text: str) -> tuple[Diagnostic, ...]:
    """Check the text of a case; profiles are linted as well."""
    source = source_of(kind, text)
    if kind in ("profile", "element", "masks"):
        profile, found = check_profile(source)
        return found if profile is None else in_order((*found, *lint(profile, source)))
    findings = Findings()
    line = Line(text, source.span(0, len(text)))
    if kind == "selector":
        read_selector(line, findings)
    else:
        check_expression(line, findings, Place.CONDITION if kind == "condition" else Place.ELEMENT)
    return findings.all


def rendered(kind: str, text: str) -> str:
    """Show all findings of a case as text."""
    source = source_of(kind, text)
    return "".join(render_text(found, source) for found in findings_of(kind, text))
