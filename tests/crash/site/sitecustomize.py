"""Strike at a chosen call of the gateway: Python imports this file at its start where PYTHONPATH names its folder.

KARNAK_STRIKE says where: module, class and method, before or after it, at which call (counted over all processes of
the gateway by a file), and what happens: one process dies, all of them die, or the call fails. The gateway knows
nothing of this, and nothing of it is in the package.
"""

import errno
import fcntl
import importlib
import json
import os
import signal
from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn


def _is_turn(counter: str, turn: int) -> bool:
    """Count a call; true for the one that is meant."""
    descriptor = os.open(counter, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        count = int(os.read(descriptor, 20) or b"0") + 1
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, str(count).encode())
        return count == turn
    finally:
        os.close(descriptor)


def _strike(action: str) -> NoReturn:
    if action == "one":
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "all":
        os.killpg(os.getpgid(0), signal.SIGKILL)
    number = {"full": errno.ENOSPC, "broken": errno.EIO}[action]
    raise OSError(number, os.strerror(number))


def _wrapped(method: Callable[..., Any], strike: dict[str, Any]) -> Callable[..., Any]:
    @wraps(method)
    def called(*arguments: Any, **named: Any) -> Any:
        if not _is_turn(strike["counter"], strike["turn"]):
            return method(*arguments, **named)
        if strike["phase"] == "after":
            method(*arguments, **named)
        return _strike(strike["action"])

    return called


if "KARNAK_STRIKE" in os.environ:
    _strike_at = json.loads(os.environ["KARNAK_STRIKE"])
    _owner = getattr(importlib.import_module(_strike_at["module"]), _strike_at["owner"])
    setattr(_owner, _strike_at["method"], _wrapped(getattr(_owner, _strike_at["method"]), _strike_at))
