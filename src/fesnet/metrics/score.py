"""Two files of intervals -> everything that can be said about their agreement (`fesnet score`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fesnet.errors import TruthError
from fesnet.intervals import KINDS
from fesnet.metrics.curves import average_precision, edge_errors, frame_kappa, sweep
from fesnet.metrics.matching import IOU, Counts
from fesnet.metrics.protocols import PROTOCOLS, Evaluation, Judged, evaluate
from fesnet.metrics.tables import Found, read_intervals, read_known


@dataclass(frozen=True)
class Agreement:
    """All videos of the truth with what was found in them. frames: their lengths, or None where one is unknown."""

    videos: tuple[Judged, ...]
    frames: tuple[int, ...] | None
    iou: float

    @property
    def seconds(self) -> float | None:
        """Of all videos together; None where a length is unknown."""
        lengths = [v.seconds for v in self.videos]
        return None if None in lengths else sum(s for s in lengths if s is not None)

    @property
    def missing(self) -> list[str]:
        """Videos with truth in which nothing was found."""
        return [v.video for v in self.videos if v.truth and not v.found]

    def read_as(self, name: str) -> Evaluation:
        """Under one protocol; the ones that choose among candidates have but this one."""
        return evaluate(self.videos, PROTOCOLS[name], self.iou)

    def to_dict(self, protocols: Sequence[str]) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        pairs = [(v.truth, v.found) for v in self.videos]
        out: dict[str, Any] = {"iou": self.iou, "videos": len(self.videos), "seconds": self.seconds, "protocols": {}}
        for name in protocols:
            read = self.read_as(name)
            out["protocols"][name] = {
                kind: {**as_dict(c, self.seconds), "f1_95": read.interval(kind)} for kind, c in read.counts.items()
            }
        out["average_precision"] = {
            str(kind): {str(iou): average_precision(pairs, kind, iou) for iou in (0.3, 0.5, 0.7)} for kind in KINDS
        }
        out["f1_by_iou"] = {str(iou): {k: c.f1 for k, c in counts.items()} for iou, counts in sweep(pairs).items()}
        edges = edge_errors(pairs, iou=self.iou)
        out["edge_errors_frames"] = {"onset": edges.onset.tolist(), "offset": edges.offset.tolist()}
        out["frame_kappa"] = None if self.frames is None else frame_kappa(pairs, self.frames)
        return out


def as_dict(counts: Counts, seconds: float | None) -> dict[str, Any]:
    rate = None if not seconds else 60 * counts.fp / seconds
    values = {"precision": counts.precision, "recall": counts.recall, "f1": counts.f1}
    return {**counts.__dict__, **values, "false_alarms_a_minute": rate}


def agree(truth: Path, found: Path, *, iou: float = IOU, rate: float | None = None) -> Agreement:
    """Read both. Videos are those of `videos.csv` beside the truth, where there is one, else those that either names.

    Raises UsageError and TruthError; a video in `found` that `videos.csv` does not know is an error.
    """
    true, seen, known = read_intervals(truth, rate), read_intervals(found, rate), read_known(truth)
    subjects = {f.video: f.subject for f in true if f.subject} | {v: k.subject for v, k in known.items()}
    names = sorted(set(known) or {f.video for f in (*true, *seen)})
    for name in sorted({f.video for f in (*true, *seen)} - set(names)):
        raise TruthError(f"expected the videos of videos.csv beside {truth}, got {name}; add it there or correct it")
    if not names:
        raise TruthError(
            f"expected at least one video in {truth} or {found}, got none; put a videos.csv beside the truth"
        )
    judged = [
        Judged(
            subjects.get(name, name),
            name,
            of(true, name),
            of(seen, name),
            known[name].seconds if name in known else None,
        )
        for name in names
    ]
    lengths = [known[name].frames if name in known else None for name in names]
    whole = None if None in lengths else tuple(n for n in lengths if n is not None)
    return Agreement(tuple(judged), whole, iou)


def of(all_of: Sequence[Found], video: str) -> tuple[Any, ...]:
    return tuple(sorted(f.interval for f in all_of if f.video == video))
