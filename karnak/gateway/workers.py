"""Worker processes: one task at a time each, results in the order of the tasks.

A worker that dies takes down the task it held and nothing else: that task ends with what
`lost` makes of it, and another worker takes its place. At most `ahead` tasks are taken
beyond the first unfinished one, so memory doesn't grow with the number of tasks.
Workers are started when there is work for them, ignore Ctrl-C (the parent decides) and end
when the parent goes, however it goes.
"""

import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

# A fresh interpreter per worker: it inherits neither threads, nor locks, nor open sockets.
_CONTEXT = get_context("spawn")
_SECONDS_TO_END = 5.0


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back until the block is done; processes started inside never see it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, work: Callable[[Task], Result]) -> None:
    """Live as a worker: take tasks until the parent hangs up."""
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            connection.send(work(connection.recv()))


class _Worker(Generic[Task, Result]):
    """A process with the task that it holds."""

    def __init__(self, work: Callable[[Task], Result]) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        self.process: BaseProcess = _CONTEXT.Process(target=_serve, args=(theirs, work), daemon=True)
        with interrupts_held():
            self.process.start()
        # While we hold their end, too, we would never see them hang up.
        theirs.close()
        self.held: tuple[int, Task] | None = None

    def give(self, position: int, task: Task) -> bool:
        """Hand over a task, unless the worker has died while idle."""
        try:
            self.connection.send(task)
        except (BrokenPipeError, ConnectionResetError):
            # One that dies before its first task would do so again; the task counts as held.
            if self.held is not None:
                return False
        self.held = position, task
        return True

    def stop(self) -> None:
        self.connection.close()
        self.process.terminate()
        self.process.join(_SECONDS_TO_END)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.process.close()


def how_it_ended(exit_code: int | None) -> str:
    """Say how a process ended: by which signal, or with which exit code."""
    if exit_code is not None and exit_code < 0:
        with suppress(ValueError):
            return f"killed by {signal.Signals(-exit_code).name}"
        return f"killed by signal {-exit_code}"
    return f"exit code {exit_code}"


def run_in_order(
    work: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    jobs: int,
    lost: Callable[[Task, str], Result],
    ahead: int = 256,
) -> Generator[Result, None, None]:
    """Do every task and yield the results in the order of the tasks.

    Args:
        work: what to do; it is sent to the workers, so it must pickle, as tasks and results must.
        tasks: taken one by one, as workers become free.
        jobs: number of processes, 1 or more.
        lost: result of a task whose worker died; told how the worker ended.
        ahead: how many tasks may be taken beyond the first one without a result.
    """
    idle: list[_Worker[Task, Result]] = []
    busy: dict[Connection, _Worker[Task, Result]] = {}
    done: dict[int, Result] = {}
    coming = enumerate(tasks)
    following: tuple[int, Task] | None = next(coming, None)
    yielded = 0
    try:
        while following is not None or busy or done:
            while following is not None and len(busy) < jobs and following[0] < yielded + ahead:
                worker = idle.pop() if idle else _Worker(work)
                if worker.give(*following):
                    busy[worker.connection] = worker
                    following = next(coming, None)
                else:
                    worker.stop()
            # What the caller does with a result is done while the workers are busy.
            while yielded in done:
                yield done.pop(yielded)
                yielded += 1
            for connection in wait(list(busy)) if busy else ():
                assert isinstance(connection, Connection)
                worker = busy.pop(connection)
                assert worker.held is not None
                position, task = worker.held
                try:
                    done[position] = connection.recv()
                    idle.append(worker)
                except (EOFError, OSError):
                    worker.process.join(_SECONDS_TO_END)
                    done[position] = lost(task, how_it_ended(worker.process.exitcode))
                    worker.stop()
    finally:
        with interrupts_held():
            for worker in (*idle, *busy.values()):
                worker.process.terminate()
            for worker in (*idle, *busy.values()):
                worker.stop()
