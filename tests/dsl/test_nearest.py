"""Did you mean: the nearest known word, and none where nothing is near."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.dsl.nearest import nearest
from karnak.standard import dictionary


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("PatientNam", "PatientName"),
        ("patientname", "PatientName"),
        ("PatientsName", "PatientName"),
        ("SeriesInstancUID", "SeriesInstanceUID"),
        ("StudyDescripton", "StudyDescription"),
        ("Modalty", "Modality"),
        ("Frobnicator", None),
        ("", None),
        ("x" * 1000, None),
    ],
)
def test_keywords(word: str, found: str | None) -> None:
    assert nearest(word, dictionary.keywords()) == found


@pytest.mark.parametrize(
    ("word", "known", "found"),
    [
        ("k", ["K", "X"], "K"),
        ("Q", ["K", "X"], None),
        ("ddum", ["D", "DDum"], "DDum"),
        ("format_date", ["shift", "date_format"], "date_format"),
        ("actoin", ["action", "option"], "action"),
        ("bat", ["cat", "bad"], "bad"),
        ("tags", [], None),
    ],
)
def test_short_lists(word: str, known: list[str], found: str | None) -> None:
    assert nearest(word, known) == found


@given(st.sampled_from(sorted(dictionary.keywords())), st.data())
def test_one_slip_of_the_finger_is_found(keyword: str, data: st.DataObject) -> None:
    if len(keyword) < 6:
        return
    at = data.draw(st.integers(1, len(keyword) - 2))
    slip = keyword[:at] + keyword[at + 1] + keyword[at] + keyword[at + 2 :]
    found = nearest(slip, dictionary.keywords())
    assert found is not None
    if slip not in dictionary.keywords():
        # Perhaps another word is as near.
        assert abs(len(found) - len(slip)) <= 1
