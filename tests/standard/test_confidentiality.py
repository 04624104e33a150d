"""Table E.1-1 in both editions."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.errors import KarnakError
from karnak.standard import dictionary
from karnak.standard.confidentiality import DEFAULT_EDITION, EDITIONS, Option, Row, table

DATES = {Option.RETAIN_FULL_DATES: "K", Option.RETAIN_MODIFIED_DATES: "C"}


def row(keyword: str, edition: str = DEFAULT_EDITION) -> Row:
    attribute = dictionary.by_keyword(keyword)
    assert attribute is not None
    found = table(edition).row(attribute.tag)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("keyword", "basic", "options"),
    [
        ("PatientName", "Z", {}),
        ("PatientID", "Z/D", {}),
        ("StudyInstanceUID", "U", {Option.RETAIN_UIDS: "K"}),
        ("StudyDate", "Z", DATES),
        ("AccessionNumber", "Z", {}),
        ("PatientAge", "X", {Option.RETAIN_PATIENT_CHARACTERISTICS: "K"}),
        ("DeviceSerialNumber", "X/Z/D", {Option.RETAIN_DEVICE_IDENTITY: "K"}),
        ("InstitutionName", "X/Z/D", {Option.RETAIN_INSTITUTION_IDENTITY: "K"}),
        ("ImageComments", "X", {Option.CLEAN_DESCRIPTORS: "C"}),
        ("ContentSequence", "D", {Option.CLEAN_STRUCTURED_CONTENT: "C"}),
        ("ReferencedImageSequence", "X/Z/U*", {Option.RETAIN_UIDS: "K"}),
        ("GraphicAnnotationSequence", "D", {Option.CLEAN_GRAPHICS: "C"}),
    ],
)
@pytest.mark.parametrize("edition", EDITIONS)
def test_rows_that_both_editions_have(edition: str, keyword: str, basic: str, options: dict[Option, str]) -> None:
    found = row(keyword, edition)
    assert (found.basic, dict(found.options), found.edition) == (basic, options, edition)


def test_the_overlays_of_every_even_group_share_a_row() -> None:
    for group in range(0x6000, 0x6100, 2):
        found = table().row(group << 16 | 0x3000)
        assert found is not None
        assert (found.keyword, found.basic, found.number) == ("OverlayData", "X", "(60XX,3000)")
        assert found.options == {Option.CLEAN_GRAPHICS: "C"}


def test_all_of_a_curve_group_shares_a_row_and_private_groups_do_not() -> None:
    found = table().row(0x50043000)
    assert found is not None
    assert (found.name, found.number, found.keyword) == ("Curve Data", "(50XX,XXXX)", None)
    assert table().row(0x50053000) is None


def test_an_attribute_that_the_table_does_not_have() -> None:
    assert table().row(0x00280301) is None  # BurnedInAnnotation


# 2024e has 621 rows with the one for private attributes; 35 were added until 2026c.
@pytest.mark.parametrize(("edition", "rows"), [("2024e", 621), ("2026c", 656)])
def test_number_of_rows(edition: str, rows: int) -> None:
    assert len(table(edition).rows) + 1 == rows
    assert len({row.number for row in table(edition).rows}) == rows - 1
    assert (table(edition).private.basic, table(edition).private.options) == ("X", {Option.RETAIN_SAFE_PRIVATE: "C"})


@pytest.mark.parametrize(
    ("edition", "codes"),
    [
        ("2024e", {"X": 383, "D": 92, "U": 54, "Z": 42, "X/D": 22, "X/Z": 11, "X/Z/D": 8, "Z/D": 6, "X/Z/U*": 2}),
        ("2026c", {"X": 415, "D": 93, "U": 55, "Z": 42, "X/D": 23, "X/Z": 11, "X/Z/D": 8, "Z/D": 6, "X/Z/U*": 2}),
    ],
)
def test_number_of_rows_by_code(edition: str, codes: dict[str, int]) -> None:
    assert Counter(row.basic for row in table(edition).rows) == codes


def test_every_option_has_its_column() -> None:
    counts = Counter(option for row in (*table().rows, table().private) for option in row.options)
    assert counts == {
        Option.RETAIN_SAFE_PRIVATE: 1,
        Option.RETAIN_UIDS: 60,
        Option.RETAIN_DEVICE_IDENTITY: 59,
        Option.RETAIN_INSTITUTION_IDENTITY: 10,
        Option.RETAIN_PATIENT_CHARACTERISTICS: 19,
        Option.RETAIN_FULL_DATES: 169,
        Option.RETAIN_MODIFIED_DATES: 169,
        Option.CLEAN_DESCRIPTORS: 140,
        Option.CLEAN_STRUCTURED_CONTENT: 4,
        Option.CLEAN_GRAPHICS: 4,
    }


def test_2026c_is_2024e_and_more() -> None:
    older = {row.number: row for row in table("2024e").rows}
    changed = {}
    for newer in table("2026c").rows:
        before = older.pop(newer.number, None)
        if before is None:
            assert newer.source.startswith("added after 2024e")
        elif (before.basic, before.options) != (newer.basic, newer.options):
            changed[newer.keyword] = newer
    assert not older
    assert set(changed) == {"RequestingService"}
    assert changed["RequestingService"].options == {Option.CLEAN_DESCRIPTORS: "C"}
    assert "changed since" in changed["RequestingService"].source


def test_the_table_says_where_it_is_from_and_what_is_not_certain() -> None:
    assert table().source.startswith("reconstructed: innolitics/dicom-standard 7f4749d (2024e)")
    assert sum(note.startswith("Known gap: ") for note in table().notes) == 2
    assert "reconstructed" in table().notes[0]
    assert table("2024e").source == "innolitics/dicom-standard 7f4749d"
    assert all(row.source and row.edition == "2026c" for row in table().rows)


@given(st.sampled_from(table().rows))
def test_keywords_are_those_of_the_dictionary(row: Row) -> None:
    attribute = dictionary.by_tag(row.tag)
    assert row.mask != 0xFFFFFFFF or (attribute is not None and attribute.keyword == row.keyword)


@given(st.integers(0, 0xFFFFFFFF), st.sampled_from(EDITIONS))
def test_a_row_is_found_for_its_tags_only(tag: int, edition: str) -> None:
    found = table(edition).row(tag)
    expected = [row for row in table(edition).rows if tag & row.mask == row.tag]
    assert expected == ([] if found is None else [found])


def test_an_edition_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(KarnakError, match="no edition '1999' of PS3.15 Table E.1-1; there are: 2026c, 2024e"):
        table("1999")
