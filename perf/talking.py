"""What spotting costs on a face that talks, where the landmark model seldom rests.

usage: python perf/talking.py [VIDEO] [--rounds 3] [--seconds 60] [--against SRC] [--stages]
       python perf/talking.py --short [--mediapipe PYTHON]

VIDEO (default: the demo's speaker, animated to talk, 640 x 480, 30 fps) is spotted whole; decoding
to RGB and Face Mesh on every frame take turns with it. Each measurement is a process of its own
with one thread; ratios are medians over rounds, in CPU time. --against: the `src` folder of another
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
from statistics import median

from loop_videos import talking_video
from run import ONE_THREAD, TASKS, Run, stage_rows

SHORT_SECONDS = 3


class OtherVersion(Run):
    """Measures with another version's sources."""

    def __init__(self, src: Path) -> None:
        super().__init__(None)
        self.src = src

    def measure(self, task: str, video: Path, most: int = 10**9) -> dict[str, float]:
        done = subprocess.run(
            [sys.executable, str(TASKS), task, str(video), str(most)],
            capture_output=True,
            text=True,
            env=os.environ | ONE_THREAD | {"PYTHONPATH": str(self.src)},
            check=True,
        )
        values: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        self.measured.setdefault((task, video.stem), []).append(values)
        return values


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
    with tempfile.TemporaryDirectory() as folder:
        video = given.video or talking_video(Path(folder) / "talking-30.mp4", given.seconds)
        run = Run(given.mediapipe)
        other = None if given.against is None else OtherVersion(given.against)
        for _ in range(given.rounds):
            for task in tasks:
                run.measure(task, video)
            if other is not None:
                other.measure("spot", video)
        print("| on a talking face, one thread | CPU ms a frame | over decoding | peak MB |")
        print("| --- | ---: | ---: | ---: |")
        for task in tasks:
            over, peak = run.ratio(task, "decode", video.stem), run.measured[task, video.stem]
            print(
                f"| {task} | {run.ms(task, video.stem):.2f} | {over:.2f} | "
                f"{max(v['peak_mb'] for v in peak):.0f} |"
            )
        if other is not None:
            pairs = zip(
                other.rounds_ms("spot", video.stem),
                run.rounds_ms("decode", video.stem),
                strict=True,
            )
            print(
                f"| spot, the other version | {other.ms('spot', video.stem):.2f} | "
                f"{median(a / b for a, b in pairs):.2f} | "
                f"{max(v['peak_mb'] for v in other.measured['spot', video.stem]):.0f} |"
            )
        if given.stages:
            print("\n".join(["", *stage_rows(video)]))


if __name__ == "__main__":
    os.environ.update(ONE_THREAD)
    main()
