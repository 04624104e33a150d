"""One gateway per data folder."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from karnak.gateway.house_lock import HouseLock, HouseTaken
from tests.system import programs

_HOLDER = """
import pathlib, sys
from karnak.gateway.house_lock import HouseLock
with HouseLock(pathlib.Path(sys.argv[1])):
    print("taken", flush=True)
    sys.stdin.read()
"""


def test_a_data_folder_has_one_gateway(tmp_path: Path) -> None:
    lock, other = HouseLock(tmp_path / "data"), HouseLock(tmp_path / "data")
    with lock:
        with pytest.raises(HouseTaken, match="a gateway runs on .*data; stop it first"):
            other.take()
        with HouseLock(tmp_path / "elsewhere"):
            pass
    with other:
        pass
    other.give_back()


def test_the_lock_of_a_killed_gateway_is_free(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _HOLDER, str(tmp_path)]
    options = {"env": programs.environment(), "text": True}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options) as holder:  # type: ignore[call-overload]
        assert holder.stdout.readline() == "taken\n"
        with pytest.raises(HouseTaken):
            HouseLock(tmp_path).take()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with HouseLock(tmp_path):
        pass
