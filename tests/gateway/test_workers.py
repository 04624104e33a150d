"""Workers give every task one result, in order, whoever dies on the way."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from karnak.gateway.workers import how_it_ended, run_in_order


def work(task: int) -> str:
    if task == 13:
        os.kill(os.getpid(), signal.SIGKILL)
    if task == 14:
        os._exit(3)
    # The first tasks take longest, so their results come last.
    time.sleep(0.02 if task < 3 else 0)
    return f"{task} done"


def lost(task: int, how: str) -> str:
    return f"{task} lost: {how}"


def who(_task: int) -> int:
    return os.getpid()


def expected(task: int) -> str:
    return {13: "13 lost: killed by SIGKILL", 14: "14 lost: exit code 3"}.get(task, f"{task} done")


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_results_come_in_order_and_a_dead_worker_loses_its_own_task_only(jobs: int) -> None:
    assert list(run_in_order(work, range(30), jobs=jobs, lost=lost)) == [expected(task) for task in range(30)]


def test_no_tasks_no_workers() -> None:
    assert list(run_in_order(work, [], jobs=2, lost=lost)) == []


def test_tasks_are_not_taken_far_ahead_of_results() -> None:
    taken = 0

    def tasks() -> Iterator[int]:
        nonlocal taken
        for taken in range(1, 101):
            yield taken - 1

    with closing(run_in_order(work, tasks(), jobs=2, lost=lost, ahead=4)) as results:
        for position, _ in enumerate(results):
            assert taken <= position + 4 + 2
    assert taken == 100


def test_closing_early_ends_the_processes() -> None:
    with closing(run_in_order(who, range(1000), jobs=2, lost=lambda *_: 0)) as results:
        processes = {next(results) for _ in range(10)}
    assert processes
    for process in processes:
        assert not Path(f"/proc/{process}").exists()


def test_no_more_processes_than_tasks() -> None:
    assert len(set(run_in_order(who, range(1), jobs=8, lost=lambda *_: 0))) == 1


def test_a_person_can_read_how_a_process_ended() -> None:
    assert [how_it_ended(code) for code in (-9, -64, -1000, 1, None)] == [
        "killed by SIGKILL",
        "killed by SIGRTMAX",
        "killed by signal 1000",
        "exit code 1",
        "exit code None",
    ]


def has_loaded(module: str) -> bool:
    return module in sys.modules


def print_loaded() -> None:
    with closing(
        run_in_order(has_loaded, ["colorsys", "sndhdr"], jobs=2, lost=lambda *_: None, loaded=["colorsys"])
    ) as found:
        sys.stdout.write(f"{list(found)}")


def test_workers_have_from_the_beginning_what_is_asked_for() -> None:
    # In a process of its own: the first who asks decides for all.
    done = subprocess.run(
        [sys.executable, "-c", "from tests.gateway.test_workers import print_loaded; print_loaded()"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout == "[True, False]"


def hears_interrupts(_: int) -> bool:
    """Whether the process that does this work would be interrupted by Ctrl-C."""
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    return not ignored or signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, set())


def test_no_worker_hears_ctrl_c_not_even_the_first() -> None:
    """In a process of its own: the first start starts multiprocessing's own processes, too, which lets signals in."""
    program = (
        "from tests.gateway.test_workers import hears_interrupts\n"
        "from karnak.gateway.workers import run_in_order\n"
        "if __name__ == '__main__':\n"
        "    print(list(run_in_order(hears_interrupts, range(6), jobs=2, lost=lambda task, how: how)))\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=root, timeout=120, check=False
    )
    assert (done.stdout, done.stderr) == (f"{[False] * 6}\n", "")
