"""Numbers that instances hold as text."""

import pytest

from karnak.runtime.numerals import decimal_number, whole_number


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("-3", -3), ("+12", 12), ("007", 7), ("9" * 18, 10**18 - 1)])
def test_whole_numbers(text: str, number: int) -> None:
    assert whole_number(text) == number


@pytest.mark.parametrize("text", ["", "-", "1.0", "1_0", " 1", "1\n", "0x10", "\u0661", "ten", "9" * 19, "9" * 5000])
def test_what_is_no_whole_number(text: str) -> None:
    assert whole_number(text) is None


@pytest.mark.parametrize(
    ("text", "number"), [("1.5", 1.5), ("-.5", -0.5), ("7.", 7.0), ("1e3", 1000.0), ("1E-2", 0.01), ("+2", 2.0)]
)
def test_decimal_numbers(text: str, number: float) -> None:
    assert decimal_number(text) == number


@pytest.mark.parametrize("text", ["", ".", "nan", "inf", "1_0.5", "1e", "1,5", "\u0661.5", "0x1p3", "1.5\n"])
def test_what_is_no_decimal_number(text: str) -> None:
    assert decimal_number(text) is None
