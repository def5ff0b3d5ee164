"""One function over many items, on whatever computes: this process, processes of this machine, a
Ray cluster.

    with make_engine(jobs=4) as engine:
        for outcome in engine.map(function, [("video-1", item), ...]):
            print(outcome.key, outcome.value if outcome.error is None else outcome.error)

All engines keep the same promises. Outcomes come in the order in which they get done, one for each
key. An item whose process dies (killed, out of memory) is done again, `retries` times, then
reported by a `WorkerError`; an item whose function raises is reported by that error and not tried
again. Items are taken from the iterator only when there is room, so a long list needs no memory.
The function and its items must be picklable, and the function must not mind being run twice for an
item: what it writes it writes whole (`fesnet._io`).
"""

from __future__ import annotations

from fesnet.jobs.base import Engine, InProcess, Outcome, Resources, out_of_memory, run_one
from fesnet.jobs.pool import LocalPool

__all__ = [
    "Engine",
    "InProcess",
    "LocalPool",
    "Outcome",
    "Resources",
    "make_engine",
    "out_of_memory",
    "run_one",
]


def make_engine(jobs: int = 1, ray: str | None = None) -> Engine:
    """jobs: worker processes; 0: none, all happens in this process. ray: the address of a cluster,
    "auto" for the one of this machine, or "local" for one that is started here with `jobs`
    processors; a cluster gives all it has.

    Raises UsageError, and MissingExtraError where Ray is not installed.
    """
    if ray is not None:
        from fesnet.jobs.cluster import RayEngine

        return RayEngine(ray, jobs)
    return LocalPool(jobs) if jobs else InProcess()
