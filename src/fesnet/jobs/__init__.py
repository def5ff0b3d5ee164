"""One function over many items: in this process, in processes of this machine, on a Ray cluster.

    with make_executor(jobs=4) as executor:
        for outcome in executor.map(function, [("video-1", item), ...]):
            print(outcome.key, outcome.value if outcome.error is None else outcome.error)

All executors keep the same promises:

- Outcomes come in the order in which they get done, one for each key.
- An item whose process dies (killed, out of memory) is done again, `retries` times. Then its
  outcome is a `WorkerError`.
- An item whose function raises is not tried again; its outcome is that error.
- Items are taken from the iterator only when there is room, so a long list needs no memory.

The function and its items must be picklable. The function may run twice for an item, so it writes
its files atomically (`fesnet._io`). Runs that can be started again: `fesnet.jobs.resumable`.
"""

from __future__ import annotations

from fesnet.jobs.executor import (
    Executor,
    JobOutcome,
    Resources,
    SerialExecutor,
    is_out_of_memory,
    run_one,
)
from fesnet.jobs.pool import ProcessPool

__all__ = [
    "Executor",
    "JobOutcome",
    "ProcessPool",
    "Resources",
    "SerialExecutor",
    "is_out_of_memory",
    "make_executor",
    "run_one",
]


def make_executor(jobs: int = 1, ray: str | None = None) -> Executor:
    """jobs: worker processes; 0: none, all happens in this process. ray: the address of a cluster,
    "auto" for the one of this machine, or "local" for one that is started here with `jobs`
    processors; a cluster gives all it has.

    Raises UsageError, and MissingExtraError where Ray is not installed.
    """
    if ray is not None:
        from fesnet.jobs.ray import RayExecutor

        return RayExecutor(ray, jobs)
    return ProcessPool(jobs) if jobs else SerialExecutor()
