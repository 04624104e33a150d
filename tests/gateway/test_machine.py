"""What a gateway's threads are to the system, and what its garbage collector looks through."""

import os
import queue
import subprocess
import sys
from pathlib import Path

from karnak.gateway.machine import in_thread
from tests.system.programs import environment, free_port, node


def test_who_takes_steps_goes_behind_who_answers_senders() -> None:
    policies: queue.SimpleQueue[int] = queue.SimpleQueue()

    def step(*, wait: bool) -> bool:
        policies.put(os.sched_getscheduler(0))
        return wait and policies.qsize() < 2

    worker = in_thread("steps", step)
    worker.join(10)
    assert [policies.get(timeout=10), policies.get(timeout=10)] == [os.SCHED_BATCH, os.SCHED_BATCH]
    # It is the thread's alone: processes that others start answer as fast as ever.
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_the_garbage_collector_looks_through_what_comes_and_goes_only(tmp_path: Path) -> None:
    port = free_port()
    nodes = node("name: disk, type: folder, path: out, mode: none")
    (tmp_path / "gateway.yml").write_text(
        f"listen: {{ port: {port} }}\ndata_dir: data\napi: {{ port: 0 }}\nforward_nodes:\n{nodes}"
    )
    # `karnak serve` as it is, in a process that ends itself as soon as it greets, and then counts.
    program = """
import gc, os, signal, sys
import karnak.cli.serve as program
greet = program._greet
def greet_and_end(plan, port):
    greet(plan, port)
    os.kill(os.getpid(), signal.SIGTERM)
program._greet = greet_and_end
program.serve(["--config", "gateway.yml"], standalone_mode=False)
print(gc.get_freeze_count(), len(gc.get_objects()))
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=True, cwd=tmp_path, env=environment()
    )
    spared, looked_through = map(int, done.stdout.splitlines()[-1].split())
    assert looked_through < spared / 10
