"""A run that is stopped, by a person or by the system, leaves whole files only, and can be run again."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.deid_runs import AT, COMMAND, PROFILE, SECRET, environment, files, karnak, many

COUNT = 600


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return many(tmp_path_factory.mktemp("many") / "in", COUNT)


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an undisturbed run writes."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "p.yml").write_text(PROFILE)
    assert karnak(*arguments(source, "2"), cwd=folder).returncode == 0
    outputs = files(folder / "out")
    assert len(outputs) == COUNT
    return outputs


def arguments(source: Path, jobs: str) -> list[str]:
    return [
        *(str(source), "-o", "out", "-p", "p.yml", "--project", "T", "--pseudonym-generated"),
        *("--at", AT, "--report", "report.jsonl", "--jobs", jobs),
    ]


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for something that comes soon or never."""
    for _ in range(6000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


def disturbed(folder: Path, source: Path, jobs: str, disturb: Callable[[int], None]) -> subprocess.Popen[str]:
    """Start a run in a process group of its own and disturb it after the first output."""
    (folder / "p.yml").write_text(PROFILE)
    process = subprocess.Popen(
        [*COMMAND, *arguments(source, jobs)],
        cwd=folder,
        env=environment(KARNAK_SECRET=SECRET),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until(lambda: process.poll() is not None or next((folder / "out").glob("*/*/*.dcm"), None) is not None)
    disturb(process.pid)
    return process


def is_group_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm(
    tmp_path: Path, source: Path, whole: dict[str, bytes], jobs: str, number: signal.Signals, code: int
) -> None:
    # Ctrl-C goes to every process of the group; a service manager's SIGTERM to the first one.
    send = os.killpg if number is signal.SIGINT else os.kill
    process = disturbed(tmp_path, source, jobs, lambda pid: send(pid, number))
    stdout, stderr = process.communicate()
    assert process.returncode == code
    assert "Traceback" not in stdout + stderr
    assert "interrupted: what is counted is done" in stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "p.yml"]
    written = files(tmp_path / "out")
    assert 0 < len(written) < COUNT
    assert written.items() <= whole.items()
    wait_until(lambda: is_group_gone(process.pid))
    assert karnak(*arguments(source, jobs), cwd=tmp_path).returncode == 0
    assert files(tmp_path / "out") == whole


def test_after_sigkill_the_next_run_cleans_up(tmp_path: Path, source: Path, whole: dict[str, bytes]) -> None:
    process = disturbed(tmp_path, source, "2", lambda pid: os.kill(pid, signal.SIGKILL))
    process.communicate()
    # The workers find that nobody listens any more and go.
    wait_until(lambda: is_group_gone(process.pid))
    final = {name: data for name, data in files(tmp_path / "out").items() if not name.startswith(".karnak-")}
    assert final.items() <= whole.items()
    assert list((tmp_path / "out").glob(".karnak-*"))
    assert karnak(*arguments(source, "2"), cwd=tmp_path).returncode == 0
    assert files(tmp_path / "out") == whole


def children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def test_a_killed_worker_is_told_and_the_rest_is_done(tmp_path: Path, source: Path, whole: dict[str, bytes]) -> None:
    def kill_a_worker(pid: int) -> None:
        # Workers are copies of one process.
        (copied,) = (child for child in children(pid) if b"forkserver" in Path(f"/proc/{child}/cmdline").read_bytes())
        workers = children(copied)
        os.kill(workers[0], signal.SIGKILL)

    process = disturbed(tmp_path, source, "2", kill_a_worker)
    stdout, stderr = process.communicate()
    written = files(tmp_path / "out")
    lost = COUNT - len(written)
    # A worker that was killed between two instances takes none with it.
    assert lost in (0, 1)
    assert (process.returncode, stderr) == (lost, "")
    assert ("the process that worked on it died (killed by SIGKILL)" in stdout) == bool(lost)
    assert written.items() <= whole.items()
