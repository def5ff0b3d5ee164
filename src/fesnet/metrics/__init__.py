"""How well found intervals agree with the truth: counts, curves, protocols; numpy only, no
torch.
"""

from fesnet.metrics.curves import average_precision, edge_errors, frame_kappa, counts_by_iou
from fesnet.metrics.matching import (
    IOU,
    Counts,
    bootstrap,
    count,
    false_alarms_a_minute,
    match,
    overall,
)
from fesnet.metrics.protocols import PROTOCOLS, Evaluation, Protocol, VideoResult, evaluate, evaluate_candidates
from fesnet.metrics.recognition import NamedVideo, Recognition, recognize
from fesnet.metrics.agreement import Agreement, agree

__all__ = [
    "IOU",
    "PROTOCOLS",
    "Agreement",
    "Counts",
    "Evaluation",
    "Judged",
    "NamedVideo",
    "Protocol",
    "Recognition",
    "agree",
    "average_precision",
    "bootstrap",
    "evaluate_candidates",
    "count",
    "edge_errors",
    "evaluate",
    "false_alarms_a_minute",
    "frame_kappa",
    "match",
    "overall",
    "recognize",
    "sweep",
]
