"""How long windows of spotting should be, and how far apart: one table, with one set of weights and nothing trained.

usage: python tools/ablate_windows.py VIDEOS --results FOLDER [--weights WEIGHTS]

VIDEOS is a folder that `fesnet synth` made of validation people. Every video goes once through the whole of
`fesnet spot`, and each tick's features go into windows of every length and stride of the table. The rules are those of
the weights, chosen for the windows that the weights bring (the first row). FOLDER keeps the results.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from choose_rules import measure, read_folder

from fesnet.clips import Decode, Floats, Scored, Stitcher
from fesnet.result import assemble
from fesnet.spotter import Spotter
from fesnet.stream import FaceLine
from fesnet.video import open_source
from fesnet.weights import load_weights

SIDES = ((160, 40), (320, 80), (480, 120), (960, 240), (640, 40), (640, 80), (640, 320), (640, 640))  # ticks


class Side(Stitcher):
    """A stitcher that keeps its scores."""

    def __init__(self, window: int, stride: int, decode: Decode) -> None:
        super().__init__(window, stride, decode)
        self.parts: list[Scored] = []

    def keep(self, scored: Scored | None) -> None:
        if scored is not None:
            self.parts.append(scored)


class Several(Stitcher):
    """The usual stitcher, and others beside it that see the same ticks."""

    def __init__(self, window: int, stride: int, decode: Decode) -> None:
        self.sides = [Side(*size, decode) for size in SIDES]
        super().__init__(window, stride, decode)

    def clear(self, start: int) -> None:
        super().clear(start)
        for side in self.sides:
            side.clear(start)

    def push(self, features: Floats) -> Scored | None:
        for side in self.sides:
            side.keep(side.push(features))
        return super().push(features)

    def finish(self) -> Scored | None:
        for side in self.sides:
            side.keep(side.finish())
        return super().finish()


def spot_sides(job: tuple[Path, Path | None, dict[tuple[int, int], Path]]) -> None:
    """Spot one video with all windows; files: the result of each, the weights' own under their own size."""
    video, weights, files = job
    if all(file.is_file() for file in files.values()):
        return
    spotter = Spotter(weights)
    config = spotter.weights.config
    with open_source(video) as opened:
        stream = spotter.stream()
        line = stream.lines[0] = FaceLine(config, spotter.runtime)
        several = line.stitcher = Several(*config.spotting, spotter.runtime.decode)
        for frame in opened:
            stream.push(frame)
        whole = spotter.result(stream, opened)
    tracks = {config.spotting: whole.faces[0]}
    ticks = len(whole.faces[0].times)
    for size, side in zip(SIDES, several.sides, strict=True):
        tracks[size] = line.stretch(0, 0, ticks, config.working_rate, side.parts)
    for size, file in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        given = (whole.source, (tracks[size],), whole.frame_times, config.working_rate, spotter.rules)
        assemble(*given, warnings=whole.warnings, provenance=whole.provenance).to_json(file)


def lines(videos: Path, weights: Path | None, results: Path) -> Iterator[str]:
    """The table in Markdown."""
    own = load_weights(weights)
    with (videos / "videos.csv").open(encoding="utf-8", newline="") as rows:
        names = [row["video"] for row in csv.DictReader(rows)]
    places = {size: results / f"{size[0]}-{size[1]}" for size in (own.config.spotting, *SIDES)}
    jobs = [
        (videos / name, weights, {size: p / f"{videos.name}-{Path(name).stem}.json" for size, p in places.items()})
        for name in names
    ]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(spot_sides, jobs))
    yield "| window | stride | macro F1 | micro F1 | false alarms a minute |"
    yield "|---|---|---|---|---|"
    for (window, stride), place in places.items():
        found = read_folder(videos, own.folder, place)
        counts = measure(found, found[0].found.rules)
        minutes = sum(v.seconds for v in found) / 60
        scores = f"{counts['macro'].f1:.3f} | {counts['micro'].f1:.3f} | {counts['overall'].fp / minutes:.2f}"
        rate = own.config.working_rate
        yield f"| {window / rate:.1f} s | {stride / rate:.1f} s | {scores} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--results", type=Path, required=True)
    given = parser.parse_args()
    for line in lines(given.videos, given.weights, given.results):
        print(line, flush=True)


if __name__ == "__main__":
    main()
