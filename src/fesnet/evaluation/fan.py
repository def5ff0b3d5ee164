"""The slow parts of a benchmark on an engine: the first error ends it, and what is there is not
made again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from fesnet._types import CountCallback
from fesnet.errors import UsageError
from fesnet.jobs import Engine, Resources

TASK = Resources(
    cpus=1.0
)  # of a fold, a video, a tally: each computes on one thread, so that its bytes are the same


def fan_out(
    engine: Engine,
    function: Callable[[Any], Any],
    items: Sequence[tuple[str, Any]],
    told: CountCallback = lambda *_: None,
) -> dict[str, Any]:
    """The function's values by key, in the order of `items`. told: (done, all). Raises an item's
    error.
    """
    values: dict[str, Any] = {}
    if not items:
        return values  # no workers are started for nothing
    with closing(engine.map(function, iter(items), resources=TASK)) as outcomes:  # type: ignore[type-var]
        for outcome in outcomes:
            if outcome.error is not None:
                raise outcome.error
            values[outcome.key] = outcome.value
            told(len(values), len(items))
    return {key: values[key] for key, _ in items}


def seen_here(files: Iterable[Path]) -> None:
    """Raises UsageError where workers wrote files that this machine does not see."""
    for file in files:
        if not file.is_file():
            raise UsageError(
                f"expected {file.name} of a worker in {file.parent}, but it is not there; "
                "name an --out that all machines of the cluster share"
            )
