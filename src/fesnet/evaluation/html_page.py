"""The benchmark as one HTML page: our rows, and what others published beside them."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from fesnet.evaluation.published import FAMILIES, PUBLISHED
from fesnet.evaluation.table import (
    NAMES,
    ResultRow,
    Table,
    inflation_table,
    official_table,
    protocol_table,
    seed_table,
)
from fesnet.metrics import PROTOCOLS

COMPARED = "Rows against each other: F1 overall, official protocol, paired over subjects"
INFLATION = "F1 overall above the official protocol"
INFLATION_NOTE = (
    "What the same scores gain where something is chosen by looking at the subjects that are "
    "tested."
)
PUBLISHED_HEADS = ["method", "CAS(ME)^2", "SAMM-LV", "also", "family", "source"]
WIDTH, LEFT, BAR = 1040, 330, 22  # pixels of the chart: width, labels, height of a line
COLOURS = {
    "macro": "#0072b2",
    "micro": "#d55e00",
    "overall": "#555555",
}  # distinct for colour-blind eyes

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 1140px; margin: 2rem auto; \
padding: 0 1rem; }}
table {{ border-collapse: collapse; font-size: 14px; }} \
th, td {{ padding: .2rem .6rem; text-align: left; }}
th {{ border-bottom: 2px solid; }} td {{ border-bottom: 1px solid #8886; \
font-variant-numeric: tabular-nums; }}
.scroll {{ overflow-x: auto; }} svg {{ width: 100%; height: auto; }} \
svg text {{ font-size: 13px; fill: currentColor; }}
.figures img {{ background: white; margin: .5rem; vertical-align: top; max-width: 100%; }}
.others {{ border-left: 4px solid #d55e00; padding-left: 1rem; }}
</style></head><body>
<h1>{title}</h1><ul>{notes}</ul>
<h2>F1, official protocol, with 95 % intervals over subjects</h2>{drawing}
<div class="scroll">{detail}</div>
<h2>Every protocol: F1 macro / micro / overall</h2>\
<div class="scroll">{sides}</div><ul>{protocols}</ul>
{seeds}
{inflation}
{compared}
{figures}
<section class="others"><h2>Published by others, on the real data</h2>
<p><strong>Not measured here</strong>, and not comparable with the rows above unless data set and \
protocol are the same:
F1 macro / micro / overall as their authors state them.</p>
<div class="scroll">{published}</div><ul>{families}</ul></section>
</body></html>
"""


def render_page(
    rows: Sequence[ResultRow],
    title: str,
    notes: Sequence[str],
    compared: Table | None = None,
    figures: Mapping[str, Sequence[Path]] | None = None,
) -> str:
    """The whole page. compared: rows against each other; figures: files of each row."""
    heads, cells = seed_table(rows)
    seeds = (
        f'<h2>Over seeds: official F1</h2><div class="scroll">{html_table(heads, cells)}</div>'
        if cells
        else ""
    )
    published = [
        [p.method, *map(published_f1, (p.casme2, p.samm_lv)), p.unseen, p.family or "?", p.source]
        for p in PUBLISHED
    ]
    return PAGE.format(
        title=html.escape(title),
        notes=html_list(notes),
        drawing=f1_chart(rows),
        detail=html_table(*official_table(rows)),
        sides=html_table(*protocol_table(rows)),
        protocols=html_list([f"{name}: {PROTOCOLS[name].why}" for name in rows[0].evaluations]),
        seeds=seeds,
        inflation=html_section(INFLATION, inflation_table(rows), INFLATION_NOTE),
        compared=html_section(COMPARED, compared),
        figures=html_figures(figures or {}),
        published=html_table(PUBLISHED_HEADS, published),
        families=html_list([f"{name or '?'}: {why}" for name, why in FAMILIES.items()]),
    )


def html_section(heading: str, table: Table | None, note: str = "") -> str:
    """A heading, a line and a table; nothing for a table without rows."""
    if table is None or not table[1]:
        return ""
    line = f"<p>{html.escape(note)}</p>" if note else ""
    return f'<h2>{html.escape(heading)}</h2>{line}<div class="scroll">{html_table(*table)}</div>'


def published_f1(values: Sequence[str]) -> str:
    """F1 macro / micro / overall, or one dash where nothing was published."""
    return " / ".join(values) if set(values) != {"-"} else "-"


def html_figures(figures: Mapping[str, Sequence[Path]]) -> str:
    """The figures of each row, drawn into the page, so that it stays one file."""
    parts = []
    for label, files in figures.items():
        pictures = "".join(
            f'<img alt="{html.escape(f.stem)}" src="data:image/svg+xml;base64,'
            f'{base64.b64encode(f.read_bytes()).decode()}">'
            for f in files
            if f.suffix == ".svg"
        )
        parts.append(
            f"<details><summary>{html.escape(label)}</summary>"
            f'<div class="figures">{pictures}</div></details>'
        )
    return f"<h2>Figures</h2>{''.join(parts)}" if parts else ""


def html_list(texts: Sequence[str]) -> str:
    return "".join(f"<li>{html.escape(t)}</li>" for t in texts)


def html_table(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(h)}</th>" for h in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>" for row in cells
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def f1_chart(rows: Sequence[ResultRow]) -> str:
    """A dot and a line (95 %) for each method and kind, on an axis from 0 to 1."""
    marks, y = [], 30
    scale = WIDTH - LEFT - 20
    for row in rows:
        name, _, aim, seeds = row.label
        marks.append(
            f'<text x="0" y="{y + BAR}">{html.escape(f"{name}, {aim}, seed {seeds}"[:52])}</text>'
        )
        for kind in NAMES:
            evaluation = row.evaluations["official"]
            low, high = (LEFT + scale * v for v in evaluation.interval(kind))
            x, c = LEFT + scale * evaluation.counts[kind].f1, COLOURS[kind]
            marks.append(
                f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}" stroke="{c}" '
                'stroke-width="3"/>'
                f'<circle cx="{x:.1f}" cy="{y}" r="5" '
                f'fill="{c}"><title>{evaluation.counts[kind].f1:.4f}</title></circle>'
            )
            y += BAR - 4
        y += 14
    axis = "".join(
        f'<line x1="{LEFT + scale * t / 5:.0f}" x2="{LEFT + scale * t / 5:.0f}" y1="18" y2="{y}" '
        'stroke="#8884"/>'
        f'<text x="{LEFT + scale * t / 5 - 8:.0f}" y="12">{t / 5:.1f}</text>'
        for t in range(6)
    )
    key = "".join(
        f'<circle cx="{10 + 90 * i}" cy="8" r="5" fill="{c}"/><text x="{20 + 90 * i}" '
        f'y="13">{k}</text>'
        for i, (k, c) in enumerate(COLOURS.items())
    )
    svg = f'<svg viewBox="0 0 {WIDTH} {y}" role="img" aria-label="F1 with intervals">'
    return f"{svg}{axis}{key}{''.join(marks)}</svg>"
