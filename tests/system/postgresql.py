"""A PostgreSQL server for one run of the tests: in a folder of its own, on a Unix socket, gone afterwards.

It refuses to run as root, so root starts it as somebody who owns nothing.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.system.programs import search_path

_SECONDS_TO_START = 60.0
_ROLE = "karnak"


def program(name: str) -> str:
    """Find a program of PostgreSQL, which Debian keeps off the path, or fail."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([*map(str, folders), search_path()]))
    assert found is not None, f"{name} of PostgreSQL is needed by this test and is not installed"
    return found


class Server:
    """A server that can go away and come back; it keeps what it has.

    Args:
        folder: an empty folder that its owner may enter.
        owner: who runs it.

    Attributes:
        url: of its database.
    """

    def __init__(self, folder: Path, owner: pwd.struct_passwd) -> None:
        self.url = f"postgresql://{_ROLE}@/postgres?host={folder}"
        self._folder = folder
        self._owner = owner
        self._process: subprocess.Popen[bytes] | None = None
        data = folder / "data"
        _run([program("initdb"), "-D", str(data), "-U", _ROLE, "-A", "trust", "-E", "UTF8", "--no-sync"], owner, folder)
        settings = ["listen_addresses=", f"unix_socket_directories={folder}", "fsync=off", "max_connections=20"]
        self._command = [program("postgres"), "-D", str(data), *(word for text in settings for word in ("-c", text))]

    def start(self) -> None:
        """Run it."""
        with (self._folder / "log").open("ab") as log:
            self._process = _start(self._command, self._owner, stdout=log, cwd=self._folder)
        _wait(self._process, self._folder)

    def stop(self) -> None:
        """End it at once, with all connections."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


@contextmanager
def postgresql_server() -> Iterator[Server]:
    """Run a server with an empty database."""
    owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    # Not below pytest's folder: others may not enter that, and the path of a socket is short.
    folder = Path(tempfile.mkdtemp(prefix="karnak-pg-"))
    try:
        if os.geteuid() == 0:
            os.chown(folder, owner.pw_uid, owner.pw_gid)
        server = Server(folder, owner)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


@contextmanager
def postgresql() -> Iterator[str]:
    """Run a server with an empty database; gives its URL."""
    with postgresql_server() as server:
        yield server.url


def _start(command: Sequence[str], owner: pwd.struct_passwd, **options: object) -> subprocess.Popen[bytes]:
    other = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    return subprocess.Popen(command, stderr=subprocess.STDOUT, env=environment, **other, **options)  # type: ignore[call-overload,no-any-return]


def _run(command: Sequence[str], owner: pwd.struct_passwd, folder: Path) -> None:
    process = _start(command, owner, stdout=subprocess.PIPE, cwd=folder)
    said, _ = process.communicate(timeout=_SECONDS_TO_START)
    assert process.returncode == 0, said.decode(errors="replace")


def _wait(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while subprocess.run([program("pg_isready"), "-q", "-h", str(folder), "-U", _ROLE]).returncode != 0:
        ended = process.poll() is not None or time.monotonic() > deadline
        assert not ended, (folder / "log").read_text(errors="replace")
        time.sleep(0.05)
