"""What spotting costs, as ratios of one run: against plain decoding, over length, cached against naive windows.

usage: python benchmarks/cost.py VIDEO [--minutes 5 30] [--seconds-naive 20]

VIDEO is looped to a minute at 640x480 (H.264), and that minute is repeated to the asked whole minutes. Each measurement
runs in a process of its own, so that its peak memory is its own. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from fesnet.clips import Stitcher
from fesnet.spotter import Spotter
from fesnet.video import VideoWriter, open_source
from fesnet.weights import load_weights

WIDTH, HEIGHT = 640, 480


def looped(video: Path, out: Path) -> None:
    """The video again and again, forwards and backwards (so that nothing jumps), for a minute."""
    with open_source(video) as source:
        rate = source.rate or Fraction(30)
        frames = [fitted(f.image) for f in source]
    order = [*frames, *frames[-2:0:-1]]
    with VideoWriter(out, rate, WIDTH, HEIGHT, crf=20) as writer:
        for k in range(int(60 * rate)):
            writer.write(order[k % len(order)])


def repeated(minute: Path, times: int, out: Path) -> None:
    """One encoded minute again and again, its packets copied."""
    with av.open(str(out), "w") as target:
        stream, shift = None, 0
        for _ in range(times):
            with av.open(str(minute)) as source:
                given = source.streams.video[0]
                if stream is None:
                    stream = target.add_stream_from_template(given)
                end = 0
                for packet in source.demux(given):
                    if packet.dts is None or packet.pts is None:
                        continue
                    end = max(end, packet.pts + (packet.duration or 1))
                    packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                    target.mux(packet)
                shift += end


def fitted(image: np.ndarray) -> np.ndarray:
    """Scaled to fit and put on black."""
    scale = min(WIDTH / image.shape[1], HEIGHT / image.shape[0])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[:HEIGHT, :WIDTH]
    out = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    out[: small.shape[0], : small.shape[1]] = small
    return out


def decode(path: Path) -> int:
    """Plain PyAV, every frame to RGB, nothing else."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "NONE"
        return sum(f.to_ndarray(format="rgb24", threads=1).shape[0] > 0 for f in container.decode(video=0))


def spot(path: Path) -> int:
    return len(Spotter().spot(path).frame_times)


def measured(what: str, path: Path) -> dict[str, float]:
    """Wall seconds, CPU seconds and peak memory (MB) of one task in a fresh process."""
    done = subprocess.run([sys.executable, __file__, "--task", what, str(path)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    values: dict[str, float] = json.loads(done.stdout)
    return values


def task(what: str, path: Path) -> None:
    started, before = time.perf_counter(), time.process_time()
    frames = {"decode": decode, "spot": spot}[what](path)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    times = {"wall": time.perf_counter() - started, "cpu": time.process_time() - before}
    print(json.dumps({**times, "peak_mb": peak, "frames": frames}))


def naive_ratio(seconds: float) -> tuple[float, float]:
    """Time of encoding every window anew over encoding every frame once, and the largest difference of scores."""
    spotter = Spotter()
    c, n = spotter.weights.config, round(seconds * 30)
    crops = np.random.default_rng(0).integers(0, 256, (n, c.crop_size, c.crop_size, 3), np.uint8)

    def run(features: np.ndarray | None) -> tuple[np.ndarray, float]:
        started = time.perf_counter()
        once = [spotter.runtime.encode(crops[i : i + 16]) for i in range(0, n, 16)] if features is None else []
        known = np.concatenate(once) if features is None else features
        scored, at = [], {"start": 0}

        def decode_window(window: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            if features is not None:
                part = crops[np.minimum(np.arange(at["start"], at["start"] + c.window), n - 1)]
                window = np.concatenate([spotter.runtime.encode(part[i : i + 16]) for i in range(0, c.window, 16)])
                at["start"] += c.stride
            return spotter.runtime.decode(window)

        stitcher = Stitcher(c.window, c.stride, decode_window)
        scored = [stitcher.push(f) for f in known] + [stitcher.finish()]
        return np.concatenate([s.scores for s in scored if s is not None]), time.perf_counter() - started

    cached, fast = run(None)
    zeros = np.zeros((n, (c.crop_size // 8) ** 2, 4 * c.width), np.float32)
    naive, slow = run(zeros)
    return slow / fast, float(np.abs(cached - naive).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--minutes", type=int, nargs="+", default=[5, 30])
    parser.add_argument("--seconds-naive", type=float, default=20)
    parser.add_argument("--task", choices=("decode", "spot"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        task(given.task, given.video)
        return
    print(f"weights {load_weights().sha256[:12]}")
    with tempfile.TemporaryDirectory() as folder:
        minute = Path(folder) / "minute.mp4"
        looped(given.video, minute)
        for minutes in given.minutes:
            path = Path(folder) / f"{minutes:g}.mp4"
            repeated(minute, round(minutes), path)
            plain, full = measured("decode", path), measured("spot", path)
            frames = full["frames"]
            print(
                f"{minutes:g} min, {frames:.0f} frames: spot {full['wall']:.1f} s wall, {full['cpu']:.1f} s CPU, "
                f"{full['peak_mb']:.0f} MB peak; decode {plain['wall']:.1f} s wall, {plain['cpu']:.1f} s CPU, "
                f"{plain['peak_mb']:.0f} MB; ratio {full['cpu'] / plain['cpu']:.2f} in CPU time; "
                f"{minutes * 60 / full['wall']:.1f} x real time",
                flush=True,
            )
    ratio, difference = naive_ratio(given.seconds_naive)
    print(f"naive windows / cached windows: {ratio:.2f} in time, scores differ by at most {difference:.1e}")


if __name__ == "__main__":
    main()
