"""Every executor keeps the same promises; workers are killed on purpose."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import psutil
import pytest

import job_functions as work
from fesnet.errors import MissingExtraError, UsageError
from fesnet.jobs import Executor, JobOutcome, ProcessPool, Resources, SerialExecutor, make_executor
from fesnet.jobs.ray import RayExecutor


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPool]:
    with ProcessPool(2) as executor:
        yield executor


@pytest.fixture(scope="module", params=["in-process", "pool", "ray"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    if request.param == "ray":
        yield request.getfixturevalue("ray_executor")
    else:
        with make_executor(2 if request.param == "pool" else 0) as made:
            yield made


def by_key(outcomes: Iterator[JobOutcome]) -> dict[str, JobOutcome]:
    every = list(outcomes)
    found = {o.key: o for o in every}
    assert len(found) == len(every), "a key came twice"
    return found


def test_each_item_once(executor: Executor) -> None:
    found = by_key(executor.map(work.square, ((str(n), n) for n in range(20))))
    assert {int(key): o.value for key, o in found.items()} == {n: n * n for n in range(20)}
    assert list(executor.map(work.square, [])) == []


def test_errors_end_their_item_alone(executor: Executor) -> None:
    found = by_key(executor.map(work.fail, ((str(n), n) for n in range(4))))
    assert [found[k].value for k in "03"] == [0, 3]
    assert str(found["1"].error) == "expected a video, got a brick"
    assert "an error that nobody expected (KeyError" in str(found["2"].error)
    assert "\n" not in str(found["2"].error)
    assert found["2"].tries == 1


def test_items_are_taken_when_there_is_room(executor: Executor) -> None:
    taken = []

    def endless() -> Iterator[tuple[str, int]]:
        for n in count():
            taken.append(n)
            yield str(n), n

    assert len(list(islice(executor.map(work.square, endless()), 3))) == 3
    assert len(taken) < 12
    assert (
        len(list(executor.map(work.square, [("a", 1)]))) == 1
    )  # and it works on after a loop was left


def killed_executors() -> list[str]:
    return ["pool", "ray_executor"]


@pytest.mark.parametrize("name", killed_executors())
def test_killed_once_is_done_again(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    executor = request.getfixturevalue(name)
    items = [(str(n), str(tmp_path / str(n))) for n in range(4)]
    found = by_key(executor.map(work.die_first, items))
    assert {k: o.value for k, o in found.items()} == dict(items)
    assert {o.tries for o in found.values()} == {2}


@pytest.mark.parametrize("name", killed_executors())
def test_killed_each_time_is_reported_and_the_others_go_on(
    name: str, request: pytest.FixtureRequest
) -> None:
    executor = request.getfixturevalue(name)
    found = by_key(executor.map(work.die, ((str(n), n) for n in range(4)), retries=1))
    assert [found[k].value for k in "02"] == [0, 2]
    for key in "13":
        assert found[key].tries == 2
        assert "the process that worked on it died 2 times" in str(found[key].error)


@pytest.mark.parametrize("name", killed_executors())
def test_without_memory_it_is_tried_in_a_fresh_process(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    executor = request.getfixturevalue(name)
    (outcome,) = executor.map(work.no_memory_first, [("a", str(tmp_path / "a"))])
    assert (outcome.value, outcome.tries) == (str(tmp_path / "a"), 2)


def test_why_a_worker_died_is_told(pool: ProcessPool, tmp_path: Path) -> None:
    (outcome,) = pool.map(work.die, [("a", 1)], retries=0)
    assert "died once (killed by SIGKILL)" in str(outcome.error)
    (outcome,) = pool.map(work.no_memory_first, [("a", str(tmp_path / "a"))], retries=0)
    assert "it had no memory left" in str(outcome.error)


def test_a_worker_that_was_killed_while_idle_is_replaced(pool: ProcessPool) -> None:
    list(pool.map(work.square, [("a", 1), ("b", 2)]))
    for worker in pool.workers:
        worker.process.kill()
        worker.process.join()
    found = by_key(pool.map(work.square, [("a", 1), ("b", 2), ("c", 3)]))
    assert {k: o.value for k, o in found.items()} == {"a": 1, "b": 4, "c": 9}


def test_resources_limit_what_runs_at_once(pool: ProcessPool) -> None:
    assert len({o.value for o in pool.map(work.process, [(str(n), n) for n in range(6)])}) == 2
    alone = pool.map(work.process, [(str(n), n) for n in range(4)], resources=Resources(cpus=2))
    assert len({o.value for o in alone}) == 1


ORPHANS = """
import sys, job_functions
from fesnet.jobs import ProcessPool
if __name__ == "__main__":
    with ProcessPool(2) as pool:
        for outcome in pool.map(job_functions.process, ((str(n), n) for n in range(10**6))):
            print(outcome.value, flush=True)
"""


def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(ORPHANS)
    paths = os.pathsep.join([str(Path(work.__file__).parent), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": paths}
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "main.py"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert parent.stdout is not None
    workers = {int(parent.stdout.readline()) for _ in range(6)}
    parent.kill()
    parent.wait()
    until = time.monotonic() + 120
    while any(psutil.pid_exists(w) for w in workers) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [w for w in workers if psutil.pid_exists(w)]
    parent.stdout.close()


UNGUARDED = {
    "engine": """
with make_executor(2) as executor:
    list(executor.map(job_functions.square, [("a", 1), ("b", 2)]))
""",
    "batch": """
with make_executor(2) as executor, Ledger(Path("run.jsonl")):
    list(executor.map(job_functions.square, [("a", 1), ("b", 2)]))
""",
    "command line": """
def call(prog_name, standalone_mode):
    with make_executor(2) as executor, Ledger(Path("run.jsonl")):
        list(executor.map(job_functions.square, [("a", 1), ("b", 2)]))
base.app = call
print("called", flush=True)
base.main()
""",
}


@pytest.mark.parametrize("kind", UNGUARDED)
def test_a_script_without_a_main_guard_is_told_once(kind: str, tmp_path: Path) -> None:
    """Each worker reads the script of its parent again: it must neither start workers of its own
    nor report that its parent's run is going on.
    """
    imports = (
        "import job_functions\nfrom pathlib import Path\nfrom fesnet.cli import base\n"
        "from fesnet.jobs import make_executor\nfrom fesnet.jobs.ledger import Ledger\n"
    )
    (tmp_path / "main.py").write_text(imports + UNGUARDED[kind])
    paths = os.pathsep.join([str(Path(work.__file__).parent), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "main.py"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
        cwd=tmp_path,
        timeout=120,
    )
    assert done.returncode == (2 if kind == "command line" else 1)
    assert done.stderr.count("Error:") == (kind != "command line")  # the parent's, in a script
    (told,) = [line for line in done.stderr.splitlines() if "expected" in line]
    assert "below a line `if __name__ == '__main__':`" in told


def test_wrong_calls() -> None:
    with pytest.raises(UsageError, match="expected 1 worker or more, got -1"):
        make_executor(-1)
    assert isinstance(make_executor(0), SerialExecutor)


def test_without_ray_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"run pip install .*ray.* \(extra cluster\)"):
        make_executor(1, "local")


def test_ray_is_told_to_send_nothing_before_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    seen = []

    def find(name: str) -> Any:
        seen.append((name, os.environ.get("RAY_USAGE_STATS_ENABLED")))
        raise ImportError

    monkeypatch.setattr("fesnet.jobs.ray.import_module", find)
    with pytest.raises(MissingExtraError):
        RayExecutor("local")
    assert seen == [("ray", "0")]
