"""What "what moved", "what else happened" and the interval check cost: CPU ms a frame.

    python perf/observations.py VIDEO [ROUNDS]

Spots the video with timers round each part; prints the median of the rounds as a table, and all of
them together beside the whole of `spot`. CPU time of the one thread, so that other programs disturb
little. Listening to the sound (`--sound`) stands by itself, as it is done only on request.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fesnet import stream
from fesnet.face_pipeline import FacePipeline
from fesnet.observations import FaceObservations
from fesnet.spotter import Spotter
from fesnet.step_record import StepRecorder
from fesnet.video import open_source
from fesnet.voice import find_voice

RATE = 30.0  # steps a second
PARTS: dict[str, tuple[Any, str]] = {
    "keep features of steps, motion head": (StepRecorder, "push"),
    "interpolate what was kept": (StepRecorder, "record"),
    "strengths and flags": (stream, "observe"),
    "interval check": (FacePipeline, "pop_candidates"),
}
AFTER = ("what moved in intervals, blinks", "write observations as JSON")


def timed(function: Callable[..., Any], add: Callable[[float], None]) -> Callable[..., Any]:
    def run(*arguments: Any, **options: Any) -> Any:
        begun = time.thread_time()
        try:
            return function(*arguments, **options)
        finally:
            add(time.thread_time() - begun)

    return run


def measure(video: Path) -> tuple[dict[str, float], float]:
    """ms a frame of each part, and of `spot` with them."""
    spent = dict.fromkeys((*PARTS, *AFTER), 0.0)
    kept = {part: getattr(owner, name) for part, (owner, name) in PARTS.items()}

    def adder(part: str) -> Callable[[float], None]:
        def add(seconds: float) -> None:
            spent[part] += seconds

        return add

    for part, (owner, name) in PARTS.items():
        setattr(owner, name, timed(kept[part], adder(part)))
    try:
        spotter = Spotter()
        begun = time.thread_time()
        result = spotter.spot(video)
        whole = time.thread_time() - begun
    finally:
        for part, (owner, name) in PARTS.items():
            setattr(owner, name, kept[part])
    timed(lambda: ([result.context(i) for i in result], result.blinks), adder(AFTER[0]))()
    timed(lambda: [FaceObservations.to_dict(o) for o in result.observations], adder(AFTER[1]))()
    frames = len(result.frame_times)
    whole += spent[AFTER[0]] + spent[AFTER[1]]
    return {part: 1000 * s / frames for part, s in spent.items()}, 1000 * whole / frames


def measure_sound(video: Path, frames: int, steps: int) -> float:
    """ms a frame of listening to the sound, 0 where there is none."""
    begun = time.thread_time()
    find_voice(video, steps, RATE)
    return 1000 * (time.thread_time() - begun) / frames


def main() -> None:
    video = Path(sys.argv[1])
    rounds = [measure(video) for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 5)]
    print("| part | CPU ms a frame |\n| --- | ---: |")
    for part in rounds[0][0]:
        print(f"| {part} | {statistics.median(r[0][part] for r in rounds):.4f} |")
    print(f"| all of these | {statistics.median(sum(r[0].values()) for r in rounds):.3f} |")
    print(f"| `spot` with them | {statistics.median(r[1] for r in rounds):.3f} |")
    with open_source(video) as source:
        times = [frame.time for frame in source]
    heard = [measure_sound(video, len(times), round(times[-1] * RATE)) for _ in rounds]
    print(f"| `--sound`, on request | {statistics.median(heard):.3f} |")


if __name__ == "__main__":
    main()
