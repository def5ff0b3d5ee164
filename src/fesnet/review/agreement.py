"""Agreement of machine and person, or of two people, by `fesnet.metrics`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fesnet.intervals import KINDS
from fesnet.metrics import Agreement, agree, frame_kappa
from fesnet.metrics.agreement_lines import edge_text

PROTOCOL = "official"


def compute_agreement(truth: Path, found: Path) -> dict[str, Any]:
    """Agreement of two files as JSON: counts by kind, kappa, and lines for people.

    Only the fast part of `fesnet score`, as the page asks after every edit. Raises UsageError and
    TruthError.
    """
    both = agree(truth, found)
    counts = both.evaluate_as(PROTOCOL).counts
    pairs = [(v.truth, v.found) for v in both.videos]
    kappa = math.nan if both.frames is None else frame_kappa(pairs, both.frames)
    return {
        "iou": both.iou,
        "kinds": {
            kind: {**asdict(counts[kind]), "f1": counts[kind].f1} for kind in (*KINDS, "overall")
        },
        "kappa": None if math.isnan(kappa) else kappa,
        "lines": list(edge_lines(both)),
    }


def edge_lines(both: Agreement) -> Iterator[str]:
    """How far the edges of matched intervals lie apart."""
    for kind in KINDS:
        edges = both.edges(kind)
        for edge in ("onset", "offset") if edges["onset_frames"] else ():
            text = edge_text(edges[f"{edge}_frames"], edges[f"{edge}_ms"])
            yield f"{edge} of {kind} in both: {text}"
