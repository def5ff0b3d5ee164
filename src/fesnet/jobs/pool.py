"""Processes of this machine, each with a pipe of its own.

The standard library's process pool gives everything up when one of its processes is killed, and
cannot say which item it was at; this one loses nothing but that process's time. No lock or queue is
shared between workers, so a kill at any moment can damage only the pipe of the one that was killed.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from multiprocessing import current_process, get_context, parent_process
from multiprocessing.connection import Connection, wait
from typing import Any

from fesnet._io import WORKER_VARIABLE
from fesnet.errors import UsageError, WorkerError
from fesnet.jobs.executor import (
    ONE_PROCESSOR,
    OUT_OF_MEMORY_EXIT,
    ContextCloser,
    JobOutcome,
    Resources,
    run_in_worker,
    worker_died,
)

CONTEXT = get_context(
    "spawn"
)  # a fork would inherit threads and locks of this process and could hang


NO_GUARD_EXIT = 78
NO_GUARD = (
    "expected the calls that start workers below a line `if __name__ == '__main__':`, got them "
    "outside of it; each worker reads the script again, so put them there"
)


def exit_if_unguarded() -> None:
    """End a worker that reads the script of its parent, to know its functions, and has come to
    calls that are the parent's own. No message of Python's, as the parent says what to do.
    """
    if getattr(current_process(), "_inheriting", False):
        os._exit(NO_GUARD_EXIT)


class ProcessPool(ContextCloser):
    """`workers` processes, started when they are first needed."""

    def __init__(self, workers: int) -> None:
        if workers < 1:
            raise UsageError(f"expected 1 worker or more, got {workers}")
        self.name = f"{workers} process{'es' if workers > 1 else ''}"
        self.size = workers
        self.workers: list[WorkerProcess] = []

    def map(
        self,
        function: Callable[[Any], Any],
        items: Iterable[tuple[str, Any]],
        *,
        retries: int = 1,
        resources: Resources = ONE_PROCESSOR,
    ) -> Iterator[JobOutcome]:
        """As `Executor.map`. Of the resources, `cpus` lowers how many run at once; nothing else is
        held back here.
        """
        left, again = iter(items), deque[Attempt]()
        room = max(1, int(self.size / max(resources.cpus, 1e-9)))
        room = min(room, self.size)
        self.stop_workers(self.workers[room:])
        try:
            while True:
                self.assign(function, left, again, room)
                busy = [w for w in self.workers if w.work]
                if not busy:
                    return
                for worker in wait_for_any(busy):
                    outcome = worker.collect(retries)
                    if outcome is not None:
                        yield outcome
                    elif worker.work:
                        again.append(worker.work)
                        worker.work = None
        finally:
            self.stop_workers([w for w in self.workers if w.work])  # the loop was left early

    def assign(
        self,
        function: Callable[[Any], Any],
        left: Iterator[tuple[str, Any]],
        again: deque[Attempt],
        room: int,
    ) -> None:
        """Give every idle worker an item, those to be done again first. A worker is started only
        for an item that is there.
        """
        idle = [w for w in self.workers if not w.work]
        while idle or len(self.workers) < room:
            work = again.popleft() if again else unstarted_item(left)
            if work is None:
                return
            if idle:
                worker = idle.pop(0)
            else:
                worker = WorkerProcess()
                self.workers.append(worker)
            key, item, tries = work
            worker.begin(function, (key, item, tries + 1))

    def stop_workers(self, workers: list[WorkerProcess]) -> None:
        for worker in workers:
            worker.end()
        self.workers = [w for w in self.workers if w not in workers]

    def close(self) -> None:
        self.stop_workers(list(self.workers))


Attempt = tuple[str, Any, int]  # key, item, how often it was begun


def unstarted_item(left: Iterator[tuple[str, Any]]) -> Attempt | None:
    """The next item, not begun yet."""
    following = next(left, None)
    return None if following is None else (*following, 0)


def wait_for_any(busy: list[WorkerProcess]) -> list[WorkerProcess]:
    """Wait until a worker has answered or died; those that did."""
    ready = wait([w.pipe for w in busy] + [w.process.sentinel for w in busy])
    return [w for w in busy if w.pipe in ready or w.process.sentinel in ready]


class WorkerProcess:
    """One process and this end of its pipe; a new process takes the place of one that died."""

    def __init__(self) -> None:
        self.work: Attempt | None = None
        self.start()

    def start(self) -> None:
        exit_if_unguarded()
        self.pipe, theirs = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=serve_pipe, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()

    def begin(self, function: Callable[[Any], Any], work: Attempt) -> None:
        """Send an item, to a fresh process if the last one has gone while it was idle."""
        self.work = work
        try:
            self.pipe.send((function, work))
        except OSError:
            self.end()
            self.start()
            self.pipe.send((function, work))

    def collect(self, retries: int) -> JobOutcome | None:
        """The answer; None if the process died and its item is to be done again. Raises UsageError
        where no worker will ever come to work.
        """
        assert self.work is not None
        key, _, tries = self.work
        try:
            outcome: JobOutcome = replace(self.pipe.recv(), key=key, tries=tries)
        except (EOFError, OSError):
            self.process.join()
            if self.process.exitcode == NO_GUARD_EXIT:
                raise UsageError(NO_GUARD) from None
            why = exit_reason(self.process.exitcode)
            self.end()
            self.start()
            if tries <= retries:
                return None
            outcome = JobOutcome(key, error=worker_died(why, tries), tries=tries)
        self.work = None
        return outcome

    def end(self) -> None:
        """Kill the process if it lives, and give its pipe back."""
        self.process.kill()
        self.process.join()
        self.process.close()
        self.pipe.close()


def exit_reason(code: int | None) -> str:
    """Why a process ended, from its exit code."""
    if code == OUT_OF_MEMORY_EXIT:
        return "it had no memory left"
    if code is not None and code < 0:
        names = {s.value: s.name for s in signal.Signals}
        return f"killed by {names.get(-code, f'signal {-code}')}"
    return f"exit code {code}"


def helper_died() -> WorkerError:
    """Of a process that helps a training, whose exit code nobody tells."""
    return WorkerError(
        "a process that makes windows died; too little memory is the usual reason. In a script, "
        "what starts it must stand below `if __name__ == '__main__':`"
    )


def unknown_function(error: Exception) -> WorkerError:
    """Of work that a worker cannot read: most often a function of a notebook or of `python -c`."""
    words = " ".join(str(error).split())[:200]
    return WorkerError(
        f"a worker does not know the function it should run ({words}); define it in a file of its "
        "own and import it from there"
    )


def serve_pipe(pipe: Connection) -> None:
    """A worker's life: take an item, answer, until the pipe closes or the parent is gone."""
    # One thread each: workers that all start a thread for every core stand in each other's way.
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    os.environ[WORKER_VARIABLE] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    threading.Thread(target=exit_with_parent, daemon=True).start()
    while True:
        try:
            function, (key, item, tries) = pipe.recv()
        except (EOFError, OSError):
            return
        except Exception as error:  # what was sent cannot be read here
            pipe.send(JobOutcome("", error=unknown_function(error)))
            continue
        pipe.send(run_in_worker(function, key, item, tries))


def exit_with_parent() -> None:
    """A parent that was killed cannot end its workers; they must not go on for nobody."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
