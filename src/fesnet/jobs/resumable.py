"""Runs over many items that can be stopped at any moment and started again."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from fesnet._messages import time_left
from fesnet.errors import FesnetError, TargetError, UsageError
from fesnet.jobs.executor import ONE_PROCESSOR, Executor, JobOutcome, Resources

if TYPE_CHECKING:
    from fesnet._types import LogCallback

Jobs = Iterable[tuple[str, Any]]  # key and item


def iterate_outcomes(
    executor: Executor,
    function: Callable[[Any], Any],
    jobs: Jobs,
    *,
    resources: Resources = ONE_PROCESSOR,
    keep_going: bool = False,
) -> Iterator[JobOutcome]:
    """The outcomes of `function(item)` in the order in which they get done.

    Raises the first error. With `keep_going` it raises only what every other item would meet too
    (see `concerns_one_item`), and yields the outcomes of other errors.
    """
    with closing(executor.map(function, jobs, resources=resources)) as outcomes:  # type: ignore[type-var]
        for outcome in outcomes:
            error = outcome.error
            if error is not None and not (keep_going and concerns_one_item(error)):
                raise error
            yield outcome


def concerns_one_item(error: FesnetError) -> bool:
    """Whether other items may do well: not where the call is wrong, or the disk is full."""
    return isinstance(error, TargetError) or not isinstance(error, UsageError)


class ResumableRun(ABC):
    """One run over `total` items. Each outcome is recorded before the next one is taken.

    A subclass names what is left to do, keeps the ledger, and counts.
    """

    def __init__(self, total: int, log: LogCallback) -> None:
        self.total, self.log = total, log
        self.started = time.monotonic()

    def run(self, executor: Executor, function: Callable[[Any], Any], jobs: Jobs) -> None:
        """Run the function over all jobs, record the outcomes and log a line for each.

        Raises UsageError as `iterate_outcomes` does.
        """
        outcomes = iterate_outcomes(executor, function, jobs, keep_going=True)
        for number, outcome in enumerate(outcomes, 1):
            first, *more = self.record(outcome)
            left = self.work_left() if number < self.total else None
            seconds = None if left is None else (time.monotonic() - self.started) * left
            self.log(f"[{number}/{self.total}] {first}{seconds_left(seconds)}")
            for line in more:
                self.log(line)

    @abstractmethod
    def record(self, outcome: JobOutcome) -> list[str]:
        """Write an outcome to the ledger; lines for a person."""

    @abstractmethod
    def work_left(self) -> float | None:
        """The work that is left, as a multiple of the work that is done; None if unknown."""


def seconds_left(seconds: float | None) -> str:
    return "" if seconds is None else f"; {time_left(seconds)}"
