"""Hand-crafted spotters behind the same call as `Spotter.spot`.

Each is a re-implementation of a published idea; its module names the source and our choices. None
of them is trained; their thresholds were chosen on synthetic video by
`experiments/choose_baseline_rules.py`.
"""

from __future__ import annotations

from typing import Any, Literal

from fesnet.baselines.base import Baseline
from fesnet.baselines.flow import Flow
from fesnet.baselines.landmarks import Landmarks
from fesnet.baselines.mdmd import Mdmd
from fesnet.errors import UsageError
from fesnet.postprocess import IntervalRules

METHODS: dict[str, type[Baseline[Any]]] = {
    method.name: method for method in (Flow, Landmarks, Mdmd)
}


def make_baseline(
    name: str, *, rules: IntervalRules | None = None, faces: Literal["largest", "all"] = "largest"
) -> Baseline[Any]:
    """The baseline of a name: "flow", "landmarks" or "mdmd".

    rules: default those chosen for it; faces: as of `Spotter`. Raises UsageError for other names.
    """
    if name not in METHODS:
        raise UsageError(f"expected one of the baselines {', '.join(METHODS)}, got {name!r}")
    return METHODS[name](rules=rules, faces=faces)
