"""Tags with wildcards, read and written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.standard.pattern import even_groups, format_pattern, parse_pattern

PATTERNS = st.text("0123456789ABCDEFX", min_size=8, max_size=8)


@given(PATTERNS)
def test_what_is_written_is_what_was_read(text: str) -> None:
    assert format_pattern(*parse_pattern(text)) == f"({text[:4]},{text[4:]})"


@given(PATTERNS, st.integers(0, 0xFFFFFFFF))
def test_even_groups_are_the_even_ones_among_the_tags(text: str, tag: int) -> None:
    value, mask = parse_pattern(text)
    even, even_mask = even_groups(value, mask)
    meant = tag & mask == value
    if text[3] == "X":
        meant = meant and not tag >> 16 & 1
    assert (tag & even_mask == even) == meant


@pytest.mark.parametrize("text", ["", "0010", "0010001", "001000100", "0010,010", "0010001G"])
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(ValueError):
        parse_pattern(text)
