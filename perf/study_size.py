"""Large studies: other thresholds over 200 stored results, and 100 videos with 20,000 expressions
in the index page and in the list of the review page.

    python perf/study_size.py FOLDER    # a new folder for the results that it makes; about a minute

Prints CPU seconds of this process, in which the server runs, too. Nothing is spotted: scores are
drawn with a fixed seed. Asking the network is an error here.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn

import fesnet.runtime
from fesnet.postprocess import IntervalRules
from fesnet.result import FaceTrack, SourceInfo, Spotting, assemble
from fesnet.review.server import ServerOptions, prepare_server
from fesnet.study.results import find_results
from fesnet.study.rules import change_rules
from fesnet.study.summarize import SummaryOptions, summarize

RATE, FPS = 30.0, 25.0
RULES = IntervalRules(macro_threshold=0.5, micro_threshold=0.5)


def make_result(seed: int, seconds: float, events: int) -> Spotting:
    """A result with about this many expressions."""
    rng = np.random.default_rng(seed)
    steps = np.arange(round(seconds * RATE)) / RATE
    scores = np.full((len(steps), 2), 0.02)
    for k in range(events):
        middle = (k + 0.5) * seconds / events
        kind = int(rng.random() < 0.4)
        near = np.abs(steps - middle) < (0.13 if kind else 0.45)
        scores[near, kind] = rng.uniform(0.55, 0.95)
    name = f"video{seed:03d}.mp4"
    source = SourceInfo(name, None, None, 640, 480, "25", round(seconds * FPS), seconds)
    track = FaceTrack(0, steps, scores, scores.sum(1))
    times = np.arange(round(seconds * FPS)) / FPS
    return assemble(source, (track,), times, RATE, RULES, warnings=(), provenance={})


def fill(folder: Path, videos: int, seconds: float, events: int) -> int:
    """Write results with a study.csv; returns the number of expressions."""
    folder.mkdir(parents=True)
    total = 0
    rows = ["result,participant,condition"]
    for n in range(videos):
        result = make_result(n, seconds, events)
        result.to_json(folder / f"video{n:03d}.json")
        total += len(result.intervals)
        rows.append(f"video{n:03d},P{n // 2:02d},{('calm', 'stress')[n % 2]}")
    (folder / "study.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return total


def timed(does: Callable[[], Any]) -> tuple[Any, float]:
    """(what it returns, CPU seconds)."""
    start = time.process_time()
    return does(), time.process_time() - start


@contextmanager
def serving(folder: Path) -> Iterator[Callable[[str], bytes]]:
    """A review server, and what asks it."""
    served = prepare_server([folder], ServerOptions())
    server = uvicorn.Server(served.config())
    thread = threading.Thread(target=server.run, kwargs={"sockets": [served.handle]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = served.handle.getsockname()[1]
    cookie = ""

    def ask(path: str) -> bytes:
        nonlocal cookie
        line = http.client.HTTPConnection("127.0.0.1", port)
        line.request("GET", path, headers={"cookie": cookie})
        answer = line.getresponse()
        cookie = cookie or (answer.getheader("set-cookie") or "").split(";")[0]
        return answer.read()

    ask(f"/?token={served.app.token}")
    try:
        yield ask
    finally:
        server.should_exit = True
        thread.join(10)
        served.close()


def main(folder: Path) -> None:
    def no_network(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was asked")

    fesnet.runtime.OnnxRuntime.encode = fesnet.runtime.OnnxRuntime.decode = no_network  # type: ignore[method-assign,assignment]
    count = fill(folder / "short", 200, 120.0, 12)
    results = find_results(folder / "short")
    changed, cpu = timed(
        lambda: list(
            change_rules(results, None, lambda r: r.changed({"micro_threshold": 0.7}), "perf")
        )
    )
    fewer = sum(c.before[1] - c.after[1] for c in changed)
    print(
        f"rethreshold: {len(changed)} results of 2 min, {count} expressions, {fewer} micro fewer:"
    )
    print(f"  {cpu:.1f} s of CPU, {1000 * cpu / len(changed):.0f} ms each, network asked 0 times")
    count = fill(folder / "long", 100, 600.0, 200)
    _, cpu = timed(
        lambda: summarize(folder / "long", SummaryOptions(by="condition"), lambda _: None)
    )
    size = (folder / "long" / "index.html").stat().st_size
    print(
        f"summary with index: 100 videos, {count} expressions: {cpu:.1f} s of CPU, page of {size} B"
    )
    with serving(folder / "long") as ask:
        listed, first = timed(lambda: ask("/api/videos"))
        _, again = timed(lambda: [ask("/api/videos") for _ in range(10)])
        state, opened = timed(lambda: ask("/api/videos/video000"))
        shown = len(json.loads(state)["intervals"])
        print(f"review list: {len(json.loads(listed))} videos, {len(listed)} B;")
        print(f"  first {1000 * first:.0f} ms of CPU, then {100 * again:.0f} ms a second")
        print(f"opening a video: {shown} expressions, {1000 * opened:.0f} ms of CPU")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
