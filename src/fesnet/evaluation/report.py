"""All files of a finished benchmark, each whole or not at all. Equal results give equal bytes: none
holds a clock.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fesnet._io import atomic_write_text
from fesnet.evaluation.dataset import EvaluationDataset
from fesnet.evaluation.html_page import page
from fesnet.evaluation.method_results import MethodResult, told
from fesnet.evaluation.table import ResultRow, to_csv, to_markdown

FOUND = ("subject", "video", "kind", "onset_frame", "apex_frame", "offset_frame", "score")
MEGC = {
    2022: ("vid", "pred_onset", "pred_offset", "type"),
    2023: ("vid", "onset", "offset", "type"),
}
TYPES = {"macro": "mae", "micro": "me"}


def write_benchmark_report(
    lines: Sequence[ResultRow],
    material: EvaluationDataset,
    settings: dict[str, Any],
    notes: Sequence[str],
    out: Path,
) -> None:
    """table.md, table.csv, index.html, config.json, found/ROW.csv, megc/ROW.YEAR.csv."""
    for folder in ("found", "megc"):
        (out / folder).mkdir(exist_ok=True)
    for line in lines:
        write_found(line.row, out)
    title = f"Benchmark: {settings['data set']['name']}"
    atomic_write_text(out / "table.csv", to_csv(lines))
    atomic_write_text(out / "table.md", to_markdown(lines, title, notes))
    atomic_write_text(out / "index.html", page(lines, title, notes))
    rows = [
        {
            "row": result_stem(line.row),
            "weights": line.row.fingerprints,
            "chosen": {fold: told(c) for fold, c in line.row.chosen.items()},
            "picked on test subjects": {
                p: read.picked for p, read in line.read.items() if read.picked
            },
        }
        for line in lines
    ]
    values = {**settings, "data": fingerprint(material), "rows": rows}
    atomic_write_text(out / "config.json", json.dumps(values, indent=1, ensure_ascii=False) + "\n")


def result_stem(row: MethodResult) -> str:
    """A row's name, good as a file name."""
    parts = (
        row.name.replace(" ", "-"),
        row.mode,
        f"for-{row.aim}",
        "seed",
        "-".join(map(str, row.seeds)),
    )
    return "_".join(parts)


def write_found(row: MethodResult, out: Path) -> None:
    """Found intervals as a truth table (1-based, inclusive; `fesnet score` reads it), and as MEGC
    submissions.
    """
    frames = [
        (
            v.subject,
            v.video,
            i.kind,
            i.start + 1,
            (i.start if i.apex is None else i.apex) + 1,
            i.stop,
            i.score,
        )
        for v in row.judged
        for i in v.found
    ]
    atomic_write_text(out / "found" / f"{result_stem(row)}.csv", as_csv(FOUND, frames))
    for year, heads in MEGC.items():
        cells = [(video, first, last, TYPES[kind]) for _, video, kind, first, _, last, _ in frames]
        atomic_write_text(out / "megc" / f"{result_stem(row)}.{year}.csv", as_csv(heads, cells))


def as_csv(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(heads)
    table.writerows(rows)
    return text.getvalue()


def fingerprint(material: EvaluationDataset) -> dict[str, Any]:
    """What the material was: counts, and one hash over all inputs and truth."""
    digest = hashlib.sha256()
    for f in material.videos:
        digest.update(repr((f.clip.id, f.clip.subject, f.clip.sha256, f.truth)).encode())
    events = [i.kind for f in material.videos for i in f.truth]
    return {
        "subjects": len({f.clip.subject for f in material.videos}),
        "videos": len(material.videos),
        "ticks": sum(f.clip.ticks for f in material.videos),
        "macro": events.count("macro"),
        "micro": events.count("micro"),
        "sha256": digest.hexdigest(),
    }
