"""Who may see what: `EvaluationDataset` holds everything, its `split` hides truth of test subjects.

Training and selection get a `DatasetSplit` and nothing else. So no mistake in them can reach the
truth of a test subject.

    EvaluationDataset.split({"s15"})    train   clips of all other subjects, with truth
                                        test    clips of s15; no field of theirs holds a truth
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fesnet.frame_numbers import FrameNumbers
from fesnet.intervals import KINDS, Interval, nearest_frame, to_source_frames

TickSpans = tuple[tuple[int, int], ...]  # ticks, half-open


@dataclass(frozen=True)
class Clip:
    """A video as methods get it, without truth.

    inputs: a `.npy` file of (T, F); tick k is at k / rate seconds. sha256: of the inputs' values.
    """

    id: str
    subject: str
    inputs: Path
    sha256: str
    ticks: int
    rate: float


@dataclass(frozen=True)
class LabelledClip:
    """A clip of a training subject with its truth: spans of ticks, macro and micro."""

    clip: Clip
    truth: tuple[TickSpans, TickSpans]

    def label_mask(self) -> NDArray[np.int8]:
        """(T, 2): 1 inside a macro-, a micro-expression, else 0."""
        out = np.zeros((self.clip.ticks, 2), np.int8)
        for column, spans in enumerate(self.truth):
            for a, b in spans:
                out[a:b, column] = 1
        return out


@dataclass(frozen=True)
class DatasetSplit:
    """What training and selection may see while some subjects are held out."""

    train: tuple[LabelledClip, ...]
    test: tuple[Clip, ...]


@dataclass(frozen=True, eq=False)
class AnnotatedVideo:
    """One video with all that is known of it.

    frame_times: (N,) s of its source frames. truth: intervals on those frames. numbers: of the
    files, where frames are not numbered from 1.
    """

    clip: Clip
    frame_times: NDArray[np.float64]
    truth: tuple[Interval, ...]
    numbers: FrameNumbers | None = None

    @property
    def seconds(self) -> float:
        """Length; the last frame counts as long as the mean one."""
        n = len(self.frame_times)
        return float(self.frame_times[-1] - self.frame_times[0]) * n / max(n - 1, 1)

    def labelled(self) -> LabelledClip:
        """The clip with its truth in ticks."""
        return LabelledClip(self.clip, (self.spans(KINDS[0]), self.spans(KINDS[1])))

    def spans(self, kind: str) -> TickSpans:
        """Truth of one kind in ticks, at least one tick each, cut at the end of the clip."""
        out = []
        for i in self.truth:
            if i.kind == kind:
                half = 0.5 / self.clip.rate
                last = len(self.frame_times) - 1
                first, final = (
                    float(self.frame_times[min(f, last)]) for f in (i.start, i.stop - 1)
                )
                a = min(int((first + half) * self.clip.rate), self.clip.ticks - 1)
                out.append(
                    (a, min(max(a + 1, int((final + half) * self.clip.rate) + 1), self.clip.ticks))
                )
        return tuple(out)

    def interval(self, a: int, b: int, apex: int, kind: str, score: float) -> Interval:
        """Ticks a .. b - 1 as an interval of source frames."""
        rate = self.clip.rate
        first, last = to_source_frames(a / rate, (b - 1) / rate, self.frame_times, 0.5 / rate)
        at = min(max(nearest_frame(apex / rate, self.frame_times), first), last)
        return Interval(
            first, last + 1, "macro" if kind == "macro" else "micro", at, round(score, 4)
        )


@dataclass(frozen=True, eq=False)
class EvaluationDataset:
    """All videos of a benchmark, sorted by id.

    groups: (F,) the region that each input belongs to. test_subjects: subjects of another data set
    that are only tested on; empty in leave-one-subject-out.
    """

    videos: tuple[AnnotatedVideo, ...]
    groups: tuple[int, ...]
    test_subjects: frozenset[str] = frozenset()

    @property
    def subjects(self) -> tuple[str, ...]:
        """Those that may be trained on, sorted."""
        return tuple(sorted({v.clip.subject for v in self.videos} - self.test_subjects))

    def split(self, held_out: Collection[str]) -> DatasetSplit:
        """Without the truth of `held_out` subjects, and of those that are only tested on."""
        hidden = set(held_out) | self.test_subjects
        return DatasetSplit(
            tuple(v.labelled() for v in self.videos if v.clip.subject not in hidden),
            tuple(v.clip for v in self.videos if v.clip.subject in hidden),
        )
