"""Two raters side by side: where they agree, and where somebody has to decide.

anna        ..[==A==]...[==B==]........[==D==]..
ben         ..[===A==]..............[=C=]........
moments       same        one    other    one      (A: same kind, IoU of 0.5 or more)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from fesnet.errors import UsageError
from fesnet.intervals import Interval
from fesnet.metrics.matching import IOU, match
from fesnet.review.merge import merge_intervals
from fesnet.review.review_file import JsonObject, read_review
from fesnet.review.review_state import MACHINE, PERSON, load_state
from fesnet.review.video_library import VideoLibrary

Meeting = Literal["same", "edges", "kind", "one", "other"]
TOUCHING = 0.1  # IoU from which two intervals are about one moment, though they do not match
SHOWN = ("face", "kind", "onset_s", "apex_s", "offset_s", "onset_frame", "offset_frame", "note")


@dataclass(frozen=True)
class Moment:
    """What two raters say of one moment; None for the one who says nothing. meeting: "same" kind
    and time, the same kind with other "edges", another "kind", or only "one" or the "other" has
    it."""

    one: JsonObject | None
    other: JsonObject | None

    @property
    def meeting(self) -> Meeting:
        if self.one is None:
            return "other"
        if self.other is None:
            return "one"
        if self.one["kind"] != self.other["kind"]:
            return "kind"
        return "same" if iou_of(self.one, self.other) >= IOU else "edges"

    @property
    def start(self) -> float:
        return min(float(side["onset_s"]) for side in (self.one, self.other) if side)

    def to_dict(self) -> dict[str, Any]:
        sides = {
            name: None if side is None else {key: side[key] for key in SHOWN}
            for name, side in (("one", self.one), ("other", self.other))
        }
        return {**sides, "meeting": self.meeting}


def rows_of(library: VideoLibrary, key: str, which: str) -> list[JsonObject]:
    """The intervals of a version: machine, person, or another's review. Raises UsageError,
    ResultError."""
    now = load_state(library, key)
    if which == PERSON:
        return merge_intervals(now.machine, now.review)
    if which == MACHINE:
        return merge_intervals(now.machine, now.machine.new_review(""))
    if which not in library.other_reviews(key):
        raise UsageError(f"expected machine, person or another's review of {key}, got {which!r}")
    return merge_intervals(now.machine, read_review(library.result_path(key).with_name(which)))


def pair_moments(one: list[JsonObject], other: list[JsonObject]) -> list[Moment]:
    """Moments in the order of time. Each interval is paired at most once: first as `fesnet score`
    does, then what is left with what it overlaps at all."""
    moments: list[Moment] = []
    for face in sorted({row["face"] for row in (*one, *other)}):
        left = [row for row in one if row["face"] == face]
        right = [row for row in other if row["face"] == face]
        for iou, typed in ((IOU, True), (TOUCHING, False)):
            pairs = match(intervals_of_rows(left), intervals_of_rows(right), iou, typed=typed)
            moments += [Moment(left[j], right[k]) for j, k in pairs]
            left = [row for j, row in enumerate(left) if j not in {j for j, _ in pairs}]
            right = [row for k, row in enumerate(right) if k not in {k for _, k in pairs}]
        moments += [Moment(row, None) for row in left] + [Moment(None, row) for row in right]
    return sorted(moments, key=lambda m: m.start)


def intervals_of_rows(rows: list[JsonObject]) -> list[Interval]:
    return [Interval(r["onset_frame"], r["offset_frame"] + 1, r["kind"]) for r in rows]


def iou_of(one: JsonObject, other: JsonObject) -> float:
    a, b = intervals_of_rows([one, other])
    return a.iou(b)
