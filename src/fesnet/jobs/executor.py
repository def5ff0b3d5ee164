"""What every executor promises, and the simplest one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from fesnet.errors import FesnetError, WorkerError

# How libraries in C++ say that memory ran out, who do not raise MemoryError.
OUT_OF_MEMORY_WORDS = (
    "bad_alloc",
    "bad allocation",
    "insufficient memory",
    "failed to allocate memory",
    "cannot allocate memory",
)
# In why a process died: by the system's killer, or in Ray's words.
MEMORY_SIGNS = ("SIGKILL", "memory", "Memory", "Crashed")
OUT_OF_MEMORY_EXIT = (
    77  # a worker without memory ends so: a fresh process may have more, and its own is spoilt
)


@dataclass(frozen=True)
class Resources:
    """What one item needs. cpus, gpus: processors, may be fractions; memory: bytes (Ray keeps them
    free for it).
    """

    cpus: float = 1.0
    gpus: float = 0.0
    memory: int | None = None


ONE_PROCESSOR = Resources()


@dataclass(frozen=True)
class JobOutcome:
    """What became of an item: its function's value, or the error that ended it; tries: how often it
    was begun.
    """

    key: str
    value: Any = None
    error: FesnetError | None = None
    tries: int = 1


class Executor(Protocol):
    """Runs a function over items; a context manager."""

    name: str

    def map(
        self,
        function: Callable[[Any], Any],
        items: Iterable[tuple[str, Any]],
        *,
        retries: int = 1,
        resources: Resources = ONE_PROCESSOR,
    ) -> Iterator[JobOutcome]:
        """The outcome of `function(item)` for each (key, item), as they get done. Leaving the loop
        early is allowed.
        """
        ...

    def close(self) -> None:
        """End the workers."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class ContextCloser:
    """Makes a context manager of what has `close`."""

    def close(self) -> None:
        """Nothing to end."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class SerialExecutor(ContextCloser):
    """One item after another, here: for tests, and where a debugger must see everything. What kills
    it kills us.
    """

    name = "this process"

    def map(
        self,
        function: Callable[[Any], Any],
        items: Iterable[tuple[str, Any]],
        *,
        retries: int = 1,
        resources: Resources = ONE_PROCESSOR,
    ) -> Iterator[JobOutcome]:
        for key, item in items:
            yield run_one(function, key, item)


def run_one(function: Callable[[Any], Any], key: str, item: Any, tries: int = 1) -> JobOutcome:
    """One item; what goes wrong becomes part of the outcome, an error of ours as it is and any
    other in one line.
    """
    try:
        return JobOutcome(key, function(item), tries=tries)
    except FesnetError as error:
        return JobOutcome(key, error=error, tries=tries)
    except Exception as error:  # one item must not end the others, whatever it is
        if is_out_of_memory(error):
            return JobOutcome(
                key,
                error=WorkerError("it ran out of memory; give it more, or fewer workers"),
                tries=tries,
            )
        words = " ".join(str(error).split())[:300]
        said = f"{type(error).__name__}: {words}" if words else type(error).__name__
        return JobOutcome(
            key,
            error=WorkerError(f"it ended in an error that nobody expected ({said})"),
            tries=tries,
        )


def run_in_worker(function: Callable[[Any], Any], key: str, item: Any, tries: int) -> JobOutcome:
    """As `run_one`, in a process that ends where there is no memory left: the item is done again in
    a fresh one.
    """

    def call(value: Any) -> Any:
        try:
            return function(value)
        except Exception as error:
            if is_out_of_memory(error):
                os._exit(OUT_OF_MEMORY_EXIT)
            raise

    return run_one(call, key, item, tries)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there was no memory left."""
    return isinstance(error, MemoryError) or any(
        words in str(error).lower() for words in OUT_OF_MEMORY_WORDS
    )


def worker_died(why: str, tries: int) -> WorkerError:
    """For an item whose process was gone each time."""
    times = "once" if tries == 1 else f"{tries} times"
    # The system kills what takes too much memory; a process that ended by itself had other reasons.
    memory = (
        "; too little memory is the usual reason" if any(w in why for w in MEMORY_SIGNS) else ""
    )
    return WorkerError(f"the process that worked on it died {times} ({why}){memory}")
