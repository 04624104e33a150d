"""Null safety: methods on what may be absent are errors, unless a condition has shown that it is there."""

import pytest

from karnak.dsl.check import Place
from karnak.dsl.narrowing import known_when
from tests.dsl.checking import accepted, codes

STUDY_DATE = 0x00080020


@pytest.mark.parametrize(
    "text",
    [
        "stringValue != null and stringValue.length() > 3 ? Keep() : Remove()",
        "stringValue == null ? null : Replace(stringValue.substring(0,5))",
        "stringValue != null ? Replace(stringValue.trim()) : null",
        "stringValue == null or stringValue.length() > 1 ? Keep() : null",
        "!(stringValue == null) && stringValue.length() > 1 ? Keep() : null",
        "not (stringValue == null or stringValue.isEmpty()) ? Replace(stringValue.trim()) : null",
        "stringValue == 'x' and stringValue.length() > 0 ? Keep() : null",
        "'x' == stringValue and stringValue.length() > 0 ? Keep() : null",
        "null != stringValue and stringValue.length() > 0 ? Keep() : null",
        "stringValue matches 'a+' and stringValue.length() > 0 ? Keep() : null",
        "stringValue > 'a' and stringValue.length() > 0 ? Keep() : null",
        "stringValue?.contains('a') == true and stringValue.length() > 0 ? Keep() : null",
        "stringValue?.length() > 3 ? Replace(stringValue.substring(0, 3)) : null",
        "'CT'.equals(stringValue) and stringValue.length() > 0 ? Keep() : null",
        "tagHasValue(#Tag.StudyDate) ? Replace(getString(#Tag.StudyDate).substring(0,4)) : null",
        "tagHasValue('0008,0020') ? Replace(getString(#Tag.StudyDate).substring(0,4)) : null",
        "tagValueContains(#Tag.StudyDate, '19') ? Replace(getString(#Tag.StudyDate).substring(0,4)) : null",
        "tagValueIsPresent(#Tag.StudyDate, '19') and getString(#Tag.StudyDate).length() > 1 ? Keep() : null",
        "getInt(#Tag.SeriesNumber) != null and getInt(#Tag.SeriesNumber) + 1 > 2 ? Keep() : null",
        "getInt(#Tag.SeriesNumber) > 3 ? Replace(getString(#Tag.SeriesNumber).trim()) : null",
        "(stringValue != null ? stringValue.length() > 1 : false) ? Replace(stringValue.trim()) : null",
        "(stringValue == null ? false : stringValue.length() > 1) ? Replace(stringValue.trim()) : null",
        "stringValue == null ? Remove() : stringValue.length() > 1 ? Replace(stringValue.trim()) : Keep()",
        "Replace((stringValue ?: 'none').toUpperCase())",
    ],
)
def test_what_has_been_asked_is_known(text: str) -> None:
    accepted(text)


@pytest.mark.parametrize(
    "text",
    [
        "Replace(stringValue.trim())",
        "stringValue == null and stringValue.length() > 1 ? Keep() : null",
        "stringValue != null or stringValue.length() > 1 ? Keep() : null",
        "stringValue != null ? null : Replace(stringValue.trim())",
        "stringValue != 'x' and stringValue.length() > 0 ? Keep() : null",
        "!(stringValue == 'x') and stringValue.length() > 0 ? Keep() : null",
        "stringValue == 'x' or stringValue.length() > 0 ? Keep() : null",
        "tagIsPresent(#Tag.StudyDate) ? Replace(getString(#Tag.StudyDate).trim()) : null",
        "tagHasValue(#Tag.StudyTime) ? Replace(getString(#Tag.StudyDate).trim()) : null",
        "!tagHasValue(#Tag.StudyDate) ? Replace(getString(#Tag.StudyDate).trim()) : null",
        "getString(#Tag.SeriesNumber) != null and getInt(#Tag.SeriesNumber) + 1 > 2 ? Keep() : null",
        "(stringValue != null or vr == #VR.LO) ? Replace(stringValue.trim()) : null",
        "stringValue?.trim().length() > 1 ? Keep() : null",
    ],
)
def test_what_has_not_been_asked_is_not(text: str) -> None:
    assert codes(text) == ["K312"]


def test_the_condition_of_an_element_is_known_to_its_expression() -> None:
    guard = accepted("tagHasValue(#Tag.StudyDate) and tagIsPresent(#Tag.Rows)", Place.CONDITION)
    facts = known_when(guard, True)
    assert facts == {("getString", STUDY_DATE)}
    text = "Replace(getString(#Tag.StudyDate).substring(0, 4))"
    accepted(text, facts=facts)
    assert codes(text) == ["K312"]
    assert known_when(guard, False) == frozenset()


def test_what_is_known_not_to_be_null_is_never_equal_to_it() -> None:
    assert codes("stringValue != null ? (stringValue == null ? Keep() : Remove()) : null") == ["K322"]
