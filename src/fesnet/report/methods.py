"""The rules of a result as a table, and a paragraph for the methods section of a paper."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from fesnet._messages import counted, format_time
from fesnet.intervals import KINDS
from fesnet.report.score_view import compared_by, score_name
from fesnet.result import Spotting

MAX_STEP_SPREAD = (
    0.1  # of a step: whole milliseconds, which some containers keep, make steps of 33 and 34 ms
)
SHA_LETTERS = 12  # of a checksum: enough to tell two apart
COMPARED = {
    "check": "the probability that a coder would agree, which an interval check gives each "
    "candidate",
    "sum": "the sum of the frame scores of both kinds, at its highest in the interval",
    "kinds": "the frame score of the kind, at its highest in the interval",
}


def format_rate(spotting: Spotting) -> str:
    """Frames a second, rounded; "about" where the frames do not come at equal steps."""
    try:
        rate = float(Fraction(spotting.source.rate or ""))
    except (ValueError, ZeroDivisionError):
        return "unknown"
    steps = np.diff(spotting.frame_times)
    varies = len(steps) > 0 and np.ptp(steps) > MAX_STEP_SPREAD * np.median(steps)
    return f"{'about ' if varies else ''}{rate:.4g}"


def rule_rows(spotting: Spotting) -> list[tuple[str, ...]]:
    """(what, macro, micro) of each rule that decided on the intervals."""
    rules, check = spotting.rules, spotting.candidates is not None
    name = score_name(spotting)
    rows: list[tuple[str, ...]] = [
        (f"least {name} (threshold)", *(f"{rules.of(k, 'threshold'):g}" for k in KINDS)),
        (
            "duration",
            *(f"{rules.of(k, 'min_s'):g} to {rules.of(k, 'max_s'):g} s" for k in KINDS),
        ),
    ]
    if check:
        return rows
    rows.append(("scores are cut at", *(f"{rules.reference(k):g}" for k in KINDS)))
    ends = (f"{rules.reference(k) * rules.of(k, 'release'):.3g}" for k in KINDS)
    rows.append(("ends where it falls below", *ends))
    for what, value in (("valley", rules.valley), ("valley of intensity", rules.intensity_valley)):
        rows.append((f"{what} that divides", *(f"{value:g} of the smaller peak" for _ in KINDS)))
    rows.append(("gap that is joined", *(f"{rules.merge_gap_s:g} s" for _ in KINDS)))
    return rows


def rules_html(spotting: Spotting) -> str:
    """The rules as a table, with what thresholds are compared with."""
    rows = "".join(
        f'<tr><th scope="row">{a}</th><td>{b}</td><td>{c}</td></tr>'
        for a, b, c in rule_rows(spotting)
    )
    head = '<th scope="col"></th><th scope="col">macro</th><th scope="col">micro</th>'
    compared = f"Thresholds are compared with {COMPARED[compared_by(spotting)]}."
    return (
        f'<p>{compared}</p><div class="scroll"><table class="rules"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def methods_text(spotting: Spotting) -> str:
    """A paragraph with version, weights, rules and facts of the video, ready to paste."""
    s, p, rules = spotting.source, spotting.provenance, spotting.rules
    trained = p.get("trained_on", "")
    name = Path(str(p.get("weights", "unknown"))).name
    weights = f"weights {name} (sha256 {short(p.get('weights_sha256'))}"
    weights += f"; trained on {trained})" if trained else ")"
    kinds = " and ".join(
        f"{k}-expressions ({rules.of(k, 'min_s'):g}-{rules.of(k, 'max_s'):g} s) from a "
        f"{score_name(spotting)} of {rules.of(k, 'threshold'):g}"
        for k in KINDS
    )
    known = spotting.known_seconds
    numbers = {k: sum(i.kind == k for i in spotting.intervals) for k in KINDS}
    counts = " and ".join(counted(n, f"{k}-expression") for k, n in numbers.items())
    lines = [
        f"Facial expressions were spotted with fesnet {p.get('fesnet', '')} (FESNet), {weights}, "
        f"at {spotting.working_rate:g} Hz.",
        f"The video {s.name} (sha256 {short(s.sha256)}) has {s.width} x {s.height} pixels, "
        f"{format_rate(spotting)} frames per second, {len(spotting.frame_times)} frames and lasts "
        f"{format_time(spotting.seconds)}; a face was known for {known:.2f} s of it.",
        f"Reported were {kinds}; thresholds were compared with {COMPARED[compared_by(spotting)]}.",
        f"This gave {counts}.",
    ]
    if str(p.get("speaking", "mouth")) != "mouth":
        lines.append(f"Speech was told from {p['speaking']}.")
    review = p.get("review")
    if isinstance(review, dict):
        people = ", ".join(map(str, review.get("by", []))) or "nobody"
        lines.append(f"The intervals were corrected by {people} ({review.get('edits', 0)} edits).")
    return " ".join(lines)


def short(digest: object) -> str:
    return str(digest)[:SHA_LETTERS] if digest else "unknown"
