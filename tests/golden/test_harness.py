"""The harness itself: it sees every kind of difference, and no entry can talk it out of the leak law."""

from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from karnak.ir.profile import DatePart
from tests.golden.cases import Case, cases, input_form, inputs
from tests.golden.comparison import Difference, Kind, compare, kept
from tests.golden.dataset_form import Blob, Element, Elements, Form, from_reference
from tests.golden.date_rules import DateRule
from tests.golden.divergences import Pattern, ResultPattern, tag_term
from tests.golden.instants import cut_to, same_instants

EXPLICIT = "1.2.840.10008.1.2.1"
CASE = Case("name", "syn__x.dcm", "own/own05_shift", "00" * 16, "P", "deid", "T", "dataset", {})


def text(vr: str, *values: str) -> Element:
    return Element(vr, values)


def sequence(*items: Elements) -> Element:
    return Element("SQ", items=items)


def differences(reference: Elements, ours: Elements, source: Elements, *, clock: bool = False) -> list[Difference]:
    return list(compare(Form(EXPLICIT, reference), Form(EXPLICIT, ours), Form(EXPLICIT, source), clock=clock))


def test_every_kind_of_difference_is_seen() -> None:
    name = text("PN", "A^B")
    assert [d.kind for d in differences({"00100010": name}, {}, {})] == [Kind.MISSING]
    assert [d.kind for d in differences({}, {"00100010": name}, {})] == [Kind.EXTRA]
    assert [d.kind for d in differences({"00100010": name}, {"00100010": text("PN", "C")}, {})] == [Kind.VALUE]
    assert [d.kind for d in differences({"00100010": name}, {"00100010": text("LO", "A^B")}, {})] == [Kind.VR]
    found = differences({"00081140": sequence({}, {})}, {"00081140": sequence({})}, {})
    assert [d.kind for d in found] == [Kind.ITEMS]


def test_nested_differences_name_their_place() -> None:
    inner = {"00081155": text("UI", "1.2")}
    found = differences({"00081140": sequence({})}, {"00081140": sequence(inner)}, {"00081140": sequence(inner)})
    assert [(d.path, d.tags, d.nested) for d in found] == [
        (("00081140", 0, "00081155"), ("00081140", "00081155"), True)
    ]
    assert found[0].source == inner["00081155"]


def test_items_that_only_we_have_are_walked() -> None:
    source = {"00081140": sequence({"00081155": text("UI", "1.2")})}
    found = differences({}, source, source)
    assert [(d.kind, sorted(map(str, kept(d)))) for d in found] == [(Kind.EXTRA, []), (Kind.EXTRA, ["1.2"])]


def test_clock_values_do_not_count_but_their_absence_does() -> None:
    ours = {"00080012": text("DA", "20260101")}
    assert not differences({"00080012": text("DA", "20261123")}, ours, {}, clock=True)
    assert differences({"00080012": text("DA", "20261123")}, ours, {}, clock=False)
    assert differences({}, ours, {}, clock=True)


@pytest.mark.parametrize(
    ("vr", "left", "right", "same"),
    [
        ("TM", "1012", "101200.000000", True),
        ("TM", "1012", "101201.000000", False),
        ("DA", "2023.11.05", "20231105", True),
        ("DT", "20231105101112.5+0100", "20231105091112.500000", True),
        ("DT", "20231105101112", "20231105091112", False),
        ("DA", "nodate", "nodate2", False),
    ],
)
def test_spellings_of_one_moment_are_equal(vr: str, left: str, right: str, same: bool) -> None:
    assert same_instants(text(vr, left), text(vr, right)) is same


def test_local_times_are_read_in_the_zone_of_the_instance() -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    assert same_instants(text("DT", "20231105101112"), text("DT", "20231105044112+0000"), zone)


@pytest.mark.parametrize(
    ("rule", "vr", "value", "made"),
    [
        (DateRule(days=40), "DA", "20180209", "20171231"),
        (DateRule(days=40), "DA", "2018.02.09", "20171231"),
        (DateRule(seconds=500), "TM", "000134", "235314.000000"),
        (DateRule(seconds=60), "TM", "10:11", "101000.000000"),
        (DateRule(days=40, seconds=500), "DT", "20180209120854.354+0100", "20171231120034.354+0100"),
        (DateRule(days=400, seconds=3661), "DT", "2023", "2021"),
        (DateRule(days=40), "AS", "018M", "019M"),
        (DateRule(days=40), "AS", "45Y", "045Y"),
        (DateRule(remove=DatePart.MONTH_DAY), "DT", "20080822131503", "20080101131503"),
        (DateRule(remove=DatePart.DAY), "DA", "20080822", "20080801"),
        (DateRule(days=1), "DA", "20231305", None),
        (DateRule(days=1), "DA", "202311", None),
        (DateRule(seconds=1), "TM", "240000", None),
        (DateRule(days=1), "DT", "notadate", None),
    ],
)
def test_date_rules_are_worked_out_here_again(rule: DateRule, vr: str, value: str, made: str | None) -> None:
    assert rule.applied(vr, value) == made


def test_what_a_rule_makes_of_itself_is_no_leak_inside_items() -> None:
    source = {"00080023": text("DA", "20200101")}
    reference = {"0040A730": sequence({"00080023": text("DA", "20231101")})}
    [inside] = differences(reference, {"0040A730": sequence(source)}, {"0040A730": sequence(source)})
    assert kept(inside)
    assert kept(replace(inside, rule=DateRule(days=1)))
    assert not kept(replace(inside, rule=DateRule(remove=DatePart.DAY)))
    [at_root] = differences({"00080023": text("DA", "20231101")}, source, source)
    assert kept(replace(at_root, rule=DateRule(remove=DatePart.DAY)))


def test_precision_is_cut_as_the_source_has_it() -> None:
    assert cut_to("20211126225859.000000", "2023") == "2021"
    assert cut_to("20211126225859.123456", "20231105101112.25+0100") == "20211126225859.12"


@pytest.mark.parametrize(
    ("reference", "ours", "source", "leak"),
    [
        (None, text("LO", "HOSPITAL"), text("LO", "HOSPITAL"), True),
        (text("LO"), text("LO", "HOSPITAL"), text("LO", "HOSPITAL"), True),
        (text("LO", "UNKNOWN"), text("LO", "NEW", "HOSPITAL"), text("LO", "A", "HOSPITAL"), True),
        (None, text("LO", "UNKNOWN"), text("LO", "UNKNOWN"), False),
        (None, text("LO", "OTHER"), text("LO", "HOSPITAL"), False),
        (text("LO", "HOSPITAL"), text("UN", "HOSPITAL"), text("LO", "HOSPITAL"), False),
        (text("TM", "101200.000000"), text("TM", "1012"), text("TM", "1012"), False),
        (text("TM", "091200.000000"), text("TM", "1012"), text("TM", "1012"), True),
        (None, Element("OB", blob=Blob((2,), "a", data=b"xy")), Element("OB", blob=Blob((2,), "a", data=b"xy")), True),
        (None, Element("OB", blob=Blob((2,), "a", data=b"\0\0")), Element("OB", blob=Blob((2,), "a")), False),
        (text("UI", "2.25.1"), text("UI", "1.2.840.10008.1"), text("UI", "1.2.840.10008.1"), False),
        (text("UI"), text("UI", "1.2.840.10008.1"), text("UI", "1.2.840.10008.1"), True),
        (text("UI", "2.25.1"), text("UI", "1.2.3"), text("UI", "1.2.3"), True),
    ],
)
def test_keeping_what_the_reference_engine_took_is_a_leak(
    reference: Element | None, ours: Element, source: Element, leak: bool
) -> None:
    found = differences({"00080080": reference} if reference else {}, {"00080080": ours}, {"00080080": source})
    assert any(kept(difference) for difference in found) is leak


def test_codes_that_the_reference_engine_hashes_inside_items_are_no_leak() -> None:
    code, hashed = {"00080100": text("SH", "121320")}, {"00080100": text("UI", "2.25.1")}
    [inside] = differences({"00082112": sequence(hashed)}, {"00082112": sequence(code)}, {"00082112": sequence(code)})
    assert not kept(inside)
    [at_root] = differences(hashed, code, code)
    assert kept(at_root)
    [removed] = differences({"00082112": sequence({})}, {"00082112": sequence(code)}, {"00082112": sequence(code)})
    assert kept(removed)


def test_creators_may_stay_with_a_block_that_both_keep() -> None:
    creator, value = {"00110010": text("LO", "ACME")}, {"00111010": text("LO", "x")}
    [with_block] = differences(value, creator | value, creator | value)
    assert not kept(with_block)
    [without] = differences({}, creator, creator)
    assert kept(without)


def test_patterns_touch_what_they_say() -> None:
    source = {"0008002A": text("DT", "2023")}
    [difference] = differences(
        {"0008002A": text("DT", "20211126225859.000000")}, {"0008002A": text("DT", "2021")}, source
    )
    fitting = Pattern("a", "§2", "r", vrs=("DT",), decided=("action.on.dates",), when=("cut_to_source_precision",))
    assert fitting.explains(difference, CASE, "action.on.dates:shift")
    assert not fitting.explains(difference, CASE, "basic.dicom.profile")
    for other in (
        Pattern("b", "§2", "r", vrs=("TM",)),
        Pattern("c", "§2", "r", vrs=("DT",), nesting="nested"),
        Pattern("d", "§2", "r", vrs=("DT",), kinds=("missing",)),
        Pattern("e", "§2", "r", vrs=("DT",), profiles=("docs/*",)),
        Pattern("f", "§2", "r", tags=("(0008,002B)",)),
        Pattern("g", "§2", "r", vrs=("DT",), when=("ours_dummy",)),
    ):
        assert not other.explains(difference, CASE, "action.on.dates:shift"), other.id


def test_loose_patterns_are_refused() -> None:
    with pytest.raises(AssertionError, match="says nothing"):
        Pattern("a", "§2", "r", kinds=("value",))
    with pytest.raises(AssertionError, match="cause"):
        Pattern("a", "because", "r", vrs=("DT",))
    with pytest.raises(AssertionError, match="predicate"):
        Pattern("a", "§2", "r", vrs=("DT",), when=("whatever",))
    with pytest.raises(AssertionError, match="say why"):
        ResultPattern("a", "§2", "r", "dataset", "rejected")


@pytest.mark.parametrize(
    ("term", "path", "fits"),
    [
        ("(0008,00XX)", "0008002A", True),
        ("(0008,00XX)", "00081140/0008002A", True),
        ("(0008,00XX)", "0008002A/00081140", False),
        ("(0008,1140)/(0008,1155)", "00081140/00081155", True),
        ("(0008,1140)/(0008,1155)", "00081155", False),
        ("(0008,1140)/**", "00081140/00081199/00081155", True),
        ("(0008,1140)/**", "00081140", False),
        ("**/(0040,A170)/**", "00082112/0040A170/00080100", True),
    ],
)
def test_terms_name_paths(term: str, path: str, fits: bool) -> None:
    assert bool(tag_term(term).fullmatch(path)) is fits


def test_everything_that_was_recorded_is_here() -> None:
    assert len(cases()) == 1485
    assert len(inputs()) == 183
    assert {case.input for case in cases()} == set(inputs())


def test_kept_elements_read_as_the_reference_engine_read_them() -> None:
    """What both readers make of one file is the same, so that differences are the engines', not the readers'."""
    case = next(case for case in cases() if case.name == "own06_shift_negative__syn__values_mix")
    source, reference = input_form(case.input), from_reference(case.output)
    assert source.transfer_syntax == reference.transfer_syntax
    same = [tag for tag, element in reference.elements.items() if source.elements.get(tag) == element]
    assert {"00080301", "00189087", "0020000D", "00280009", "00420011", "0040A30A", "7FE00010"} <= set(same)
