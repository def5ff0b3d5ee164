"""The command line: parse, call one library function, print. Imports nothing heavy early."""

from __future__ import annotations

# Each module adds the command of its name and related ones. `fesnet --help` keeps this order.
# isort: off
from fesnet.cli import spot, report, review, summary, export, score, challenge  # noqa: F401
from fesnet.cli import data, benchmark, evaluate, synth, train  # noqa: F401
from fesnet.cli import tune_rules, maintenance  # noqa: F401

# isort: on
from fesnet.cli.base import EXPORT_FORMATS, app, main

__all__ = ["EXPORT_FORMATS", "app", "main"]
