"""Write the video with an overlay: face boxes, labels of expressions, a moving strip of scores."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from fesnet._messages import format_time
from fesnet._types import FrameCallback, Image
from fesnet.errors import UsageError
from fesnet.faces import Face, FaceTracker
from fesnet.intervals import KINDS
from fesnet.result import FaceTrack, Spotting
from fesnet.timing import frame_rate
from fesnet.video import Frame, VideoWriter, open_source
from fesnet.video.encode import check_writable
from fesnet.windows import FrameSampler

COLOURS = {"macro": (0, 114, 178), "micro": (213, 94, 0), "": (150, 158, 166)}  # RGB; Okabe and Ito
BACKGROUND, FOREGROUND, MUTED = (20, 25, 31), (232, 237, 242), (90, 103, 114)
MP4_SUFFIXES = (".mp4", ".m4v", ".mov")  # endings that an overlay may have
STRIP_SECONDS = 10.0  # s of scores in view, the moment in the middle


def write_overlay(
    spotting: Spotting, video: Path, out: Path, progress: FrameCallback | None = None
) -> None:
    """Write `out` atomically: mp4 without sound, every spotted frame at its own time.

    Tracks the faces again for their boxes. Raises UsageError and SourceError.
    """
    check_overlay(out, video)
    which = "all" if spotting.provenance.get("faces") == "all" else "largest"
    tracker, sampler = FaceTracker(which=which), FrameSampler(spotting.working_rate)  # type: ignore[arg-type]
    rate = frame_rate(spotting.frame_times, spotting.working_rate) or spotting.working_rate
    with open_source(video, rate=rate if video.is_dir() else None) as source:
        width, height = source.width, source.height
        strip = max(60, height // 6)
        faces: list[Face] = []
        with VideoWriter(out, max(rate, 1.0), width, height + strip, timed=True) as writer:
            for frame in source:
                if frame.index >= len(spotting.frame_times):
                    break  # spotting stopped here
                if frame.image.shape[:2] != (height, width):
                    raise UsageError(
                        f"expected one size of pictures for an overlay, but {source.name} "
                        "changes its own"
                    )
                if sampler.should_sample(frame.time):
                    faces = tracker.push(frame)
                picture = draw_faces(frame, faces, spotting)
                scores = draw_score_strip(frame.time, spotting, width, strip)
                writer.write(np.vstack([picture, scores]), frame.time)
                if progress is not None:
                    progress(frame, source)


def check_overlay(out: Path, video: Path) -> None:
    """Raises UsageError where `out` cannot be the overlay of `video`."""
    check_writable(out)
    if out.exists() and out.samefile(video):
        raise UsageError(
            f"expected another file than the video for the overlay, got {out}; name one like "
            "seen.mp4"
        )
    if out.suffix.lower() not in MP4_SUFFIXES:
        raise UsageError(
            f"expected a file ending {' or '.join(MP4_SUFFIXES)} for the overlay, got {out}; it is "
            "an mp4"
        )


def draw_faces(frame: Frame, faces: list[Face], spotting: Spotting) -> Image:
    """The picture with a box round each face, labelled with its present expression."""
    picture = frame.image.copy()
    size = picture.shape[0] / 480
    for face in faces:
        now = [
            i
            for i in spotting.intervals
            if i.face == face.face and i.onset_frame <= frame.index <= i.offset_frame
        ]
        kind = now[0].kind if now else ""
        x0, y0, x1, y1 = (round(v) for v in face.box)
        cv2.rectangle(
            picture,
            (x0, y0),
            (x1, y1),
            COLOURS[kind],
            max(1, round((3 if kind else 1) * size)),
            cv2.LINE_AA,
        )
        if now:
            draw_text(
                picture,
                f"{kind} {now[0].score:.2f}",
                (x0, max(round(18 * size), y0 - round(6 * size))),
                size,
            )
    return picture


def draw_text(picture: Image, text: str, at: tuple[int, int], size: float) -> None:
    """Draw light letters with a dark outline, readable on every background."""
    face, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.6 * size
    for colour, thick in ((BACKGROUND, 4), (FOREGROUND, 1.5)):
        cv2.putText(
            picture, text, at, face, scale, colour, max(1, round(thick * size)), cv2.LINE_AA
        )


def draw_score_strip(time: float, spotting: Spotting, width: int, height: int) -> Image:
    """(height, width, 3) scores and intervals of STRIP_SECONDS centred on `time`, s."""
    strip = np.full((height, width, 3), BACKGROUND, np.uint8)
    start, scale = time - STRIP_SECONDS / 2, width / STRIP_SECONDS
    lane = max(4, height // 10)
    for number, kind in enumerate(KINDS):
        top = height - (2 - number) * (lane + 2)
        for i in spotting.intervals:
            a, b = (round((t - start) * scale) for t in (i.onset_s, i.offset_s))
            if i.kind == kind and b >= 0 and a < width:
                cv2.rectangle(strip, (a, top), (max(b, a + 2), top + lane), COLOURS[kind], -1)
    if len(spotting.faces) < 2:  # of several faces, one may be known where another is not
        for gap in spotting.gaps:
            a, b = (round((t - start) * scale) for t in (gap.start_s, gap.stop_s))
            draw_hatching(strip, a, b, height - 2 * (lane + 2) - 4)
    for track in spotting.faces:
        for column in range(len(KINDS)):
            draw_curve(strip, track, column, start, height - 2 * (lane + 2) - 4)
    cv2.line(strip, (width // 2, 0), (width // 2, height), FOREGROUND, 1)
    size = height / 90
    draw_text(strip, format_time(time), (4, round(14 * size)), 0.7 * size)
    return strip


def draw_hatching(strip: Image, start: int, stop: int, height: int) -> None:
    """Slanted lines from pixel start to pixel stop: the face is unknown."""
    left, right = max(start, 0), min(max(stop, start + 2), strip.shape[1])
    if left < right:
        part, step = strip[:height, left:right], max(6, height // 6)
        for x in range((start - left) % step - height // step * step - step, right - left, step):
            cv2.line(part, (x, height), (x + height, 0), MUTED, 1, cv2.LINE_AA)


def draw_curve(strip: Image, track: FaceTrack, column: int, start: float, height: int) -> None:
    """One score of one face in the window, broken where the face is unknown."""
    stop = start + STRIP_SECONDS
    inside = np.flatnonzero((track.times >= start - 0.1) & (track.times <= stop + 0.1))
    known = inside[~np.isnan(track.scores[inside, column])]
    for part in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
        x = (track.times[part] - start) / STRIP_SECONDS * strip.shape[1]
        y = (1 - track.scores[part, column]) * (height - 4) + 2
        points = np.rint(np.stack([x, y], 1) * 8).astype(np.int32)
        cv2.polylines(strip, [points], False, COLOURS[KINDS[column]], 1, cv2.LINE_AA, 3)
