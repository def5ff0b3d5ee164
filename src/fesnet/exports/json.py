"""The result itself: see `fesnet.result_json` for the schema."""

from __future__ import annotations

from pathlib import Path

from fesnet.result import Spotting


def write_json(spotting: Spotting, path: Path) -> None:
    """Write `path` atomically."""
    spotting.to_json(path)
