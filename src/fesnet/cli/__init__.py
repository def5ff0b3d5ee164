"""The command line: parse, call one library function, print. Imports nothing heavy early.

`lazy` lists the commands; each module adds the command of its name and related ones.
"""

from __future__ import annotations

from fesnet.cli.base import EXPORT_FORMATS, app, main

__all__ = ["EXPORT_FORMATS", "app", "main"]
