"""Which intervals count where one side is a review: those of moments that a person looked at.

A review speaks of what a person has looked at alone. Beside it, of the other side count

    a machine's result   intervals at moments that the person looked at
    a person's table     also those that no proposal lay at: the other person added them
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fesnet._io import load_json, read_text_file
from fesnet._messages import counted
from fesnet.looked_at import HANDFUL, ReviewedMoments, reviewed_moments
from fesnet.metrics.interval_tables import (
    IntervalRecord,
    Reviewed,
    below_folder,
    interval_files,
    is_review,
    result_video,
)
from fesnet.metrics.video_ids import VideoId, resolve_videos

ReviewedVideos = dict[VideoId, ReviewedMoments]


def read_reviewed_videos(path: Path, reviewed: Reviewed, videos: list[VideoId]) -> ReviewedVideos:
    """What people have looked at, of each review in a file or folder whose intervals have been
    read; empty without reviews."""
    files = interval_files(path, reviewed) if path.is_dir() else [path]
    out: dict[tuple[str, str], ReviewedMoments] = {}
    for file in (f for f in files if f.suffix.lower() == ".json"):
        values: dict[str, Any] = load_json(read_text_file(file))
        if is_review(values):
            video = result_video(file, values)
            out["", below_folder(video.video, file, path)] = reviewed_moments(values)
    resolved = resolve_videos(list(out), list(videos), None)
    return {resolved[name]: moments for name, moments in out.items()}


def comparable_records(
    records: Sequence[IntervalRecord], beside: ReviewedMoments | None
) -> list[IntervalRecord]:
    """The records of one side of a video that count beside a review of it (None: all do)."""
    return [r for r in records if beside is None or is_comparable(r, beside)]


def is_comparable(record: IntervalRecord, beside: ReviewedMoments) -> bool:
    """Whether the person of the review has an opinion of a record of the other side."""
    i = record.interval
    moments = [span for moment in beside.judged for span in moment]
    faces = {s[0] for s in (*moments, *beside.left)} if record.face is None else {record.face}
    spans = [(face, i.start, i.stop - 1) for face in faces]
    if any(beside.judges(span) for span in spans):
        return True
    return not record.by_machine and not any(map(beside.leaves, spans))


def reviewed_notes(sides: Sequence[ReviewedVideos]) -> list[str]:
    """How much people looked at, in words; none where no side is a review."""
    parts = [moments for side in sides for moments in side.values()]
    if not parts:
        return []
    looked, left = sum(len(p.judged) for p in parts), sum(len(p.left) for p in parts)
    text = f"reviews: {counted(looked, 'moment')} looked at; only these count"
    if left:
        text += f", {counted(left, 'proposal')} that nobody looked at on neither side"
    few = [f"from fewer than {HANDFUL} moments figures are chance"] if looked < HANDFUL else []
    return [text, *few]
