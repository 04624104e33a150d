"""How fast instances are sent: by C-STORE against dcmtk's storescu, by STOW-RS against dicomweb-client.

Claims: at least 0.7 times storescu towards storescp; at least 1.5 times dicomweb-client towards Orthanc. All senders
read the same files from memory's file system, and all peers write there. Karnak's sender is a part of the gateway, so
its process has started; storescu's and dicomweb-client's take a few ms and nothing, respectively, for that.
"""

import json
import mmap
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import Request, urlopen

import requests
from dicomweb_client.api import DICOMwebClient
from pydicom import dcmread

from benchmarks import corpus
from benchmarks.setting import Setting, seconds
from benchmarks.tables import Table, rounded, times
from karnak.gateway.deliver.association import Peer
from karnak.gateway.deliver.dicom import DicomDestination
from karnak.gateway.deliver.parcel import Delivered, Destination, Parcel
from karnak.gateway.deliver.service import Service
from karnak.gateway.deliver.stow import StowDestination
from karnak.runtime.part10 import read_instance, split_part10
from tests.system.programs import Orthanc, free_port, orthanc, server, tool

ROUNDS = 5
INSTANCES, INSTANCES_OF_THE_SLOW, INSTANCES_BY_STOW = 400, 40, 64
PER_REQUEST = 16
KARNAK, STORESCU = "Karnak", "dcmtk storescu"
DATASETS, FILES = "dicomweb-client, store_instances", "requests, one body in memory"


def measure(setting: Setting) -> list[Table]:
    """Measure C-STORE with the peer's Nagle algorithm off and on, and STOW-RS."""
    files = corpus.write(setting.folder / "corpus", {"ct": setting.count(INSTANCES)})["ct"]
    fast = _by_dimse(setting, files, no_delay=True)
    slow = _by_dimse(setting, files[: setting.count(INSTANCES_OF_THE_SLOW)], no_delay=False)
    rows = [
        (what, rounded(fast[what]), times(fast[what] / fast[STORESCU]), rounded(slow[what]))
        for what in (STORESCU, KARNAK)
    ]
    columns = ("one association", "Nagle off", "of storescu", "Nagle on at storescp and storescu")
    size = files[0].stat().st_size
    dimse = Table(f"CT of {size / 1000:,.0f} kB sent to storescp per second", columns, rows)
    return [dimse, _by_stow(setting, files[: setting.count(INSTANCES_BY_STOW)])]


def parcel(file: Path) -> Parcel:
    """Read an instance as the gateway holds it: mapped, with its UIDs looked up."""
    with file.open("rb") as opened:
        data = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    view = memoryview(data)
    syntax, data_set = split_part10(bytes(view[:1024]))
    start = 1024 - len(data_set)
    instance = read_instance(view[start:], syntax)
    return Parcel((view[start:],), syntax, instance.sop_class_uid or "", instance.sop_instance_uid or "")


def _deliver(destination: Destination, files: Sequence[Path]) -> None:
    at_once = destination.at_once
    for start in range(0, len(files), at_once):
        answers = destination.deliver([parcel(file) for file in files[start : start + at_once]])
        if any(answer != Delivered() for answer in answers):
            raise RuntimeError(str(answers))


def _by_karnak(port: int, files: Sequence[Path]) -> None:
    """Send over an association of its own, as storescu does: this storescp serves one after the other."""
    destination = DicomDestination(Peer("STORESCP", "127.0.0.1", port, "KARNAK", 10, 60), 1)
    _deliver(destination, files)
    destination.close()


def _by_dimse(setting: Setting, files: Sequence[Path], *, no_delay: bool) -> Mapping[str, float]:
    """Instances per second, by sender: medians over rounds, in turn."""
    environment = {name: value for name, value in os.environ.items() if name != "TCP_NODELAY"}
    environment |= {"TCP_NODELAY": "1"} if no_delay else {}
    port = free_port()
    got = setting.folder / f"got-{no_delay}"
    got.mkdir()
    listen: list[str | Path] = [
        tool("storescp"),
        "+B",
        "-pdu",
        "131072",
        "--disable-host-lookup",
        "-od",
        got,
        str(port),
    ]
    send = [tool("storescu"), "-pdu", "131072", "-aec", "STORESCP", "127.0.0.1", str(port), *map(str, files)]
    with server(listen, port, setting.folder / "storescp.log", env=environment):
        ways: dict[str, Callable[[], object]] = {
            STORESCU: partial(subprocess.run, send, check=True, env=environment, capture_output=True),
            KARNAK: partial(_by_karnak, port, files),
        }
        return _in_turn(setting, ways, len(files), partial(_emptied, got, len(files)))


def _emptied(folder: Path, wanted: int) -> None:
    stored = list(folder.iterdir())
    if len(stored) != wanted:
        raise RuntimeError(f"{len(stored)} of {wanted} instances were stored")
    for one in stored:
        one.unlink()


def _in_turn(
    setting: Setting, ways: Mapping[str, Callable[[], object]], instances: int, after: Callable[[], None]
) -> Mapping[str, float]:
    taken: dict[str, list[float]] = {what: [] for what in ways}
    for number in range(setting.rounds(ROUNDS) + 1):
        for what, way in ways.items():
            took = seconds(way)
            after()
            if number:
                taken[what].append(instances / took)
    return {what: median(rates) for what, rates in taken.items()}


def _by_stow(setting: Setting, files: Sequence[Path]) -> Table:
    boundaries = count(1 << 127)
    with orthanc(setting.folder / "orthanc", dicomweb=True) as peer:
        url = f"{peer.http}/dicom-web"
        service = Service(url, instances_per_request=PER_REQUEST)
        ours = StowDestination(service, lambda: f"{next(boundaries):x}")
        client = DICOMwebClient(url)
        ways: dict[str, Callable[[], object]] = {
            DATASETS: partial(_by_client, client, files),
            FILES: partial(_by_requests, url, files),
            KARNAK: partial(_deliver, ours, files),
        }
        found = _in_turn(setting, ways, len(files), partial(_emptied_orthanc, peer, len(files)))
        ours.close()
    rows = [(what, rounded(rate), times(rate / found[DATASETS])) for what, rate in found.items()]
    title = f"CT sent to Orthanc by STOW-RS per second, {PER_REQUEST} in a request, one request at a time"
    return Table(title, ("", "instances/s", "of dicomweb-client"), rows)


def _by_client(client: DICOMwebClient, files: Sequence[Path]) -> None:
    for start in range(0, len(files), PER_REQUEST):
        client.store_instances([dcmread(file) for file in files[start : start + PER_REQUEST]])


def _by_requests(url: str, files: Sequence[Path]) -> None:
    """Send whole files as they are, as a floor: nothing is read, and nothing is looked at in the answer."""
    with requests.Session() as session:
        for start in range(0, len(files), PER_REQUEST):
            parts = [b"--b\r\nContent-Type: application/dicom\r\n\r\n" + file.read_bytes() + b"\r\n"
                     for file in files[start : start + PER_REQUEST]]  # fmt: skip
            headers = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}
            session.post(f"{url}/studies", b"".join(parts) + b"--b--\r\n", headers=headers).raise_for_status()


def _emptied_orthanc(peer: Orthanc, wanted: int) -> None:
    stored: Any = json.loads(peer.get("/instances"))
    if len(stored) != wanted:
        raise RuntimeError(f"{len(stored)} of {wanted} instances were stored")
    for patient in json.loads(peer.get("/patients")):
        with suppress(OSError), urlopen(Request(f"{peer.http}/patients/{patient}", method="DELETE"), timeout=60):
            pass
