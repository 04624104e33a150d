"""Worker processes: one task at a time each, results in the order of the tasks.

A worker that dies takes down the task it worked on and nothing else: that task ends with what
`lost` makes of it, those that waited behind it go to others, and another worker takes its
place. At most `ahead` tasks are taken beyond the first unfinished one, so memory doesn't grow
with the number of tasks. Workers are started when there is work for them, ignore Ctrl-C (the
parent decides) and end when the parent goes, however it goes.

They are copies of one process that has the modules loaded already and nothing else: each
would need a second for that, and memory of its own.
"""

import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")

# Copied from a fresh interpreter, which has neither our threads, nor our locks, nor our open sockets.
_CONTEXT = get_context("forkserver")
# Tasks that a worker has at hand, so that it need not wait for us after each.
_AT_HAND = 4
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
    # Held back already; this is for what unblocks signals on the way.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            connection.send(work(connection.recv()))


class _Worker(Generic[Task, Result]):
    """A process with the task that it holds."""

    def __init__(self, work: Callable[[Task], Result]) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        self.process: BaseProcess = _CONTEXT.Process(target=_serve, args=(theirs, work), daemon=True)
        # It lets signals through when it has been started, which must not be in the middle of what follows.
        resource_tracker.ensure_running()
        with interrupts_held():
            self.process.start()
        # While we hold their end, too, we would never see them hang up.
        theirs.close()
        self.held: deque[tuple[int, Task]] = deque()
        self._has_worked = False

    def give(self, position: int, task: Task) -> bool:
        """Hand over a task, unless the worker has died while it had nothing to do."""
        try:
            self.connection.send(task)
        except (BrokenPipeError, ConnectionResetError):
            # One that dies before its first task would do so again; the task counts as held.
            if self._has_worked and not self.held:
                return False
        self.held.append((position, task))
        return True

    def result(self) -> tuple[int, Result]:
        """Take the result of the task that it has held longest.

        Raises:
            EOFError, OSError: it has died.
        """
        result: Result = self.connection.recv()
        self._has_worked = True
        return self.held.popleft()[0], result

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
    loaded: Sequence[str] = (),
) -> Generator[Result, None, None]:
    """Do every task and yield the results in the order of the tasks.

    Args:
        work: what to do; it is sent to the workers, so it must pickle, as tasks and results must.
        tasks: taken one by one, as workers become free.
        jobs: number of processes, 1 or more.
        lost: result of a task whose worker died; told how the worker ended.
        ahead: how many tasks may be taken beyond the first one without a result.
        loaded: names of modules that workers are to have from the beginning; who asks first in a process decides.
    """
    _CONTEXT.set_forkserver_preload(list(loaded))
    workers: list[_Worker[Task, Result]] = []
    done: dict[int, Result] = {}
    coming = enumerate(tasks)
    # What a dead worker has left comes first.
    again: deque[tuple[int, Task]] = deque()
    following: tuple[int, Task] | None = next(coming, None)
    yielded = 0
    try:
        while following is not None or done or any(worker.held for worker in workers):
            while following is not None and following[0] < yielded + ahead:
                chosen = min(workers, key=lambda worker: len(worker.held), default=None)
                if chosen is None or (chosen.held and len(workers) < jobs):
                    chosen = _Worker(work)
                    workers.append(chosen)
                if len(chosen.held) >= _AT_HAND:
                    break
                if chosen.give(*following):
                    following = again.popleft() if again else next(coming, None)
                else:
                    workers.remove(chosen)
                    chosen.stop()
            # What the caller does with a result is done while the workers are busy.
            while yielded in done:
                yield done.pop(yielded)
                yielded += 1
            busy = {worker.connection: worker for worker in workers if worker.held}
            for connection in wait(list(busy)) if busy else ():
                assert isinstance(connection, Connection)
                worker = busy[connection]
                try:
                    position, result = worker.result()
                    done[position] = result
                except (EOFError, OSError):
                    worker.process.join(_SECONDS_TO_END)
                    position, task = worker.held.popleft()
                    done[position] = lost(task, how_it_ended(worker.process.exitcode))
                    again.extend(worker.held)
                    if again:
                        if following is not None:
                            again.append(following)
                        again = deque(sorted(again, key=lambda held: held[0]))
                        following = again.popleft()
                    workers.remove(worker)
                    worker.stop()
    finally:
        with interrupts_held():
            for worker in workers:
                worker.process.terminate()
            for worker in workers:
                worker.stop()
