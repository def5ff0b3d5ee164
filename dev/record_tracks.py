"""Record what the interval check is fitted on, as spotting sees it.

    python dev/record_tracks.py OUT VIDEO ...

OUT/NAME.json: the result. OUT/NAME.npz: `face<number>` (T, S), landmark features on the
result's steps, not-a-number where the face is unknown. Videos that have both are passed over.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fesnet.face_pipeline import FacePipeline
from fesnet.spotter import Spotter
from fesnet.video import open_source


class FeatureRecorder:
    """Stands before a face's resampler and keeps the landmark features that pass through it."""

    def __init__(self, pipeline: FacePipeline) -> None:
        self.size = pipeline.config.landmark_feature_count
        self.push_through = pipeline.resampler.push
        self.features: dict[int, np.ndarray] = {}
        pipeline.resampler.push = self.push  # type: ignore[method-assign, assignment]

    def push(self, time: float, frame_features: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        for step, value in self.push_through(time, frame_features):
            self.features[step] = value.reshape(-1)[-self.size :].copy()
            yield step, value

    def track(self, steps: int) -> np.ndarray:
        out = np.full((steps, self.size), np.nan, np.float32)
        for step, row in self.features.items():
            if step < steps:
                out[step] = row
        return out


def record(spotter: Spotter, video: Path, stem: Path) -> None:
    with open_source(video) as source:
        stream = spotter.stream()
        recorders: dict[int, FeatureRecorder] = {}
        for frame in source:
            known = set(stream.pipelines)
            stream.push(frame)
            for face in set(stream.pipelines) - known:
                recorders[face] = FeatureRecorder(stream.pipelines[face])
        result = spotter.result(stream, source)
        features = {f"face{n}": r.track(stream.steps) for n, r in recorders.items()}
    np.savez_compressed(f"{stem}.npz", **features)  # type: ignore[arg-type]
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
