"""Strike at a chosen call of the gateway, in any of its processes.

A blow says where: module, class and method, before or after it, at which call (counted over all processes of the
gateway by a file), and what happens: one process dies, all of them die, or the call fails. The gateway knows nothing
of this, and nothing of it is in the package.
"""

import errno
import fcntl
import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn


def lie_in_wait(blow: Mapping[str, Any]) -> None:
    """Put a blow in its place, at once or when its module is imported: a receiver never imports what lanes need."""
    module = sys.modules.get(blow["module"])
    if module is not None:
        _arm(module, blow)
    else:
        sys.meta_path.insert(0, _Armer(blow))


def _arm(module: ModuleType, blow: Mapping[str, Any]) -> None:
    """Wrap a method of a class, a function of the module, or a call of the system that the module makes."""
    owner, name = blow["owner"], blow["method"]
    if owner == "os":
        module.os = SimpleNamespace(**vars(os) | {name: _wrapped(getattr(os, name), blow)})  # type: ignore[attr-defined]
        return
    place = getattr(module, owner) if owner else module
    setattr(place, name, _wrapped(getattr(place, name), blow))


def _wrapped(method: Callable[..., Any], blow: Mapping[str, Any]) -> Callable[..., Any]:
    @wraps(method)
    def called(*arguments: Any, **named: Any) -> Any:
        meant = blow["telling"] is None or blow["telling"] in repr(arguments)
        if not meant or not _is_turn(blow["counter"], blow["turn"]):
            return method(*arguments, **named)
        if blow["phase"] == "after":
            method(*arguments, **named)
        return _fall(blow["action"])

    return called


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


def _fall(action: str) -> NoReturn:
    if action == "one":
        os.kill(os.getpid(), signal.SIGKILL)
    if action == "all":
        os.killpg(os.getpgid(0), signal.SIGKILL)
    number = {"full": errno.ENOSPC, "broken": errno.EIO}[action]
    raise OSError(number, os.strerror(number))


class _Armer(MetaPathFinder):
    def __init__(self, blow: Mapping[str, Any]) -> None:
        self._blow = blow

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._blow["module"]:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        assert spec is not None
        loader: Any = spec.loader
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            _arm(module, self._blow)

        loader.exec_module = exec_module
        return spec
