"""How findings are shown: the block of the style, wide and long lines, colour, JSON."""

import json

from karnak.dsl.diagnostics import Diagnostic, Fix, Label, ProfileError, Severity, TextEdit, has_errors, in_order
from karnak.dsl.nodes import Source
from karnak.dsl.render.json import render_json
from karnak.dsl.render.text import render_text
from karnak.ir.span import NOWHERE, Span

KEYWORD_SOURCE = Source("research.yml", "\n" * 13 + '    tags: ["PatientNam"]\n')
UNKNOWN_KEYWORD = Diagnostic(
    "K203",
    "unknown-tag-keyword",
    Severity.ERROR,
    "unknown tag keyword",
    Span("research.yml", 14, 13, 14, 23),
    "did you mean PatientName (0010,0010)?",
    notes=("keywords are those of DICOM PS3.6; `karnak tags Patient` lists them",),
)


def shown(line: str, column: int, end: int, hint: str = "", notes: tuple[str, ...] = ()) -> str:
    """Show a finding in a text of one line."""
    one = Diagnostic("K000", "x", Severity.ERROR, "m", Span("f", 1, column, 1, end), hint, notes=notes)
    return render_text(one, Source("f", line))


def test_the_block_of_the_style() -> None:
    assert render_text(UNKNOWN_KEYWORD, KEYWORD_SOURCE) == (
        "research.yml:14:13: K203 unknown tag keyword\n"
        "   |\n"
        '14 |     tags: ["PatientNam"]\n'
        "   |             ^^^^^^^^^^ did you mean PatientName (0010,0010)?\n"
        "   = help: keywords are those of DICOM PS3.6; `karnak tags Patient` lists them\n"
    )


def test_colour_changes_nothing_but_colour() -> None:
    colored = render_text(UNKNOWN_KEYWORD, KEYWORD_SOURCE, color=True)
    plain = colored
    for sequence in ("\x1b[1m", "\x1b[0m", "\x1b[31m", "\x1b[33m", "\x1b[34m", "\x1b[36m"):
        plain = plain.replace(sequence, "")
    assert plain == render_text(UNKNOWN_KEYWORD, KEYWORD_SOURCE)
    assert colored != plain


def test_tabs_and_wide_characters_are_counted_as_they_are_seen() -> None:
    assert shown("\ta: b", 5, 6) == "f:1:5: K000 m\n  |\n1 |     a: b\n  |        ^\n"
    assert shown("名前: b", 5, 6) == "f:1:5: K000 m\n  |\n1 | 名前: b\n  |       ^\n"
    assert shown("e\u0301: b", 5, 6) == "f:1:5: K000 m\n  |\n1 | e\u0301: b\n  |    ^\n"


def test_long_lines_are_cut_around_the_mark() -> None:
    line = "".join(str(i % 10) for i in range(1000))
    first, middle, last = (shown(line, column, column + 3).splitlines() for column in (1, 501, 998))
    for lines, text in ((first, "012"), (middle, "012"), (last, "789")):
        assert max(map(len, lines)) <= 112
        column = lines[3].index("^")
        assert lines[2][column : column + 3] == text
        assert lines[3].count("^") == 3
    assert first[2].endswith("...")
    assert middle[2].startswith("1 | ...")
    assert middle[2].endswith("...")
    assert last[2].startswith("1 | ...")


def test_marks_over_several_lines_stay_on_the_first() -> None:
    source = Source("f", "a: [b,\n  c]\n")
    one = Diagnostic("K000", "x", Severity.WARNING, "m", Span("f", 1, 4, 2, 5))
    assert render_text(one, source) == "f:1:4: K000 warning: m\n  |\n1 | a: [b,\n  |    ^^^\n"


def test_control_characters_of_a_file_never_reach_a_terminal() -> None:
    text = shown("a: \x1b[31mred\x07", 4, 5, hint="a \x1b[0m hint", notes=("a \x9b note",))
    assert not any(ord(character) < 32 and character != "\n" for character in text)
    assert "\x9b" not in text
    assert "\x1b" not in render_text(Diagnostic("K000", "x", Severity.ERROR, "\x1b]0;m\x07", NOWHERE), None)


def test_labels_stand_under_their_lines() -> None:
    source = Source("f", "a: 1\nb: 2\na: 3\n")
    label = Label(Span("f", 1, 1, 1, 2), "the first one")
    one = Diagnostic("K010", "x", Severity.ERROR, "m", Span("f", 3, 1, 3, 2), "here", (label,))
    assert render_text(one, source) == ("f:3:1: K010 m\n  |\n1 | a: 1\n  | - the first one\n3 | a: 3\n  | ^ here\n")


def test_without_a_text_the_hint_has_its_line() -> None:
    assert render_text(UNKNOWN_KEYWORD, None).splitlines()[1] == " = did you mean PatientName (0010,0010)?"


def test_json_has_everything() -> None:
    span = UNKNOWN_KEYWORD.span
    fix = Fix("Write PatientName", (TextEdit(span, "PatientName"),))
    one = Diagnostic("K203", "unknown-tag-keyword", Severity.ERROR, "é", span, "", (Label(span, "l"),), ("n",), (fix,))
    place = {"file": "research.yml", "line": 14, "column": 13, "end_line": 14, "end_column": 23}
    text = render_json([one])
    assert text.isascii()
    assert json.loads(text) == {
        "version": 1,
        "diagnostics": [
            {
                "code": "K203",
                "name": "unknown-tag-keyword",
                "severity": "error",
                "message": "é",
                "place": place,
                "hint": None,
                "notes": ["n"],
                "labels": [{"place": place, "text": "l"}],
                "fixes": [
                    {"title": "Write PatientName", "safe": False, "edits": [{"place": place, "text": "PatientName"}]}
                ],
            }
        ],
    }


def test_the_error_names_the_first_of_many() -> None:
    warning = Diagnostic("K106", "x", Severity.WARNING, "w", NOWHERE)
    error = ProfileError([warning, UNKNOWN_KEYWORD, UNKNOWN_KEYWORD])
    assert str(error) == (
        "research.yml:14:13: K203 unknown tag keyword (did you mean PatientName (0010,0010)?) (and 1 more)"
    )
    assert error.diagnostics == (warning, UNKNOWN_KEYWORD, UNKNOWN_KEYWORD)
    assert has_errors(error.diagnostics)
    assert not has_errors([warning])
    assert in_order([UNKNOWN_KEYWORD, warning]) == (warning, UNKNOWN_KEYWORD)
