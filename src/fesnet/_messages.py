"""Words that several parts say to people."""

from __future__ import annotations

from pathlib import Path


def counted(number: int, what: str) -> str:
    """A number and its thing: 1 video, 2 videos."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def time_left(seconds: float) -> str:
    """How long something will still take: 40 s left, 1 min left, 2 h 5 min left."""
    minutes = round(seconds / 60)
    if not minutes:
        return f"{seconds:.0f} s left"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min left" if hours else f"{minutes} min left"


def in_utf8(path: Path, error: Exception) -> str:
    """Of a table that cannot be read: most often it comes from a spreadsheet program."""
    return (
        f"expected a table in UTF-8 in {path}, got something else ({error}); save it in UTF-8 (in "
        "Excel: CSV UTF-8)"
    )


def get_extra(name: str) -> str:
    """What to do about a missing extra. The package is in no index, so that its name would install
    nothing.
    """
    return f"run pip install '.[{name}]' in the repository's folder"
