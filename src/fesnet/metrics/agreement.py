"""Two files of intervals -> everything that can be said about their agreement (`fesnet score`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fesnet.errors import TruthError
from fesnet.intervals import KINDS
from fesnet.metrics.curves import average_precision, edge_errors, frame_kappa, counts_by_iou
from fesnet.metrics.matching import IOU, Counts
from fesnet.metrics.video_ids import VideoId, read_video_ids, resolve_videos, with_known_length
from fesnet.metrics.protocols import PROTOCOLS, Evaluation, VideoResult, evaluate
from fesnet.metrics.recognition import NamedVideo, recognize
from fesnet.metrics.interval_tables import IntervalRecord, read_intervals, read_results

AP_IOUS = (0.3, 0.5, 0.7)


@dataclass(frozen=True)
class Agreement:
    """All videos of the truth with what was found in them.

    frames: their lengths, or None where one is unknown. named: the same with emotions, empty unless
    both files tell some. strays: videos with finds that the truth does not name (all their finds
    are false alarms).
    """

    videos: tuple[VideoResult, ...]
    frames: tuple[int, ...] | None
    iou: float
    named: tuple[NamedVideo, ...] = ()
    strays: tuple[str, ...] = ()

    @property
    def seconds(self) -> float | None:
        """Of all videos together; None where a length is unknown."""
        return seconds_of(self.videos)

    @property
    def missing(self) -> list[str]:
        """Videos with truth in which nothing was found."""
        return [v.video for v in self.videos if v.truth and not v.found]

    def read_as(self, name: str) -> Evaluation:
        """Under one protocol; the ones that choose among candidates have but this one."""
        return evaluate(self.videos, PROTOCOLS[name], self.iou)

    def to_dict(self, protocols: Sequence[str], *, by_subject: bool = False) -> dict[str, Any]:
        """Everything, as JSON can hold it; None for what is unknown."""
        pairs = [(v.truth, v.found) for v in self.videos]
        reads = {name: self.read_as(name) for name in protocols}
        out: dict[str, Any] = {"iou": self.iou, "videos": len(self.videos), "seconds": self.seconds}
        out["protocols"] = {name: protocol_dict(read, self.seconds) for name, read in reads.items()}
        if by_subject:
            out["by_subject"] = {name: self.subjects(read) for name, read in reads.items()}
        out["average_precision"] = {
            str(kind): {str(iou): known(average_precision(pairs, kind, iou)) for iou in AP_IOUS}
            for kind in KINDS
        }
        out["f1_by_iou"] = {
            str(iou): {k: c.f1 for k, c in counts.items()} for iou, counts in counts_by_iou(pairs).items()
        }
        out["edges"] = {str(kind): self.edges(kind) for kind in KINDS}
        out["frame_kappa"] = None if self.frames is None else known(frame_kappa(pairs, self.frames))
        out["strs"] = self.recognition()
        return out

    def subjects(self, read: Evaluation) -> dict[str, Any]:
        """Counts and rates of each subject, by kind."""
        out = {}
        for subject, kinds in read.by_subject.items():
            seconds = seconds_of([v for v in self.videos if v.subject == subject])
            out[subject] = {kind: as_dict(c, read, seconds) for kind, c in kinds.items()}
        return out

    def edges(self, kind: Any) -> dict[str, Any]:
        """Found minus true of matched pairs of one kind: frames, and ms where all lengths are
        known.
        """
        out: dict[str, Any] = {
            "onset_frames": [],
            "offset_frames": [],
            "onset_ms": [],
            "offset_ms": [],
        }
        for number, video in enumerate(self.videos):
            errors = edge_errors([(video.truth, video.found)], kind, self.iou)
            frames = None if self.frames is None else self.frames[number]
            for edge, values in (("onset", errors.onset), ("offset", errors.offset)):
                out[f"{edge}_frames"] += values.tolist()
                if frames is None or video.seconds is None:
                    out[f"{edge}_ms"] = None
                elif out[f"{edge}_ms"] is not None:
                    out[f"{edge}_ms"] += (
                        (values * (1000 * video.seconds / frames)).round(1).tolist()
                    )
        return out

    def recognition(self) -> dict[str, Any] | None:
        """STRS, mended and as the published script has it; None without emotions."""
        if not self.named:
            return None
        out = {}
        for rule in ("mended", "script"):
            read = recognize(self.named, rule, self.iou)
            spotting = {**read.spotting.__dict__, "f1": read.spotting.f1}
            out[rule] = {**read.__dict__, "spotting": spotting, "strs": read.strs}
        return out


def seconds_of(videos: Sequence[VideoResult]) -> float | None:
    lengths = [v.seconds for v in videos]
    return None if None in lengths else sum(s for s in lengths if s is not None)


def known(value: float) -> float | None:
    """JSON has no word for what is not a number."""
    return None if math.isnan(value) else value


def protocol_dict(read: Evaluation, seconds: float | None) -> dict[str, Any]:
    """Counts and rates by kind. One subject tells nothing of how much subjects differ."""
    several = len(read.by_subject) > 1
    return {
        kind: {**as_dict(c, read, seconds), "f1_95": read.interval(kind) if several else None}
        for kind, c in read.counts.items()
    }


def as_dict(counts: Counts, read: Evaluation, seconds: float | None) -> dict[str, Any]:
    """False alarms a minute only where all videos count: the length of the others would flatter."""
    rate = None if not seconds or read.protocol.own_videos else 60 * counts.fp / seconds
    values = {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1}
    return {**counts.__dict__, **values, "false_alarms_a_minute": rate}


def agree(truth: Path, found: Path, *, iou: float = IOU, rate: float | None = None) -> Agreement:
    """Read both. Videos are those of `videos.csv` beside the truth, where there is one, else those
    that either names.

    Raises UsageError and TruthError; a video that `videos.csv` does not know is an error.
    """
    true, seen, places = (
        read_intervals(truth, rate),
        read_intervals(found, rate),
        read_video_ids(truth),
    )
    closed = bool(places)
    results = [] if closed else read_results(truth)
    of_true = resolve_videos([(f.subject, f.video) for f in true], places, truth if closed else None)
    resolve_videos([(p.subject, p.video) for p in results], places, None)
    annotated = set(places)
    of_seen = resolve_videos([(f.subject, f.video) for f in seen], places, found if closed else None)
    results += [] if closed else read_results(found)
    resolve_videos([(p.subject, p.video) for p in results], places, None)
    if not places:
        raise TruthError(
            f"expected at least one video in {truth} or {found}, got none; put a videos.csv "
            "beside the truth"
        )
    told_true, told_seen = group_by_video(true, of_true), group_by_video(seen, of_seen)
    strays = tuple(str(p) for p in told_seen if p not in annotated)
    lengths = {
        place: with_known_length(place, results) for place in sorted(places, key=lambda p: (p.subject, p.video))
    }
    judged = [
        compare_video(p, told_true.get(place, []), told_seen.get(place, [])) for place, p in lengths.items()
    ]
    frames = [p.frames for p in lengths.values()]
    whole = None if None in frames else tuple(n for n in frames if n is not None)
    named: tuple[NamedVideo, ...] = ()
    if any(f.emotion for f in true) and any(f.emotion for f in seen):
        named = tuple(named_video(p, told_true.get(p, []), told_seen.get(p, [])) for p in lengths)
    return Agreement(tuple(judged), whole, iou, named, strays)


def compare_video(place: VideoId, truth: Sequence[IntervalRecord], found: Sequence[IntervalRecord]) -> VideoResult:
    """Raises TruthError for truth after the end of the video: another frame rate, or another
    video.
    """
    t, f = (tuple(sorted(row.interval for row in side)) for side in (truth, found))
    last = max((i.stop for i in t), default=0)
    if place.frames is not None and last > place.frames:
        raise TruthError(
            f"expected true intervals within the {place.frames} frames of {place}, got one up to "
            f"{last}"
        )
    return VideoResult(place.subject or place.video, place.video, t, f, place.seconds)


def group_by_video(rows: Sequence[IntervalRecord], places: dict[tuple[str, str], VideoId]) -> dict[VideoId, list[IntervalRecord]]:
    out: dict[VideoId, list[IntervalRecord]] = {}
    for row in rows:
        out.setdefault(places[row.subject, row.video], []).append(row)
    return out


def named_video(place: VideoId, truth: Sequence[IntervalRecord], found: Sequence[IntervalRecord]) -> NamedVideo:
    sides = (tuple((f.interval, f.emotion) for f in side) for side in (truth, found))
    return NamedVideo(place.subject or place.video, *sides)
