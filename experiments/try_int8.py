"""Try the network in 8-bit integers: make the graphs, and measure what they win and what they cost.

usage: python experiments/try_int8.py PORTRAITS VIDEOS OUT [--weights FOLDER] [--take 4]

PORTRAITS are photos of people for training (`dev/people.csv`); synthetic clips of them give the
ranges of all activations. VIDEOS is a folder that `fesnet synth` made of other people. Convolutions
and linear layers become int8 (weights per channel; QDQ form); attention, norms and sums stay float.
OUT gets three weights folders that `fesnet spot
--weights` takes: both graphs int8, or one of them. Each video's faces are found once, and all
networks see the same. CPU time is that of one thread, in rounds that take turns.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from fesnet._io import file_sha256
from fesnet.datasets import Recording, load_dataset
from fesnet.faces import Face, Tracker
from fesnet.intervals import Interval
from fesnet.latency import ENCODE_BATCH
from fesnet.metrics import Counts, count, overall
from fesnet.result import Spotting
from fesnet.runtime import OnnxRuntime
from fesnet.spotter import Spotter
from fesnet.stream import SpotStream, make_face_tracker
from fesnet.synth.render.avatar_renderer import AvatarRenderer
from fesnet.synth.render.batches import clip_batch
from fesnet.synth.render.portraits import find_people
from fesnet.synth.script.config import SynthConfig
from fesnet.video import Frame, open_source
from fesnet.weights import CONFIG, DECODE, ENCODE, Weights, load_weights

FORMS = {"int8": (ENCODE, DECODE), "int8-encode": (ENCODE,), "int8-decode": (DECODE,)}
LAYERS = [
    "Conv",
    "Gemm",
]  # with MatMul and Add too, the features' differences are further off at the same speed
PEOPLE = 16  # of whom a clip each is made
EVERY = 8  # of whose frames one goes through `encode` to be ranged
ROUNDS = 9
Inputs = tuple[list[np.ndarray], list[np.ndarray]]  # batches of crops, windows of attended features


class Reader(CalibrationDataReader):  # type: ignore[misc]  # the package has no types
    def __init__(self, name: str, batches: Sequence[np.ndarray]) -> None:
        self.left = iter([{name: batch} for batch in batches])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.left, None)


def synthetic_inputs(portraits: Path, weights: Weights) -> Inputs:
    """What both graphs get for a window of each of PEOPLE people, evenly out of the folder."""
    people = find_people(portraits)[0]
    avatars = [p.avatar() for p in people[:: max(1, len(people) // PEOPLE)][:PEOPLE]]
    c, renderer, runtime = weights.config, AvatarRenderer(avatars), OnnxRuntime(weights)
    crops, windows = [], []
    for n in range(len(avatars)):
        made = clip_batch(
            renderer, np.array([n]), n, c.window, c.crop_size, SynthConfig(), face_only=c.face_only
        )
        grey = (255 * made.crops[0, :, 0].clamp(0, 1)).round().to(torch.uint8).numpy()
        crops.append(np.repeat(grey[..., None], 3, -1))
        seen = runtime.encode(crops[-1])
        rows = made.landmarks[0].numpy().reshape(c.window, -1, seen.shape[-1])
        windows.append(np.concatenate([seen, rows], 1)[None])
    return crops, windows


def quantize(graph: Path, out: Path, reader: Reader) -> None:
    """uint8 activations and int8 weights are what onnxruntime advises for x86."""
    with TemporaryDirectory() as scratch:
        ready = Path(scratch) / graph.name
        quant_pre_process(graph, ready, skip_symbolic_shape=True)
        quantize_static(
            ready,
            out,
            reader,
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=LAYERS,
        )


def make_folders(weights: Weights, inputs: Inputs, out: Path) -> dict[str, Path]:
    """A weights folder for each of FORMS."""
    out.mkdir(parents=True)
    crops, windows = inputs
    quantize(weights.encode, out / ENCODE, Reader("crops", [c[::EVERY] for c in crops]))
    quantize(weights.decode, out / DECODE, Reader("projected", windows))
    folders = {}
    for form, graphs in FORMS.items():
        folders[form] = Path(shutil.copytree(weights.folder, out / form))
        values = json.loads((folders[form] / CONFIG).read_text(encoding="utf-8"))
        for name in graphs:
            shutil.copy(out / name, folders[form] / name)
            values["sha256"][name] = file_sha256(out / name)
        (folders[form] / CONFIG).write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    return folders


class Shared:
    """A tracker that finds the faces of a frame once, however many ask."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker, self.index, self.faces = tracker, -1, list[Face]()

    def push(self, frame: Frame) -> list[Face]:
        if frame.index != self.index:
            self.index, self.faces = frame.index, self.tracker.push(frame)
        return self.faces


def spot_together(video: Path, spotters: Sequence[Spotter]) -> list[Spotting]:
    shared = Shared(make_face_tracker(spotters[0].weights.config))
    streams = [SpotStream(shared, s.runtime, s.weights.config, s.rules, s.check) for s in spotters]
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


def seconds(
    runtimes: Sequence[OnnxRuntime], inputs: Inputs, stride: int
) -> list[tuple[float, float]]:
    """CPU seconds of encode and decode a 1000 frames, of each runtime: medians of rounds that take
    turns.
    """
    crops, window = inputs[0][0], inputs[1][0][0]
    batches = [crops[i : i + ENCODE_BATCH] for i in range(0, len(crops), ENCODE_BATCH)]
    spent: list[list[tuple[float, float]]] = [[] for _ in runtimes]
    for _ in range(ROUNDS):
        for row, runtime in zip(spent, runtimes, strict=True):
            started = time.process_time()
            for batch in batches:
                runtime.encode(batch)
            between = time.process_time()
            for _ in range(len(crops) // stride):
                runtime.decode(window)
            row.append((between - started, time.process_time() - between))
    return [
        tuple(1000 / len(crops) * median(part) for part in zip(*row, strict=True)) for row in spent
    ]


def table(
    names: Sequence[str],
    spotters: Sequence[Spotter],
    recordings: Sequence[Recording],
    inputs: Inputs,
) -> Iterator[str]:
    """Markdown."""
    results = [spot_together(r.source, spotters) for r in recordings]
    spent = seconds(
        [OnnxRuntime(s.weights) for s in spotters], inputs, spotters[0].weights.config.stride
    )
    yield (
        "| form | macro F1 | micro F1 | F1 | TP, FP, FN | scores off by (most; mean) | encode s "
        "| decode s | kB |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for n, (name, spotter) in enumerate(zip(names, spotters, strict=True)):
        found = overall([counts(r, row[n]) for r, row in zip(recordings, results, strict=True)])
        apart = [furthest(row[0], row[n]) for row in results]
        off = f"{max(a for a, _ in apart):.3f}; {np.mean([b for _, b in apart]):.4f}"
        f1 = " | ".join(f"{c.f1:.3f}" for c in found.values())
        c, size = (
            found["overall"],
            sum(f.stat().st_size for f in (spotter.weights.encode, spotter.weights.decode)),
        )
        cpu = " | ".join(f"{s:.2f}" for s in spent[n])
        yield f"| {name} | {f1} | {c.tp}, {c.fp}, {c.fn} | {off} | {cpu} | {size / 1000:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("portraits", type=Path)
    parser.add_argument("videos", type=Path)
    parser.add_argument("out", type=Path, help="a new folder")
    parser.add_argument("--weights", type=Path, help="default: the bundled ones")
    parser.add_argument("--take", type=int, default=4, help="how many, evenly out of the folder")
    given = parser.parse_args()
    torch.set_num_threads(1)
    weights, recordings = (
        load_weights(given.weights),
        load_dataset("synthetic", given.videos).recordings,
    )
    inputs = synthetic_inputs(given.portraits, weights)
    folders = make_folders(weights, inputs, given.out)
    spotters = [Spotter(folder) for folder in (weights.folder, *folders.values())]
    chosen = recordings[:: max(1, len(recordings) // given.take)][: given.take]
    for line in table(["float", *folders], spotters, chosen, inputs):
        print(line, flush=True)


if __name__ == "__main__":
    main()
