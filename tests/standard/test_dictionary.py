"""The dictionary against PS3.6 as pydicom has it, and the ways in which people ask it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom._dicom_dict import DicomDictionary, RepeatersDictionary

from karnak.standard import dictionary
from karnak.standard.dictionary import by_keyword, by_tag, search


def keywords_of(query: str) -> list[str]:
    return [attribute.keyword for attribute in search(query)]


def test_patient_name() -> None:
    found = by_tag(0x00100010)
    assert found == dictionary.Attribute(0x00100010, 0xFFFFFFFF, "PatientName", "Patient's Name", ("PN",), "1", False)
    assert by_keyword("PatientName") == found
    assert found.number == "(0010,0010)"


def test_every_attribute_of_pydicom_is_there_with_the_same_facts() -> None:
    for tag, (vr, vm, name, retired, keyword) in DicomDictionary.items():
        found = by_tag(tag)
        assert found is not None
        vrs = () if vr == "NONE" else tuple(vr.split(" or "))
        assert (found.tag, found.vr, found.vm, found.keyword) == (tag, vrs, vm, keyword)
        assert found.name.replace("u", "") == name.replace("\u2019", "'").replace("\u00b5", "").replace("u", "").strip()
        assert found.retired == bool(retired)
        assert set(found.vr) <= dictionary.VRS


@pytest.mark.parametrize("pattern", RepeatersDictionary)
def test_every_repeating_group_of_pydicom_is_found_in_its_even_groups(pattern: str) -> None:
    keyword = RepeatersDictionary[pattern][4]
    # Digits that no exact attribute has: 1E and E stand for any.
    group, element = pattern[:4].replace("xx", "1E"), pattern[4:].replace("x", "E")
    found = by_tag(int(group + element, 16))
    assert found is not None
    assert found.keyword == keyword
    named = by_keyword(keyword)
    assert named == found
    if "xx" in pattern[:4]:
        assert by_tag(int(pattern[:4].replace("xx", "1F") + element, 16)) is None
        assert found.number == f"({pattern[:4].replace('x', 'X')},{pattern[4:].replace('x', 'X')})"


@given(st.integers(0, 0xFFFFFFFF))
def test_what_is_found_for_a_tag_covers_the_tag(tag: int) -> None:
    found = by_tag(tag)
    assert found is None or tag & found.mask == found.tag


@given(st.integers(0, 0x7FFF).map(lambda n: 2 * n + 1), st.integers(1, 0xFFFF))
def test_private_tags_are_not_in_the_dictionary(group: int, element: int) -> None:
    assert by_tag(group << 16 | element) is None


@given(st.integers(0, 0xFFFF).filter(lambda group: group not in (0x0000, 0x0002, 0x0004, 0xFFFE)))
def test_every_group_has_a_length(group: int) -> None:
    found = by_tag(group << 16)
    assert found is not None
    assert found.vr == ("UL",)


@pytest.mark.parametrize(
    ("keyword", "number", "vr", "vm"),
    [
        ("NameToUse", "(0010,0012)", "LT", "1"),
        ("PersonNamesToUseSequence", "(0010,0011)", "SQ", "1"),
        ("SexParametersForClinicalUseCategoryReference", "(0010,0047)", "UR", "1"),
        ("EthnicGroups", "(0010,2162)", "UC", "1-n"),
        ("EffectiveStartDateTime", "(0040,A034)", "DT", "1"),
        ("CurrentFrameFunctionalGroupsSequence", "(0006,0001)", "SQ", "1"),
    ],
)
def test_attributes_newer_than_pydicom(keyword: str, number: str, vr: str, vm: str) -> None:
    found = by_keyword(keyword)
    assert found is not None
    assert (found.number, found.vr, found.vm) == (number, (vr,), vm)


def test_keywords_are_the_keys_of_the_dictionary() -> None:
    names = dictionary.keywords()
    assert {"PatientName", "OverlayData", "NameToUse"} <= names
    assert "" not in names
    assert by_keyword("") is None
    assert by_keyword("patientname") is None
    assert all(found is not None and found.keyword == name for name in names for found in [by_keyword(name)])
    assert len({attribute.number for attribute in dictionary.attributes()}) == len(list(dictionary.attributes()))


@pytest.mark.parametrize("form", ["({0},{1})", "{0},{1}", "{0}{1}", "0x{0}{1}", " ({0}, {1}) ", "0X{0},{1}"])
@given(tag=st.sampled_from(sorted(DicomDictionary)))
def test_a_number_is_found_in_every_common_form(form: str, tag: int) -> None:
    assert search(form.format(f"{tag >> 16:04x}", f"{tag & 0xFFFF:04X}")) == [by_tag(tag)]


def test_search_by_pattern() -> None:
    assert keywords_of("60XX,3000") == ["OverlayData"]
    assert keywords_of("6002,3000") == ["OverlayData"]
    assert keywords_of("0010,001X")[:2] == ["PatientName", "PersonNamesToUseSequence"]
    assert keywords_of("0012") == keywords_of("0012,XXXX")
    assert {"ClinicalTrialSponsorName", "DeidentificationMethod"} <= set(keywords_of("(0012,XXXX)"))
    assert "OverlayData" in keywords_of("6000,XXXX")
    assert keywords_of("0029,1010") == []


def test_search_by_words() -> None:
    assert keywords_of("patientname")[0] == "PatientName"
    assert keywords_of("Patient's Name")[0] == "PatientName"
    assert "PatientBirthDate" in keywords_of("birth PATIENT date")
    # Four letters of the alphabet are a word, though they could be a group.
    assert all("face" in (a.keyword + a.name).lower() for a in search("face"))
    assert keywords_of("no attribute is called so") == []
    assert keywords_of("  ") == []


@pytest.mark.parametrize(
    ("query", "private"),
    [("0029,1010", True), ("0029", True), ("0010,0010", False), ("60XX,3000", False), ("PatientName", False)],
)
def test_private_numbers(query: str, private: bool) -> None:
    assert dictionary.is_private_number(query) is private
