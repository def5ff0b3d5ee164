"""Two files of intervals -> everything that can be said about their agreement (`fesnet score`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fesnet._io import resolve_path
from fesnet.errors import TruthError
from fesnet.intervals import KINDS, Interval
from fesnet.metrics.challenge_log import (
    is_challenge_log,
    listed_counts,
    log_records,
    read_challenge_log,
)
from fesnet.metrics.curves import average_precision, counts_by_iou, edge_errors, frame_kappa
from fesnet.metrics.event_counts import counting_errors
from fesnet.metrics.interval_tables import (
    IntervalRecord,
    Reviewed,
    read_intervals,
    read_results,
)
from fesnet.metrics.matching import IOU, Counts
from fesnet.metrics.protocols import PROTOCOLS, Evaluation, VideoResult, evaluate
from fesnet.metrics.recognition import NamedVideo, recognize
from fesnet.metrics.reviewed_parts import (
    comparable_records,
    read_reviewed_videos,
    reviewed_notes,
)
from fesnet.metrics.video_ids import (
    VideoId,
    VideoIndex,
    read_video_ids,
    resolve_videos,
    with_known_length,
)

AP_IOUS = (0.3, 0.5, 0.7)


@dataclass(frozen=True)
class Agreement:
    """All videos of the truth with what was found in them.

    frames: their lengths, or None where one is unknown. named: the same with emotions, empty unless
    both files have some. strays: videos of `found` that the truth does not name (all that was found
    in them is false). notes: what else was odd in the files, in words. partial: people looked at
    parts of videos alone, so that rates over time and kappa over frames say nothing.
    """

    videos: tuple[VideoResult, ...]
    frames: tuple[int, ...] | None
    iou: float
    named: tuple[NamedVideo, ...] = ()
    strays: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    partial: bool = False

    @property
    def seconds(self) -> float | None:
        """Of all videos together; None where a length is unknown."""
        return seconds_of(self.videos)

    @property
    def missing(self) -> list[str]:
        """Videos with truth in which nothing was found."""
        return [v.video for v in self.videos if v.truth and not v.found]

    def evaluate_as(self, name: str) -> Evaluation:
        """Under one protocol. Those that select among candidates have only this one."""
        return evaluate(self.videos, PROTOCOLS[name], self.iou)

    def to_dict(self, protocols: Sequence[str], *, by_subject: bool = False) -> dict[str, Any]:
        """Everything, as JSON can hold it; None for what is unknown."""
        pairs = [(v.truth, v.found) for v in self.videos]
        evaluations = {name: self.evaluate_as(name) for name in protocols}
        out: dict[str, Any] = {"iou": self.iou, "videos": len(self.videos), "seconds": self.seconds}
        seconds = None if self.partial else self.seconds
        out["protocols"] = {name: protocol_dict(e, seconds) for name, e in evaluations.items()}
        if by_subject:
            out["by_subject"] = {name: self.subjects(e) for name, e in evaluations.items()}
        out["average_precision"] = {
            str(kind): {
                str(iou): nan_to_none(average_precision(pairs, kind, iou)) for iou in AP_IOUS
            }
            for kind in KINDS
        }
        out["f1_by_iou"] = {
            str(iou): {k: c.f1 for k, c in counts.items()}
            for iou, counts in counts_by_iou(pairs).items()
        }
        out["edges"] = {str(kind): self.edges(kind) for kind in KINDS}
        out["frame_kappa"] = (
            None
            if self.frames is None or self.partial
            else nan_to_none(frame_kappa(pairs, self.frames))
        )
        out["counting"] = {name: e.__dict__ for name, e in counting_errors(pairs).items()}
        out["strs"] = self.recognition()
        return out

    def subjects(self, evaluation: Evaluation) -> dict[str, Any]:
        """Counts and rates of each subject, by kind."""
        out = {}
        for subject, kinds in evaluation.by_subject.items():
            own = [v for v in self.videos if v.subject == subject]
            seconds = None if self.partial else seconds_of(own)
            out[subject] = {kind: counts_dict(c, evaluation, seconds) for kind, c in kinds.items()}
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
            scores = recognize(self.named, rule, self.iou)
            spotting = {**scores.spotting.__dict__, "f1": scores.spotting.f1}
            out[rule] = {**scores.__dict__, "spotting": spotting, "strs": scores.strs}
        return out


def seconds_of(videos: Sequence[VideoResult]) -> float | None:
    lengths = [v.seconds for v in videos]
    return None if None in lengths else sum(s for s in lengths if s is not None)


def nan_to_none(value: float) -> float | None:
    """JSON has no NaN."""
    return None if math.isnan(value) else value


def protocol_dict(evaluation: Evaluation, seconds: float | None) -> dict[str, Any]:
    """Counts and rates by kind. One subject has no interval over subjects."""
    several = len(evaluation.by_subject) > 1
    return {
        kind: {
            **counts_dict(c, evaluation, seconds),
            "f1_95": evaluation.interval(kind) if several else None,
        }
        for kind, c in evaluation.counts.items()
    }


def counts_dict(counts: Counts, evaluation: Evaluation, seconds: float | None) -> dict[str, Any]:
    """Counts and rates. False alarms a minute only where all videos count."""
    rate = None if not seconds or evaluation.protocol.own_videos else 60 * counts.fp / seconds
    values = {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1}
    return {**counts.__dict__, **values, "false_alarms_a_minute": rate}


def agree(
    truth: Path,
    found: Path,
    *,
    iou: float = IOU,
    rate: float | None = None,
    reviewed: bool = False,
) -> Agreement:
    """Read and compare two files of intervals. rate: frames a second, for files in seconds.

    reviewed: of folders, reviews count and not results, and only videos that have one; where both
    are the same folder, the machine's results are what was found.

    Videos are those of `videos.csv` beside the truth, where there is one, else those that either
    file names. Raises UsageError and TruthError; a video that `videos.csv` does not know is an
    error.
    """
    sides_read: tuple[Reviewed, Reviewed] = ("no", "no")
    if reviewed:
        same = resolve_path(truth) == resolve_path(found)
        sides_read = ("yes" if truth.is_dir() else "no", "machine" if same else "yes")
    true_records = read_side(truth, "truth", rate, sides_read[0])
    found_records = read_side(found, "found", rate, sides_read[1])
    videos = read_video_ids(truth)
    closed = bool(videos)
    results = [] if closed else read_results(truth, sides_read[0])
    true_ids = resolve_videos(names_of(true_records), videos, truth if closed else None)
    resolve_videos(names_of(results), videos, None)
    annotated = set(videos)
    found_ids = resolve_videos(names_of(found_records), videos, found if closed else None)
    results += [] if closed else read_results(found, sides_read[1])
    resolve_videos(names_of(results), videos, None)
    files = zip((truth, found), sides_read, strict=True)
    reviews = [read_reviewed_videos(*side, videos) for side in files]
    if not videos:
        raise TruthError(
            f"expected at least one video in {truth} or {found}, got none; put a videos.csv "
            "beside the truth"
        )
    early = (*early_notes(truth, true_records), *early_notes(found, found_records))
    notes = (*early, *log_notes(found), *reviewed_notes(reviews))
    true_by_video = group_by_video(true_records, true_ids)
    found_by_video = group_by_video(found_records, found_ids)
    known = VideoIndex(results)
    sides = [
        (
            with_known_length(v, known),
            comparable_records(true_by_video.get(v, []), reviews[1].get(v)),
            comparable_records(found_by_video.get(v, []), reviews[0].get(v)),
        )
        for v in sorted(videos, key=lambda v: (v.subject, v.video))
    ]
    compared = tuple(compare_video(*side) for side in sides)
    frames = tuple(v.frames for v, _, _ in sides if v.frames is not None)
    emotions = all(any(r.emotion for r in some) for some in (true_records, found_records))
    named = tuple(named_video(*side) for side in sides) if emotions else ()
    strays = tuple(str(v) for v in found_by_video if v not in annotated)
    lengths = frames if len(frames) == len(sides) else None
    partial = any(moments.left for side in reviews for moments in side.values())
    return Agreement(compared, lengths, iou, named, strays, notes, partial)


def read_side(
    path: Path, side: str, rate: float | None, reviewed: Reviewed
) -> list[IntervalRecord]:
    """Intervals of a table, or one side of a challenge's log. reviewed: as of `read_intervals`."""
    if path.is_file() and is_challenge_log(path):
        return list(log_records(read_challenge_log(path), side, rate))
    return read_intervals(path, rate, reviewed)


def log_notes(file: Path) -> list[str]:
    """What a challenge's log itself lists, in words; none of other files."""
    if not (file.is_file() and is_challenge_log(file)):
        return []
    c = listed_counts(read_challenge_log(file))
    return [f"{file.name} lists TP {c.tp}, FP {c.fp}, FN {c.fn}: F1 {c.f1:.4f}"]


def early_notes(file: Path, records: Sequence[IntervalRecord]) -> list[str]:
    """That intervals begin before the first frame, in words; none where none does."""
    early = [r for r in records if r.early]
    if not early:
        return []
    first = early[0]
    return [
        f"{file.name}: {len(early)} intervals begin before frame 1 (first: {first.video}, frame "
        f"{1 - first.early}); they count with these frames"
    ]


def names_of(records: Sequence[IntervalRecord | VideoId]) -> list[tuple[str, str]]:
    """Subject and video of each."""
    return [(r.subject, r.video) for r in records]


def compare_video(
    video: VideoId, truth: Sequence[IntervalRecord], found: Sequence[IntervalRecord]
) -> VideoResult:
    """Both sides of one video.

    Raises TruthError for truth after the end of the video: another frame rate, or another video.
    """
    last = max((r.interval.stop - r.early for r in truth), default=0)
    end = video.numbers.runs[-1][1] if video.numbers else video.frames
    if end is not None and last > end:
        raise TruthError(
            f"expected true intervals within the {end} frames of {video}, got one up to {last}"
        )
    t, f = (tuple(sorted(i for i, _ in side)) for side in on_one_axis(video, truth, found))
    return VideoResult(video.subject or video.video, video.video, t, f, video.seconds)


def on_one_axis(
    video: VideoId, *sides: Sequence[IntervalRecord]
) -> list[list[tuple[Interval, str]]]:
    """Intervals with their emotions of both sides on one axis of frames.

    Where files are numbered otherwise than from 1, tables have these numbers, results do not.
    """
    shift = max((r.early for side in sides for r in side), default=0)

    def place(record: IntervalRecord) -> Interval:
        if video.numbers is None:
            return record.placed(shift)
        if shift:  # numbers below 1 have no frame
            numbered = video.numbers.to_numbers(record.interval)
            return (replace(record, interval=numbered) if record.is_index else record).placed(shift)
        return record.interval if record.is_index else video.numbers.to_frames(record.interval)

    return [[(place(r), r.emotion) for r in side] for side in sides]


def group_by_video(
    records: Sequence[IntervalRecord], videos: dict[tuple[str, str], VideoId]
) -> dict[VideoId, list[IntervalRecord]]:
    out: dict[VideoId, list[IntervalRecord]] = {}
    for record in records:
        out.setdefault(videos[record.subject, record.video], []).append(record)
    return out


def named_video(
    video: VideoId, truth: Sequence[IntervalRecord], found: Sequence[IntervalRecord]
) -> NamedVideo:
    true_side, found_side = map(tuple, on_one_axis(video, truth, found))
    return NamedVideo(video.subject or video.video, true_side, found_side)
