"""Spotting for the command line: one video, some, or ten thousand on many machines."""

from __future__ import annotations

from fesnet.batch.run import BatchResult, run_batch
from fesnet.batch.settings import SpotSettings, override_rules
from fesnet.batch.single import (
    SpotJob,
    check_sources,
    result_names,
    short_and_full_name,
    spot_source,
    spot_sources,
)
from fesnet.batch.sources import BatchVideo, find_videos, is_batch, read_manifest
from fesnet.batch.truth import frame_axis, import_truth, read_truth_rows, result_beside
from fesnet.batch.work import load_spotter
from fesnet.exports import write_results

__all__ = [
    "BatchResult",
    "BatchVideo",
    "SpotJob",
    "SpotSettings",
    "check_sources",
    "find_videos",
    "frame_axis",
    "import_truth",
    "is_batch",
    "load_spotter",
    "override_rules",
    "read_manifest",
    "read_truth_rows",
    "result_beside",
    "result_names",
    "run_batch",
    "short_and_full_name",
    "spot_source",
    "spot_sources",
    "write_results",
]
