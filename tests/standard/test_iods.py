"""Attribute Types against what PS3.3 prints, and the laws of looking them up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.standard import dictionary, iods, sheet
from karnak.standard.iods import AttributeType, attribute_type, has_attribute

CT = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
XA = "1.2.840.10008.5.1.4.1.1.12.1"
COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
RETIRED_US_MULTIFRAME = "1.2.840.10008.5.1.4.1.1.3"

SOP_CLASSES = st.sampled_from([row.split("\t")[0] for row in sheet.read("sop_classes").rows])
TAGS = st.sampled_from([attribute.tag for attribute in dictionary.attributes() if attribute.mask == 0xFFFFFFFF])


def path(keywords: str) -> tuple[int, ...]:
    found = [dictionary.by_keyword(keyword) for keyword in keywords.split("/")]
    return tuple(attribute.tag for attribute in found if attribute is not None)


@pytest.mark.parametrize(
    ("sop_class_uid", "keywords", "expected"),
    [
        (CT, "PatientName", "2"),
        (CT, "SOPInstanceUID", "1"),
        (CT, "StudyDate", "2"),
        (CT, "InstitutionName", "3"),
        (CT, "ReferencedStudySequence/ReferencedSOPInstanceUID", "1"),
        (CT, "RequestAttributesSequence/ScheduledProcedureStepID", "1C"),
        # General Image has it as 3, CT Image as 1; both are M.
        (CT, "ImageType", "1"),
        # Only Contrast/Bolus, C, has it.
        (CT, "ContrastBolusAgent", "2"),
        # Overlay Plane, U.
        (CT, "OverlayData", "1"),
        (CT, "DeviceSerialNumber", "3"),
        # Enhanced General Equipment asks for more than General Equipment.
        (ENHANCED_CT, "DeviceSerialNumber", "1"),
        (ENHANCED_CT, "PerFrameFunctionalGroupsSequence/FrameContentSequence/FrameAcquisitionDateTime", "1C"),
        (ENHANCED_CT, "SharedFunctionalGroupsSequence/FrameAnatomySequence/FrameLaterality", "1"),
        # X-Ray Acquisition, M, has it as 3; DX Detector, U, has it as 1 and does not count.
        (XA, "ImagerPixelSpacing", "3"),
        (COMPREHENSIVE_SR, "VerifyingObserverSequence/VerifyingObserverIdentificationCodeSequence", "2"),
        (COMPREHENSIVE_SR, "ContentSequence/PersonName", "1C"),
    ],
)
def test_types(sop_class_uid: str, keywords: str, expected: str) -> None:
    assert attribute_type(sop_class_uid, path(keywords)) == AttributeType(expected)


def test_every_overlay_is_an_overlay() -> None:
    for group in range(0x6000, 0x601F, 2):
        assert attribute_type(CT, (group << 16 | 0x3000,)) is AttributeType.REQUIRED
        assert has_attribute(CT, group << 16 | 0x3000) is True
    assert attribute_type(CT, (0x60013000,)) is None


@pytest.mark.parametrize("sop_class_uid", [None, "", "1.2.3", RETIRED_US_MULTIFRAME])
def test_an_unknown_sop_class_has_nothing(sop_class_uid: str | None) -> None:
    assert attribute_type(sop_class_uid, path("PatientName")) is None
    assert has_attribute(sop_class_uid, 0x00100010) is None


@pytest.mark.parametrize("keywords", ["ContentSequence", "PatientName/PatientName", "ImageType/Rows"])
def test_an_attribute_that_the_iod_does_not_have_there(keywords: str) -> None:
    assert attribute_type(CT, path(keywords)) is None


def test_no_path_has_no_type() -> None:
    assert attribute_type(CT, ()) is None


@given(st.integers(1, 12), st.sampled_from(["PersonName", "ValueType", "MeasuredValueSequence", "ContentSequence"]))
def test_content_items_are_the_same_at_any_depth(depth: int, keyword: str) -> None:
    content = path("ContentSequence")
    once = attribute_type(COMPREHENSIVE_SR, content + path(keyword))
    assert attribute_type(COMPREHENSIVE_SR, content * depth + path(keyword)) is once
    assert once is not None


@given(SOP_CLASSES, TAGS)
def test_an_attribute_with_a_type_is_one_that_the_iod_has(sop_class_uid: str, tag: int) -> None:
    assert has_attribute(sop_class_uid, tag) == (attribute_type(sop_class_uid, (tag,)) is not None)


@given(SOP_CLASSES, st.lists(TAGS, max_size=2), TAGS)
def test_what_is_listed_has_a_type_and_what_has_a_type_is_listed(sop_class: str, above: list[int], tag: int) -> None:
    listed = iods.attributes(sop_class, tuple(above))
    assert listed is not None
    for one in listed:
        assert attribute_type(sop_class, (*above, one)) is not None
    assert (tag in listed) == (attribute_type(sop_class, (*above, tag)) is not None)


def test_attributes_of_items_and_of_unknown_sop_classes() -> None:
    listed = iods.attributes(CT, path("ReferencedStudySequence"))
    assert listed is not None
    assert set(path("ReferencedSOPClassUID/ReferencedSOPInstanceUID")) <= listed
    assert 0x60003000 in (iods.attributes(CT) or ())
    assert iods.attributes(CT, path("PatientName")) == frozenset()
    assert iods.attributes("1.2.3") is None
    assert [iods.has_iod(uid) for uid in (CT, "1.2.3", "")] == [True, False, False]


@given(SOP_CLASSES)
def test_every_composite_instance_has_its_identity(sop_class_uid: str) -> None:
    # Hanging protocols, palettes, templates and inventories have no patient; all have SOP Common but DICOMDIR.
    if has_attribute(sop_class_uid, 0x00080018):
        assert attribute_type(sop_class_uid, path("SOPInstanceUID")) is AttributeType.REQUIRED


@given(SOP_CLASSES, st.lists(TAGS, min_size=1, max_size=4))
def test_what_is_inside_an_unknown_attribute_is_unknown(sop_class_uid: str, tags: list[int]) -> None:
    if attribute_type(sop_class_uid, tuple(tags[:1])) is None:
        assert attribute_type(sop_class_uid, tuple(tags)) is None


def test_the_tables_hold_together() -> None:
    rows = sheet.read("trees").rows
    iod_names = {row.split("\t")[0] for row in sheet.read("iods").rows}
    module_rows = dict(row.split("\t")[:2] for row in sheet.read("modules").rows)
    assert {row.split("\t")[1] for row in sheet.read("sop_classes").rows} == iod_names
    for row in sheet.read("iods").rows:
        cells = [cell.split(" ") for cell in row.split("\t")[1:]]
        assert {usage for usage, _ in cells} <= {"M", "C", "U"}
        assert {module for _, module in cells} <= set(module_rows)
    assert {int(number) for number in module_rows.values()} <= set(range(len(rows)))
    for number, row in enumerate(rows):
        for cell in filter(None, row.split("\t")):
            tag, kind, *child = cell.split(" ")
            assert len(tag) == 8
            assert kind in set(AttributeType)
            # A child is written before its parent, so no tree can hold itself.
            assert all(int(other) < number for other in child)


def test_known_gaps_are_told() -> None:
    assert any(note.startswith("Known gap: ") for note in iods.notes())
    assert any("highdicom 0.28.2" in note for note in iods.notes())
