"""Who may see what. `Material` holds everything; a `View` for held-out subjects gives their clips
without their truth.

Training and choosing get views and nothing else, so that no mistake in them can reach the truth of
a test subject.

    Material.view({"s15"})      studied   clips of all other subjects, with truth
                                blind     clips of s15; no field of theirs holds a truth
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fesnet.intervals import KINDS, Interval, nearest_frame, to_source_frames

Spans = tuple[tuple[int, int], ...]  # ticks, half-open


@dataclass(frozen=True)
class Clip:
    """A video as methods get it: inputs (T, F) in a `.npy` file, tick k at k / rate seconds. It
    holds no truth.
    """

    id: str
    subject: str
    inputs: Path
    sha256: str  # of the inputs' values
    ticks: int
    rate: float


@dataclass(frozen=True)
class Studied:
    """A clip of a training subject with its truth: spans of ticks, macro and micro."""

    clip: Clip
    truth: tuple[Spans, Spans]

    def held(self) -> NDArray[np.int8]:
        """(T, 2), 1 where a macro, a micro is."""
        out = np.zeros((self.clip.ticks, 2), np.int8)
        for column, spans in enumerate(self.truth):
            for a, b in spans:
                out[a:b, column] = 1
        return out


@dataclass(frozen=True)
class View:
    """What training and choosing may see while some subjects are held out."""

    studied: tuple[Studied, ...]
    blind: tuple[Clip, ...]


@dataclass(frozen=True, eq=False)
class Footage:
    """One video with all that is known of it. frame_times (N,) s of its source frames; truth on
    those frames.
    """

    clip: Clip
    frame_times: NDArray[np.float64]
    truth: tuple[Interval, ...]

    @property
    def seconds(self) -> float:
        """Length: the last frame counts as long as the mean one."""
        n = len(self.frame_times)
        return float(self.frame_times[-1]) * n / max(n - 1, 1)

    def studied(self) -> Studied:
        return Studied(self.clip, tuple(self.spans(kind) for kind in KINDS))  # type: ignore[arg-type]

    def spans(self, kind: str) -> Spans:
        """Truth of one kind in ticks, at least one each, cut at the end of the clip."""
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
class Material:
    """All footage of a run, sorted by id; groups (F,): which inputs belong together; tested:
    subjects of another data set that are only tested on, none in leave-one-subject-out."""

    footage: tuple[Footage, ...]
    groups: tuple[int, ...]
    tested: frozenset[str] = frozenset()

    @property
    def subjects(self) -> tuple[str, ...]:
        """Those that may be trained on, sorted."""
        return tuple(sorted({f.clip.subject for f in self.footage} - self.tested))

    def view(self, held: Collection[str]) -> View:
        """Without the truth of `held` subjects, and of those that are only tested on."""
        hidden = set(held) | self.tested
        return View(
            tuple(f.studied() for f in self.footage if f.clip.subject not in hidden),
            tuple(f.clip for f in self.footage if f.clip.subject in hidden),
        )
