"""SOP Classes by the names that people give them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.gateway.sop_classes import SHORT_NAMES, names_with, sop_class_uid, storage_names
from karnak.standard.uids import by_uid, storage_sop_classes

CT = "1.2.840.10008.5.1.4.1.1.2"
NAMES = {entry.name: entry for entry in map(by_uid, storage_sop_classes()) if entry is not None and entry.name}


@pytest.mark.parametrize(
    ("text", "uid"),
    [
        (CT, CT),
        ("1.3.6.1.4.1.9.9", "1.3.6.1.4.1.9.9"),
        ("CT Image Storage", CT),
        ("CTImageStorage", CT),
        ("ct", CT),
        (" CT ", CT),
        ("EnhancedCT", f"{CT}.1"),
        ("enhanced ct", f"{CT}.1"),
        ("RT Plan", "1.2.840.10008.5.1.4.1.1.481.5"),
        ("RTSTRUCT", "1.2.840.10008.5.1.4.1.1.481.3"),
        ("Segmentation", "1.2.840.10008.5.1.4.1.1.66.4"),
        # Retired ones have the names of their successors.
        ("Nuclear Medicine Image Storage", "1.2.840.10008.5.1.4.1.1.20"),
        ("UltrasoundImageStorage", "1.2.840.10008.5.1.4.1.1.6.1"),
        ("Ultrasound Multi-frame", "1.2.840.10008.5.1.4.1.1.3.1"),
        ("Standalone Overlay", "1.2.840.10008.5.1.4.1.1.8"),
        ("SR", None),
        ("", None),
        ("Storage", None),
        ("1.2.840.10008.1.1", None),
        ("1.2.x", None),
    ],
)
def test_names(text: str, uid: str | None) -> None:
    assert sop_class_uid(text) == uid


@given(st.sampled_from(sorted(NAMES)))
def test_every_name_is_found_in_every_way_of_writing(name: str) -> None:
    uid = sop_class_uid(name)
    assert uid is not None
    found = by_uid(uid)
    assert found is not None
    assert found.name == name
    assert sop_class_uid(name.replace(" ", "").lower()) == uid


def test_short_names_are_of_storage_classes_that_are_in_use() -> None:
    for name, uid in SHORT_NAMES.items():
        entry = by_uid(uid)
        assert entry is not None, name
        assert entry.storage
        assert not entry.retired
        assert sop_class_uid(name.lower()) == uid
    assert len(set(SHORT_NAMES.values())) == len(SHORT_NAMES)


def test_names_by_a_word() -> None:
    assert names_with("sr")[:3] == ("Basic Text SR Storage", "Enhanced SR Storage", "Comprehensive SR Storage")
    assert names_with("nothing") == ()
    assert set(names_with("SR")) <= set(storage_names())
