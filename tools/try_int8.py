"""The network in 8-bit integers against the float one: what it wins and what it costs.

usage: python tools/try_int8.py PORTRAITS VIDEOS OUT [--weights FOLDER] [--take 4]

PORTRAITS are photos of people for training (`tools/people.csv`), for `fesnet export WEIGHTS --to onnx --int8 PORTRAITS
--out OUT`. VIDEOS is a folder that `fesnet synth` made of other people. Each video's faces are found once, and all
networks see the same. CPU time is that of one thread, in rounds that take turns.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from copy import copy
from pathlib import Path
from statistics import median

import numpy as np
import torch

from fesnet.datasets import Recording, load_dataset
from fesnet.faces import Face, Tracker
from fesnet.intervals import Interval
from fesnet.metrics import Counts, count, overall
from fesnet.result import Spotting
from fesnet.runtime import OnnxRuntime
from fesnet.spotter import Spotter
from fesnet.stream import ENCODE_BATCH, SpotStream, spotting_faces
from fesnet.synth.portraits import find_people
from fesnet.training.int8 import Clip, clips_of, export_int8
from fesnet.video import Frame, open_source
from fesnet.weights import Weights, load_weights

ROUNDS = 9


def runtimes(floats: Weights, int8: Weights) -> dict[str, OnnxRuntime]:
    """Both graphs float, both int8, and one of each."""
    made = {name: OnnxRuntime(floats) for name in ("float", "int8 encode alone", "int8 decode alone")}
    made["int8"] = OnnxRuntime(int8)
    made["int8 encode alone"].encoder = made["int8"].encoder
    made["int8 decode alone"].decoder = made["int8"].decoder
    return made


class Shared:
    """A tracker that finds the faces of a frame once, however many ask."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker, self.index, self.faces = tracker, -1, list[Face]()

    def push(self, frame: Frame) -> list[Face]:
        if frame.index != self.index:
            self.index, self.faces = frame.index, self.tracker.push(frame)
        return self.faces


def spot_together(video: Path, spotters: Sequence[Spotter]) -> list[Spotting]:
    shared = Shared(spotting_faces(spotters[0].weights.config))
    streams = [SpotStream(shared, s.runtime, s.weights.config, s.rules) for s in spotters]
    with open_source(video) as source:
        for frame in source:
            for stream in streams:
                stream.push(frame)
        return [s.result(stream, source) for s, stream in zip(spotters, streams, strict=True)]


def counts(recording: Recording, spotting: Spotting) -> dict[str, Counts]:
    found = [Interval(i.onset_frame, i.offset_frame + 1, i.kind) for i in spotting.intervals]
    return count(recording.truth, found)


def furthest(one: Spotting, other: Spotting) -> tuple[float, float]:
    """The largest and the mean difference of the scores of two results of one video."""
    apart = [np.abs(a.scores - b.scores) for a, b in zip(one.faces, other.faces, strict=True)]
    values = np.concatenate([a[np.isfinite(a)] for a in apart])
    return float(values.max()), float(values.mean())


def seconds(made: Sequence[OnnxRuntime], clip: Clip, stride: int) -> list[list[float]]:
    """CPU seconds of encode and decode a 1000 frames, of each runtime: medians of rounds that take turns."""
    frames = len(clip.crops)
    batches = [clip.crops[i : i + ENCODE_BATCH] for i in range(0, frames, ENCODE_BATCH)]
    spent: list[list[tuple[float, float]]] = [[] for _ in made]
    for _ in range(ROUNDS):
        for row, runtime in zip(spent, made, strict=True):
            started = time.process_time()
            for batch in batches:
                runtime.encode(batch)
            between = time.process_time()
            for _ in range(frames // stride):
                runtime.decode(clip.attended[0])
            row.append((between - started, time.process_time() - between))
    return [[1000 / frames * median(part) for part in zip(*row, strict=True)] for row in spent]


def table(made: dict[str, OnnxRuntime], recordings: Sequence[Recording], clip: Clip, rules: Spotter) -> Iterator[str]:
    """Markdown."""
    spotters = [copy(rules) for _ in made]
    for spotter, runtime in zip(spotters, made.values(), strict=True):
        spotter.runtime = runtime
    results = [spot_together(r.source, spotters) for r in recordings]
    spent = seconds(list(made.values()), clip, rules.weights.config.stride)
    yield "| form | macro F1 | micro F1 | F1 | TP, FP, FN | scores off by (most; mean) | encode s | decode s |"
    yield "|---|---|---|---|---|---|---|---|"
    for n, name in enumerate(made):
        found = overall([counts(r, row[n]) for r, row in zip(recordings, results, strict=True)])
        apart = [furthest(row[0], row[n]) for row in results]
        off = f"{max(a for a, _ in apart):.3f}; {np.mean([b for _, b in apart]):.4f}"
        f1, c = " | ".join(f"{c.f1:.3f}" for c in found.values()), found["overall"]
        yield f"| {name} | {f1} | {c.tp}, {c.fp}, {c.fn} | {off} | {spent[n][0]:.2f} | {spent[n][1]:.2f} |"


def size(weights: Weights) -> str:
    return f"{(weights.encode.stat().st_size + weights.decode.stat().st_size) / 1000:.0f} kB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("portraits", type=Path)
    parser.add_argument("videos", type=Path)
    parser.add_argument("out", type=Path, help="a new folder, or one of an earlier call")
    parser.add_argument("--weights", type=Path, help="default: the bundled ones")
    parser.add_argument("--take", type=int, default=4, help="how many videos, evenly out of the folder")
    given = parser.parse_args()
    torch.set_num_threads(1)
    spotter = Spotter(given.weights)
    floats, recordings = spotter.weights, load_dataset("synthetic", given.videos).recordings
    if not given.out.exists():
        export_int8(floats.folder, given.portraits, given.out)
    int8 = load_weights(given.out)
    chosen = recordings[:: max(1, len(recordings) // given.take)][: given.take]
    clip = clips_of(floats, [find_people(given.portraits)[0][0].puppet()])[0]
    for line in table(runtimes(floats, int8), chosen, clip, spotter):
        print(line, flush=True)
    print(f"both graphs: {size(floats)} in float, {size(int8)} in int8")


if __name__ == "__main__":
    main()
