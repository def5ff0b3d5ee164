"""Words that several parts say to people."""

from __future__ import annotations

import sys
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
    if not isinstance(error, UnicodeError):
        return f"expected a table in {path}, got something else ({error}); correct it"
    return (
        f"expected a table in UTF-8 in {path}, got something else ({error}); save it in UTF-8 (in "
        "Excel: CSV UTF-8)"
    )


def get_extra(name: str) -> str:
    """What to do about a missing extra, right for a wheel, too. The package is in no index, so that
    its own name would install nothing: what the extra brings is named.
    """
    brought = [f"'{line}'" for line in extra_requirements(name)]
    if not brought:  # an older installation, or none: the source alone
        return f"run pip install '.[{name}]' in the repository's folder"
    return f"run {install_command()} {' '.join(brought)} (extra {name})"


def extra_requirements(name: str) -> list[str]:
    """What an extra brings, as the installed package says: fastapi>=0.115; empty where it says
    nothing.
    """
    import importlib.metadata as metadata
    import re

    try:
        lines = metadata.requires("fesnet") or []
    except metadata.PackageNotFoundError:
        return []
    wanted = re.compile(rf"extra *== *['\"]{re.escape(name)}['\"]")
    return [line.split(";")[0].strip() for line in lines if wanted.search(line)]


def install_command() -> str:
    """How packages get into the environment that runs: by pip, pipx or uv."""
    root = Path(sys.prefix)
    if (root / "pipx_metadata.json").exists():
        return "pipx inject fesnet"
    if (root / "uv-receipt.toml").exists():
        return f"uv pip install --python {sys.executable}"
    return "pip install"


def format_clock(seconds: float) -> str:
    """A time of a video as people read it off a player: 1:23.4, or 1:02:03.4."""
    tenths = round(max(seconds, 0.0) * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def format_time(seconds: float) -> str:
    """Seconds, from a minute on with the clock: 12.30 s, 83.40 s (1:23.4)."""
    return f"{seconds:.2f} s" + (f" ({format_clock(seconds)})" if seconds >= 60 else "")


def format_span(start: float, stop: float) -> str:
    """From when to when: 2.00-3.97 s, 83.40-84.00 s (1:23.4-1:24.0)."""
    clocks = f" ({format_clock(start)}-{format_clock(stop)})" if stop >= 60 else ""
    return f"{start:.2f}-{stop:.2f} s{clocks}"
