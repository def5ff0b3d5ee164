"""A whole study: summary."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fesnet._messages import counted
from fesnet._names import printable
from fesnet.cli.base import Force, app, say
from fesnet.cli.output import plain_console

if TYPE_CHECKING:
    from rich.console import Console

    from fesnet.study.rater_pairs import RaterAgreement
    from fesnet.study.statistics import GroupStatistic


@app.command("summary")
def summary_command(
    folder: Annotated[Path, typer.Argument(help="Folder of results, written by `fesnet spot`.")],
    by: Annotated[
        str | None,
        typer.Option("--by", help="Compare groups: a column of the manifest, or 'marker'."),
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option("--manifest", help="Table (CSV, .xlsx) of videos and what you know of them."),
    ] = None,
    markers: Annotated[
        Path | None,
        typer.Option("--markers", help="Table of stimuli: participant, label, start, end."),
    ] = None,
    decimal_comma: Annotated[
        bool, typer.Option("--decimal-comma", help="Tables with 0,5 and semicolons.")
    ] = False,
    spss: Annotated[
        bool, typer.Option("--spss", help="Tables as .sav with labels, too (extra study).")
    ] = False,
    force: Force = False,
) -> None:
    """Tables of a study, with corrections where there are some; statistics of groups, drawings, and
    index.html.
    """
    from fesnet.study.summarize import SummaryOptions, summarize

    options = SummaryOptions(by, manifest, markers, decimal_comma, spss, force)
    found = summarize(folder, options, lambda line: say(f"fesnet: {line}", error=True))
    if found.statistics:
        show_statistics(found.statistics)
    if found.raters:
        show_raters(found.raters)
    reviewed = sum(v.result.reviewed for v in found.videos)
    people = counted(len({v.participant for v in found.videos}), "participant")
    say(f"{counted(len(found.videos), 'video')} of {people}, {reviewed} reviewed")
    for path in found.files:
        say(f"wrote {path}")
    say(f"open {found.index}")
    if found.failed:
        raise typer.Exit(1)


def show_statistics(statistics: tuple[GroupStatistic, ...]) -> None:
    """Means of groups and their differences as a table."""
    from rich.table import Table

    table = Table(title="groups, by participants", title_justify="left")
    for column in ("measure", "group", "n", "mean", "95 %", "p", "adjusted", "test"):
        table.add_column(column, justify="left" if column in ("measure", "group") else "right")
    for s in statistics:
        spread = "" if s.low_95 is None else f"{s.low_95:.3f} to {s.high_95:.3f}"
        ps = ("" if p is None else f"{p:.4f}" for p in (s.p, s.p_adjusted))
        mean = "" if s.mean is None else f"{s.mean:.3f}"
        left = f", {s.left_out} left out" if s.left_out else ""
        table.add_row(s.measure, printable(s.group), str(s.n), mean, spread, *ps, s.test + left)
    wide_console().print(table)


def show_raters(raters: tuple[RaterAgreement, ...]) -> None:
    """Agreement of raters as a table, and how much they looked at."""
    from rich.table import Table

    from fesnet.study.rater_pairs import RATER_TITLES, material_lines, rater_cells

    table = Table(title="raters, of what both looked at", title_justify="left")
    for title in RATER_TITLES:
        table.add_column(title, justify="left" if title in ("first", "second", "kind") else "right")
    for pair in raters:
        table.add_row(*map(printable, rater_cells(pair)))
    wide_console().print(table)
    for line in material_lines(raters):
        say(line)


def wide_console() -> Console:
    """As wide as the terminal; in a pipe wide enough for all columns."""
    console = plain_console()
    return console if console.is_terminal else plain_console(width=140)
