"""A progress bar for Python: what `progress=True` shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fesnet._types import FrameCallback
    from fesnet.video import Frame, Source

EVERY = 10  # frames between two updates of the bar


@contextmanager
def frame_progress(wanted: FrameCallback | bool | None) -> Iterator[FrameCallback | None]:
    """A callback as it is; for True one that moves a bar on stderr; None for False and None.

    The bar tells the seconds of video that are done, and the time left where the source knows its
    length. It shows nothing where stderr is neither a terminal nor a notebook.
    """
    if not isinstance(wanted, bool):
        yield wanted
    elif not wanted:
        yield None
    else:
        with bar_on_stderr() as report:
            yield report


@contextmanager
def bar_on_stderr() -> Iterator[FrameCallback]:
    """A bar by rich."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:.0f} s of video"),
        TimeRemainingColumn(),
    )
    shown = console.is_terminal or console.is_jupyter
    with Progress(*columns, console=console, transient=True, disable=not shown) as bar:
        task = bar.add_task("", total=None)

        def report(frame: Frame, source: Source) -> None:
            if frame.index % EVERY == 0:
                bar.update(
                    task, description=source.name, total=source.duration, completed=frame.time
                )

        yield report
