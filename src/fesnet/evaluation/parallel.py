"""The slow parts of a benchmark on an executor. The first error ends it; a next call goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fesnet._types import CountCallback
from fesnet.errors import UsageError
from fesnet.jobs import Executor, Resources
from fesnet.jobs.resumable import iterate_outcomes

# Of a fold run, a video, a count of thresholds: each computes on one thread, so that its bytes are
# the same everywhere.
ONE_THREAD = Resources(cpus=1.0)


def run_parallel(
    executor: Executor,
    function: Callable[[Any], Any],
    items: Sequence[tuple[str, Any]],
    progress: CountCallback = lambda *_: None,
) -> dict[str, Any]:
    """The function's values by key, in the order of `items`. Raises the first error of an item."""
    values: dict[str, Any] = {}
    if not items:
        return values  # no workers are started for nothing
    for outcome in iterate_outcomes(executor, function, iter(items), resources=ONE_THREAD):
        values[outcome.key] = outcome.value
        progress(len(values), len(items))
    return {key: values[key] for key, _ in items}


def make_missing(
    executor: Executor,
    function: Callable[[Any], Any],
    work: Mapping[str, tuple[Any, Path]],
    progress: CountCallback,
) -> None:
    """Run the function over the items, by key, whose file is missing. It must write that file.

    Raises the first error of an item, and UsageError where a file is not there afterwards.
    """
    missing = [(key, item) for key, (item, file) in work.items() if not file.is_file()]
    kept = len(work) - len(missing)
    progress(kept, len(work))
    run_parallel(executor, function, missing, lambda n, _: progress(kept + n, len(work)))
    require_shared_files(file for _, file in work.values())


def require_shared_files(files: Iterable[Path]) -> None:
    """Raises UsageError where workers wrote files that this machine does not see."""
    for file in files:
        if not file.is_file():
            raise UsageError(
                f"expected {file.name} of a worker in {file.parent}, but it is not there; "
                "name an --out that all machines of the cluster share"
            )
