"""A Ray cluster (extra `cluster`). Ray places the work; who does what again is decided here, as in
the local pool.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Any

from fesnet._messages import get_extra
from fesnet.errors import MissingExtraError, UsageError
from fesnet.jobs.executor import (
    ONE_PROCESSOR,
    ContextCloser,
    JobOutcome,
    Resources,
    run_in_worker,
    worker_died,
)

# items in flight for each that the cluster can run at once: nobody waits, and little is lost by a
# stop
AHEAD = 2


class RayExecutor(ContextCloser):
    """A cluster at `address` ("auto": the one of this machine), or with "local" one started here of
    `jobs` processors.

    Every machine needs fesnet, and the paths in the items (videos, weights, results): a shared file
    system. Nodes may come and go. Ray's usage statistics and dashboard are off.
    """

    def __init__(self, address: str, jobs: int = 1) -> None:
        os.environ["RAY_USAGE_STATS_ENABLED"] = (
            "0"  # nothing is reported to anybody; read when Ray starts
        )
        try:
            self.ray: Any = import_module("ray")
        except ImportError as error:
            raise MissingExtraError(
                f"expected Ray for --ray, but it is not installed; {get_extra('cluster')}"
            ) from error
        ray = self.ray
        self.ours = not ray.is_initialized()
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if self.ours and address == "local":
            ray.init(address="local", num_cpus=max(jobs, 1), include_dashboard=False, **quiet)
        elif self.ours:
            try:
                ray.init(address=address, **quiet)
            except (ConnectionError, ValueError, RuntimeError, OSError) as error:
                said = " ".join(str(error).split())[:200]
                raise UsageError(
                    f"expected a Ray cluster at {address}, got none ({said}); start one or use "
                    "local"
                ) from error
        self.name = f"Ray, {ray.cluster_resources().get('CPU', 0):g} processors"

    def map(
        self,
        function: Callable[[Any], Any],
        items: Iterable[tuple[str, Any]],
        *,
        retries: int = 1,
        resources: Resources = ONE_PROCESSOR,
    ) -> Iterator[JobOutcome]:
        """As `Executor.map`; all resources are stated to Ray."""
        left, again = iter(items), deque[tuple[str, Any, int]]()
        task = self.task(resources)
        shared = self.ray.put(function)
        flying: dict[Any, tuple[str, Any, int]] = {}
        try:
            while True:
                while len(flying) < self.room(resources):
                    work = again.popleft() if again else first_attempt(left)
                    if work is None:
                        break
                    flying[task.remote(shared, *work)] = work
                if not flying:
                    return
                done, _ = self.ray.wait(list(flying), num_returns=1)
                outcome = self.collect(done[0], *(work := flying.pop(done[0])), retries)
                if outcome is None:
                    again.append((work[0], work[1], work[2] + 1))
                else:
                    yield outcome
        finally:
            for reference in flying:
                self.ray.cancel(reference, force=True)

    def task(self, resources: Resources) -> Any:
        # Ray itself must do nothing again: it would not tell us, and would go on for ever where
        # memory runs out.
        stated: dict[str, Any] = {
            "num_cpus": resources.cpus,
            "num_gpus": resources.gpus,
            "max_retries": 0,
        }
        if resources.memory is not None:
            stated["memory"] = resources.memory
        return self.ray.remote(**stated)(run_in_worker)

    def room(self, resources: Resources) -> int:
        """How many items may be in flight; asked again each time, as nodes come and go."""
        cpus = self.ray.cluster_resources().get("CPU", 0.0)
        return max(1, AHEAD * int(cpus / max(resources.cpus, 1e-9)))

    def collect(
        self, reference: Any, key: str, item: Any, tries: int, retries: int
    ) -> JobOutcome | None:
        """The answer; None if its process or node died and the item is to be done again."""
        try:
            outcome: JobOutcome = self.ray.get(reference)
        except self.ray.exceptions.RayError as error:
            if tries <= retries:
                return None
            return JobOutcome(key, error=worker_died(type(error).__name__, tries), tries=tries)
        return outcome

    def close(self) -> None:
        if self.ours:
            self.ray.shutdown()


def first_attempt(left: Iterator[tuple[str, Any]]) -> tuple[str, Any, int] | None:
    """The next item, begun for the first time."""
    following = next(left, None)
    return None if following is None else (*following, 1)
