"""Results with any intervals on any frame times, without a network."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fesnet._io import file_sha256
from fesnet.postprocess import IntervalRules
from fesnet.result import Gap, SourceInfo, SpottedInterval, Spotting

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
