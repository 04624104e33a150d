"""karnak serve to every kind of destination at once, from dcmtk's storescu."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from pydicom import dcmread

from tests.gateway.certificates import Authority
from tests.gateway.instances import SECONDARY_CAPTURE, file_bytes
from tests.system.programs import DEIDENTIFIED, karnak, node, orthanc, storescp, storescu

EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"
_SECONDS = 60.0


def _until(there: Callable[[], bool]) -> None:
    """Wait for what comes some time after the answer to the sender."""
    deadline = time.monotonic() + _SECONDS
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_one_study_to_all_kinds(tmp_path: Path) -> None:
    files = []
    for number in range(3):
        files.append(tmp_path / f"{number}.dcm")
        data = file_bytes(EXPLICIT, SOPClassUID=SECONDARY_CAPTURE, SOPInstanceUID=f"1.2.3.{number}", Modality="OT",
                          StudyInstanceUID="1.2.1", SeriesInstanceUID="1.2.2", PatientID="1001", PatientName="DOE^JANE",
                          InstanceNumber=str(number), Rows=2, Columns=2, BitsAllocated=8,
                          PixelData=bytes(4))  # fmt: skip
        files[-1].write_bytes(data)
    authority = Authority(tmp_path)
    server, client = authority.issue("server"), authority.issue("client")
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway" / "password").write_text("secret\n")
    (tmp_path / "gateway" / "password").chmod(0o600)
    users = {"AuthenticationEnabled": True, "RegisteredUsers": {"trial": "secret"}}
    tls = ("+tls", str(server.key), str(server.certificate), "+cf", str(authority.file), "+xi")
    with (
        orthanc(tmp_path / "orthanc", dicomweb=True, **users) as web,
        storescp(tmp_path / "got", *tls) as port,
        karnak(
            tmp_path / "gateway",
            node(
                f"name: web, type: stow, url: '{web.http}/dicom-web', {DEIDENTIFIED},"
                " auth: { type: basic, user: trial, password_file: password }",
                f"name: secure, type: dicom, ae_title: STORESCP, host: 127.0.0.1, port: {port}, {DEIDENTIFIED},"
                f" tls: {{ ca_file: {authority.file}, certificate_file: {client.certificate},"
                f" key_file: {client.key} }},"
                " transfer_syntax: ImplicitVRLittleEndian",
                f"name: disk, type: folder, path: out, layout: '{{Modality}}/{{InstanceNumber}}.dcm', {DEIDENTIFIED}",
                f"name: nowhere, type: virtual, {DEIDENTIFIED}",
            ),
        ) as gateway,
    ):
        assert storescu(gateway.port, *files).returncode == 0
        out, got = tmp_path / "gateway" / "out", tmp_path / "got"
        header = {"Authorization": "Basic dHJpYWw6c2VjcmV0"}
        _until(lambda: len(json.loads(web.get("/instances", header))) == 3)
        _until(lambda: len(list(out.rglob("*.dcm"))) == 3)
        _until(lambda: len(list(got.iterdir())) == 3)
        _until(lambda: sum("nothing was sent" in one["reason"] for one in gateway.events("remark")) == 3)
        uids = {json.loads(web.get(f"/instances/{name}/tags?simplify", header))["SOPInstanceUID"]
                for name in json.loads(web.get("/instances", header))}  # fmt: skip
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.dcm")) == ["OT/0.dcm", "OT/1.dcm", "OT/2.dcm"]
    on_disk = [dcmread(path) for path in sorted(out.rglob("*.dcm"))]
    sent = [dcmread(path) for path in got.iterdir()]
    assert {one.SOPInstanceUID for one in on_disk} == {one.SOPInstanceUID for one in sent} == uids
    assert {one.file_meta.TransferSyntaxUID for one in sent} == {IMPLICIT}
    assert {one.file_meta.TransferSyntaxUID for one in on_disk} == {EXPLICIT}
    assert not any(b"DOE" in path.read_bytes() for path in (*out.rglob("*.dcm"), *got.iterdir()))
    assert "secret" not in gateway.log
