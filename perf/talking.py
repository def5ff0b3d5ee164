"""What spotting costs on a face that talks, where the landmark model seldom rests.

usage: python perf/talking.py [VIDEO] [--rounds 3] [--seconds 60] [--against SRC] [--stages]
       python perf/talking.py --short [--mediapipe PYTHON]

VIDEO (default: the demo's speaker, animated to talk, 640 x 480, 30 fps) is spotted whole; decoding
to RGB and Face Mesh on every frame take turns with it, a second of video each: so a busy machine
troubles all of them alike. Each is a process of its own with one thread; ratios are medians over
rounds, in CPU time. --against: the `src` folder of another
version, which is measured in the same rounds. --stages adds the profile by stage. --mediapipe: an
interpreter with MediaPipe's package, whose Face Mesh then runs in the same rounds. --short: 3 s and
one round, to see that it runs and in what order of size; continuous integration prints it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from loop_videos import talking_video
from run import ONE_THREAD, TASKS, Run, stage_rows

SHORT_SECONDS = 3


TURN = 30  # frames
OTHER = "spot, the other version"


def start_task(task: str, video: Path, python: str, src: Path | None) -> subprocess.Popen[str]:
    """A task that waits for its turns; src: another version's sources."""
    own = {} if src is None else {"PYTHONPATH": str(src)}
    return subprocess.Popen(
        [python, str(TASKS), task, str(video), str(10**9), str(TURN)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | ONE_THREAD | own,
    )


def next_answer(task: subprocess.Popen[str]) -> dict[str, float] | None:
    """Wait until a task has had its turn: what it measured if it has ended, else None."""
    assert task.stdout is not None
    for line in task.stdout:
        if line.startswith("turn"):
            return None
        if line.startswith("{"):
            values: dict[str, float] = json.loads(line)
            return values
    sys.exit(f"{task.args!r} failed")


def take_turn(task: subprocess.Popen[str]) -> dict[str, float] | None:
    """Let a task go on to its next turn; as `next_answer`."""
    assert task.stdin is not None
    task.stdin.write("\n")
    task.stdin.flush()
    return next_answer(task)


def measure_in_turns(
    tasks: list[str], video: Path, mediapipe: str | None, against: Path | None
) -> dict[str, dict[str, float]]:
    """What each task costs, all of them in turns."""
    running = {}
    for task in tasks:
        python = mediapipe if mediapipe and task == "mediapipe" else sys.executable
        src = against if task == OTHER else None
        running[task] = start_task("spot" if task == OTHER else task, video, python, src)
        next_answer(running[task])
    out: dict[str, dict[str, float]] = {}
    while len(out) < len(tasks):
        for task, process in running.items():
            values = None if task in out else take_turn(process)
            if values is not None:
                out[task] = values
    return {task: out[task] for task in tasks}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--stages", action="store_true")
    parser.add_argument("--mediapipe", metavar="PYTHON")
    parser.add_argument("--short", action="store_true")
    given = parser.parse_args()
    if given.short:
        given.rounds, given.seconds = 1, SHORT_SECONDS
    tasks = ["decode", "mesh", *(["mediapipe"] if given.mediapipe else []), "spot"]
    tasks += [] if given.against is None else [OTHER]
    with tempfile.TemporaryDirectory() as folder:
        video = given.video or talking_video(Path(folder) / "talking-30.mp4", given.seconds)
        run = Run(given.mediapipe)
        for _ in range(given.rounds):
            measured = measure_in_turns(tasks, video, given.mediapipe, given.against)
            for task, values in measured.items():
                run.measured.setdefault((task, video.stem), []).append(values)
        print("| on a talking face, one thread | CPU ms a frame | over decoding | peak MB |")
        print("| --- | ---: | ---: | ---: |")
        for task in tasks:
            over, peak = run.ratio(task, "decode", video.stem), run.measured[task, video.stem]
            print(
                f"| {task} | {run.ms(task, video.stem):.2f} | {over:.2f} | "
                f"{max(v['peak_mb'] for v in peak):.0f} |"
            )
        if given.stages:
            print("\n".join(["", *stage_rows(video)]))


if __name__ == "__main__":
    os.environ.update(ONE_THREAD)
    main()
