"""Mistakes that mypy must refuse. Strict mypy also refuses a comment here that ignores nothing, so
that `make lint` fails as soon as one of these is let through.
"""

from __future__ import annotations

import fesnet


def five_mistakes(result: fesnet.Spotting) -> None:
    """Never called."""
    fesnet.spot("v.mp4", weigths="mine")  # type: ignore[call-arg]
    fesnet.spot("v.mp4", faces="biggest")  # type: ignore[arg-type]
    fesnet.spot("v.mp4", rules={"micro_threshold": "high"})  # type: ignore[dict-item]
    print(result.interval)  # type: ignore[attr-defined]
    result.export(3, "folder")  # type: ignore[arg-type]
    result.crop(0, 1, "exact")  # type: ignore[arg-type]
    fesnet.spots("v.mp4")  # type: ignore[attr-defined]
