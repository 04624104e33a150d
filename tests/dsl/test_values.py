"""Values that profiles write: legal and illegal ones of every VR."""

import pytest

from karnak.dsl.values import explain_multiplicity, explain_value
from karnak.standard import dictionary

LEGAL = {
    "AE": ["CT01", "A" * 16, ""],
    "AS": ["018M", "045Y"],
    "AT": ["00100010"],
    "CS": ["YES", "ORIGINAL\\PRIMARY", "A_1 "],
    "DA": ["20240229", "19991231"],
    "DS": ["1.5", "-2e3", " 12 ", "1\\2"],
    "DT": ["2024", "202402", "20240229", "20240229123059.123456+0100", "2024-0500"],
    "FD": ["1e308", "-0.5"],
    "FL": ["1e38", "12"],
    "IS": ["-12", "2147483647", "1\\2\\3"],
    "LO": ["x" * 64, "a\\b", "é"],
    "LT": ["x" * 10240, "a\nb\\c"],
    "PN": ["Doe^John^^Dr^Jr", "a=b=c", ""],
    "SH": ["x" * 16],
    "SL": ["-2147483648"],
    "SS": ["-32768"],
    "ST": ["x" * 1024],
    "SV": ["-9223372036854775808"],
    "TM": ["12", "1230", "123059", "123059.5", "235960"],
    "UC": ["x" * 100000],
    "UI": ["1.2.840.10008.1.1", "2.25." + "9" * 39],
    "UL": ["4294967295"],
    "UR": ["https://example.com/x"],
    "US": ["0", "65535"],
    "UT": ["a\nb"],
    "UV": ["18446744073709551615"],
}
ILLEGAL = {
    "AE": ["A" * 17, "  ", "a\nb"],
    "AS": ["18M", "018X", "0018M"],
    "AT": ["0010", "0010001G"],
    "CS": ["yes", "A" * 17, "A-B"],
    "DA": ["20230229", "2024-02-29", "20241301", "202402"],
    "DS": ["1,5", "abc", "1234567890.1234567", "1e"],
    "DT": ["20240230", "2024022925", "20240229123059.1234567", "x"],
    "FD": ["1e309", "NaN"],
    "FL": ["1e39", "inf"],
    "IS": ["1.5", "2147483648", "abc"],
    "LO": ["x" * 65, "a\x07"],
    "LT": ["x" * 10241, "a\x00"],
    "PN": ["a=b=c=d", "a^b^c^d^e^f", "x" * 65],
    "SH": ["x" * 17],
    "SL": ["2147483648"],
    "SS": ["32768", "x"],
    "ST": ["x" * 1025],
    "SV": ["9223372036854775808"],
    "TM": ["24", "1260", "12:30", "123059.1234567"],
    "UC": ["a\x1a"],
    "UI": ["1", "1..2", "1.02", "1.2." + "3" * 64],
    "UL": ["-1"],
    "UR": ["a b"],
    "US": ["65536", "-1", "1.0"],
    "UT": ["a\x0b"],
    "UV": ["-1"],
    "OB": ["00"],
    "OW": ["00"],
    "OF": ["0"],
    "OD": ["0"],
    "OL": ["0"],
    "OV": ["0"],
    "SQ": ["x"],
    "UN": ["x"],
}


@pytest.mark.parametrize("vr", sorted(LEGAL))
def test_legal_values(vr: str) -> None:
    assert [explain_value(vr, text) for text in LEGAL[vr]] == [None] * len(LEGAL[vr])


@pytest.mark.parametrize("vr", sorted(ILLEGAL))
def test_illegal_values(vr: str) -> None:
    assert all(explain_value(vr, text) for text in ILLEGAL[vr])


def test_every_vr_has_its_rules() -> None:
    assert set(ILLEGAL) == dictionary.VRS


@pytest.mark.parametrize(
    ("text", "vm", "fine"),
    [
        ("a", "1", True),
        ("a\\b", "1", False),
        ("", "1", True),
        ("a\\b", "1-n", True),
        ("a", "2", False),
        ("a\\b\\c", "1-3", True),
        ("a\\b\\c\\d", "1-3", False),
        ("a\\b\\c\\d", "2-2n", True),
        ("a\\b\\c", "2-2n", False),
    ],
)
def test_multiplicity(text: str, vm: str, fine: bool) -> None:
    assert (explain_multiplicity("CS", text, vm) is None) is fine


def test_a_backslash_separates_nothing_in_paragraphs() -> None:
    assert explain_multiplicity("LT", "a\\b", "1") is None


def test_every_multiplicity_of_the_dictionary_can_be_had() -> None:
    for vm in {attribute.vm for attribute in dictionary.attributes()}:
        counts = range(1, 100)
        assert any(explain_multiplicity("CS", "\\".join("x" * count), vm) is None for count in counts), vm
