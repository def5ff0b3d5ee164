"""Spotting for the command line: one video, some, or ten thousand on many machines."""

from __future__ import annotations

from fesnet.batch.run import Batch, run_batch
from fesnet.batch.settings import Settings, changed_rules
from fesnet.batch.single import (
    Job,
    check_sources,
    names_of,
    prepare_folder,
    result_names,
    spot_all,
    spot_one,
    write_results,
)
from fesnet.batch.sources import Entry, find_entries, is_many, read_manifest
from fesnet.batch.truth import frame_axis, import_truth
from fesnet.batch.work import spotter_for

__all__ = [
    "Batch",
    "Entry",
    "Job",
    "Settings",
    "changed_rules",
    "check_sources",
    "find_entries",
    "frame_axis",
    "import_truth",
    "is_many",
    "names_of",
    "prepare_folder",
    "read_manifest",
    "result_names",
    "run_batch",
    "spot_all",
    "spot_one",
    "spotter_for",
    "write_results",
]
