"""A folder of videos or of features with two tables beside them: what `fesnet synth` writes, and
what labs may share.

- videos.csv: subject,video,fps; every annotated video. fps only where a folder of frames needs it.
- truth.csv: subject,video,kind,onset_frame,apex_frame,offset_frame; 1-based, both inclusive; of a
  folder of frames the numbers of its files. emotion and action_units may follow.
- VIDEO.npz: features (T, D) or (T, R, 2), fps; or a video file or folder of frames of that name.
"""

from __future__ import annotations

import csv
import math
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fesnet._io import ARCHIVE_ERRORS, VIDEO_SUFFIXES, check_archive, check_regular_file
from fesnet._messages import in_utf8
from fesnet._names import closest_names, find_path, from_cell
from fesnet._tables import read_loose_table
from fesnet.datasets.frame_folders import folder_numbers, note_numbering
from fesnet.datasets.recording import AnnotationIssue, DataSet, EventLabel, Media, Recording
from fesnet.errors import SourceError, TruthError, UsageError
from fesnet.intervals import KINDS, Interval

VIDEOS, TRUTH = "videos.csv", "truth.csv"
NEEDED = {
    VIDEOS: ("subject", "video"),
    TRUTH: ("subject", "video", "kind", "onset_frame", "offset_frame"),
}
MORE_COLUMNS = ("apex_frame", "fps", "emotion", "action_units")
FEATURES = (".npz", ".npy")
LARGEST_FEATURES = 8_000_000_000  # bytes that one file may unpack to
ENDINGS = (*FEATURES, *VIDEO_SUFFIXES)


def load_folder(root: Path, name: str = "folder") -> DataSet:
    """Read both tables. Recordings whose file is not there are named in `missing`.

    Raises UsageError where there is no such folder or table, TruthError for a wrong column, kind or
    frame, and for a truth of a video that `videos.csv` does not name.
    """
    lines = list(read_table(root, VIDEOS))
    rows = [(row["subject"].strip(), row["video"].strip()) for _, row in lines]
    rates = {
        at: parse_rate(row.get("fps") or "", f"{root / VIDEOS} line {n}")
        for at, (n, row) in zip(rows, lines, strict=True)
    }
    truth = read_truth(root, set(rows))
    bare = [video_stem(video) for _, video in rows]
    recordings, missing = [], []
    issues: list[AnnotationIssue] = []
    for subject, video in dict.fromkeys(rows):
        unique = bare.count(video_stem(video)) == 1
        ident = (video_stem(video) if unique else f"{subject}_{video_stem(video)}").replace(
            "/", "_"
        )
        found = find_media(root, subject, video)
        if found is None:
            missing.append(ident)
            continue
        events, labels = split_events(truth.get((subject, video), []))
        recording = Recording(
            ident,
            subject,
            found,
            media_of(found),
            events,
            None,
            rates[subject, video],
            labels=labels,
        )
        recordings.append(place_by_number(recording, issues))
    ordered = tuple(sorted(recordings, key=lambda r: r.id))
    return DataSet(name, root, ordered, tuple(issues), tuple(sorted(missing)))


def place_by_number(recording: Recording, issues: list[AnnotationIssue]) -> Recording:
    """A folder of frames with its truth placed by the numbers of its files.

    Where these begin at 0, the truth counts from 1 all the same.
    """
    if recording.media != "frames":
        return recording
    count, numbers = folder_numbers(recording.source)
    if numbers is not None and (numbers.is_plain or numbers.runs[0][0] == 0):
        numbers = None
    if numbers is None:
        return replace(recording, frames=count or None)
    note_numbering(recording.id, numbers, recording.truth, count, issues)
    truth = tuple(map(numbers.to_frames, recording.truth))
    return replace(recording, truth=truth, frames=count, numbers=numbers)


def split_events(
    events: list[tuple[Interval, EventLabel]],
) -> tuple[tuple[Interval, ...], tuple[EventLabel, ...]]:
    """Truth in order, and its labels; none where no event has any."""
    ordered = sorted(events, key=lambda event: event[0])
    labels = tuple(label for _, label in ordered)
    return tuple(i for i, _ in ordered), labels if any(x != EventLabel() for x in labels) else ()


def read_table(root: Path, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Line numbers and rows of one of the tables. Raises UsageError where there is none, TruthError
    where it is not in UTF-8, or lacks a column."""
    path = root / name
    if not path.is_file():
        raise UsageError(
            f"expected {name} in {root}, but it is not there; see docs/benchmark.md for the layout"
        )
    try:
        table = read_loose_table(path, (*NEEDED[name], *MORE_COLUMNS))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TruthError(in_utf8(path, error)) from error
    for needed in NEEDED[name]:
        if needed not in table.columns:
            raise TruthError(
                f"expected a column {needed} in {path}, got {', '.join(table.columns) or 'none'}"
            )
    for number, row in table:
        yield number, {str(column): from_cell(cell or "") for column, cell in row.items()}


def read_truth(
    root: Path, videos: set[tuple[str, str]]
) -> dict[tuple[str, str], list[tuple[Interval, EventLabel]]]:
    """Events of each video with their labels, in the numbers of the table."""
    out: dict[tuple[str, str], list[tuple[Interval, EventLabel]]] = {}
    names = sorted(videos)
    stems = [f"{subject}//{video_stem(video)}" for subject, video in names]
    for line, row in read_table(root, TRUTH):
        where = f"{root / TRUTH} line {line}"
        wanted = f"{row['subject'].strip()}//{video_stem(row['video'].strip())}"
        fits = closest_names(wanted, names, stems)
        at = fits[0] if len(fits) == 1 else None
        if at is None:
            raise TruthError(
                f"expected the videos of {VIDEOS} in {where}, got {row['video']} of "
                f"{row['subject']}; add it there or "
                "correct it"
            )
        label = EventLabel(
            (row.get("emotion") or "").strip(), (row.get("action_units") or "").strip()
        )
        out.setdefault(at, []).append((parse_truth_row(row, where), label))
    return out


def parse_truth_row(row: dict[str, str], where: str) -> Interval:
    kinds = {str(kind): kind for kind in KINDS}
    kind = kinds.get(row["kind"].strip().lower())
    if kind is None:
        raise TruthError(f"expected kind macro or micro in {where}, got {row['kind']!r}")
    onset, offset = (
        parse_frame_number(row[name], name, where) for name in ("onset_frame", "offset_frame")
    )
    apex = (
        parse_frame_number(row["apex_frame"], "apex_frame", where) if row.get("apex_frame") else 0
    )
    if offset == 0:
        offset = apex  # the challenges' rule for an unknown offset
    if not 1 <= onset <= offset:
        raise TruthError(
            f"expected 1 <= onset_frame <= offset_frame in {where}, got {onset} and {offset}"
        )
    return Interval.from_inclusive(
        onset, offset, kind, apex=apex if onset <= apex <= offset else None
    )


def parse_rate(text: str, where: str) -> float | None:
    """Frames a second; None for an empty cell."""
    try:
        value = float(text) if text.strip() else None
    except ValueError:
        value = math.nan
    if value is not None and not 0 < value < math.inf:
        raise TruthError(f"expected fps above 0 in {where}, got {text!r}")
    return value


def parse_frame_number(text: str, name: str, where: str) -> int:
    try:
        return round(float(text))
    except (ValueError, OverflowError):
        raise TruthError(f"expected a frame number for {name} in {where}, got {text!r}") from None


def video_stem(video: str) -> str:
    path = Path(video)
    return str(path.with_suffix("")) if path.suffix.lower() in ENDINGS else video


def find_media(root: Path, subject: str, video: str) -> Path | None:
    """The file or folder of a video: under the root or the subject's folder, by its name or with an
    ending.
    """
    for base in (root / video, root / subject / video):
        if base.exists():
            return base
        plain = base.parent / video_stem(base.name)
        for ending in ENDINGS:
            path = plain.with_name(plain.name + ending)
            if path.is_file():
                return path
    for name in (video, f"{subject}/{video}"):
        for ending in ("", *ENDINGS):
            plain_name = name if not ending else f"{video_stem(name)}{ending}"
            path = find_path(root, plain_name)
            if path.exists():
                return path
    return None


def media_of(path: Path) -> Media:
    if path.is_dir():
        return "frames"
    return "features" if path.suffix.lower() in FEATURES else "video"


def load_features(recording: Recording) -> tuple[NDArray[np.float32], float]:
    """(T, D) float32 and their rate in Hz. Raises SourceError for files that hold something
    else.
    """
    path = recording.source
    try:
        check_regular_file(path, LARGEST_FEATURES)
        if zipfile.is_zipfile(path):
            check_archive(path, LARGEST_FEATURES)
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            values, rate = loaded, recording.rate
        else:
            with loaded:
                if "features" not in loaded.files:
                    raise SourceError(
                        f"expected an array features in {path}, got "
                        f"{', '.join(loaded.files) or 'none'}"
                    )
                values = loaded["features"]
                rate = float(loaded["fps"]) if "fps" in loaded.files else recording.rate
    except ARCHIVE_ERRORS as error:
        raise SourceError(
            f"expected features in {path}, but it cannot be read ({error})"
        ) from error
    if rate is None or not 0 < rate < float("inf"):
        raise SourceError(f"expected fps above 0 beside the features in {path}, got {rate}")
    if values.ndim not in (2, 3) or not all(values.shape) or values.dtype.kind not in "fiu":
        raise SourceError(
            f"expected features (T, D) or (T, R, 2) in {path}, got {values.dtype} {values.shape}"
        )
    return np.asarray(values, np.float32).reshape(len(values), -1), float(rate)
