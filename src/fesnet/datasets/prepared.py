"""A folder that `fesnet data prepare` wrote: recordings whose crops lie there, with their truth.

- prepared.json: of which data set and by which options, what is missing.
- videos.csv, truth.csv: as of a folder data set (`fesnet.datasets.folder`); frames are those of the
  original videos, by the numbers of their files. Where these are not 1, 2, 3 ..., the column
  `numbers` has their runs ("8-507").
- STAGE/ID.npz: the crops of one recording (`fesnet.crops`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fesnet._io import load_json, read_text_file, write_table
from fesnet.datasets.folder import TRUTH, VIDEOS, read_table, read_truth, split_events
from fesnet.datasets.recording import DataSet, EventLabel, Media, Recording
from fesnet.errors import TruthError, UsageError
from fesnet.frame_numbers import FrameNumbers
from fesnet.intervals import Interval

MEDIA: Media = "prepared"
ABOUT = "prepared.json"
SCHEMA = "fesnet-prepared/1"
COLUMNS = {
    VIDEOS: ("subject", "video", "frames"),
    TRUTH: ("subject", "video", "kind", "onset_frame", "apex_frame", "offset_frame"),
}
LABELS = ("emotion", "action_units")


def load_prepared(root: Path, offset: str | None = None) -> DataSet:
    """offset: the convention that the truth must have been read by, None for any.

    Raises UsageError where nothing was prepared, or the truth was read by another convention,
    TruthError for damaged tables.
    """
    about = read_prepared_json(root)
    options = dict(about["options"])
    if offset not in (
        None,
        options.get("offset", "apex"),
    ):  # folders have no choice: the apex is the end
        raise UsageError(
            f"expected the offset convention that {root} was prepared with "
            f"({options.get('offset', 'apex')}), got "
            f"{offset}; run `fesnet data prepare` with --offset {offset}, which keeps the crops"
        )
    rows = [row for _, row in read_table(root, VIDEOS)]
    truth = read_truth(root, {(row["subject"], row["video"]) for row in rows})
    recordings, missing = [], list(about["missing"])
    for row in rows:
        subject, video, frames = row["subject"], row["video"], row.get("frames", "")
        files = (root / stage / f"{video}.npz" for stage in about["stages"])
        found = next((f for f in files if f.is_file()), None)
        if found is None:
            missing.append(video)
            continue
        events, labels = split_events(truth.get((subject, video), []))
        numbers = FrameNumbers.from_text(row["numbers"]) if row.get("numbers") else None
        placed = events if numbers is None else tuple(map(numbers.to_frames, events))
        count = int(frames) if frames.isdecimal() else None
        recordings.append(
            Recording(video, subject, found, MEDIA, placed, count, None, numbers, labels)
        )
    order = tuple(sorted(recordings, key=lambda r: r.id))
    return DataSet(
        "prepared", root, order, (), tuple(sorted(missing)), {"data set": about["data"], **options}
    )


def read_prepared_json(root: Path) -> dict[str, Any]:
    """What stands in prepared.json. Raises UsageError where there is none, TruthError for a damaged
    one.
    """
    path = root / ABOUT
    if not path.is_file():
        raise UsageError(
            f"expected {ABOUT} in {root}, but it is not there; run `fesnet data prepare` to its end"
        )
    try:
        about: dict[str, Any] = load_json(read_text_file(path))
        whole = about["schema"] == SCHEMA and all(
            name in about for name in ("data", "options", "missing", "stages")
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TruthError(
            f"expected {SCHEMA} in {path}, but it is damaged; prepare again"
        ) from error
    if not whole:
        raise TruthError(
            f"expected {SCHEMA} in {path}, got something else; prepare again with this version"
        )
    return about


def write_tables(data: DataSet, out: Path) -> None:
    """videos.csv and truth.csv of a data set."""
    write_table(out / VIDEOS, video_rows(data.recordings))
    write_table(out / TRUTH, prepared_truth_rows(data.recordings))


def video_rows(recordings: Sequence[Recording], *, rates: bool = False) -> list[tuple[object, ...]]:
    """videos.csv with its head. rates: with a column `fps`; `numbers` where a video has any."""
    numbered = any(r.numbers is not None for r in recordings)
    rows: list[tuple[object, ...]] = [
        (*COLUMNS[VIDEOS], *(("fps",) * rates), *(("numbers",) * numbered))
    ]
    for r in recordings:
        rate = ("" if r.rate is None else f"{r.rate:g}",) * rates
        rows.append((r.subject, r.id, r.frames or "", *rate, *((r.numbers or "",) * numbered)))
    return rows


def prepared_truth_rows(recordings: Sequence[Recording]) -> list[tuple[object, ...]]:
    """truth.csv with its head, in numbers of files; labels only where some event has any."""
    labelled = any(r.labels for r in recordings)
    rows: list[tuple[object, ...]] = [(*COLUMNS[TRUTH], *(LABELS if labelled else ()))]
    for r in recordings:
        labels = r.labels or (EventLabel(),) * len(r.truth)
        for i, label in zip(r.numbered_truth(), labels, strict=True):
            words = (label.emotion, label.action_units) if labelled else ()
            rows.append((r.subject, r.id, *event_cells(i), *words))
    return rows


def event_cells(i: Interval) -> tuple[object, ...]:
    """Kind, onset, apex and offset as tables have them: from 1, both ends inside."""
    return i.kind, i.start + 1, "" if i.apex is None else i.apex + 1, i.stop
