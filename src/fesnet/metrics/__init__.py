"""How well found intervals agree with the truth: counts, curves, protocols; numpy only, no
torch.
"""

from fesnet.metrics.agreement import Agreement, agree
from fesnet.metrics.compare import MethodComparison, compare_methods
from fesnet.metrics.curves import (
    average_precision,
    counts_by_iou,
    edge_errors,
    frame_kappa,
    frame_table,
    kappa_of,
)
from fesnet.metrics.event_counts import CountingError, counting_errors
from fesnet.metrics.matching import (
    IOU,
    Counts,
    bootstrap,
    count,
    count_hit_truths,
    false_alarms_a_minute,
    match,
    overall,
)
from fesnet.metrics.protocols import (
    PROTOCOLS,
    Evaluation,
    Protocol,
    VideoResult,
    evaluate,
    evaluate_candidates,
)
from fesnet.metrics.recognition import NamedVideo, Recognition, recognize

__all__ = [
    "IOU",
    "PROTOCOLS",
    "Agreement",
    "CountingError",
    "Counts",
    "Evaluation",
    "MethodComparison",
    "NamedVideo",
    "Protocol",
    "Recognition",
    "VideoResult",
    "agree",
    "average_precision",
    "bootstrap",
    "compare_methods",
    "count",
    "count_hit_truths",
    "counting_errors",
    "counts_by_iou",
    "edge_errors",
    "evaluate",
    "evaluate_candidates",
    "false_alarms_a_minute",
    "frame_kappa",
    "frame_table",
    "kappa_of",
    "match",
    "overall",
    "recognize",
]
