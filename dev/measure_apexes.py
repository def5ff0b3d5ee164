"""How far apexes lie from those of synthetic truth, in frames, by kind; and how many are onsets.

    python dev/measure_apexes.py VIDEOS RESULTS

VIDEOS holds NAME.truth.csv (`fesnet synth videos`), RESULTS NAME.mp4.json or NAME.json. Each true
interval is paired with the found one of its kind that overlaps it most (IoU of 0.5 or more). Two
rules are compared: where the intensity is highest, and `choose_apex`. "middle" is the middle of the
interval, as what a guess would give.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fesnet.apexes import choose_apex
from fesnet.intervals import KINDS, Interval, Kind
from fesnet.result import SpottedInterval, Spotting

RULES = ("intensity", "apex", "middle")
IOU = 0.5


def read_truth(path: Path) -> list[Interval]:
    """True intervals with their apexes, of one video."""
    with path.open(encoding="utf-8") as handle:
        rows = [row for row in csv.DictReader(handle) if row["kind"] in KINDS]
    return [
        Interval(
            int(r["onset_frame"]),
            int(r["offset_frame"]) + 1,
            "macro" if r["kind"] == "macro" else "micro",
            apex=int(r["apex_frame"]),
        )
        for r in rows
    ]


def pairs(truth: list[Interval], spotting: Spotting) -> Iterator[tuple[Interval, SpottedInterval]]:
    """Each true interval with the found one of its kind that overlaps it most."""
    for one in truth:
        best = max(
            (
                (one.iou(Interval(i.onset_frame, i.offset_frame + 1, i.kind)), i)
                for i in spotting.intervals
                if i.kind == one.kind
            ),
            default=(0.0, None),
        )
        if best[0] >= IOU and best[1] is not None:
            yield one, best[1]


def guesses(i: SpottedInterval, spotting: Spotting) -> dict[str, int]:
    """The apex frame of one interval under each rule."""
    track = next(t for t in spotting.faces if t.face == i.face)
    times = spotting.frame_times
    inside = (track.times >= i.onset_s - 1e-6) & (track.times <= i.offset_s + 1e-6)
    rows = np.flatnonzero(inside)
    a, b = int(rows[0]), int(rows[-1]) + 1
    steps = {
        "intensity": a + int(np.argmax(track.intensity[a:b])),
        "apex": choose_apex(track.intensity, a, b, i.kind),
    }
    out = {name: int(np.abs(times - track.times[k]).argmin()) for name, k in steps.items()}
    return out | {"middle": (i.onset_frame + i.offset_frame) // 2}


def main(videos: Path, results: Path) -> None:
    errors: dict[tuple[Kind, str], list[int]] = {}
    onsets: dict[tuple[Kind, str], int] = {}
    for path in sorted(videos.glob("*.truth.csv")):
        name = path.name.removesuffix(".truth.csv")
        near = [p for p in (results / f"{name}.mp4.json", results / f"{name}.json") if p.exists()]
        for one, i in pairs(read_truth(path), Spotting.from_json(near[0])) if near else ():
            for rule, frame in guesses(i, Spotting.from_json(near[0])).items():
                errors.setdefault((one.kind, rule), []).append(abs(frame - (one.apex or 0)))
                at_edge = frame == i.onset_frame
                onsets[one.kind, rule] = onsets.get((one.kind, rule), 0) + at_edge
    print("| kind | rule | pairs | median error, frames | mean | 90 % within | at the onset |")
    print("|---|---|---|---|---|---|---|")
    for (kind, rule), values in sorted(
        errors.items(), key=lambda e: (e[0][0], RULES.index(e[0][1]))
    ):
        figures = (
            f"{np.median(values):.1f} | {np.mean(values):.2f} | {np.quantile(values, 0.9):.0f}"
        )
        print(f"| {kind} | {rule} | {len(values)} | {figures} | {onsets[kind, rule]} |")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("expected two folders: videos with their truth, results")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
