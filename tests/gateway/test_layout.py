"""Names made of values that somebody else has chosen: inside the folder, of a bearable length, never two as one."""

import hashlib
from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from karnak.gateway.deliver.layout import DEFAULT_LAYOUT, Layout, LayoutError, suffixed
from karnak.gateway.deliver.parcel import Parcel
from karnak.testing.specimen import EXPLICIT, IMPLICIT, Leaf, encoded, leaf, padded
from tests.gateway.instances import SECONDARY_CAPTURE, dataset_bytes

UTF_8 = leaf("SpecificCharacterSet", "ISO_IR 192")


def parcel(*elements: Leaf, uid: str = "2.25.3", syntax: str = EXPLICIT) -> Parcel:
    return Parcel((encoded(elements, syntax),), syntax, SECONDARY_CAPTURE, uid, "2.25.1", "2.25.2")


def name_of(layout: str, **attributes: object) -> str:
    made = Parcel((dataset_bytes(**attributes),), EXPLICIT, SECONDARY_CAPTURE, "2.25.3", "2.25.1", "2.25.2")
    return str(Layout.parse(layout).path(made))


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_attributes_are_those_of_the_data_set(syntax: str) -> None:
    made = parcel(leaf("Modality", "CT"), leaf("PatientID", "P-1"), leaf("SeriesNumber", "4"), leaf("Rows", 512),
                  syntax=syntax)  # fmt: skip
    layout = Layout.parse("{PatientID}/{Modality}-{SeriesNumber} {Rows}/{SOPInstanceUID}.dcm")
    assert layout.path(made) == PurePosixPath("P-1/CT-4 512/2.25.3.dcm")


def test_uids_need_no_data_set() -> None:
    made = Parcel((b"not read",), EXPLICIT, SECONDARY_CAPTURE, "2.25.3", "2.25.1", None)
    assert Layout.parse(DEFAULT_LAYOUT).path(made) == PurePosixPath("2.25.1/without-series/2.25.3.dcm")
    assert Layout.parse("x/{SOPClassUID}").path(made) == PurePosixPath(f"x/{SECONDARY_CAPTURE}")


@pytest.mark.parametrize("value", ["P-1", "x" * 64, "a b", "M\u00fcller^J", "a.b"])
def test_names_that_are_safe_stay_as_they_are(value: str) -> None:
    assert name_of("{PatientID}", SpecificCharacterSet="ISO_IR 192", PatientID=value) == value


def test_a_value_that_is_not_there_is_named() -> None:
    assert name_of("{PatientID}/{StudyDate}", PatientID="") == "without-PatientID/without-StudyDate"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("..", "_._"),
        ("a/../../b", "a_.._.._b"),
        ("/etc/passwd", "_etc_passwd"),
        ("nul", "_nul"),
        ("COM1.x", "_COM1.x"),
        (".hidden", "_hidden"),
        ("end.", "end_"),
    ],
)
def test_names_that_are_not_safe_are_changed_and_carry_a_hash(value: str, name: str) -> None:
    digest = hashlib.sha256(value.encode()).hexdigest()[:12]
    assert name_of("{PatientID}", PatientID=value) == f"{name}-{digest}"


# What DICOM text can be: anything but control characters; backslashes separate values.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\\\0\r\n\f\t\x1b"), max_size=64)


def utf_8(value: str) -> Leaf:
    return Leaf(0x00100020, "LO", padded("LO", value.encode("utf-8")))


@given(texts)
@example("CON")
@example("~")
@example("a.")
@example("e\u0301")
@example("\u202e")
def test_a_value_is_one_safe_name(value: str) -> None:
    path = Layout.parse("{PatientID}/{PatientID}.dcm").path(parcel(UTF_8, utf_8(value)))
    assert len(path.parts) == 2
    for part in path.parts:
        assert part not in ("", ".", "..")
        assert part == part.strip(" ")
        assert not part.startswith(".")
        assert not part.endswith((".", " "))
        assert part.isprintable()
        assert not set(part) & set('/\\:*?"<>|')
        assert len(part.encode("utf-8")) <= 160
        assert part.split(".")[0].lower() not in ("con", "prn", "aux", "nul", "com1", "lpt9")


@given(texts, texts)
@example("a/b", "a:b")
@example("a_b", "a:b")
@example("CON", "_CON")
@example("e\u0301", "\u00e9")
def test_different_values_have_different_names(one: str, other: str) -> None:
    layout = Layout.parse("{PatientID}")
    same = layout.path(parcel(UTF_8, utf_8(one))) == layout.path(parcel(UTF_8, utf_8(other)))
    assert same == (one.strip(" ") == other.strip(" "))


def test_a_long_name_is_cut_and_keeps_its_ending() -> None:
    layout = "{PatientID}{PatientID}{PatientID}.dcm"
    found = name_of(layout, PatientID="x" * 64)
    assert len(found) == 160 - 16 - 3 + 13 + 4
    assert found.startswith("x" * 100)
    assert found.endswith(".dcm")
    assert found != name_of(layout, PatientID="x" * 63 + "y")


def test_a_suffix_depends_on_the_instance_alone() -> None:
    path = PurePosixPath("a/b.dcm")
    assert suffixed(path, "1.2") == suffixed(PurePosixPath("a/b.dcm"), "1.2") != suffixed(path, "1.3")
    assert suffixed(path, "1.2").parent == PurePosixPath("a")
    assert suffixed(path, "1.2").suffix == ".dcm"


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ("", "no empty names"),
        ("/{SOPInstanceUID}", "no empty names"),
        ("a//b", "no empty names"),
        ("{SOPInstanceUID}/", "no empty names"),
        ("../{SOPInstanceUID}", "a name in the layout can't be the name of a file"),
        ("nul/{SOPInstanceUID}", "a name in the layout can't be the name of a file"),
        ("a\\{SOPInstanceUID}", "none of"),
        ("a:{SOPInstanceUID}", "none of"),
        ("{SOPInstanceUID", "a brace has no partner"),
        ("SOPInstanceUID}", "a brace has no partner"),
        ("{}", "the braces hold no keyword"),
        ("{PatientNam}", "there is no attribute PatientNam"),
        ("{PixelData}", r"PixelData \(7FE0,0010\) has no value that could be a name"),
        ("{ReferencedImageSequence}", "has no value that could be a name"),
        ("{MediaStorageSOPClassUID}", "has no value that could be a name"),
        ("a/" * 16 + "b", "at most 16 levels"),
        ("a" * 1025, "at most 16 levels and 1024 characters"),
    ],
)
def test_layouts_that_can_not_be_used(layout: str, message: str) -> None:
    with pytest.raises(LayoutError, match=message):
        Layout.parse(layout)


def test_a_value_that_is_no_text_is_said_and_not_shown() -> None:
    made = parcel(UTF_8, Leaf(0x00100020, "LO", b"D\xff\xfeE"))
    with pytest.raises(LayoutError, match=r"^\(0010,0020\) can't be read as text, so the file can't be named by it$"):
        Layout.parse("{PatientID}").path(made)
