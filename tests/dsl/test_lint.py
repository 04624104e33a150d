"""Lint: what it says, what it isn't sure of and doesn't say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.dsl.compile import check_profile
from karnak.dsl.findings import Findings
from karnak.dsl.lint import lint
from karnak.dsl.nodes import Line, Source
from karnak.dsl.selectors import read_selector
from karnak.ir.covering import Covering, term_covers
from karnak.ir.selector import ElementKey, Selector, SelectorTerm, TagPattern, term_matches

HEAD = "name: x\nversion: '1'\nprofileElements:\n"
BASIC = "  - {name: basic, codename: basic.dicom.profile}\n"


def lines_of(code: str, *elements: str) -> list[int]:
    """Lint a profile of some elements and the basic profile, and give the lines of a code."""
    text = HEAD + "".join(f"  - {{name: e, {element}}}\n" for element in elements) + BASIC
    source = Source("p", text)
    profile, found = check_profile(source)
    assert not found
    assert profile is not None
    last = len(elements) + 3
    return [one.span.line for one in lint(profile, source) if one.code == code and one.span.line <= last]


def tags(action: str, *terms: str, more: str = "") -> str:
    quoted = ", ".join(f"'{term}'" for term in terms)
    return f"codename: action.on.specific.tags, action: {action}, tags: [{quoted}]{more}"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (tags("X", "PatientName"), tags("K", "PatientName")),
        (tags("X", "(0010,XXXX)"), tags("K", "PatientName", "(0010,00X0)")),
        (tags("X", "(XXXX,XXXX)"), "codename: action.on.privatetags, action: K"),
        (tags("X", "(XXXX,XXXX)"), "codename: action.on.dates, option: shift, arguments: {days: 1, seconds: 0}"),
        (tags("X", "PatientName"), tags("K", "ReferencedPatientSequence/PatientName")),
        (tags("X", "PatientName"), tags("K", "PatientName", more=", condition: tagIsPresent(#Tag.Rows)")),
        ("codename: expression.on.tags, tags: [PatientID], arguments: {expr: Keep()}", tags("X", "PatientID")),
        (
            tags("X", "PatientName", more=", condition: tagIsPresent(#Tag.Rows)"),
            tags("K", "PatientName", more=", condition: 'tagIsPresent( #Tag.Rows )'"),
        ),
        (tags("X", "(0009,XXXX)"), tags("K", '(0009,"ACME",10)')),
        (tags("X", '(0009,"ACME",XX)'), tags("K", '(0009,"ACME",10)')),
        (
            tags("X", "PatientName", "PatientID"),
            "codename: expression.on.tags, tags: [PatientID], arguments: {expr: Keep()}",
        ),
        (
            "codename: action.on.privatetags, action: X",
            "codename: action.on.privatetags, action: K, tags: ['0009,XXXX']",
        ),
        (
            "codename: action.on.dates, option: shift, arguments: {days: 1, seconds: 1}",
            "codename: action.on.dates, option: date_format, arguments: {remove: day}",
        ),
    ],
)
def test_rules_that_never_apply(first: str, second: str) -> None:
    assert lines_of("K110", first, second) == [5]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (tags("X", "PatientName"), tags("K", "PatientName", "PatientID")),
        (tags("X", "PatientName", more=", condition: tagIsPresent(#Tag.Rows)"), tags("K", "PatientName")),
        (tags("X", "(0010,XXXX)", more=", excludedTags: [PatientName]"), tags("K", "PatientName")),
        (tags("X", "(0010,XXXX)", more=", excludedTags: ['(0010,00XX)']"), tags("K", "PatientName")),
        (tags("X", "ReferencedPatientSequence/PatientName"), tags("K", "PatientName")),
        ("codename: action.on.privatetags, action: X", tags("K", "(XXXX,XXXX)")),
        ("codename: action.on.dates, option: shift, arguments: {days: 1, seconds: 1}", tags("K", "StudyDate")),
        (
            "codename: action.on.dates, option: date_format, arguments: {remove: day}",
            "codename: action.on.dates, option: shift, arguments: {days: 1, seconds: 1}",
        ),
        (
            "codename: expression.on.tags, tags: [PatientID], arguments: {expr: 'vr == #VR.LO ? UID() : null'}",
            tags("X", "PatientID"),
        ),
        (
            "codename: expression.on.tags, tags: [PatientID], arguments: {expr: \"Add(#Tag.StudyID, #VR.SH, 'x')\"}",
            tags("X", "PatientID"),
        ),
        (
            tags("X", "PatientName", more=", condition: tagIsPresent(#Tag.Rows)"),
            tags("K", "PatientName", more=", condition: tagIsPresent(#Tag.Columns)"),
        ),
        (tags("X", '(0009,"ACME",10)'), tags("K", "(0009,XX10)")),
        (tags("X", "(XXXX,XXXX)"), "codename: action.add.tag, tags: [PatientComments], arguments: {value: x}"),
    ],
)
def test_rules_that_may_apply(first: str, second: str) -> None:
    assert lines_of("K110", first, second) == []


def test_the_basic_profile_after_everything_never_applies() -> None:
    everything, basic = tags("X", "(XXXX,XXXX)"), "codename: basic.dicom.profile"
    profile, _ = check_profile(
        source := Source("p", f"{HEAD}  - {{name: a, {everything}}}\n  - {{name: b, {basic}}}\n")
    )
    assert profile is not None
    assert [(one.code, one.span.line) for one in lint(profile, source)] == [("K110", 5)]


def test_long_lists_are_compared_quickly() -> None:
    many = [f"{i:08X}" for i in range(0x00110010, 0x00110010 + 1000)]
    assert lines_of("K110", tags("X", *many), tags("K", *many[::-1])) == [5]


# The law of covering: what is covered is selected.

TERMS: list[SelectorTerm] = []
for written in (
    *(
        "(0010,0010)",
        "(0010,00XX)",
        "(0010,XXXX)",
        "(XXXX,XXXX)",
        "(0009,1010)",
        "(0009,XX10)",
        "(0009,XXXX)",
        "(00XX,0010)",
    ),
    *('(0009,"A",10)', '(0009,"A",XX)', '(0009,"B",10)', "(0040,0275)/(0010,0010)", "(0040,0275)/(0010,XXXX)"),
    *("(00XX,XXXX)/(0010,0010)", '(0040,0275)/(0009,"A",10)'),
):
    read = read_selector(Line(written, Source("", written).span(0, 0)), Findings())
    assert read is not None
    TERMS.append(read)

KEYS = [
    ElementKey(0x00100010),
    ElementKey(0x00100020),
    ElementKey(0x00090010),
    ElementKey(0x00091010, "A"),
    ElementKey(0x00091110, "B"),
    ElementKey(0x00091010),
    ElementKey(0x00400275),
    ElementKey(0x00110010),
]
PATHS = [[key] for key in KEYS] + [[ElementKey(0x00400275), key] for key in KEYS] + [[KEYS[0], key] for key in KEYS]


@pytest.mark.parametrize("one", TERMS, ids=str)
@pytest.mark.parametrize("other", TERMS, ids=str)
def test_terms_that_cover(one: SelectorTerm, other: SelectorTerm) -> None:
    if term_covers(one, other):
        assert all(term_matches(one, path) for path in PATHS if term_matches(other, path))


SELECTORS = st.builds(
    Selector,
    st.lists(st.sampled_from(TERMS), min_size=1, max_size=4).map(tuple),
    st.lists(st.sampled_from(TERMS), max_size=2).map(tuple),
    st.sampled_from([frozenset(), frozenset({"DA"}), frozenset({"DA", "DT"})]),
    st.booleans(),
)


@given(SELECTORS, SELECTORS)
def test_selectors_that_cover(one: Selector, other: Selector) -> None:
    if Covering(one).covers(other):
        for path in PATHS:
            for vr in ("DA", "DT", "LO"):
                assert one.selects(path, vr) or not other.selects(path, vr)


def test_a_selector_covers_itself() -> None:
    for term in TERMS:
        assert Covering(Selector((term,))).covers(Selector((term,)))
    assert not Covering(Selector((TagPattern(0x00100010),))).covers(Selector((TagPattern(0x00100020),)))
