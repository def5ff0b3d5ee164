"""Machine and person, or two people: how far they agree, by `fesnet.metrics`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fesnet.intervals import KINDS
from fesnet.metrics import agree
from fesnet.metrics.words import lines

PROTOCOL = "official"


def agreement(truth: Path, found: Path) -> dict[str, Any]:
    """What `fesnet score TRUTH FOUND` says of two files, as JSON: counts by kind, kappa, and lines for people.

    Raises UsageError and TruthError.
    """
    both = agree(truth, found)
    values = both.to_dict([PROTOCOL])
    counts = values["protocols"][PROTOCOL]
    return {
        "iou": values["iou"],
        "kinds": {kind: {n: counts[kind][n] for n in ("tp", "fp", "fn", "f1")} for kind in (*KINDS, "overall")},
        "kappa": values["frame_kappa"],
        "lines": list(lines(values, both)),
    }
