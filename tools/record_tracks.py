"""Record what the interval check is fitted on: results and shapes on ticks, as spotting sees them.

    python tools/record_tracks.py OUT VIDEO ...

OUT/NAME.json: the result. OUT/NAME.npz: `shape<face>` (T, S), `fesnet.faces.face_shape` on the
result's ticks, not-a-number where the face is unknown. Videos that have both are passed over.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fesnet.spotter import Spotter
from fesnet.stream import FaceLine
from fesnet.video import open_source


class ShapeRecorder:
    """Stands before a face's grid and keeps the shapes that pass through it."""

    def __init__(self, line: FaceLine) -> None:
        self.size = line.config.shape
        self.push_through = line.grid.push
        self.shapes: dict[int, np.ndarray] = {}
        line.grid.push = self.push  # type: ignore[method-assign]

    def push(self, time: float, features: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        for tick, value in self.push_through(time, features):
            self.shapes[tick] = value.reshape(-1)[-self.size :].copy()
            yield tick, value

    def track(self, ticks: int) -> np.ndarray:
        out = np.full((ticks, self.size), np.nan, np.float32)
        for tick, shape in self.shapes.items():
            if tick < ticks:
                out[tick] = shape
        return out


def record(spotter: Spotter, video: Path, stem: Path) -> None:
    with open_source(video) as source:
        stream = spotter.stream()
        recorders: dict[int, ShapeRecorder] = {}
        for frame in source:
            known = set(stream.lines)
            stream.push(frame)
            for face in set(stream.lines) - known:
                recorders[face] = ShapeRecorder(stream.lines[face])
        result = spotter.result(stream, source)
        shapes = {f"shape{n}": r.track(stream.ticks) for n, r in recorders.items()}
    np.savez_compressed(f"{stem}.npz", **shapes)
    result.to_json(f"{stem}.json")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--weights", type=Path)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    spotter = Spotter(args.weights)
    for video in args.videos:
        stem = args.out / video.name
        if not Path(f"{stem}.json").exists():
            record(spotter, video, stem)
            print(video.name, flush=True)


if __name__ == "__main__":
    main()
