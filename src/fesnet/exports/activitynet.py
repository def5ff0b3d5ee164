"""ActivityNet detection file, as temporal action detection tools and their evaluation scripts read
it.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fesnet._io import atomic_write_text
from fesnet._version import __version__
from fesnet.exports.common import result_frame_ends, video_id
from fesnet.result import Spotting


def write_activitynet(spotting: Spotting, path: Path) -> None:
    """Write `path` atomically. Segments in seconds, to the microsecond; `face`, `moved` and
    `flags` are our additions.
    """
    ends = result_frame_ends(spotting)
    found: list[dict[str, Any]] = []
    for i in spotting.intervals:
        segment = [i.onset_s, round(float(ends[i.offset_frame]), 6)]
        context = spotting.context(i)
        more = {} if context is None else asdict(context)
        found.append(
            {"label": i.kind, "score": i.score, "segment": segment, "face": i.face, **more}
        )
    trained_on = spotting.provenance.get("trained_on", "unknown")
    values = {
        "version": f"fesnet {__version__}",
        "results": {video_id(spotting.source): found},
        "external_data": {"used": True, "details": f"trained on {trained_on}"},
    }
    atomic_write_text(path, json.dumps(values, indent=1, ensure_ascii=False) + "\n")
