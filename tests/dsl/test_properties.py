"""Laws of the front end, for any text: it never fails, and what it accepts has the type it was made with."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.dsl.check import Place
from karnak.dsl.compile import check_profile, compile_condition
from karnak.dsl.diagnostics import Severity, has_errors
from karnak.dsl.findings import Findings
from karnak.dsl.lint import lint
from karnak.dsl.nodes import Line, Source
from karnak.dsl.templates import read_template
from karnak.ir.expression import Escape, Kind
from karnak.ir.span import Span
from tests.dsl.cases import all_cases, source_of
from tests.dsl.checking import check
from tests.golden.cases import profile_texts

PIECES = [
    *"()[]?:.,'\"!-+*/%<>=&|#@{} \n",
    *(
        "tag",
        "vr",
        "stringValue",
        "null",
        "true",
        "and",
        "or",
        "not",
        "matches",
        "eq",
        "?.",
        "?:",
        "==",
        "'CT'",
        "12",
        "1.5",
    ),
    *("#Tag.PatientName", "#VR.DA", "getString(", "Keep()", "tagIsPresent(", ".length()", ".substring(", "{{", "}}"),
]
NONSENSE = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=25).map("".join))


@given(NONSENSE, st.sampled_from(list(Place)))
def test_any_text_is_an_expression_or_has_errors(text: str, place: Place) -> None:
    expression, found = check(text, place)
    assert (expression is None) is has_errors(found)
    lines = text.count("\n") + text.count("\r") + 1
    for one in found:
        assert 1 <= one.span.line <= lines


@given(NONSENSE)
def test_any_text_is_a_condition_or_has_errors(text: str) -> None:
    condition, found = compile_condition(text, Span("g", 1, 1, 1, len(text) + 1))
    assert (condition is None) is has_errors(found)


@given(NONSENSE)
def test_any_text_is_a_template_or_has_errors(text: str) -> None:
    findings = Findings()
    template = read_template(Line(text, Source("t", text).span(0, len(text))), Escape.URL, findings)
    assert (template is None) is has_errors(findings.all)
    if template is not None and "{{" not in text:
        assert template.parts == ((text,) if text else ())


TEXTS = [*profile_texts().values(), *(source_of(case.kind, case.text).text for case in all_cases())]


@given(st.sampled_from(TEXTS), st.data())
def test_any_damage_to_a_profile_is_a_profile_or_has_errors(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = min(len(text), start + data.draw(st.integers(0, 20)))
    damaged = text[:start] + data.draw(NONSENSE) + text[end:]
    source = Source("d.yml", damaged)
    profile, found = check_profile(source)
    if profile is None:
        assert has_errors(found)
    else:
        assert {one.code for one in found if one.severity is Severity.ERROR} <= {"K901"}
        lint(profile, source)
    for one in found:
        assert one.span.file == "d.yml"
        assert 1 <= one.span.line <= source.line_count
        assert 1 <= one.span.column <= len(source.line(one.span.line)) + 1


# Expressions made to have a type, and never null.

TAGS = st.sampled_from(["#Tag.PatientName", "#Tag.StudyDate", "'0010,0020'", '"(0008,0060)"', "'Modality'"])
POSITIONS = st.integers(0, 99).map(str)
WORDS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=6).map(
    lambda text: "'" + text.replace("'", "''") + "'"
)


@cache
def made(kind: Kind, depth: int) -> st.SearchStrategy[str]:
    """Give texts of expressions of a kind."""
    leaf = {
        Kind.STR: WORDS,
        Kind.INT: st.integers(0, 10**9).map(str),
        Kind.BOOL: st.builds("tagIsPresent({})".format, TAGS),
        Kind.ACTION: st.sampled_from(["Keep()", "Remove()", "UID()", "ReplaceNull()", "ExcludeInstance()"]),
    }[kind]
    if depth == 0:
        return leaf

    def inner(wanted: Kind) -> st.SearchStrategy[str]:
        return made(wanted, depth - 1)

    text, number, truth = inner(Kind.STR), inner(Kind.INT), inner(Kind.BOOL)

    def build(form: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        return st.tuples(*parts).map(lambda texts: form.format(*texts))

    forms = {
        Kind.STR: [
            build("({} + {})", text, text),
            build("({} + {})", text, number),
            build("{}.trim()", text),
            build("{}.substring({})", text, POSITIONS),
            build("{}.replace({}, {})", text, text, text),
            build("(getString({}) ?: {})", TAGS, text),
            build("(getString({0}) != null ? getString({0}).toUpperCase() : {1})", TAGS, text),
            build("{}.split('[,;]')[{}]", text, POSITIONS),
        ],
        Kind.INT: [
            build("({} + {})", number, number),
            build("(-{})", number),
            build("{}.length()", text),
            build("count({})", TAGS),
            build("(getInt({}) ?: {})", TAGS, number),
        ],
        Kind.BOOL: [
            build("({} and {})", truth, truth),
            build("({} || {})", truth, truth),
            build("!{}", truth),
            build("({} == {})", text, text),
            build("({} != {})", number, number),
            build("({} <= {})", number, number),
            build("(getString({}) matches '[A-Z]+')", TAGS),
            build("tagValueIsPresent({}, {})", TAGS, text),
            build("({} ? {} : {})", truth, truth, truth),
            build("(getString({})?.contains({}) ?: {})", TAGS, text, truth),
        ],
        Kind.ACTION: [
            build("Replace({})", text),
            build("ShiftDate({}, {})", number, number),
            build("({} ? {} : {})", truth, inner(Kind.ACTION), inner(Kind.ACTION)),
        ],
    }
    return st.one_of(leaf, *forms[kind])


@pytest.mark.parametrize(
    ("kind", "place"), [(Kind.BOOL, Place.CONDITION), (Kind.STR, Place.PLACEHOLDER), (Kind.ACTION, Place.ELEMENT)]
)
@given(st.data())
def test_what_is_made_with_a_type_has_it(kind: Kind, place: Place, data: st.DataObject) -> None:
    expression, found = check(data.draw(made(kind, 2)), place)
    assert not has_errors(found), [str(one) for one in found]
    assert expression is not None
    assert expression.type.kind is kind
    assert not expression.type.nullable
