"""Work in a process of its own, so that the gateway's threads don't wait for it.

Python runs one thread of a process at a time: a compiler or an interpreter that works for a second in the gateway's
process holds up every delivery meanwhile. The process gets less of the processor than others, writes nowhere, and ends
when the gateway does.
"""

import logging
import os
import signal
import warnings
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from karnak.errors import KarnakError
from karnak.gateway.workers import how_it_ended, interrupts_held

# A fresh interpreter: it has neither our threads, nor our locks, nor our open sockets.
_CONTEXT = get_context("spawn")
_SECONDS_TO_END = 5.0
_NICENESS = 10
_STDOUT, _STDERR = 1, 2


class Gone(KarnakError):
    """The process has died, or says nothing; the text says how it ended."""


class Apart:
    """A process that answers.

    Args:
        work: what it does with its end of the connection, until nothing comes any more.
    """

    def __init__(self, work: Callable[[Connection], None]) -> None:
        self.connection, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_live, args=(work, theirs), daemon=True)
        # It lets signals through when it has been started, which must not be in the middle of what follows.
        resource_tracker.ensure_running()
        with interrupts_held():
            self._process.start()
        # While we hold their end, too, we would never see them hang up.
        theirs.close()

    def ask(self, question: object, seconds: float) -> Any:
        """Send something and wait for what is answered.

        Args:
            question: what is sent; it must pickle.
            seconds: how long to wait.

        Raises:
            Gone: there is no answer; the process has ended.
        """
        try:
            self.connection.send(question)
            return self.answer(seconds)
        except OSError:
            raise self.gone() from None

    def answer(self, seconds: float) -> Any:
        """Wait for what is answered to what was sent before.

        Args:
            seconds: how long to wait.

        Raises:
            Gone: there is no answer; the process has ended.
        """
        try:
            if self.connection.poll(seconds):
                return self.connection.recv()
        except (EOFError, OSError):
            self._process.join(_SECONDS_TO_END)
            raise self.gone() from None
        self.end()
        raise Gone(f"a process of the gateway's gave no answer within {seconds:g} seconds")

    def gone(self) -> Gone:
        """End the process, which does not answer any more; gives what is to be raised."""
        return Gone(f"a process of the gateway's has ended: {self.end()}")

    def end(self) -> str:
        """End the process; gives how it ended, in words."""
        self._process.kill()
        self._process.join()
        with suppress(OSError):
            self.connection.close()
        return how_it_ended(self._process.exitcode)


def _live(work: Callable[[Connection], None], connection: Connection) -> None:
    # What a library says, or a traceback, may quote an instance.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (_STDOUT, _STDERR):
        os.dup2(nowhere, stream)
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICENESS)
    with suppress(EOFError, OSError):
        work(connection)
