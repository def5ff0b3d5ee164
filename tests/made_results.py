"""Results with any intervals on any frame times, without a network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fesnet._io import file_sha256
from fesnet.faces.landmark_features import LANDMARK_FEATURE_COUNT
from fesnet.observations import FaceObservations
from fesnet.observe import observe
from fesnet.postprocess import IntervalRules
from fesnet.result import FaceTrack, Gap, SourceInfo, SpottedInterval, Spotting
from fesnet.step_record import StepRecord
from fesnet.unit_motion import motion_names, motion_scale

RATE = 30.0  # steps a second
Found = tuple[int, str, int, int, int]  # face, kind, onset, apex, offset: frames, both ends inside


def made_result(
    found: Iterable[Found],
    times: np.ndarray | int = 100,
    gaps: Iterable[tuple[int, int, int, str]] = (),
    **source: Any,
) -> Spotting:
    """A result with these intervals, scored 0.5, 0.51 and so on. times: s of the frames, or how
    many at 30 Hz; gaps: (face, first frame, last frame, reason)."""
    times = np.round(np.arange(times) / 30, 6) if isinstance(times, int) else times
    told = {"name": "face.mp4", "path": None, "rate": "30", "sha256": None, **source}
    if told["path"] is not None and "sha256" not in source:
        path = Path(told["path"])
        told["sha256"] = file_sha256(path) if path.is_file() else "0" * 64
    about = SourceInfo(
        width=640,
        height=480,
        frame_count=len(times),
        duration_s=float(times[-1]),
        **told,
    )
    intervals = []
    for n, (face, kind, *frames) in enumerate(found):
        seconds = (float(times[f]) for f in frames)
        intervals.append(SpottedInterval(face, *seconds, kind, *frames, 0.5 + n / 100))  # type: ignore[arg-type]
    unknown = tuple(
        Gap(face, float(times[a]), float(times[b]), a, b, reason) for face, a, b, reason in gaps
    )
    return Spotting(
        source=about,
        faces=(),
        frame_times=times,
        working_rate=30.0,
        intervals=tuple(sorted(intervals)),
        gaps=unknown,
        warnings=(),
        rules=IntervalRules(),
        provenance={"trained_on": "nothing"},
    )


@st.composite
def made_results(draw: st.DrawFn, *, constant: bool = False) -> Spotting:
    """Results with up to a dozen intervals that overlap at will, on frames 2 to 300 ms apart."""
    count = draw(st.integers(1, 60))
    steps = (
        [40_000] * count
        if constant
        else draw(st.lists(st.integers(2_000, 300_000), min_size=count, max_size=count))
    )
    times = np.cumsum([0, *steps[:-1]]) / 1e6
    found = []
    for _ in range(draw(st.integers(0, 12))):
        onset, apex, offset = sorted(draw(st.tuples(*[st.integers(0, count - 1)] * 3)))
        found.append(
            (
                draw(st.integers(0, 2)),
                draw(st.sampled_from(["macro", "micro"])),
                onset,
                apex,
                offset,
            )
        )
    return made_result(found, times, rate="25" if constant else None)


def ends(spotting: Spotting) -> list[float]:
    """When each frame ends, s: where the next begins; the last lasts as long as frames do."""
    steps = np.diff(spotting.frame_times)
    last = float(np.median(steps)) if len(steps) else 1 / spotting.working_rate
    return [*map(float, spotting.frame_times[1:]), round(float(spotting.frame_times[-1]) + last, 6)]


def motions_of(steps: int, **curves: np.ndarray) -> np.ndarray:
    """LSDM's output of a face that moves exactly so; a name without side moves both."""
    out = np.zeros((steps, len(motion_names())))
    for name, curve in curves.items():
        rows = [i for i, n in enumerate(motion_names()) if n in (name, f"{name}_L", f"{name}_R")]
        out[:, rows] = curve[:, None] * motion_scale()[rows]
    return out


def bump(steps: int, start: int, stop: int) -> np.ndarray:
    out = np.zeros(steps)
    out[start:stop] = np.sin(np.linspace(0, np.pi, stop - start))
    return out


def record_of(motions: np.ndarray, landmarks: np.ndarray | None = None) -> StepRecord:
    steps = len(motions)
    still = np.zeros((steps, LANDMARK_FEATURE_COUNT))
    return StepRecord(
        still if landmarks is None else landmarks,
        motions,
        np.zeros(steps, np.int64),
    )


def seen_of(motions: np.ndarray, landmarks: np.ndarray | None = None) -> FaceObservations:
    return observe(0, record_of(motions, landmarks), np.zeros((len(motions), 2)), RATE)


def observed_result(*, blink: bool = False) -> Spotting:
    """One macro-expression, frames 60 to 90, that is a smile on the left; with a blink in it."""
    result = made_result([(0, "macro", 60, 70, 90)])
    track = FaceTrack(0, np.arange(100) / RATE, np.full((100, 2), 0.25), np.zeros(100))
    motions = {"mouthSmile_L": bump(100, 55, 95)}
    if blink:
        motions["eyeBlink"] = 1.2 * bump(100, 80, 87)
    seen = seen_of(motions_of(100, **motions))
    return replace(result, faces=(track,), observations=(seen,))
