"""The corpus is the same on every machine, readable, of the shapes it promises, and full of what must go."""

import io
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.encaps import generate_frames

from benchmarks import corpus
from karnak.testing.specimen import Items, Leaf


def elements(data: bytes) -> int:
    return sum(1 for _ in dcmread(io.BytesIO(data)).iterall())


@pytest.mark.parametrize("shape", ["ct", "mr", "us-jpeg"])
def test_a_seed_gives_the_same_bytes_and_another_one_others(shape: str) -> None:
    assert corpus.instance(shape, 1) == corpus.instance(shape, 1)
    assert corpus.instance(shape, 1) != corpus.instance(shape, 2)
    assert corpus.instance(shape, 1) != corpus.instance(shape, 1, seed=corpus.SEED + 1)


@pytest.mark.parametrize(
    ("shape", "size", "least", "most"),
    [
        ("ct", 535_000, 280, 310),
        ("mr", 44_000, 280, 310),
        ("us-jpeg", 2_000_000, 270, 310),
        ("enhanced", 6_800_000, 11_500, 12_500),
    ],
)
def test_shapes_are_what_they_promise(shape: str, size: int, least: int, most: int) -> None:
    for number in (0, 3):
        data = corpus.instance(shape, number)
        assert abs(len(data) - size) < size * 0.03
        assert least <= elements(data) <= most
        dataset = dcmread(io.BytesIO(data))
        assert [element.tag for element in dataset] == sorted({element.tag for element in dataset})
        assert sum(element.tag.is_private for element in dataset) == 41
        assert len(corpus.identifying(corpus.specimen(shape, number))) > 40


def test_pixels_have_the_size_that_the_image_says() -> None:
    ct = dcmread(io.BytesIO(corpus.instance("ct", 0)))
    assert ct.pixel_array.shape == (512, 512)
    assert ct.pixel_array.max() > 1000
    loop = dcmread(io.BytesIO(corpus.instance("us-jpeg", 0)))
    frames = list(generate_frames(loop.PixelData, number_of_frames=loop.NumberOfFrames))
    assert len(frames) == 30
    assert all(frame.startswith(b"\xff\xd8") for frame in frames)
    ultrasound = corpus.specimen("us", 0)
    assert len([e.value for e in ultrasound.elements if isinstance(e, Leaf)][-1]) == 30 * 480 * 640 * 3


def test_one_in_four_has_sequences_of_undefined_length() -> None:
    for number in range(8):
        sequences = [e for e in corpus.leaves(corpus.specimen("mr", number).elements) if isinstance(e, Items)]
        assert len(sequences) > 20
        assert {e.undefined_length for e in sequences} == {number % 4 == 3}


def test_instances_belong_together() -> None:
    first, other, next_series, next_study = (
        dcmread(io.BytesIO(corpus.instance("mr", number))) for number in (0, 49, 50, 100)
    )
    assert first.SOPInstanceUID != other.SOPInstanceUID
    assert first.SeriesInstanceUID == other.SeriesInstanceUID
    assert first.SeriesInstanceUID != next_series.SeriesInstanceUID
    assert first.StudyInstanceUID == next_series.StudyInstanceUID
    assert first.PatientID == next_series.PatientID
    assert first.StudyInstanceUID != next_study.StudyInstanceUID
    assert first.PatientID != next_study.PatientID


def test_identifying_values_are_found_at_every_depth() -> None:
    found = corpus.identifying(corpus.specimen("mr", 0))
    mr = dcmread(io.BytesIO(corpus.instance("mr", 0)))
    nested = mr.ReferencedImageSequence[0].ReferencedSOPInstanceUID
    for value in (str(mr.PatientName), mr.StudyInstanceUID, nested, mr.StudyDate, mr[0x00091001].value):
        assert value.encode() in found
    assert mr.SOPClassUID.encode() not in found


@pytest.mark.parametrize("count", [300, 3_000])
def test_sized_objects_have_about_as_many_elements_as_asked(count: int) -> None:
    assert abs(elements(corpus.sized(count)) - count) < 70


def test_a_corpus_is_written_shape_by_shape(tmp_path: Path) -> None:
    written = corpus.write(tmp_path, {"mr": 2, "ct": 1})
    assert [path.relative_to(tmp_path).as_posix() for path in (*written["mr"], *written["ct"])] == [
        "mr/0000.dcm",
        "mr/0001.dcm",
        "ct/0000.dcm",
    ]
    assert written["mr"][1].read_bytes() == corpus.instance("mr", 1)
