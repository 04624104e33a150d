"""Programs that tests run: real peers from dcmtk and Orthanc, and Karnak itself, each on ports that were free.

A program that is missing fails the test that needs it.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SECONDS_TO_START = 60.0
_SECONDS_TO_END = 60.0


def search_path() -> str:
    """PATH without environments of Python, ours or another that is active: pynetdicom names programs as dcmtk does."""
    return os.pathsep.join(
        folder
        for folder in os.environ["PATH"].split(os.pathsep)
        if folder and not (Path(folder).absolute().parent / "pyvenv.cfg").exists()
    )


def tool(name: str) -> str:
    """Find a program of somebody else, or fail."""
    path = shutil.which(name, path=f"{search_path()}:/usr/sbin:/usr/local/sbin:/sbin")
    assert path is not None, f"{name} is needed by this test and is not installed"
    return path


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    command = [tool(str(arguments[0])), *map(str, arguments[1:])]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


@contextmanager
def server(command: Sequence[str | Path], port: int, log: Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that listens, from when it does so until the block ends."""
    with log.open("wb") as output:
        process = subprocess.Popen([*map(str, command)], stdout=output, stderr=subprocess.STDOUT, **options)
        try:
            deadline = time.monotonic() + _SECONDS_TO_START
            while not _listens(port):
                ended = process.poll() is not None or time.monotonic() > deadline
                assert not ended, f"{command[0]} does not listen on port {port}:\n{log.read_text(errors='replace')}"
                time.sleep(0.02)
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _listens(port: int) -> bool:
    """Look for a listener without connecting: a connection would be one more for the program to deal with."""
    wanted = f"{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[1].endswith(":" + wanted):
                return True
    return False


@contextmanager
def storescp(folder: Path, *options: str) -> Iterator[int]:
    """Run dcmtk's storescp, which writes what it gets to `folder` as it came; gives its port."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [tool("storescp"), "-aet", "STORESCP", "+xa", "+B", "-od", str(folder), *options, str(port)]
    with server(command, port, folder.parent / f"{folder.name}.log"):
        yield port


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc.

    Attributes:
        port: of its DICOM server.
        http: address of its REST API.
    """

    port: int
    http: str

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> bytes:
        request = urllib.request.Request(self.http + path, headers=dict(headers or {}))
        with urllib.request.urlopen(request, timeout=30) as answer:
            data: bytes = answer.read()
            return data

    def instances(self) -> list[bytes]:
        """All instances that it has, as files."""
        return [self.get(f"/instances/{name}/file") for name in json.loads(self.get("/instances"))]


def _dicomweb_plugin() -> str:
    """Where Debian's package orthanc-dicomweb puts Orthanc's plugin, which is needed by the test that asks."""
    path = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
    assert path.exists(), "the package orthanc-dicomweb is needed by this test and is not installed"
    return str(path)


@contextmanager
def orthanc(folder: Path, *, dicomweb: bool = False, **more: object) -> Iterator[Orthanc]:
    """Run Orthanc with an empty store.

    Args:
        folder: where its files go.
        dicomweb: with DICOMweb under `/dicom-web/`.
        more: settings of Orthanc's configuration.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port, http_port = free_port(), free_port()
    settings = {
        "Name": "test",
        "StorageDirectory": str(folder / "store"),
        "IndexDirectory": str(folder / "store"),
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "HttpPort": http_port,
        "DicomPort": port,
        "DicomAet": "ORTHANC",
        "DicomCheckCalledAet": True,
        "DicomAlwaysAllowStore": True,
        "UnknownSopClassAccepted": True,
        "Plugins": [_dicomweb_plugin()] if dicomweb else [],
        "HttpsCACertificates": "",
        **more,
    }
    config = folder / "orthanc.json"
    config.write_text(json.dumps(settings))
    with server([tool("Orthanc"), config], port, folder / "orthanc.log"):
        made = Orthanc(port, f"http://127.0.0.1:{http_port}")
        deadline = time.monotonic() + _SECONDS_TO_START
        while not _listens(http_port):
            assert time.monotonic() < deadline, (folder / "orthanc.log").read_text()
            time.sleep(0.02)
        yield made


@dataclass(frozen=True)
class Karnak:
    """A running gateway.

    Attributes:
        port: that it listens on.
        folder: of its configuration.
        process: the program.
        api: port of its API.
    """

    port: int
    folder: Path
    process: subprocess.Popen[bytes]
    api: int

    @property
    def log(self) -> str:
        return (self.folder / "karnak.log").read_text()

    def events(self, event: str) -> list[dict[str, Any]]:
        """The lines of the journal about one kind of event."""
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def ask(self, path: str) -> Any:
        """What the API answers, read as JSON where it is that."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.api}{path}", timeout=30) as answer:
            data: bytes = answer.read()
            return json.loads(data) if "json" in answer.headers["Content-Type"] else data.decode()

    def post(self, path: str, body: object) -> Any:
        """Tell the API to do something; gives its answer."""
        headers = {"Content-Type": "application/json"}
        url = f"http://127.0.0.1:{self.api}{path}"
        order = urllib.request.Request(url, json.dumps(body).encode("utf-8"), headers)
        with urllib.request.urlopen(order, timeout=60) as answer:
            return json.loads(answer.read())

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Karnak's in the gateway's folder."""
        command = [sys.executable, "-m", "karnak", *arguments, "--config", "gateway.yml"]
        return subprocess.run(
            command, cwd=self.folder, env=environment(), capture_output=True, text=True, timeout=120, check=False
        )

    def owed(self) -> int:
        """How many instances are in the spool."""
        return len(list((self.folder / "data" / "spool" / "ready").glob("*.dcm")))

    def settled(self, owed: int = 0) -> None:
        """Wait until no more than so many instances are owed to anybody."""
        self.wait(lambda: self.owed() <= owed)

    def wait(self, holds: Callable[[], bool]) -> None:
        """Wait for something that comes soon or never."""
        deadline = time.monotonic() + _SECONDS_TO_END
        while not holds():
            assert time.monotonic() < deadline, self.log
            assert self.process.poll() is None, self.log
            time.sleep(0.02)

    def stop(self) -> int:
        """Ask it to stop and wait for that; gives its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_SECONDS_TO_END)


SECRET = "0123456789abcdef0123456789abcdef"
PROFILE = """\
name: "System test"
version: "1"
profileElements:
  - { name: "PS3.15", codename: "basic.dicom.profile" }
"""


@contextmanager
def karnak(folder: Path, forward_nodes: str, listen: str = "", more: str = "") -> Iterator[Karnak]:
    """Run `karnak serve` with a configuration: project TRIAL, profile and secret are there, forward nodes are given."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "profile.yml").write_text(PROFILE)
    (folder / "trial.hex").write_text(SECRET)
    (folder / "trial.hex").chmod(0o600)
    port, api = free_port(), free_port()
    config = folder / "gateway.yml"
    config.write_text(
        f"listen: {{ port: {port}{listen} }}\n"
        "data_dir: data\n"
        f"api: {{ port: {api} }}\n"
        f"{more}"
        "projects: [ { name: TRIAL, profile: profile.yml, secret_file: trial.hex } ]\n"
        f"forward_nodes:\n{forward_nodes}"
    )
    command = [sys.executable, "-m", "karnak", "serve", "--config", str(config)]
    with server(command, port, folder / "karnak.log", env=environment(), cwd=folder) as process:
        made = Karnak(port, folder, process, api)
        made.wait(lambda: _listens(api))
        yield made


def environment() -> dict[str, str]:
    """The environment for Karnak as a program of its own: the package under test can be imported there."""
    root = Path(__file__).resolve().parents[2]
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])}


def node(*destinations: str, ae_title: str = "KARNAK", sources: str = "any") -> str:
    """Write a forward node of a configuration."""
    lines = "".join(f"      - {{ {destination} }}\n" for destination in destinations)
    return f"  - ae_title: {ae_title}\n    sources: {sources}\n    destinations:\n{lines}"


DEIDENTIFIED = "project: TRIAL, mode: deidentify, pseudonym: { from: generated }"


def to_folder(name: str, path: str, how: str = DEIDENTIFIED) -> str:
    """Write a folder destination."""
    return f"name: {name}, type: folder, path: {path}, {how}"


def to_dicom(name: str, ae_title: str, port: int, how: str = DEIDENTIFIED) -> str:
    """Write a DICOM destination."""
    return f"name: {name}, type: dicom, ae_title: {ae_title}, host: 127.0.0.1, port: {port}, {how}"


def storescu(
    port: int, *files: Path, options: Sequence[str] = (), called: str = "KARNAK", calling: str = "CT01"
) -> subprocess.CompletedProcess[str]:
    """Send files with dcmtk's storescu, which stops at the first failure."""
    return run("storescu", "-v", "-aet", calling, "-aec", called, *options, "127.0.0.1", str(port), *files)
