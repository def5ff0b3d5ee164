"""Intervals from files, and the video of each: CSV of the field, ActivityNet JSON, our results.

| file | how it is known | frames |
|---|---|---|
| `NAME.csv` of `fesnet spot` | columns `video`, `kind`, `onset_s` | 0-based, inclusive |
| `truth.csv` of `fesnet synth` and folder data sets | `subject`, `video`, `kind`, no seconds |
1-based, inclusive |
| MEGC 2022, 2023 | `vid`, `pred_onset` or `onset`, `type` (mae, me) | 1-based, inclusive |
| MEGC 2024, 2025 | `subject`, `video`, `onset`, `emotion`, no kind: all are micro | 1-based,
inclusive |
| results of `fesnet spot` | `.json` with schema `fesnet/1` | 0-based, inclusive |
| reviews of `fesnet review` | `.json` with schema `fesnet-review/1`; what a person has looked at
| 0-based, inclusive |
| ActivityNet | `.json` with `results` | seconds; needs the frame rate |
"""

from __future__ import annotations

import codecs
import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from fesnet._io import (
    LARGEST_FILE,
    describe_absence,
    file_exists,
    is_result,
    load_json,
    read_text_file,
)
from fesnet._messages import in_utf8
from fesnet._names import is_number
from fesnet._tables import LooseTable, read_loose_table
from fesnet.errors import TruthError, UsageError
from fesnet.intervals import Interval, Kind
from fesnet.looked_at import reviewed_moments
from fesnet.metrics.video_ids import VideoId, video_name

KIND_NAMES: dict[str, Kind] = {
    "macro": "macro",
    "mae": "macro",
    "macro-expression": "macro",
    "micro": "micro",
    "me": "micro",
    "micro-expression": "micro",
}
# All columns that are read; a table is known by them.
COLUMNS = (
    *("video", "vid", "subject", "kind", "type", "emotion", "score", "onset_s"),
    *("onset", "offset", "onset_frame", "apex_frame", "offset_frame", "pred_onset", "pred_offset"),
)
Reviewed = Literal["no", "yes", "machine"]
REVIEW_SCHEMA = "fesnet-review/"
SCHEMAS = ("fesnet/", REVIEW_SCHEMA)
# The first columns of summary.csv, now and as older versions wrote them.
SUMMARY_HEADERS = (b"video,participant,result,status,", b"video,subject,result,status,")
LONGEST = 10**9  # frames or seconds: more than any video has
# What lies beside results in a folder (exports, reviews: name them to read them), and tables
# without intervals.
NO_RESULTS = (
    *(".labelstudio.json", ".activitynet.json", ".megc.csv", ".truth.csv", ".review.json"),
    *(".frames.csv", ".blinks.csv"),
)
STUDY_TABLES = {"videos.csv", "study.csv", "summary.csv", "expressions.csv", "participants.csv"}
STUDY_TABLES |= {"statistics.csv", "markers.csv", "by_marker.csv"}


@dataclass(frozen=True)
class IntervalRecord:
    """One interval and where it belongs; subject and emotion "" where the file has none.

    early: how many frames its onset lies before the first frame, as in some official files; then
    `interval` begins at 0, and only `placed` knows where. is_index: frames of a result, counted
    from 0, not numbers of files. action_units: as written, "" where the file has none. face: None
    where the file tells of none; by_machine: of a result that is no review.
    """

    subject: str
    video: str
    interval: Interval
    emotion: str = ""
    early: int = 0
    is_index: bool = False
    action_units: str = ""
    face: int | None = None
    by_machine: bool = False

    def placed(self, shift: int) -> Interval:
        """The interval on an axis that begins `shift` frames (`early` or more) before the first."""
        i, by = self.interval, shift - self.early
        return Interval(i.start + by, i.stop + by, i.kind, None, i.score) if by else i


def read_intervals(
    path: Path, rate: float | None = None, reviewed: Reviewed = "no"
) -> list[IntervalRecord]:
    """All intervals of a file or folder.

    Of a folder: its `truth.csv`, else all results (`.json`), also those in folders below it, whose
    videos are then named with their folder; else all tables (`.csv`). reviewed: as of
    `interval_files`. rate: frames a second, for files in seconds. Raises UsageError and TruthError.
    """
    if rate is not None and not 0 < rate < math.inf:
        raise UsageError(f"expected frames a second above 0, got {rate}")
    if path.is_dir():
        return read_interval_folder(path, rate, reviewed)
    if not file_exists(path):
        raise UsageError(f"expected a table of intervals, but {path} {describe_absence(path)}")
    try:
        if path.suffix.lower() == ".json":
            return list(parse_json(path, load_json(read_text_file(path, LARGEST_FILE)), rate))
        return list(parse_rows(path, read_loose_table(path, COLUMNS)))
    except UnicodeDecodeError as error:
        raise TruthError(in_utf8(path, error)) from error
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise TruthError(
            f"expected a table of intervals in {path}, got something else ({error})"
        ) from error


def read_interval_folder(
    folder: Path, rate: float | None, reviewed: Reviewed = "no"
) -> list[IntervalRecord]:
    """All intervals of a folder's files.

    Raises UsageError where two files are of one video: they would be added up.
    """
    by_file = {
        file: [
            replace(found, video=below_folder(found.video, file, folder))
            for found in read_intervals(file, rate)
        ]
        for file in interval_files(folder, reviewed)
    }
    files: dict[tuple[str, str], list[str]] = {}
    for file, found in by_file.items():
        videos = {(f.subject, f.video) for f in found} | {
            (p.subject, below_folder(p.video, file, folder)) for p in read_results(file)
        }
        for key in sorted(videos):
            files.setdefault(key, []).append(file.relative_to(folder).as_posix())
    for (_, video), names in files.items():
        if len(names) > 1:
            some = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            raise UsageError(
                f"expected each video once in {folder}, but {video} is in {some}; name one of them"
            )
    return [found for each in by_file.values() for found in each]


def read_results(path: Path, reviewed: Reviewed = "no") -> list[VideoId]:
    """The videos of results of `fesnet spot` with their lengths, also those without an interval.

    Other files name neither. Call `read_intervals` before: it raises errors for damaged files.
    Raises TruthError for lengths that are none.
    """
    files = interval_files(path, reviewed) if path.is_dir() else [path]
    out = []
    for file in files:
        values = (
            load_json(read_text_file(file, LARGEST_FILE))
            if file.suffix.lower() == ".json"
            else None
        )
        if isinstance(values, dict) and str(values.get("schema", "")).startswith(SCHEMAS):
            video = result_video(file, values)
            out.append(replace(video, video=below_folder(video.video, file, path)))
    return out


def below_folder(video: str, file: Path, folder: Path) -> str:
    """The video of a result in a subfolder by its path: a batch lays results out as its videos."""
    if file == folder:
        return video
    inside = file.parent.relative_to(folder).as_posix()
    return video if inside == "." else f"{video_name(inside + '/x')[:-1]}{video}"


def result_video(path: Path, values: dict[str, Any]) -> VideoId:
    """The video of a result, or of a review, with its length.

    Raises TruthError for a length that is none.
    """
    source, frames = values["source"], values.get("frames")
    whole, seconds = source.get("frame_count"), source.get("duration_s")
    for name, length in {"frames": frames, "frame_count": whole, "duration_s": seconds}.items():
        is_number = type(length) is int or (type(length) is float and name == "duration_s")
        if length is not None and not (is_number and 0 <= length <= LONGEST):
            raise TruthError(f"expected {name} from 0 to {LONGEST} in {path}, got {length!r}")
    if frames and whole and seconds:
        seconds *= frames / whole  # spotting may have stopped before the end
    return VideoId("", video_name(source["name"]), seconds or None, frames or None)


def interval_files(folder: Path, reviewed: Reviewed = "no") -> list[Path]:
    """The files of a folder that count: its truth, else the results below it, else its tables.

    reviewed: "no": results; "yes": the reviews of those that have one; "machine": the results of
    those that have one.
    """
    if reviewed != "no":
        return reviewed_files(folder, reviewed)
    if (folder / "truth.csv").is_file():
        return [folder / "truth.csv"]
    files = visible_files(folder)
    results = [f for f in files if f.suffix == ".json" and is_result(f)]
    for chosen in (results, [f for f in files if f.suffix == ".json" and f.parent == folder]):
        if chosen:
            return chosen
    tables = [f for f in files if f.suffix == ".csv" and not is_summary(f)]
    if not tables:
        raise UsageError(f"expected results (.json or .csv) in {folder}, found none")
    return tables


def visible_files(folder: Path) -> list[Path]:
    """What may hold intervals anywhere below a folder, hidden files and folders aside."""
    there = sorted(
        f
        for ending in ("*.json", "*.csv")
        for f in folder.rglob(ending)
        if file_exists(f) and not any(p.startswith(".") for p in f.relative_to(folder).parts)
    )
    return [f for f in there if not f.name.endswith(NO_RESULTS) and f.name not in STUDY_TABLES]


def is_summary(table: Path) -> bool:
    """Whether a table is the summary of a batch, which has no intervals."""
    try:
        with table.open("rb") as handle:
            first = handle.readline(100).removeprefix(codecs.BOM_UTF8).replace(b";", b",")
    except OSError:
        return False
    return first.startswith(SUMMARY_HEADERS)


def reviewed_files(folder: Path, reviewed: Reviewed) -> list[Path]:
    """Reviews below a folder, or the results that they are of. Raises UsageError for none."""
    results = [f for f in visible_files(folder) if f.suffix == ".json" and is_result(f)]
    both = [(f, f.with_name(f"{f.stem}.review.json")) for f in results]
    found = [review if reviewed == "yes" else f for f, review in both if file_exists(review)]
    if not found:
        raise UsageError(f"expected reviews (NAME.review.json) in {folder}, found none")
    return found


def parse_rows(path: Path, rows: LooseTable) -> Iterator[IntervalRecord]:
    columns = set(rows.columns)
    video = "vid" if "vid" in columns else "video"
    kind = "type" if "vid" in columns else "kind"
    micro = "emotion" in columns and not {"kind", "type"} & columns
    bare = "vid" in columns or micro  # columns as the challenges have them
    onset = "pred_onset" if "pred_onset" in columns else "onset" if bare else "onset_frame"
    offset = onset.replace("onset", "offset")
    missing = [
        name for name in (video, *(() if micro else (kind,)), onset, offset) if name not in columns
    ]
    if missing:
        raise TruthError(
            f"expected a column {missing[0]} in {path}, got "
            f"{', '.join(sorted(columns)) or 'no columns'}"
        )
    first = 0 if "onset_s" in columns else 1
    for number, row in rows:
        where = f"{path} line {number}"
        check_width(row, len(columns), where)
        name = row[video]
        if not name:
            raise TruthError(f"expected the name of a video in {where}, got none")
        ends = (parse_frame(row[onset], where, onset), parse_frame(row[offset], where, offset))
        score = parse_score(row.get("score") or "1", where)
        # Official samples and real submissions have onsets of 0 and below; they stay there.
        early = max(first - ends[0], 0) if first else 0
        moved = (ends[0] + early, ends[1] + early) if early else ends
        interval = parse_interval(*moved, "micro" if micro else row[kind], first, where, score)
        emotion = (row.get("emotion") or "").strip().lower()
        subject = (row.get("subject") or "").strip()
        units = (row.get("action_units") or "").strip()
        yield IntervalRecord(subject, video_name(name), interval, emotion, early, not first, units)


def parse_json(path: Path, values: Any, rate: float | None) -> Iterator[IntervalRecord]:
    try:
        if isinstance(values, dict) and str(values.get("schema", "")).startswith(SCHEMAS):
            yield from parse_result(path, values)
        elif isinstance(values, dict) and isinstance(values.get("results"), dict):
            if rate is None:
                raise UsageError(f"expected --fps with {path}, which counts in seconds, got none")
            yield from parse_activitynet(path, values["results"], rate)
        else:
            raise TruthError(
                f"expected a result of fesnet spot or an ActivityNet file in {path}, got another "
                "JSON file"
            )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise TruthError(
            f"expected whole intervals in {path}, got a damaged file ({error!r})"
        ) from error


def parse_result(path: Path, values: dict[str, Any]) -> Iterator[IntervalRecord]:
    video = video_name(values["source"]["name"])
    review = is_review(values)
    seen = reviewed_moments(values).ids if review else frozenset()
    for i in values["intervals"]:
        if review and i["id"] not in seen:
            continue  # a proposal that nobody looked at is no opinion of a person
        ends, score = (i["onset_frame"], i["offset_frame"]), parse_score(i["score"], str(path))
        if not all(type(frame) is int for frame in ends):
            raise TypeError(f"frames {ends}")
        interval = parse_interval(*ends, i["kind"], 0, str(path), score)
        yield IntervalRecord(
            "", video, interval, is_index=True, face=i["face"], by_machine=not review
        )


def is_review(values: Any) -> bool:
    """Whether parsed JSON is a review."""
    return isinstance(values, dict) and str(values.get("schema", "")).startswith(REVIEW_SCHEMA)


def parse_activitynet(path: Path, results: dict[str, Any], rate: float) -> Iterator[IntervalRecord]:
    for name, found in results.items():
        where = f"{path}, video {name}"
        for f in found:
            start, stop = (round(float(s) * rate) for s in f["segment"])
            stop = max(stop, start + 1)  # one frame at least
            score = parse_score(f.get("score", 1.0), where)
            interval = parse_interval(start, stop - 1, f["label"], 0, where, score)
            yield IntervalRecord("", video_name(name), interval)


def check_width(row: dict[str | None, str | None], columns: int, where: str) -> None:
    """Raises TruthError for a row that is divided otherwise than the first line: it lacks cells, or
    has numbers beyond the last column, as decimal commas between commas make."""
    got = sum(cell is not None for name, cell in row.items() if name is not None)
    beyond = (row.get(None) or "").split(",")
    if got == 1 < columns or any(is_number(cell.strip()) for cell in beyond):
        got += len(beyond) if beyond != [""] else 0
        raise TruthError(
            f"expected as many cells as columns in {where}, got {got} instead of {columns}; cells "
            "with commas need quotes, or another separator between cells"
        )


def parse_frame(text: str | None, where: str, name: str) -> int:
    """Official tables hold fractions of frames, too; they are rounded."""
    try:
        return round(float(text or ""))
    except (ValueError, OverflowError):
        raise TruthError(f"expected a frame number for {name} in {where}, got {text!r}") from None


def parse_score(value: Any, where: str) -> float:
    """Any finite number: only the order of scores counts."""
    try:
        score = float(value)
    except (TypeError, ValueError, OverflowError):
        score = math.nan
    if not math.isfinite(score):
        raise TruthError(f"expected a number for the score in {where}, got {value!r}")
    return score


def parse_interval(
    onset: int, offset: int, kind: str | None, first: int, where: str, score: float
) -> Interval:
    known = KIND_NAMES.get((kind or "").strip().lower())
    if known is None:
        raise TruthError(f"expected kind macro or micro in {where}, got {kind!r}")
    if offset == 0 < onset:
        raise TruthError(
            f"expected an onset before its offset in {where}, got {onset} and 0; 0 stands for "
            "'unknown' in official "
            "files: write what you hold to be the last frame (the challenges take the apex)"
        )
    if onset < first:
        raise TruthError(f"expected frames from {first} on in {where}, got {onset}")
    if offset < onset:
        raise TruthError(
            f"expected an onset before its offset in {where}, got {onset} and {offset}"
        )
    return Interval.from_inclusive(onset, offset, known, first=first, score=score)
