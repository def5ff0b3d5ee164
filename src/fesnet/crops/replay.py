"""Prepared crops played back: frames and faces as the face stage gave them, without a video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from fesnet.crops.stage import CropTrack, get_stage
from fesnet.crops.store import load_crops
from fesnet.datasets.prepared import MEDIA
from fesnet.datasets.recording import Recording
from fesnet.errors import UsageError
from fesnet.faces import Face, Tracker
from fesnet.faces.track import box_of
from fesnet.video import Frame, Source, open_source

BLANK = np.zeros((1, 1, 3), np.uint8)  # the picture of a frame of which only the face is left


class ReplayTracker:
    """A tracker that knows its faces already."""

    def __init__(self, kept: CropTrack) -> None:
        self.kept = kept
        self.rows = {int(frame): row for row, frame in enumerate(kept.frames)}

    def push(self, frame: Frame) -> list[Face]:
        """The face that was kept of this frame, if one was."""
        row = self.rows.get(frame.index)
        return [] if row is None else [self.face(row, frame)]

    def face(self, row: int, frame: Frame) -> Face:
        k = self.kept
        points = k.landmarks[row]
        look = None if k.keyed[row] else partial(k.landmarks.__getitem__, row)
        segment, score = int(k.segments[row]), float(k.scores[row])
        crop, mask = k.crops[row], k.masks[row]
        return Face(
            0, segment, frame.index, frame.time, crop, box_of(points), points, score, mask, look
        )


def replay_crops(path: Path) -> tuple[Source, Tracker]:
    """A source of blank frames with true times, and the tracker that has their faces. Raises
    SourceError.
    """
    kept = load_crops(path)
    times = kept.frame_times
    source = Source(
        name=path.stem,
        width=1,
        height=1,
        frames=blank_frames(kept),
        frame_count=len(times),
        duration=float(times[-1]),
        warnings=list(kept.warnings),
    )
    return source, ReplayTracker(kept)


def blank_frames(kept: CropTrack) -> Iterator[Frame]:
    for index, time in enumerate(kept.frame_times.tolist()):
        yield Frame(index, time, BLANK)


def open_with_faces(recording: Recording, stage: str) -> tuple[Source, Tracker]:
    """Frames of a recording and what finds their faces: looked for in a video, played back where
    they were prepared.

    Raises UsageError where this stage was not prepared, SourceError for what cannot be read,
    FaceModelError.
    """
    if recording.media == MEDIA:
        return replay_crops(recording.source)
    return open_source(recording.source, rate=recording.rate), get_stage(stage).tracker()


def select_stage(recording: Recording, stage: str) -> Recording:
    """A prepared recording with the file of one stage as its source; any other one as it is. Raises
    UsageError.
    """
    if recording.media != MEDIA:
        return recording
    path = recording.source.parents[1] / stage / recording.source.name
    if not path.is_file():
        raise UsageError(
            f"expected {recording.id} prepared for the face stage {stage}, but {path} does not "
            "exist; run `fesnet data "
            f"prepare` with --stage {recording.source.parent.name},{stage}"
        )
    return replace(recording, source=path)
