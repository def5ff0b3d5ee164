"""What commands print."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from fesnet._messages import counted
from fesnet._names import printable
from fesnet.cli.base import say

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from fesnet.metrics import Agreement, MethodComparison
    from fesnet.result import Spotting


SHOWN = 3  # motions of an interval in the table


def plain_console(width: int | None = None) -> Console:
    """Shows names of files, videos and subjects as they are. width: None for that of the
    terminal.
    """
    from rich.console import Console

    return Console(width=width, markup=False, emoji=False, highlight=False)


def show_result(result: Spotting) -> None:
    """A table of the intervals, and what else a person must know."""
    from rich.table import Table

    table = Table(title=printable(result.source.name), title_justify="left")
    for column in ("face", "kind", "onset s", "apex s", "offset s", "frames", "score"):
        table.add_column(column, justify="left" if column == "kind" else "right")
    if result.observations:
        table.add_column("what moved")
    for i in result.intervals:
        times = (f"{t:.2f}" for t in (i.onset_s, i.apex_s, i.offset_s))
        context = result.context(i)
        moved = () if context is None else (", ".join(m.name for m in context.moved[:SHOWN]),)
        frames = f"{i.onset_frame}-{i.offset_frame}"
        table.add_row(str(i.face), i.kind, *times, frames, f"{i.score:.2f}", *moved)
    plain_console().print(
        table if result.intervals else f"{printable(result.source.name)}: no expression found"
    )
    for gap in result.gaps:
        say(f"  unknown {gap.start_s:.2f}-{gap.stop_s:.2f} s (face {gap.face}: {gap.reason})")
    for warning in result.warnings:
        say(f"  warning: {warning}")


def show_agreement(values: dict[str, Any], agreement: Agreement) -> None:
    """Tables of counts by protocol, and what else there is to know."""
    from fesnet.metrics.agreement_lines import agreement_lines

    console = plain_console()
    if not console.is_terminal:
        console = plain_console(width=200)  # a table in a file is not cut
    if len(values["protocols"]) > 1:
        console.print(protocols_table(values))
    else:
        for name, kinds in values["protocols"].items():
            console.print(counts_table(name, values, kinds))
    for line in agreement_lines(values, agreement):
        say(line)


def protocols_table(values: dict[str, Any]) -> Table:
    """Several protocols side by side: F1, its interval and the counts, by kind and by subject."""
    from rich.table import Table

    videos = counted(values["videos"], "video")
    table = Table(title=f"IoU {values['iou']:g}, {videos}", title_justify="left")
    table.add_column("", no_wrap=True)
    for name in values["protocols"]:
        table.add_column(name, justify="right", no_wrap=True)

    def add(label: str, cells: list[dict[str, Any]]) -> None:
        table.add_row(f"{label} F1", *(f"{c['f1']:.4f}" for c in cells))
        if all(c.get("f1_95") for c in cells):
            table.add_row("  95 %", *("{:.3f}-{:.3f}".format(*c["f1_95"]) for c in cells))
        table.add_row("  TP FP FN", *(f"{c['tp']} {c['fp']} {c['fn']}" for c in cells))

    by_protocol = list(values["protocols"].values())
    for kind in by_protocol[0]:
        add(kind, [kinds[kind] for kinds in by_protocol])
    by_subject = list(values.get("by_subject", {}).values())
    for subject in by_subject[0] if by_subject else ():
        table.add_section()
        for kind in by_subject[0][subject]:
            cells = [subjects[subject][kind] for subjects in by_subject]
            add(printable(f"{subject} {kind}"), cells)
    return table


def show_comparisons(comparisons: list[MethodComparison], protocol: str) -> None:
    """A line for each pair of methods."""
    from fesnet.metrics.compare import comparison_text

    for comparison in comparisons:
        say(f"overall F1, {protocol}: {comparison_text(comparison)}")


def counts_table(name: str, values: dict[str, Any], kinds: dict[str, Any]) -> Table:
    """Counts of one protocol, by kind, and by subject where there are some."""
    from rich.table import Table

    videos = counted(values["videos"], "video")
    table = Table(title=f"{name}, IoU {values['iou']:g}, {videos}", title_justify="left")
    for column in ("", "TP", "FP", "FN", "P", "R", "F1", "95 %", "false/min"):
        table.add_column(column, justify="left" if column == "" else "right", no_wrap=True)

    def add(label: str, c: dict[str, Any]) -> None:
        rates = [f"{c[n]:.4f}" for n in ("precision", "recall", "f1")]
        spread = "{:.3f}-{:.3f}".format(*c["f1_95"]) if c.get("f1_95") else ""
        alarms = "" if c["false_alarms_a_minute"] is None else f"{c['false_alarms_a_minute']:.2f}"
        table.add_row(label, str(c["tp"]), str(c["fp"]), str(c["fn"]), *rates, spread, alarms)

    for kind, c in kinds.items():
        add(kind, c)
    for subject, counts in values.get("by_subject", {}).get(name, {}).items():
        table.add_section()
        for kind, c in counts.items():
            add(printable(f"{subject} {kind}"), c)
    return table


def show_json(event: dict[str, Any]) -> None:
    from json import dumps

    print(dumps(event), flush=True)


class EventPrinter:
    """Events of a running source for people: a line for each interval on stdout; the state on one
    line of a terminal's stderr, which makes room for every other line. quiet: intervals only.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self.status = ""

    def __call__(self, event: dict[str, Any]) -> None:
        kind = event["event"]
        if kind == "interval":
            self.print_interval(event)
        elif kind == "status" and sys.stderr.isatty() and not self.quiet:
            self.show_status(status_line(event))
        elif kind == "gap" and not self.quiet:
            self.print_note(f"no picture {event['start_s']:.2f}-{event['stop_s']:.2f} s")
        elif kind == "start" and not self.quiet:
            wait = f"scores are final after {event['look_ahead_s']:.1f} s at most"
            self.print_note(f"watching {event['source']}; {wait}")
        elif kind == "end" and not self.quiet:
            self.print_end(event)

    def show_status(self, line: str) -> None:
        """Write over the last state."""
        print(
            f"\r{line}{' ' * (len(self.status) - len(line))}", end="", file=sys.stderr, flush=True
        )
        self.status = line

    def clear_status(self) -> None:
        if self.status:
            print(f"\r{' ' * len(self.status)}\r", end="", file=sys.stderr, flush=True)

    def print_interval(self, event: dict[str, Any]) -> None:
        self.clear_status()
        span = f"{event['onset_s']:8.2f} - {event['offset_s']:.2f} s"
        line = f"face {event['face']}  {event['kind']}  {span}  score {event['score']:.2f}"
        print(line, flush=True)
        if self.status:
            self.show_status(self.status)

    def print_note(self, line: str) -> None:
        self.clear_status()
        self.status = ""
        say(line, error=True)

    def print_end(self, event: dict[str, Any]) -> None:
        counts = f"{event['dropped']} of {event['frames']} frames dropped"
        delays = f"delay {event['delay_median_s']:.2f} s, 95 %: {event['delay_95_percent_s']:.2f} s"
        self.print_note(f"{counted(event['intervals'], 'expression')}; {counts}; {delays}")
        for warning in event["warnings"]:
            self.print_note(f"  warning: {warning}")


def status_line(event: dict[str, Any]) -> str:
    """The state of a running source in one line."""
    counts = f"{event['faces']} face(s), {event['dropped']} of {event['frames']} frames dropped"
    return f"{event['time_s']:8.1f} s  {counts}  delay {event['delay_median_s']:.2f} s"


def show_profile(rows: list[tuple[str, float, float, float]]) -> None:
    """A table by stage: CPU time a frame, its share, calls a frame."""
    from rich.table import Table

    table = Table(title="where the time went (CPU)", title_justify="left")
    table.add_column("stage")
    for column in ("ms a frame", "share", "calls a frame"):
        table.add_column(column, justify="right")
    for stage, spent, share, calls in rows:
        table.add_row(stage, f"{spent:.3f}", f"{100 * share:.1f} %", f"{calls:.3f}")
    table.add_row("all", f"{sum(row[1] for row in rows):.3f}", "", "")
    plain_console().print(table)


def show_comparison(rows: list[tuple[str, ...]]) -> None:
    from rich.table import Table

    table = Table(title="found beside truth (synthetic demo video)", title_justify="left")
    for column in (
        "kind",
        "true onset-offset s",
        "found as",
        "found onset-offset s",
        "overlap (IoU)",
    ):
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    plain_console().print(table)
