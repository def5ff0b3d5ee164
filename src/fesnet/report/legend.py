"""The legend of timelines: every mark with its meaning."""

from __future__ import annotations

import html
from typing import Any

from fesnet.report.score_view import compared_by, score_name
from fesnet.result import Spotting

# Marks as the inside of an SVG of 34 x 14 pixels; classes get their colours in style.css.
MARKS = {
    "sum": '<path class="both" d="M1 11 L9 9 L17 2 L25 8 L33 11"/>',
    "macro": '<path class="macro" d="M1 12 L10 11 L18 3 L26 10 L33 12"/>',
    "micro": '<path class="micro dashed" d="M1 12 L10 11 L18 3 L26 10 L33 12"/>',
    "threshold": '<path class="macro dotted" d="M1 5 H33"/>'
    '<path class="micro dotted" d="M1 10 H33"/>',
    "bar": '<path class="macro wide" d="M3 4 H16"/><path class="micro wide" d="M20 9 H31"/>',
    "faint": '<path class="macro wide faint" d="M3 4 H16"/><path class="micro wide faint" '
    'd="M20 9 H31"/>',
    "found": '<rect class="macro" x="1" y="1" width="18" height="12" rx="3"/>'
    '<rect class="micro" x="22" y="3" width="11" height="8" rx="3"/>',
    "apex": '<rect class="macro" x="1" y="1" width="32" height="12" rx="3"/>'
    '<path class="notch" d="M12 8 V13"/>',
    "truth": '<rect class="macro pale" x="1" y="1" width="32" height="12" rx="3"/>',
    "gap": '<path class="hatch" d="M1 13 L13 1 M9 13 L21 1 M17 13 L29 1 M25 13 L33 5"/>',
    "lane": '<path class="lane" d="M3 7 H10 M15 7 H30"/>',
    "now": '<path class="now" d="M17 0 V14"/>',
    "view": '<rect class="view" x="6" y="1" width="22" height="12"/>',
    "checked": '<text x="11" y="12">✓</text>',
}


def legend_items(spotting: Spotting, *, truth: bool, screen: bool, review: bool) -> dict[str, str]:
    """The meaning of each mark that is drawn, by mark."""
    compared, name = compared_by(spotting), score_name(spotting)
    each = {"check": "not compared", "sum": "its share", "kinds": "compared"}[compared]
    items = {"sum": "macro + micro score together: compared with the thresholds"}
    if compared != "sum":
        items = {}
    items |= {
        "macro": f"frame score of macro ({each})",
        "micro": f"frame score of micro ({each})",
        "threshold": f"threshold of each kind for the {name}",
        "bar": f"{name} of an expression: the height of the bar",
        "faint": f"{name} below its threshold: what a lower one would add",
        "found": "macro-expression, micro-expression",
    }
    if screen:
        items["apex"] = "apex: the moment of the largest change"
    if truth:
        items["truth"] = "truth"
    if spotting.gaps:
        items["gap"] = "face unknown"
    if screen and spotting.observations:
        items["lane"] = "what else happened, in lanes on request"
    if screen:
        items |= {"now": "the present moment", "view": "lower strip: the part in view above"}
    if review:
        items["checked"] = "checked by a person"
    return items


def legend_html(
    spotting: Spotting, *, truth: bool = False, screen: bool = True, review: bool = False
) -> str:
    """A list of the marks that a timeline of this result has."""
    items: dict[str, Any] = legend_items(spotting, truth=truth, screen=screen, review=review)
    rows = "".join(
        f'<li><svg class="mark" viewBox="0 0 34 14" aria-hidden="true">{MARKS[mark]}</svg> '
        f"{html.escape(text)}</li>"
        for mark, text in items.items()
    )
    return f'<ul class="legend" aria-label="Legend">{rows}</ul>'
