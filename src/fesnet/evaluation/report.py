"""All files of a finished benchmark, each by an atomic write.

Equal results give equal bytes: no file holds a time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fesnet._io import atomic_write_text
from fesnet.evaluation.dataset import EvaluationDataset
from fesnet.evaluation.html_page import render_page
from fesnet.evaluation.method_results import MethodResult, selection_dict
from fesnet.evaluation.table import ResultRow, csv_text, to_csv, to_markdown

FOUND = ("subject", "video", "kind", "onset_frame", "apex_frame", "offset_frame", "score")
MEGC = {
    2022: ("vid", "pred_onset", "pred_offset", "type"),
    2023: ("vid", "onset", "offset", "type"),
}
TYPES = {"macro": "mae", "micro": "me"}


def write_benchmark_report(
    rows: Sequence[ResultRow],
    dataset: EvaluationDataset,
    settings: dict[str, Any],
    notes: Sequence[str],
    out: Path,
) -> None:
    """table.md, table.csv, index.html, config.json, found/ROW.csv, megc/ROW.YEAR.csv."""
    for folder in ("found", "megc"):
        (out / folder).mkdir(exist_ok=True)
    for row in rows:
        write_found(row.result, out)
    title = f"Benchmark: {settings['data set']['name']}"
    atomic_write_text(out / "table.csv", to_csv(rows))
    atomic_write_text(out / "table.md", to_markdown(rows, title, notes))
    atomic_write_text(out / "index.html", render_page(rows, title, notes))
    row_values = [
        {
            "row": result_stem(row.result),
            "weights": row.result.fingerprints,
            "chosen": {test: selection_dict(s) for test, s in row.result.selected.items()},
            "picked on test subjects": {
                name: e.picked for name, e in row.evaluations.items() if e.picked
            },
        }
        for row in rows
    ]
    values = {**settings, "data": dataset_summary(dataset), "rows": row_values}
    atomic_write_text(out / "config.json", json.dumps(values, indent=1, ensure_ascii=False) + "\n")


def result_stem(result: MethodResult) -> str:
    """A result's name, valid as a file name."""
    parts = (
        result.name.replace(" ", "-"),
        result.mode,
        f"for-{result.aim}",
        "seed",
        "-".join(map(str, result.seeds)),
    )
    return "_".join(parts)


def write_found(result: MethodResult, out: Path) -> None:
    """Found intervals as a truth table (1-based, inclusive), and as MEGC submissions.

    `fesnet score` reads the table.
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
        for v in result.videos
        for i in v.found
    ]
    stem = result_stem(result)
    atomic_write_text(out / "found" / f"{stem}.csv", csv_text(FOUND, frames))
    for year, heads in MEGC.items():
        cells = [(video, first, last, TYPES[kind]) for _, video, kind, first, _, last, _ in frames]
        atomic_write_text(out / "megc" / f"{stem}.{year}.csv", csv_text(heads, cells))


def dataset_summary(dataset: EvaluationDataset) -> dict[str, Any]:
    """Counts, and one hash over all inputs and truth."""
    digest = hashlib.sha256()
    for v in dataset.videos:
        digest.update(repr((v.clip.id, v.clip.subject, v.clip.sha256, v.truth)).encode())
    kinds = [i.kind for v in dataset.videos for i in v.truth]
    return {
        "subjects": len({v.clip.subject for v in dataset.videos}),
        "videos": len(dataset.videos),
        "ticks": sum(v.clip.ticks for v in dataset.videos),
        "macro": kinds.count("macro"),
        "micro": kinds.count("micro"),
        "sha256": digest.hexdigest(),
    }
