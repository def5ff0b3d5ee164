"""The command line: parse, call one library function, print. No logic here, and nothing heavy is
imported early.
"""

from __future__ import annotations

# Each of these adds its commands; `fesnet --help` lists them in this order.
# isort: off
from fesnet.cli import spotting, looking, reviewing, exchange, measuring  # noqa: F401
from fesnet.cli import data, benchmarking, making, upkeep  # noqa: F401

# isort: on
from fesnet.cli.base import EXPORTS, app, main

__all__ = ["EXPORTS", "app", "main"]
