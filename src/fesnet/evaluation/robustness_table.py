"""What a robustness measurement says: counts of each condition, as a table and as curves."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fesnet.metrics import Counts

CALM_VIDEOS = "calm"  # condition without any nuisance
COLUMNS, PANEL, HEIGHT = 3, 300, 190  # panels a row; pixels of a panel
LEFT, TOP, WIDE, HIGH = 34, 30, 220, 110  # of the axes inside a panel
RECALL, ALARMS = "#0072b2", "#d55e00"  # distinct for colour-blind eyes


@dataclass(frozen=True)
class ConditionCounts:
    """What was found under one condition. nuisance: "calm" without any; minutes: of its videos."""

    nuisance: str
    level: float
    unit: str
    counts: dict[str, Counts]
    minutes: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON: counts, recall, precision and F1 by kind, false alarms a minute."""
        by_kind = {
            kind: {**asdict(c), "recall": c.recall, "precision": c.precision, "f1": c.f1}
            for kind, c in self.counts.items()
        }
        return {
            "nuisance": self.nuisance,
            "level": self.level,
            "unit": self.unit,
            "minutes": self.minutes,
            "false_alarms_a_minute": self.false_alarms,
            **by_kind,
        }

    @property
    def false_alarms(self) -> float:
        return self.counts["overall"].fp / self.minutes


def robustness_lines(table: Sequence[ConditionCounts]) -> list[str]:
    """The table for people, in Markdown."""
    calm = table[0]
    lines = [
        f"One nuisance at a time, on {calm.minutes:.1f} minutes of video a row. A found interval",
        "counts where kind and place agree (IoU 0.5).",
        "",
        "| nuisance | level | recall | macro | micro | precision | F1 | false alarms a minute |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in table:
        total = row.counts["overall"]
        cells = [
            row.nuisance,
            f"{row.level:g} {row.unit}" if row.unit else "-",
            f"{total.recall:.2f}",
            *(f"{row.counts[kind].recall:.2f}" for kind in ("macro", "micro")),
            f"{total.precision:.2f}",
            f"{total.f1:.2f}",
            f"{row.false_alarms:.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def robustness_svg(table: Sequence[ConditionCounts]) -> str:
    """Recall (blue, left axis) and false alarms a minute (orange, right axis) over the levels."""
    calm = [row for row in table if row.nuisance == CALM_VIDEOS]
    names = list(dict.fromkeys(r.nuisance for r in table if r.nuisance != CALM_VIDEOS))
    most = max(1.0, *(row.false_alarms for row in table))
    panels = [
        curve_panel(name, [*calm, *(r for r in table if r.nuisance == name)], most, place)
        for place, name in enumerate(names)
    ]
    rows = -(-len(names) // COLUMNS)
    width, height = COLUMNS * PANEL, rows * HEIGHT + 24
    key = (
        f'<text x="{LEFT}" y="14" fill="{RECALL}">recall (left)</text>'
        f'<text x="{LEFT + 110}" y="14" fill="{ALARMS}">false alarms a minute (right)</text>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
        f'{key}<g transform="translate(0 24)">{"".join(panels)}</g></svg>\n'
    )


def curve_panel(name: str, rows: Sequence[ConditionCounts], most: float, place: int) -> str:
    """One nuisance; most: false alarms a minute at the top of the right axis."""
    step = WIDE / max(1, len(rows) - 1)
    xs = [LEFT + k * step for k in range(len(rows))]
    bottom = TOP + HIGH
    recall = [bottom - HIGH * row.counts["overall"].recall for row in rows]
    alarms = [bottom - HIGH * row.false_alarms / most for row in rows]
    labels = [CALM_VIDEOS if row.nuisance == CALM_VIDEOS else f"{row.level:g}" for row in rows]
    unit = f"{name} ({rows[-1].unit})"
    parts = [
        f'<text x="{LEFT}" y="{TOP - 10}" font-weight="bold">{html.escape(unit)}</text>',
        f'<path d="M{LEFT} {TOP}V{bottom}H{LEFT + WIDE}V{TOP}" fill="none" stroke="#888"/>',
        *(label(LEFT - 4, y, text, "end") for text, y in (("1", TOP + 4), ("0", bottom))),
        *(
            label(LEFT + WIDE + 4, y, text, "start")
            for text, y in ((f"{most:.3g}", TOP + 4), ("0", bottom))
        ),
        *(label(x, bottom + 16, t, "middle") for x, t in zip(xs, labels, strict=True)),
        curve(xs, recall, RECALL),
        curve(xs, alarms, ALARMS),
    ]
    down, across = divmod(place, COLUMNS)
    return f'<g transform="translate({across * PANEL} {down * HEIGHT})">{"".join(parts)}</g>'


def label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{html.escape(text)}</text>'


def curve(xs: Sequence[float], ys: Sequence[float], colour: str) -> str:
    """A line with a dot at each point."""
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
        for x, y in zip(xs, ys, strict=True)
    )
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}'
