"""FESNet and the comparators over the same videos, in one table.

usage: python experiments/compare.py VIDEO... --out FOLDER [--truth FILE] [--methods
fesnet,flow,landmarks,mdmd]

A folder among the videos stands for the video files in it. For each method FOLDER/METHOD.json is
written: video file name -> [[onset_s, offset_s, kind], ...]. With --truth, F1 by the MEGC rule
(metrics.py) is printed; without, only how much is found a minute and how long it takes. The truth
is one of

- JSON: video file name -> {"events": [{"onset_s", "offset_s", "type", "confidence"}, ...]}, both
seconds inclusive;
  events of confidence "low" are left out, and nothing that lies mostly in one counts as a false
  alarm;
- CSV as `fesnet spot --out` writes it (onset_s, offset_s), or as `fesnet synth` does (frames, the
first is 1).

Videos that the truth does not name have no expression. All methods keep the thresholds that were
chosen for them on synthetic video; there is no option to change them here, as that would be tuning
on what is measured.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fesnet._io import VIDEO_SUFFIXES, atomic_write_text
from fesnet.baselines import METHODS, make_baseline
from fesnet.errors import FesnetError, TruthError, UsageError
from fesnet.intervals import KINDS, Interval, nearest_frame
from fesnet.metrics import Counts, count, false_alarms_a_minute, match, overall
from fesnet.result import Spotting
from fesnet.spotter import Spotter

KIND = {str(kind): kind for kind in KINDS}


@dataclass(frozen=True)
class Event:
    """A true expression, seconds or frames (0-based) as the truth has them, both inclusive."""

    kind: str
    onset: float
    offset: float
    in_frames: bool = False
    sure: bool = True

    def on(self, found: Spotting) -> Interval:
        """On the frames of the video. Raises TruthError for what is none."""
        ends = (self.onset, self.offset)
        first, last = (
            int(e) if self.in_frames else nearest_frame(e, found.frame_times) for e in ends
        )
        if self.kind not in KIND:
            raise TruthError(
                f"expected kind macro or micro in the truth of {found.source.name}, got "
                f"{self.kind!r}"
            )
        return Interval(first, last + 1, KIND[self.kind])


@dataclass
class Tally:
    """What one method did over all videos."""

    videos: list[dict[str, Counts]] = field(default_factory=list)
    found: dict[str, list[list[Any]]] = field(default_factory=dict)
    seconds: float = 0.0
    work: float = 0.0  # s it took
    quiet_seconds: float = 0.0  # of videos without expressions
    quiet_alarms: int = 0


def read_truth(path: Path) -> dict[str, list[Event]]:
    """Events by video file name. Raises TruthError for a file that is not as described above."""
    try:
        if path.suffix.lower() == ".json":
            return from_json(json.loads(path.read_text(encoding="utf-8")))
        with path.open(newline="", encoding="utf-8") as handle:
            return from_rows(csv.DictReader(handle))
    except OSError as error:
        raise UsageError(
            f"expected a truth file, but {path} cannot be read ({error.strerror})"
        ) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise TruthError(
            f"expected a truth file as --help describes it in {path}, got {error!r}"
        ) from error


def from_json(values: dict[str, Any]) -> dict[str, list[Event]]:
    return {
        name: [
            Event(
                e["type"],
                float(e["onset_s"]),
                float(e["offset_s"]),
                sure=e.get("confidence") != "low",
            )
            for e in video["events"]
        ]
        for name, video in values.items()
    }


def from_rows(rows: csv.DictReader[str]) -> dict[str, list[Event]]:
    out: dict[str, list[Event]] = {}
    for row in rows:
        if "onset_s" in row:
            event = Event(row["kind"], float(row["onset_s"]), float(row["offset_s"]))
        else:
            event = Event(
                row["kind"],
                int(row["onset_frame"]) - 1,
                int(row["offset_frame"]) - 1,
                in_frames=True,
            )
        out.setdefault(row["video"], []).append(event)
    return out


def video_files(given: list[Path]) -> Iterator[Path]:
    """Raises UsageError for what is not there, and for two files of one name: they share a place in
    the truth.
    """
    names: set[str] = set()
    for path in given:
        if not path.exists():
            raise UsageError(f"expected a video or a folder of videos, but {path} does not exist")
        files = (
            [path]
            if path.is_file()
            else sorted(p for p in path.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES)
        )
        if not files:
            raise UsageError(f"expected videos in {path}, found none")
        for file in files:
            if file.name in names:
                raise UsageError(
                    f"expected each video name once, got {file.name} twice; rename one"
                )
            names.add(file.name)
            yield file


def score(tally: Tally, result: Spotting, events: list[Event]) -> None:
    """Add one video. What lies mostly in an unsure event counts neither way."""
    sure = [e.on(result) for e in events if e.sure]
    unsure = [e.on(result) for e in events if not e.sure]
    found = [Interval(i.onset_frame, i.offset_frame + 1, i.kind) for i in result.intervals]
    hits = {j for _, j in match(sure, found)}
    kept = [
        f
        for j, f in enumerate(found)
        if j in hits or all(f.overlap(u) <= 0.5 * f.length for u in unsure)
    ]
    tally.videos.append(count(sure, kept))
    if not sure:
        tally.quiet_seconds += float(result.frame_times[-1])
        tally.quiet_alarms += len(kept)


def run(name: str, videos: list[Path], truth: dict[str, list[Event]]) -> Tally:
    """One method over all videos."""
    method = Spotter() if name == "fesnet" else make_baseline(name)
    tally = Tally()
    for video in videos:
        began = time.perf_counter()
        result = method.spot(video)
        tally.work += time.perf_counter() - began
        tally.seconds += float(result.frame_times[-1])
        tally.found[video.name] = [[i.onset_s, i.offset_s, str(i.kind)] for i in result.intervals]
        score(tally, result, truth.get(video.name, []))
    return tally


def row(name: str, tally: Tally, scored: bool) -> str:
    """One line of the table."""
    cells = [f"{name:10}"]
    if scored:
        counts = overall(tally.videos)
        cells += [
            f"{counts[k].precision:.3f} {counts[k].recall:.3f} {counts[k].f1:.3f}"
            for k in ("macro", "micro")
        ]
        cells.append(f"{counts['overall'].f1:7.3f}")
        cells.append(f"{false_alarms_a_minute(counts['overall'], tally.seconds):8.2f}")
        quiet = (
            60 * tally.quiet_alarms / tally.quiet_seconds if tally.quiet_seconds else float("nan")
        )
        cells.append(f"{quiet:8.2f}")
    found = sum(len(f) for f in tally.found.values())
    cells += [f"{60 * found / tally.seconds:8.2f}", f"{60 * tally.work / tally.seconds:8.1f}"]
    return "  ".join(cells)


def heading(scored: bool) -> str:
    names = [f"{'method':10}"]
    if scored:
        names += [f"{kind + ' P R F1':17}" for kind in ("macro", "micro")]
        names += ["all  F1", "false/mi", "in quiet"]
    return "  ".join([*names, "found/mi", "s a min "])


def compare(given: argparse.Namespace) -> None:
    names = given.methods.split(",")
    known = ["fesnet", *METHODS]
    if unknown := [n for n in names if n not in known]:
        raise UsageError(f"expected methods among {', '.join(known)}, got {', '.join(unknown)}")
    videos = list(video_files(given.videos))
    truth = read_truth(given.truth) if given.truth else {}
    given.out.mkdir(parents=True, exist_ok=True)
    print(heading(bool(given.truth)))
    for name in names:
        tally = run(name, videos, truth)
        atomic_write_text(given.out / f"{name}.json", json.dumps(tally.found, indent=1) + "\n")
        print(row(name, tally, bool(given.truth)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--methods", default=",".join(["fesnet", *METHODS]))
    try:
        compare(parser.parse_args())
    except FesnetError as error:
        print(f"compare: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
