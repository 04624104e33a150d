"""Long computing in a thread of the gateway, that deliveries don't wait for."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Seconds; Python's own is ten times that.
SOON = 0.0005


@contextmanager
def giving_way() -> Iterator[None]:
    """Let other threads have the interpreter sooner than usual while this one computes; one at a time.

    A thread that comes back from the network or the disk, as deliveries do many times for an instance, waits for the
    interpreter so long each time. For good it would cost more than it brings: to change threads takes time as well.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(min(usual, SOON))
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
