"""The DIMSE door and real senders: dcmtk's echoscu and storescu, pynetdicom."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE

from tests.gateway.instances import file_bytes
from tests.gateway.receive.door import Door, door
from tests.gateway.receive.house import house
from tests.system.programs import run, storescu

EXPLICIT, IMPLICIT = str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian)


def instance(number: int, syntax: str = EXPLICIT, pixels: int = 100_000) -> bytes:
    return file_bytes(
        syntax,
        SOPClassUID=str(CTImageStorage),
        SOPInstanceUID=f"1.2.3.{number}",
        PatientName="Doe^Jane",
        Rows=pixels // 2,
        Columns=1,
        BitsAllocated=16,
        PixelData=bytes([number]) * pixels,
    )


def files(folder: Path, *data: bytes) -> list[Path]:
    folder.mkdir()
    made = [folder / f"{number}.dcm" for number in range(len(data))]
    for path, one in zip(made, data, strict=True):
        path.write_bytes(one)
    return made


def data_sets(opened: Door) -> list[bytes]:
    return [data for _, data in opened.stored()]


def data_set_of(data: bytes) -> bytes:
    """The data set of a Part 10 file, behind its file meta information."""
    length = int.from_bytes(data[140:144], "little")
    return data[144 + length :]


def test_echoscu(tmp_path: Path) -> None:
    with door(tmp_path / "data") as opened:
        done = run("echoscu", "-v", "-aec", "KARNAK", "127.0.0.1", str(opened.port))
        assert done.returncode == 0, done.stderr
        refused = run("echoscu", "-v", "-aec", "NOBODY", "127.0.0.1", str(opened.port))
        assert "Called AE Title Not Recognized" in refused.stderr + refused.stdout
    # Nothing but the one rejection.
    assert [event for event, _ in opened.desk.events] == ["association rejected"]


@pytest.mark.parametrize("options", [(), ("--max-pdu", "4096"), ("--max-send-pdu", "4096")])
def test_storescu(options: tuple[str, ...], tmp_path: Path) -> None:
    data = [instance(number) for number in range(5)]
    with door(tmp_path / "data") as opened:
        done = storescu(opened.port, *files(tmp_path / "in", *data), options=options)
        assert done.returncode == 0, done.stderr
        assert data_sets(opened) == [data_set_of(one) for one in data]
    assert opened.desk.events == []


def test_storescu_in_implicit_vr(tmp_path: Path) -> None:
    data = instance(1, IMPLICIT)
    with door(tmp_path / "data") as opened:
        done = storescu(opened.port, *files(tmp_path / "in", data), options=["-xi"])
        assert done.returncode == 0, done.stderr
        ((_, stored),) = opened.stored()
        assert stored == data_set_of(data)
        (path,) = (tmp_path / "data" / "spool" / "ready").iterdir()
        assert dcmread(path).file_meta.TransferSyntaxUID == ImplicitVRLittleEndian


def test_storescu_proposes_everything(tmp_path: Path) -> None:
    """128 presentation contexts in one request."""
    config = tmp_path / "storescu.cfg"
    lines = ["[[TransferSyntaxes]]", "[All]"]
    lines += [f"TransferSyntax{number} = {uid}" for number, uid in enumerate([EXPLICIT, IMPLICIT], 1)]
    lines += ["[[PresentationContexts]]", "[Many]"]
    lines += [f"PresentationContext{number} = 1.2.826.0.1.{number}\\All" for number in range(1, 128)]
    lines += [f"PresentationContext128 = {CTImageStorage}\\All", "[[Profiles]]", "[Default]"]
    config.write_text("\n".join([*lines, "PresentationContexts = Many"]) + "\n")
    with door(tmp_path / "data") as opened:
        done = storescu(opened.port, *files(tmp_path / "in", instance(1)), options=["-xf", str(config), "Default"])
        assert done.returncode == 0, done.stderr
        assert len(opened.stored()) == 1


def test_storescu_hears_of_a_full_disk(tmp_path: Path) -> None:
    with door(tmp_path / "data") as opened:
        opened.desk.full = True
        done = storescu(opened.port, *files(tmp_path / "in", instance(1), instance(2)), options=["--no-halt"])
        assert (done.stdout + done.stderr).count("Refused: OutOfResources") == 2
        assert opened.stored() == []


def test_four_storescu_and_two_receivers(tmp_path: Path) -> None:
    """Every instance that a sender was told is safe is there, as it was sent, and none twice."""
    data = {f"1.2.3.{number}": instance(number) for number in range(80)}
    paths = files(tmp_path / "in", *data.values())
    with house(tmp_path / "data", 2, durability="fsync") as gateway, ThreadPoolExecutor(4) as senders:
        shares = [paths[number::4] for number in range(4)]
        for done in senders.map(lambda share: storescu(gateway.port, *share), shares):
            assert done.returncode == 0, done.stderr
        gateway.wait(lambda: len(gateway.receipts) == len(data))
        assert len(set(gateway.receipts)) == len(data)
        content = gateway.content()
        assert len(content) == len(data)
        assert dict(content) == {uid: data_set_of(one) for uid, one in data.items()}
    assert gateway.events == []


def test_pynetdicom(tmp_path: Path) -> None:
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID, made.PatientID = CTImageStorage, "1.2.3", "P1"
    made.ensure_file_meta()
    made.file_meta.TransferSyntaxUID = UID(EXPLICIT)
    made.set_original_encoding(False, True)
    ae = AE("CT01")
    ae.add_requested_context(CTImageStorage, EXPLICIT)
    ae.add_requested_context("1.2.840.10008.5.1.4.1.2.2.1", EXPLICIT)
    with door(tmp_path) as opened:
        association = ae.associate("127.0.0.1", opened.port, ae_title="KARNAK")
        assert [context.result for context in association.rejected_contexts] == [3]
        for _ in range(3):
            assert association.send_c_store(made).Status == 0
        association.release()
        assert len(opened.stored()) == 3
    assert opened.desk.events == []
