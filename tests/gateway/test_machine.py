"""What a gateway's threads are to the system."""

import os
import queue

from karnak.gateway.machine import in_thread


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
