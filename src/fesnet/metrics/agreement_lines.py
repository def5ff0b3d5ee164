"""An agreement beyond its table of counts, as lines for people (`fesnet score`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fesnet.metrics.agreement import Agreement


def agreement_lines(values: dict[str, Any], agreement: Agreement) -> Iterator[str]:
    """values: what `Agreement.to_dict` gave. Remarks about the two files come last."""
    yield from curve_lines(values)
    for kind, edges in values["edges"].items():
        for edge in ("onset", "offset") if edges["onset_frames"] else ():
            text = edge_text(edges[f"{edge}_frames"], edges[f"{edge}_ms"])
            yield f"{edge} of matched {kind}: {text}"
    if values["frame_kappa"] is not None:
        yield f"Cohen's kappa over frames: {values['frame_kappa']:.3f}"
    yield "events a video, found less true: " + "; ".join(
        f"{kind} MAE {e['mae']:.3f}, RMSE {e['rmse']:.3f}, mean {e['bias']:+.3f}"
        for kind, e in values["counting"].items()
    )
    for rule, scores in (values["strs"] or {}).items():
        spotted, recognized = scores["spotting"]["f1"], scores["f1"]
        parts = f"spotting {spotted:.4f} x recognition {recognized:.4f}"
        yield f"STRS ({rule}): {scores['strs']:.4f} = {parts}"
    yield from agreement.notes
    yield from remark(agreement.missing, "videos with expressions in which nothing was found")
    yield from remark(
        agreement.strays, "videos that the truth does not name, so that all in them is false"
    )


def curve_lines(values: dict[str, Any]) -> Iterator[str]:
    for kind, by_iou in values["average_precision"].items():
        if None not in by_iou.values():  # there is truth of that kind
            yield f"average precision, {kind}: " + ", ".join(
                f"{v:.3f} at IoU {iou}" for iou, v in by_iou.items()
            )
    yield "overall F1 at IoU " + ", ".join(
        f"{iou}: {f1['overall']:.3f}" for iou, f1 in values["f1_by_iou"].items()
    )


def edge_text(frames: Sequence[int], ms: Sequence[float] | None) -> str:
    """Median, below 0 too early, and mean size."""
    text = f"median {np.median(frames):+.3g} frames (mean size {np.abs(frames).mean():.1f})"
    return (
        text
        if ms is None
        else f"{text}, {np.median(ms):+.0f} ms (mean size {np.abs(ms).mean():.0f})"
    )


def remark(names: Sequence[str], text: str) -> Iterator[str]:
    if names:
        yield f"{text}: {len(names)} ({', '.join(names[:5])}{', ...' if len(names) > 5 else ''})"
