"""Start `karnak serve` a thousand times without loading it a thousand times.

A process loads the program once and is then forked for each start; what is started is what the command line starts,
with receivers of its own, in a process group of its own.
"""

import json
import multiprocessing
import os
import sys
from collections.abc import Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path


def start(folder: Path, more: Mapping[str, str]) -> ForkServerProcess:
    """Start a gateway in the folder of its configuration, with more settings in its environment."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.crash.loaded"])
    process = context.Process(target=_serve, args=(str(folder), dict(more)))
    process.start()
    return process


def _serve(folder: str, more: Mapping[str, str]) -> None:
    os.setsid()
    os.chdir(folder)
    os.environ.update(more)
    log = os.open("karnak.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    from karnak.cli.app import main
    from tests.crash.blow import lie_in_wait

    if "KARNAK_STRIKE" in more:
        lie_in_wait(json.loads(more["KARNAK_STRIKE"]))
    sys.argv = ["karnak", "serve", "--config", "gateway.yml"]
    main()
