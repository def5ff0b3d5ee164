"""The command line: parse, call one library function, print. No logic here, and nothing heavy is imported early."""

from __future__ import annotations

# isort: off  (each of these adds its commands; `fesnet --help` lists them in this order)
from fesnet.cli import spotting, exchange, measuring, making, upkeep  # noqa: F401

# isort: on
from fesnet.cli.base import EXPORTS, app, main

__all__ = ["EXPORTS", "app", "main"]
