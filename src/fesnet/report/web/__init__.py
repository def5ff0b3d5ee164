"""Parts of pages that the report and the review app share: `timeline.js` (plain ES, no library) and
`style.css`.
"""

from __future__ import annotations

from importlib.resources import files


def part(name: str) -> str:
    """The text of one of the shared files."""
    return (files("fesnet.report.web") / name).read_text(encoding="utf-8")
