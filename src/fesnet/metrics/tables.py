"""Intervals from files: any CSV of the field, ActivityNet JSON, results of `fesnet spot`; which video each belongs to.

| file | how it is known | frames |
|---|---|---|
| `NAME.csv` of `fesnet spot` | columns `video`, `kind`, `onset_s` | 0-based, inclusive |
| `truth.csv` of `fesnet synth` and folder data sets | `subject`, `video`, `kind`, no seconds | 1-based, inclusive |
| MEGC 2022, 2023 | `vid`, `pred_onset` or `onset`, `type` (mae, me) | 1-based, inclusive |
| results of `fesnet spot` | `.json` with schema `fesnet/1` | 0-based, inclusive |
| ActivityNet | `.json` with `results` | seconds; needs the frame rate |

A video is known by its name without the ending, whatever the folder.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fesnet.errors import TruthError, UsageError
from fesnet.intervals import Interval, Kind

KIND_NAMES: dict[str, Kind] = {
    "macro": "macro",
    "mae": "macro",
    "macro-expression": "macro",
    "micro": "micro",
    "me": "micro",
    "micro-expression": "micro",
}


@dataclass(frozen=True)
class Found:
    """One interval and where it belongs; subject "" where the file tells none."""

    subject: str
    video: str
    interval: Interval


@dataclass(frozen=True)
class Known:
    """A video that was annotated, with or without events. seconds, frames: its length, None where unknown."""

    subject: str
    seconds: float | None = None
    frames: int | None = None


def read_intervals(path: Path, rate: float | None = None) -> list[Found]:
    """All intervals of a file, or of all results (`.json`), else all tables (`.csv`), in a folder.

    rate: frames a second, for files in seconds. Raises UsageError and TruthError.
    """
    if path.is_dir():
        files = sorted(path.glob("*.json")) or sorted(path.glob("*.csv"))
        if not files:
            raise UsageError(f"expected results (.json or .csv) in {path}, found none")
        return [found for file in files for found in read_intervals(file, rate)]
    if not path.is_file():
        raise UsageError(f"expected a table of intervals, but {path} does not exist")
    try:
        if path.suffix.lower() == ".json":
            return list(from_json(path, json.loads(path.read_text(encoding="utf-8")), rate))
        with path.open(newline="", encoding="utf-8-sig") as handle:
            return list(from_rows(path, csv.DictReader(handle)))
    except (UnicodeDecodeError, json.JSONDecodeError, csv.Error) as error:
        raise TruthError(f"expected a table of intervals in {path}, got something else ({error})") from error


def from_rows(path: Path, rows: csv.DictReader[str]) -> Iterator[Found]:
    columns = set(rows.fieldnames or ())
    megc = "vid" in columns
    video, kind = ("vid", "type") if megc else ("video", "kind")
    onset = "pred_onset" if "pred_onset" in columns else "onset" if megc else "onset_frame"
    offset = onset.replace("onset", "offset")
    missing = [name for name in (video, kind, onset, offset) if name not in columns]
    if missing:
        raise TruthError(f"expected a column {missing[0]} in {path}, got {', '.join(sorted(columns)) or 'no columns'}")
    first = 0 if "onset_s" in columns else 1
    for number, row in enumerate(rows, 2):
        where = f"{path} line {number}"
        ends = (frame_of(row[onset], where, onset), frame_of(row[offset], where, offset))
        interval = made(*ends, row[kind], first, where, score_of(row.get("score"), where))
        yield Found(row.get("subject") or "", Path(row[video]).stem, interval)


def from_json(path: Path, values: Any, rate: float | None) -> Iterator[Found]:
    if isinstance(values, dict) and str(values.get("schema", "")).startswith("fesnet/"):
        video = Path(values["source"]["name"]).stem
        for i in values["intervals"]:
            yield Found("", video, made(i["onset_frame"], i["offset_frame"], i["kind"], 0, str(path), i["score"]))
    elif isinstance(values, dict) and isinstance(values.get("results"), dict):
        if rate is None:
            raise UsageError(f"expected --fps with {path}, which counts in seconds, got none")
        for name, found in values["results"].items():
            for f in found:
                start, stop = (round(float(s) * rate) for s in f["segment"])
                where = f"{path}, video {name}"
                yield Found("", Path(name).stem, made(start, stop - 1, f["label"], 0, where, f.get("score", 1.0)))
    else:
        raise TruthError(f"expected a result of fesnet spot or an ActivityNet file in {path}, got another JSON file")


def frame_of(text: str | None, where: str, name: str) -> int:
    """Official tables hold fractions of frames, too; they are rounded."""
    try:
        return round(float(text or ""))
    except ValueError:
        raise TruthError(f"expected a frame number for {name} in {where}, got {text!r}") from None


def score_of(text: str | None, where: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        raise TruthError(f"expected a score from 0 to 1 in {where}, got {text!r}") from None


def made(onset: int, offset: int, kind: str | None, first: int, where: str, score: float) -> Interval:
    known = KIND_NAMES.get((kind or "").strip().lower())
    if known is None:
        raise TruthError(f"expected kind macro or micro in {where}, got {kind!r}")
    try:
        return Interval.from_inclusive(onset, offset, known, first=first, score=score)
    except TruthError:
        raise TruthError(f"expected an onset before its offset in {where}, got {onset} and {offset}") from None


def read_known(path: Path) -> dict[str, Known]:
    """`videos.csv` beside a truth table: all annotated videos by name, those without an event too; {} without one."""
    file = (path if path.is_dir() else path.parent) / "videos.csv"
    if not file.is_file():
        return {}
    with file.open(newline="", encoding="utf-8-sig") as handle:
        rows = csv.DictReader(handle)
        missing = [name for name in ("subject", "video") if name not in (rows.fieldnames or ())]
        if missing:
            raise TruthError(f"expected a column {missing[0]} in {file}, got {', '.join(rows.fieldnames or ())}")
        return {Path(r["video"]).stem: Known(r["subject"], number(r.get("seconds")), whole(r)) for r in rows}


def number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def whole(row: dict[str, str]) -> int | None:
    frames = number(row.get("frames"))
    return None if frames is None else int(frames)
