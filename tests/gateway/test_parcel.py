"""A parcel holds the executor's pieces as they are: nothing is joined, nothing of the file's head leaves with it."""

from datetime import UTC, datetime

import pytest

from karnak.dsl.compile import compile_profile
from karnak.dsl.nodes import Source
from karnak.gateway.deliver.parcel import Parcel
from karnak.runtime.deidentify import Engine, deidentify
from karnak.runtime.keys import Project
from karnak.runtime.outcome import Outcome
from karnak.runtime.part10 import read_instance, split_part10
from tests.gateway.instances import SECONDARY_CAPTURE, file_bytes

EXPLICIT = "1.2.840.10008.1.2.1"
BASIC = compile_profile(
    Source("basic.yml", "name: Basic\nprofileElements:\n  - { name: basic, codename: basic.dicom.profile }\n")
)


@pytest.mark.parametrize("engine", ["tables", "reference"])
def test_a_parcel_is_the_file_of_an_outcome_without_its_head(engine: Engine) -> None:
    pixels = bytes(range(256)) * 1024
    data = file_bytes(EXPLICIT, SOPClassUID=SECONDARY_CAPTURE, SOPInstanceUID="1.2.3", PatientID="P1",
                      StudyInstanceUID="1.2.1", SeriesInstanceUID="1.2.2", Rows=256, Columns=1024,
                      BitsAllocated=8, PixelData=pixels)  # fmt: skip
    project = Project("TRIAL", bytes(range(16)))
    outcome = deidentify(
        read_instance(data), BASIC, project, pseudonym="P", now=datetime(2026, 5, 4, tzinfo=UTC), engine=engine
    )
    parcel = Parcel.of_outcome(outcome)
    assert outcome.data is not None
    assert (parcel.transfer_syntax_uid, parcel.data_set) == split_part10(outcome.data)
    assert parcel.size == len(parcel.data_set)
    assert b"".join(parcel.file()) == outcome.data
    assert parcel.sop_class_uid == SECONDARY_CAPTURE
    uids = (parcel.study_instance_uid, parcel.series_instance_uid, parcel.sop_instance_uid)
    assert uids == (project.uid("1.2.1"), project.uid("1.2.2"), project.uid("1.2.3"))
    if engine == "tables":
        within = [one.obj is data for one in parcel.segments if isinstance(one, memoryview) and len(one) >= len(pixels)]
        assert within == [True]


def test_what_may_not_leave_is_no_parcel() -> None:
    with pytest.raises(ValueError, match="may not leave"):
        Parcel.of_outcome(Outcome.rejected("a rule failed"))
    with pytest.raises(ValueError, match="may not leave"):
        Parcel.of_outcome(Outcome.excluded("filtered"))
