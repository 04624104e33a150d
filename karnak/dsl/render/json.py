"""Diagnostics as JSON, for editors and scripts."""

import json
from collections.abc import Iterable
from typing import Any

from karnak.dsl.diagnostics import Diagnostic
from karnak.ir.span import Span

FORMAT_VERSION = 1


def _place(span: Span) -> dict[str, Any]:
    return {
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }


def as_data(diagnostic: Diagnostic) -> dict[str, Any]:
    """Turn a diagnostic into JSON data; lines and columns count from 1, columns in characters."""
    return {
        "code": diagnostic.code,
        "name": diagnostic.name,
        "severity": str(diagnostic.severity),
        "message": diagnostic.message,
        "place": _place(diagnostic.span),
        "hint": diagnostic.hint or None,
        "notes": list(diagnostic.notes),
        "labels": [{"place": _place(label.span), "text": label.text} for label in diagnostic.labels],
        "fixes": [
            {
                "title": fix.title,
                "safe": fix.safe,
                "edits": [{"place": _place(edit.span), "text": edit.text} for edit in fix.edits],
            }
            for fix in diagnostic.fixes
        ],
    }


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    """Write diagnostics as one JSON document, indented, in ASCII, with a newline at the end."""
    data = {"version": FORMAT_VERSION, "diagnostics": [as_data(diagnostic) for diagnostic in diagnostics]}
    return json.dumps(data, indent=2) + "\n"
