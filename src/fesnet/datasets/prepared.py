"""A folder that `fesnet data prepare` wrote: recordings whose crops lie there, with their truth.

- prepared.json: of which data set and by which options, what is missing.
- videos.csv, truth.csv: as of a folder data set (`fesnet.datasets.folder`); frames are those of the
  original videos.
- STAGE/ID.npz: the crops of one recording (`fesnet.crops`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fesnet._io import write_table
from fesnet.datasets.folder import TRUTH, VIDEOS, read_table, read_truth
from fesnet.datasets.recording import DataSet, Media, Recording
from fesnet.errors import TruthError, UsageError

MEDIA: Media = "prepared"
ABOUT = "prepared.json"
SCHEMA = "fesnet-prepared/1"
COLUMNS = {
    VIDEOS: ("subject", "video", "frames"),
    TRUTH: ("subject", "video", "kind", "onset_frame", "apex_frame", "offset_frame"),
}


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
    rows = [
        (row["subject"], row["video"], row.get("frames", "")) for _, row in read_table(root, VIDEOS)
    ]
    truth = read_truth(root, {(subject, video) for subject, video, _ in rows})
    recordings, missing = [], list(about["missing"])
    for subject, video, frames in rows:
        files = (root / stage / f"{video}.npz" for stage in about["stages"])
        found = next((f for f in files if f.is_file()), None)
        if found is None:
            missing.append(video)
            continue
        events = tuple(sorted(truth.get((subject, video), ())))
        recordings.append(
            Recording(
                video, subject, found, MEDIA, events, int(frames) if frames.isdecimal() else None
            )
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
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
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
    videos = [(r.subject, r.id, r.frames or "") for r in data.recordings]
    truth = [
        (r.subject, r.id, i.kind, i.start + 1, "" if i.apex is None else i.apex + 1, i.stop)
        for r in data.recordings
        for i in r.truth
    ]
    write_table(out / VIDEOS, [COLUMNS[VIDEOS], *videos])
    write_table(out / TRUTH, [COLUMNS[TRUTH], *truth])
