"""What windows, strides, references and ensemble weights are worth with one set of weights.

usage: python experiments/ablate_spotting.py VIDEOS --results FOLDER [--weights WEIGHTS]

VIDEOS is a folder that `fesnet synth` made of validation people. Every video goes once through the
whole of `fesnet spot`, and each tick's features go into the windows of every row of the table. The
rules are those of the weights, chosen for the first row. FOLDER keeps the results; a second call
makes only what is missing.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from fesnet._types import Float32Array
from fesnet.evaluation.tune_rules import count_videos, spot_folder
from fesnet.face_pipeline import FacePipeline
from fesnet.jobs import SerialExecutor
from fesnet.model.checkpoint import load_network
from fesnet.model.network import FesNet
from fesnet.result import FaceTrack, assemble
from fesnet.runtime import softmax
from fesnet.spotter import Spotter
from fesnet.video import open_source
from fesnet.weights import Weights, load_weights
from fesnet.windows import Decode, ScoreChunk, WindowAggregator


@dataclass(frozen=True)
class Row:
    """One thing changed: the windows' size and stride (ticks), or fields of the network's
    config.
    """

    name: str
    size: tuple[int, int] | None = None
    change: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        return (
            self.name.replace(" ", "-")
            .replace(",", "")
            .replace(":", "")
            .replace("(", "")
            .replace(")", "")
        )


ROWS = (
    Row("as bundled"),
    Row("windows of 5.3 s, 1.3 s apart", (160, 40)),
    Row("windows of 10.7 s, 2.7 s apart", (320, 80)),
    Row("windows of 16 s, 4 s apart", (480, 120)),
    Row("windows of 32 s, 8 s apart", (960, 240)),
    Row("1.3 s apart", (640, 40)),
    Row("2.7 s apart", (640, 80)),
    Row("10.7 s apart", (640, 320)),
    Row("21.3 s apart", (640, 640)),
    Row("reference: a neutral frame found by a first pass", change={"reference": "neutral"}),
    Row("pixels and shapes scored together only", change={"ensemble_weights": (0.0, 0.0)}),
    Row(
        "pixels alone 0.3, shapes alone 0.3 of the ensemble",
        change={"ensemble_weights": (0.3, 0.3)},
    ),
)


class RecordingAggregator(WindowAggregator):
    """An aggregator that keeps its scores."""

    def __init__(self, size: tuple[int, int], decode: Decode) -> None:
        super().__init__(*size, decode)
        self.parts: list[ScoreChunk] = []

    def keep(self, scored: ScoreChunk | None) -> None:
        if scored is not None:
            self.parts.append(scored)


class ParallelAggregators(WindowAggregator):
    """The usual aggregator, and others beside it that get the same steps."""

    def __init__(
        self, size: tuple[int, int], decode: Decode, sides: list[RecordingAggregator]
    ) -> None:
        self.sides = sides
        super().__init__(*size, decode)

    def clear(self, start: int) -> None:
        super().clear(start)
        for side in self.sides:
            side.clear(start)

    def push(self, features: Float32Array) -> ScoreChunk | None:
        for side in self.sides:
            side.keep(side.push(features))
        return super().push(features)

    def finish(self) -> ScoreChunk | None:
        for side in self.sides:
            side.keep(side.finish())
        return super().finish()


def decoder(weights: Weights, change: dict[str, Any]) -> Decode:
    """The weights' network with something else in its config."""
    network = FesNet(replace(weights.config, **change)).eval()
    network.load_state_dict(load_network(weights).state_dict())

    @torch.inference_mode()
    def decode(window: Float32Array) -> tuple[Float32Array, Float32Array]:
        logits, intensity = network.decode(torch.from_numpy(window[None]))
        return softmax(logits[-1, 0].numpy()), intensity[0].numpy()

    return decode


def spot_rows(job: tuple[Path, Path | None, dict[str, Path]]) -> None:
    """Spot one video in the ways of all rows whose file is missing."""
    video, weights, files = job
    missing = [row for row in ROWS if not files[row.name].is_file()]
    if not missing:
        return
    torch.set_num_threads(1)
    spotter = Spotter(weights)
    config, usual = spotter.weights.config, spotter.runtime.decode
    sides = {
        row.name: RecordingAggregator(
            row.size or config.inference_window,
            decoder(spotter.weights, row.change) if row.change else usual,
        )
        for row in missing
    }
    with open_source(video) as opened:
        stream = spotter.stream()
        line = stream.pipelines[0] = FacePipeline(config, spotter.runtime)
        line.aggregator = ParallelAggregators(config.inference_window, usual, list(sides.values()))
        for frame in opened:
            stream.push(frame)
        whole = spotter.result(stream, opened)
    for name, side in sides.items():
        track: FaceTrack = line.score_track(
            0, 0, len(whole.faces[0].times), config.working_rate, side.parts
        )
        given = (whole.source, (track,), whole.frame_times, config.working_rate, spotter.rules)
        files[name].parent.mkdir(parents=True, exist_ok=True)
        assemble(*given, warnings=whole.warnings, provenance=whole.provenance).to_json(files[name])


def lines(videos: Path, weights: Path | None, results: Path) -> Iterator[str]:
    """The table in Markdown."""
    own = load_weights(weights)
    with (videos / "videos.csv").open(encoding="utf-8", newline="") as rows:
        names = [row["video"] for row in csv.DictReader(rows)]
    jobs = [
        (
            videos / n,
            weights,
            {r.name: results / r.folder / f"{videos.name}-{Path(n).stem}.json" for r in ROWS},
        )
        for n in names
    ]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(spot_rows, jobs))
    yield "| spotting | macro F1 | micro F1 | false alarms a minute |"
    yield "|---|---|---|---|"
    for row in ROWS:
        spotted = spot_folder(videos, own.folder, results / row.folder, SerialExecutor())
        counts = count_videos(spotted, spotted[0].spotting.rules)
        minutes = sum(v.seconds for v in spotted) / 60
        f1 = f"{counts['macro'].f1:.3f} | {counts['micro'].f1:.3f}"
        yield f"| {row.name} | {f1} | {counts['overall'].fp / minutes:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--results", type=Path, required=True)
    given = parser.parse_args()
    for line in lines(given.videos, given.weights, given.results):
        print(line, flush=True)


if __name__ == "__main__":
    main()
