"""Real clips -> landmarks of the face in every frame, and the stretches that videos are made of.

A stretch ends at a cut, where the face is lost, and where a table of masks begins. Tracks are kept
as files, so that a clip is followed once, however many videos are made of it.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fesnet._io import atomic_open, file_sha256
from fesnet._messages import in_utf8
from fesnet._names import closest_names
from fesnet._tables import read_loose_table
from fesnet._types import FloatArray
from fesnet.errors import SourceError, UsageError
from fesnet.faces import FaceTracker
from fesnet.faces.landmark_features import fit_head
from fesnet.intervals import true_runs
from fesnet.synth.render.avatar import FACE_OVAL
from fesnet.video import open_source
from fesnet.video.folder import find_video_files

MIN_SECONDS = 1.0  # of a stretch: shorter ones hold less than a macro-expression
MIN_WIDTH = 40.0  # pixels of a face: a smaller one shows no micro-expression
NO_FACE = -1  # segment of frames without a face
SMOOTHING = (0.25, 0.5, 0.25)  # of landmarks over frames: half of the model's jitter, no delay
# Crop units: spread of the gap between the lips over a stretch from which a mouth is taken to
# speak. A mouth at rest has 0.002, read sentences have 0.01 and more.
SPEAKING_GAP = 0.006
LIPS_INNER = (13, 14)  # landmarks: the middle of the upper and the lower lip's inner edge
MASK_COLUMNS = ("video", "onset_s", "offset_s")


@dataclass(frozen=True)
class Stretch:
    """Frames start .. stop - 1 of a clip in which one face is in view; speaks: its mouth moves."""

    start: int
    stop: int
    speaks: bool

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, eq=False)
class FootageTrack:
    """The face of a clip. times (N,) s of all frames; segments (N,) the tracker's number, or
    NO_FACE; landmarks (N, 468, 3) source pixels, zeros without a face.
    """

    times: NDArray[np.float64]
    segments: NDArray[np.int32]
    landmarks: NDArray[np.float32]

    @property
    def rate(self) -> float:
        """Frames a second, on average."""
        return float((len(self.times) - 1) / max(self.times[-1] - self.times[0], 1e-6))

    def stretches(self, masks: Sequence[tuple[float, float]] = ()) -> list[Stretch]:
        """What can be used, outside of masks (onset, offset in s)."""
        masked = np.zeros(len(self.times), bool)
        for onset, offset in masks:
            masked |= (self.times >= onset) & (self.times <= offset)
        widths = np.ptp(self.landmarks[:, list(FACE_OVAL), 0], axis=1)
        usable = (self.segments != NO_FACE) & ~masked & (widths >= MIN_WIDTH)
        out = []
        for segment in np.unique(self.segments[usable]):
            for start, stop in true_runs(usable & (self.segments == segment)):
                if self.times[stop - 1] - self.times[start] >= MIN_SECONDS:
                    out.append(Stretch(start, stop, self.speaks(start, stop)))
        return sorted(out, key=lambda stretch: stretch.start)

    def speaks(self, start: int, stop: int) -> bool:
        """Whether the mouth moves in these frames as in speech."""
        return float(np.std(lip_gaps(self.landmarks[start:stop]))) > SPEAKING_GAP

    def smooth_landmarks(self, stretch: Stretch) -> NDArray[np.float32]:
        """(S, 468, 3) the landmarks of a stretch with less jitter."""
        own = self.landmarks[stretch.start : stretch.stop]
        padded = np.concatenate([own[:1], own, own[-1:]])
        parts = [share * padded[k : k + len(own)] for k, share in enumerate(SMOOTHING)]
        return np.asarray(sum(parts), np.float32)

    def save(self, path: Path) -> None:
        """Write a .npz file, atomically."""
        with atomic_open(path) as handle:
            np.savez(handle, **vars(self))

    @classmethod
    def load(cls, path: Path) -> FootageTrack:
        with np.load(path, allow_pickle=False) as table:
            return cls(table["times"], table["segments"], table["landmarks"])


def lip_gaps(landmarks: FloatArray) -> FloatArray:
    """(N,) how far the lips are apart in crop units, of landmarks (N, 468, 3)."""
    _, _, scale = fit_head(landmarks)
    upper, lower = (landmarks[:, i] for i in LIPS_INNER)
    return np.asarray(np.linalg.norm(upper - lower, axis=1) * scale, np.float32)


def track_clip(clip: Path) -> FootageTrack:
    """Follow the largest face of a clip. Raises SourceError for a clip that cannot be read."""
    tracker = FaceTracker(which="largest", crop_size=16, colour=False)
    times, segments, landmarks = [], [], []
    nothing = np.zeros((468, 3), np.float32)
    with open_source(clip) as source:
        for frame in source:
            found = tracker.push(frame)
            times.append(frame.time)
            segments.append(found[0].segment if found else NO_FACE)
            landmarks.append(found[0].landmarks if found else nothing)
    if not times:
        raise SourceError(f"expected frames in {clip}, got none; the file is empty or broken")
    return FootageTrack(np.array(times), np.array(segments, np.int32), np.stack(landmarks))


def track_file(folder: Path, clip: Path) -> Path:
    """Where a clip's track is kept: by its content."""
    return folder / f"{file_sha256(clip)[:32]}.npz"


def make_track(job: tuple[Path, Path]) -> None:
    """Write the track of a clip (job: clip, file), unless it is there."""
    clip, file = job
    if not file.is_file():
        track_clip(clip).save(file)


def read_masks(file: Path | None, footage: Path) -> Mapping[Path, tuple[tuple[float, float], ...]]:
    """Times of clips that are not to be used, as they may hold expressions of the person's own.

    A CSV table with the columns video (path below the folder, or file name), onset_s, offset_s;
    without times the whole clip is meant. Raises UsageError for another table or unknown clips.
    """
    masks: dict[Path, tuple[tuple[float, float], ...]] = {}
    if file is None:
        return masks
    clips = find_video_files(footage)
    texts = [(c, text) for c in clips for text in (c.name, c.relative_to(footage).as_posix())]
    for line, row in read_rows(file):
        named = set(closest_names(row["video"], [c for c, _ in texts], [t for _, t in texts]))
        if not named:
            raise UsageError(
                f"expected a clip of {footage} in {file} line {line}, got {row['video']!r}"
            )
        try:
            onset = float(row["onset_s"] or "-inf")
            offset = float(row["offset_s"] or "inf")
        except (TypeError, ValueError) as error:
            raise UsageError(f"expected seconds in {file} line {line}, but {error}") from error
        if not onset < offset:
            raise UsageError(
                f"expected an offset after its onset in {file} line {line}, got {onset} and "
                f"{offset}"
            )
        for clip in named:
            masks[clip] = (*masks.get(clip, ()), (onset, offset))
    return masks


def read_rows(file: Path) -> list[tuple[int, dict[str, str]]]:
    """Lines of a table of masks and their numbers. Raises UsageError."""
    try:
        table = read_loose_table(file, MASK_COLUMNS)
    except UnicodeDecodeError as error:
        raise UsageError(in_utf8(file, error)) from error
    except (OSError, csv.Error) as error:
        raise UsageError(f"expected a table of masks in {file}, but {error}") from error
    missing = [name for name in MASK_COLUMNS if name not in table.columns]
    if missing:
        raise UsageError(
            f"expected the columns {', '.join(MASK_COLUMNS)} in {file}, got {table.columns}"
        )
    return [(n, {str(column): cell or "" for column, cell in row.items()}) for n, row in table]
