"""Files of pages: `report.*`; `timeline.js` and `style.css` are shared with the review page."""

from __future__ import annotations

from importlib.resources import files


def read_web_file(name: str) -> str:
    """The text of one of these files."""
    return (files("fesnet.report.web") / name).read_text(encoding="utf-8")
