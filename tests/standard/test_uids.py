"""Registered UIDs and storage SOP Classes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom._uid_dict import UID_dictionary
from pynetdicom import AllStoragePresentationContexts

from karnak.standard.uids import by_uid, is_registered, storage_sop_classes, uid_name


def test_names() -> None:
    assert uid_name("1.2.840.10008.5.1.4.1.1.2") == "CT Image Storage"
    assert uid_name("1.2.840.10008.1.2.1") == "Explicit VR Little Endian"
    assert uid_name("1.2.840.10008.5.1.4.1.1.66.7") == "Label Map Segmentation Storage"
    assert uid_name("1.2.3") is None


def test_every_uid_of_pydicom_is_there() -> None:
    for uid, (name, kind, _, retired, _) in UID_dictionary.items():
        found = by_uid(uid)
        assert found is not None
        assert (found.name, found.kind, found.retired) == (name.strip(), kind, bool(retired))


def test_storage_sop_classes_are_those_that_pynetdicom_offers_and_retired_ones() -> None:
    stored = set(storage_sop_classes())
    assert {str(context.abstract_syntax) for context in AllStoragePresentationContexts} <= stored
    assert "1.2.840.10008.5.1.4.1.1.3" in stored
    # DICOMDIR, Verification, a query: none of them is stored.
    assert not stored & {"1.2.840.10008.1.3.10", "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.2.1.1"}
    assert list(storage_sop_classes()) == sorted(stored)


@given(st.text("0123456789.", max_size=20))
def test_what_lies_under_the_root_of_dicom_is_registered(rest: str) -> None:
    assert is_registered("1.2.840.10008." + rest)
    assert not is_registered("2.25." + rest)


@pytest.mark.parametrize("uid", ["", "1.2.840.100080.1", "1.2.840.1000", "1.2.840.113619.2.1", "11.2.840.10008.1"])
def test_what_only_looks_registered(uid: str) -> None:
    assert not is_registered(uid)
