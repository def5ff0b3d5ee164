"""What spotting costs, as ratios of one run, against decoding and against what a user might take
instead.

usage: python perf/run.py [VIDEO] [--quick] [--minutes 1 5 20 60] [--out FOLDER] [--docs
docs/performance.md]
                                [--mediapipe PYTHON]

VIDEO (default: the demo's video) is looped to the sizes, rates and lengths that are
measured. Each measurement runs in a process of its own with one thread; measurements take turns,
and ratios are medians over rounds, in CPU time, which a busy machine disturbs less than the wall's.
--mediapipe names an interpreter with MediaPipe's package, PyAV and OpenCV's contrib modules
(TV-L1): they cannot be installed beside fesnet. Writes performance.md and performance.json.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from cached_windows import naive_ratio
from loop_videos import first_frames, loop_frames, repeat_video
from lower_bounds import copy_rate, matrix_rate, multiplications

SIZES = ((640, 480), (1280, 720), (1920, 1080))
RATES = (25, 60, 200)  # and 30, at every size
FLOWS = ("farneback-128", "dis-128", "farneback-256", "dis-256")
SLOW = {
    "tvl1-128": 60,
    "farneback-256": 200,
    "dis-256": 300,
}  # frames of methods that would take the whole time
MARK = "<!-- measured: perf/run.py writes what follows -->"
TASKS = Path(__file__).with_name("tasks.py")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass
class Run:
    """Everything measured so far, by (task, video)."""

    python: str | None
    measured: dict[tuple[str, str], list[dict[str, float]]] = field(default_factory=dict)

    def measure(self, task: str, video: Path, most: int = 10**9) -> dict[str, float]:
        elsewhere = task in ("mediapipe",) or task.startswith("tvl1")
        python = self.python if elsewhere and self.python else sys.executable
        command = [python, str(TASKS), task, str(video), str(SLOW.get(task, most))]
        done = subprocess.run(
            command, capture_output=True, text=True, env=os.environ | ONE_THREAD, check=False
        )
        if done.returncode:
            sys.exit(f"{task} on {video.name} failed:\n{done.stderr}")
        values: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        self.measured.setdefault((task, video.stem), []).append(values)
        return values

    def rounds_ms(self, task: str, video: str, what: str = "cpu") -> list[float]:
        """ms a frame, of each round."""
        return [1e3 * v[what] / v["frames"] for v in self.measured[task, video]]

    def ms(self, task: str, video: str, what: str = "cpu") -> float:
        return median(self.rounds_ms(task, video, what))

    def ratio(self, task: str, other: str, video: str) -> float:
        """Median over rounds of what `task` costs over what `other` does."""
        return median(
            a / b
            for a, b in zip(self.rounds_ms(task, video), self.rounds_ms(other, video), strict=True)
        )


def task_rows(run: Run, video: Path, rounds: int) -> list[str]:
    """Tasks on one video, taking turns; rows of the table."""
    names = ["decode", "spot", "stream", "mesh", *FLOWS]
    names += ["torch"] if has_torch() else []
    names += ["mediapipe", "tvl1-128"] if run.python else []
    for _ in range(rounds):
        for name in names:
            run.measure(name, video)
    rows = [
        "| on the same 640x480 file at 30 fps, one thread | CPU ms a frame | over decoding | "
        "over spot |"
    ]
    rows.append("| --- | ---: | ---: | ---: |")
    for name in names:
        over = [run.ratio(name, base, video.stem) for base in ("decode", "spot")]
        rows.append(
            f"| {LABELS[name]} | {run.ms(name, video.stem):.2f} | {over[0]:.2f} | {over[1]:.2f} |"
        )
    return rows


LABELS = {
    "decode": "decoding to RGB, nothing else",
    "spot": "**`spot`**, decoding included",
    "stream": "the same, frames pushed one by one",
    "torch": "`spot --runtime torch`",
    "mesh": "Face Mesh on every frame (our ONNX conversion), with decoding",
    "mediapipe": "Face Mesh on every frame (MediaPipe's package 0.10.21), with decoding",
    "farneback-128": "Farneback flow, 128x128, with decoding",
    "dis-128": "DIS flow (medium), 128x128, with decoding",
    "farneback-256": "Farneback flow, 256x256, with decoding",
    "dis-256": "DIS flow (medium), 256x256, with decoding",
    "tvl1-128": "TV-L1 flow, 128x128, with decoding",
}


def size_and_rate_rows(run: Run, videos: dict[str, Path], rounds: int) -> list[str]:
    for _ in range(rounds):
        for video in videos.values():
            run.measure("decode", video)
            run.measure("spot", video)
    rows = [
        "| file | decode, CPU ms a frame | spot, CPU ms a frame | spot / decode | x real time, "
        "one core (CPU; wall) |"
    ]
    rows.append("| --- | ---: | ---: | ---: | ---: |")
    for label, video in videos.items():
        spot, name, fps = run.ms("spot", video.stem), video.stem, float(video.stem.split("-")[1])
        speed, wall = 1e3 / fps / spot, 1e3 / fps / run.ms("spot", name, "wall")
        both = run.ratio("spot", "decode", name)
        rows.append(
            f"| {label} | {run.ms('decode', name):.2f} | {spot:.2f} | {both:.2f} | {speed:.1f}; "
            f"{wall:.1f} |"
        )
    return rows


def length_rows(
    run: Run, video: Path, minutes: list[int], folder: Path
) -> tuple[list[str], dict[str, float]]:
    """The same minute again and again: time and memory over length."""
    rows = ["| minutes | CPU s | peak memory MB |", "| ---: | ---: | ---: |"]
    points, peaks = [], []
    for n in minutes:
        longer = repeat_video(video, n, folder / f"length{n}-15.mp4")
        values = run.measure("spot", longer)
        longer.unlink()
        points.append((math.log(n), math.log(values["cpu"])))
        peaks.append(values["peak_mb"])
        rows.append(f"| {n} | {values['cpu']:.1f} | {values['peak_mb']:.0f} |")
        print(rows[-1], flush=True)
    x, y = [p[0] for p in points], [p[1] for p in points]
    mx, my = sum(x) / len(x), sum(y) / len(y)
    slope = sum((a - mx) * (b - my) for a, b in points) / max(sum((a - mx) ** 2 for a in x), 1e-9)
    return rows, {"time_exponent": slope, "memory_growth": peaks[-1] / peaks[0] - 1}


def two_process_speedup(video: Path) -> float:
    """Wall time of two files one after the other, over both at once in two processes."""

    def start() -> None:
        command = [sys.executable, str(TASKS), "spot", str(video)]
        subprocess.run(command, env=os.environ | ONE_THREAD, capture_output=True, check=True)

    started = time.perf_counter()
    start()
    start()
    single = time.perf_counter() - started
    started = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        for job in [pool.submit(start), pool.submit(start)]:
            job.result()
    return single / (time.perf_counter() - started)


def stage_rows(video: Path) -> list[str]:
    """`spot --profile` with the floor of each stage."""
    import cv2

    from fesnet.faces import model_files
    from fesnet.profile import ProfiledSpotter
    from fesnet.weights import load_weights

    cv2.setNumThreads(1)
    spotter, weights, models = ProfiledSpotter(), load_weights(), model_files()
    spotter.spot(video)
    c, rate, copying = weights.config, matrix_rate(), copy_rate()
    row_count = 2 * ((c.crop_size // 8 + 1) // 2) ** 2 + c.landmark_feature_count // (4 * c.width)
    encode = multiplications(weights.encode, {"crops": (16, c.crop_size, c.crop_size, 3)}) / 16
    decode = (
        multiplications(weights.decode, {"projected": (1, c.window, row_count, 4 * c.width)})
        / c.window
    )
    mesh = multiplications(models.landmarks, {"image": (1, 192, 192, 3)})
    find = multiplications(models.detector, {"image": (1, 128, 128, 3)})
    warped = (
        2 * (2 * c.crop_size) ** 2 + 3 * c.crop_size**2
    )  # read and written at twice the size, then shrunk; mask
    rows = [
        "| stage | CPU ms a frame | share | calls a frame | floor, ms a frame |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for stage, ms, share, calls in spotter.timer.rows():
        work = {
            "encode": encode,
            "decode graph": decode * c.inference_window[0] * calls,
            "landmarks": mesh * calls,
            "detect": find * calls,
        }
        floor = f"{1e3 * work[stage] / rate:.3f}" if stage in work else ""
        floor = f"{1e3 * warped / copying:.4f}" if stage == "warp and mask" else floor
        floor = f"{ms:.3f}" if stage == "decode" else floor
        rows.append(f"| {stage} | {ms:.3f} | {100 * share:.0f} % | {calls:.2f} | {floor} |")
    rows.append("")
    rows.append(
        "Floors: multiply-adds of the networks over this core's matrix product "
        f"({rate / 1e9:.0f} G a second), bytes "
        f"of the warps over its copy rate ({copying / 1e9:.0f} GB/s), decoding as it is."
    )
    return rows


def has_torch() -> bool:
    from importlib.util import find_spec

    return find_spec("torch") is not None


def machine_name() -> str:
    cpu = platform.processor() or "unknown"
    info = Path("/proc/cpuinfo")
    if info.exists():
        named = [
            line.split(":")[1].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        cpu = named[0] if named else cpu
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    python = f"Python {platform.python_version()}"
    return f"{cpu}, {os.cpu_count()} cores, {platform.system()}, {python}{load}"


def report(given: argparse.Namespace, folder: Path) -> tuple[str, dict[str, Any]]:
    run, started = Run(given.mediapipe), machine_name()
    clip = first_frames(folder, given.video)
    seconds, rounds = (10, 1) if given.quick else (20, 3)
    main_video = loop_frames(clip, folder / "main-30.mp4", SIZES[0], 30, seconds)
    parts = [f"Machine: {started}.", "", *task_rows(run, main_video, rounds), ""]
    print("\n".join(parts), flush=True)
    videos = {
        f"{w}x{h}, 30 fps": loop_frames(clip, folder / f"{w}x{h}-30.mp4", (w, h), 30, seconds / 2)
        for w, h in SIZES
    }
    for rate in RATES:
        videos[f"640x480, {rate} fps"] = loop_frames(
            clip, folder / f"rate-{rate}.mp4", SIZES[0], rate, seconds / 2
        )
    table = size_and_rate_rows(run, videos, 1 if given.quick else 2)
    print("\n".join(table), flush=True)
    stages = stage_rows(main_video)
    print("\n".join(stages), flush=True)
    naive, difference = naive_ratio(8 if given.quick else 20)
    workers = two_process_speedup(main_video)
    minute = loop_frames(clip, folder / "piece-15.mp4", (320, 240), 15, 60)
    longer, growth = length_rows(
        run, minute, given.minutes or ([1, 3] if given.quick else [1, 5, 20, 60]), folder
    )
    findings = [
        f"- Every window through the whole network again costs {naive:.1f} x the cached way "
        "(scores differ by at most "
        f"{difference:.0e}).",
        f"- Two files in two processes at once are done {workers:.2f} x as fast as one after the "
        "other.",
        "- Over length (320x240, 15 fps) CPU time grows with the power "
        f"{growth['time_exponent']:.3f}; peak memory "
        f"grows by {100 * growth['memory_growth']:.1f} % from the shortest to the longest.",
    ]
    parts += [
        *table,
        "",
        "### Stage by stage (`fesnet spot --profile`)",
        "",
        *stages,
        "",
        "### Over length",
        "",
        *longer,
        "",
    ]
    parts += findings
    values = {"machine": started, "naive_over_cached": naive, "two_workers": workers, **growth}
    values["measured"] = {f"{task} {name}": rows for (task, name), rows in run.measured.items()}
    return "\n".join(parts) + "\n", values


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("video", type=Path, nargs="?")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one round of short videos: minutes instead of a quarter hour",
    )
    parser.add_argument("--minutes", type=int, nargs="+", help="lengths of the last table")
    parser.add_argument("--mediapipe", help="an interpreter that has MediaPipe's package")
    parser.add_argument("--out", type=Path, default=Path("performance"))
    parser.add_argument(
        "--docs", type=Path, help=f"a page whose part behind the line '{MARK}' is replaced"
    )
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        text, values = report(given, Path(folder))
    (given.out / "performance.md").write_text(text, encoding="utf-8")
    (given.out / "performance.json").write_text(
        json.dumps(values, indent=1) + "\n", encoding="utf-8"
    )
    if given.docs:
        page = given.docs.read_text(encoding="utf-8")
        given.docs.write_text(page[: page.index(MARK)] + MARK + "\n\n" + text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    os.environ.update(ONE_THREAD)
    main()
