"""Selectors: every form of a tag, and which terms they become."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.dsl.findings import Findings
from karnak.dsl.nodes import Line, Source
from karnak.dsl.selectors import read_selector, read_tag
from karnak.ir.selector import PrivateElement, SelectorTerm, TagPath, TagPattern, format_tag
from karnak.standard import dictionary


def read(text: str) -> SelectorTerm | None:
    findings = Findings()
    term = read_selector(Line(text, Source("s", text).span(0, len(text))), findings, warn=False)
    assert (term is None) is bool(findings.all)
    return term


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("(0010,0010)", TagPattern(0x00100010)),
        ("0010,0010", TagPattern(0x00100010)),
        ("00100010", TagPattern(0x00100010)),
        (" ( 0010 , 0010 ) ", TagPattern(0x00100010)),
        ("0010 1010", TagPattern(0x00101010)),
        ("7fe0,0010", TagPattern(0x7FE00010)),
        ("(60XX,3000)", TagPattern(0x60003000, 0xFF00FFFF)),
        ("X008,0050", TagPattern(0x00080050, 0x0FFFFFFF)),
        ("(0X10,00X0)", TagPattern(0x00100000, 0xF0FFFF0F)),
        ("(0008,XX90)", TagPattern(0x00080090, 0xFFFF00FF)),
        ("00081X30", TagPattern(0x00081030, 0xFFFFF0FF)),
        ("(xxxx,xxxx)", TagPattern(0, 0)),
        ("(7053,xx09)", TagPattern(0x70530009, 0xFFFF00FF)),
        ("PatientName", TagPattern(0x00100010)),
        (" Rows ", TagPattern(0x00280010)),
        ('(0029,"SIEMENS CSA HEADER",10)', PrivateElement(0x0029, "SIEMENS CSA HEADER", 0x10)),
        ('(0029,"SIEMENS CSA HEADER",XX)', PrivateElement(0x0029, "SIEMENS CSA HEADER", 0, 0)),
        ('( 0029 , " A/B " , 1x )', PrivateElement(0x0029, "A/B", 0x10, 0xF0)),
        (
            "RequestAttributesSequence/ScheduledProcedureStepID",
            TagPath((TagPattern(0x00400275), TagPattern(0x00400009))),
        ),
        (
            '(0040,0275) / (0029,"A/B",10)/(0010,XXXX)',
            TagPath((TagPattern(0x00400275), PrivateElement(0x29, "A/B", 0x10), TagPattern(0x00100000, 0xFFFF0000))),
        ),
    ],
)
def test_forms(text: str, term: SelectorTerm) -> None:
    assert read(text) == term


def test_keywords_of_repeating_groups_are_patterns() -> None:
    attribute = dictionary.by_keyword("OverlayData")
    assert attribute is not None
    assert read("OverlayData") == TagPattern(attribute.tag, attribute.mask)
    assert not TagPattern(attribute.tag, attribute.mask).exact
    assert str(TagPattern(attribute.tag, attribute.mask)) == "(60XX,3000)"


def test_every_keyword_is_a_selector() -> None:
    for keyword in dictionary.keywords():
        attribute = dictionary.by_keyword(keyword)
        assert attribute is not None
        assert read(keyword) == TagPattern(attribute.tag, attribute.mask)


@given(st.integers(0, 0xFFFFFFFF))
def test_tags_are_read_as_they_are_written(tag: int) -> None:
    for text in (format_tag(tag), format_tag(tag).lower(), format_tag(tag)[1:-1], f"{tag:08X}"):
        assert read(text) == TagPattern(tag)


@given(st.text(st.sampled_from("0123456789abcdefABCDEFxXgG(),/\" '\t.Patien"), max_size=30))
def test_any_text_is_a_selector_or_has_a_finding_inside_of_it(text: str) -> None:
    findings = Findings()
    term = read_selector(Line(text, Source("s", text).span(0, len(text))), findings, warn=False)
    assert (term is None) is bool(findings.all)
    for one in findings.all:
        assert 1 <= one.span.column <= one.span.end_column <= len(text) + 1


@pytest.mark.parametrize(("text", "tag"), [("PatientID", 0x00100020), ("0020,0013", 0x00200013), ("0020,00X3", None)])
def test_one_tag(text: str, tag: int | None) -> None:
    assert read_tag(Line(text, Source("s", text).span(0, len(text))), Findings()) == tag
