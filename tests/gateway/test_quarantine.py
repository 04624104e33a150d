"""Rejected instances are kept whole, for few eyes, with a report that names no patient."""

import json
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path

from pydicom import dcmread

from karnak.gateway.answers import Result
from karnak.gateway.deliver.parcel import Parcel
from karnak.gateway.quarantine import Quarantine
from karnak.gateway.route import Caller
from tests.gateway.instances import SECONDARY_CAPTURE, dataset_bytes

WHEN = datetime(2026, 3, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))


def test_an_instance_and_its_report(tmp_path: Path) -> None:
    data_set = dataset_bytes(SOPClassUID=SECONDARY_CAPTURE, SOPInstanceUID="1.2.3", PatientName="DOE^JANE")
    original = Parcel((data_set,), "1.2.840.10008.1.2.1", SECONDARY_CAPTURE, "1.2.3")
    rejections = [Result.rejected("archive", "ids.csv has no pseudonym for the patient of the instance")]
    caller = Caller("TRIAL1", "CT01", "10.0.0.1")
    folder = Quarantine(tmp_path / "rejected").keep("4f1a", WHEN, caller, original, rejections, {"archive": "Research"})
    # The day is that of UTC.
    assert folder == tmp_path / "rejected" / "2026-02-28" / "4f1a"
    assert (folder / "instance.dcm").read_bytes().endswith(data_set)
    assert dcmread(folder / "instance.dcm").PatientName == "DOE^JANE"
    text = (folder / "report.json").read_text()
    assert json.loads(text) == {
        "receipt": "4f1a",
        "received": "2026-02-28T23:30:00Z",
        "called_ae": "TRIAL1",
        "calling_ae": "CT01",
        "sop_class_uid": SECONDARY_CAPTURE,
        "transfer_syntax_uid": "1.2.840.10008.1.2.1",
        "rejections": [
            {
                "destination": "archive",
                "profile": "Research",
                "reason": "ids.csv has no pseudonym for the patient of the instance",
            }
        ],
    }
    folders = [tmp_path / "rejected", folder.parent, folder]
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_bytes_that_are_no_data_set_are_kept_too(tmp_path: Path) -> None:
    original = Parcel((b"not a data set",), "1.2.840.10008.1.2", SECONDARY_CAPTURE, "1.2.3")
    rejections = [Result.rejected("", "unreadable")]
    folder = Quarantine(tmp_path).keep("4f1a", WHEN, Caller("A", "B", "10.0.0.1"), original, rejections, {})
    assert (folder / "instance.dcm").read_bytes().endswith(b"not a data set")
    assert json.loads((folder / "report.json").read_text())["rejections"] == [
        {"destination": None, "profile": None, "reason": "unreadable"}
    ]
