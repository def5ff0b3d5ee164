"""All files of a finished benchmark, each by an atomic write.

Equal results give equal bytes: no file holds a time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fesnet._io import atomic_write_text, csv_text
from fesnet.evaluation.comparison import compare_rows, comparison_table
from fesnet.evaluation.dataset import EvaluationDataset
from fesnet.evaluation.html_page import render_page
from fesnet.evaluation.method_results import MethodResult, selection_dict
from fesnet.evaluation.row_figures import draw_rows
from fesnet.evaluation.table import ResultRow, official_table, to_csv, to_markdown
from fesnet.figures.bibliography import bibtex
from fesnet.figures.paper_tables import write_paper_table
from fesnet.frame_numbers import FrameNumbers
from fesnet.intervals import Interval

TABLES = (
    "table.csv", "comparisons.csv", "table.md", "index.html", "paper.tex", "paper.md", "paper.csv",
    "references.bib", "config.json",
)  # fmt: skip
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
    *,
    plots: bool = False,
) -> None:
    """table.md, table.csv, index.html, config.json, comparisons.csv, paper.tex and the like,
    references.bib, found/ROW.csv, megc/ROW.YEAR.csv; figures/ for plots.
    """
    for folder in ("found", "megc"):
        (out / folder).mkdir(exist_ok=True)
    numbers = {v.clip.id: v.numbers for v in dataset.videos}
    for row in rows:
        write_found(row.result, numbers, out)
    compared = comparison_table(compare_rows(rows))
    title = f"Benchmark: {settings['data set']['name']}"
    atomic_write_text(out / "table.csv", to_csv(rows))
    atomic_write_text(out / "comparisons.csv", csv_text([compared[0], *compared[1]]))
    atomic_write_text(out / "table.md", to_markdown(rows, title, notes, compared))
    figures = draw_rows(rows, out / "figures") if plots else {}
    page = render_page(rows, title, notes, compared, figures)
    atomic_write_text(out / "index.html", page)
    write_paper_table(*official_table(rows), out, "paper")
    names = {"official", settings["data set"]["name"], *(r.result.name.split()[0] for r in rows)}
    atomic_write_text(out / "references.bib", bibtex(names))
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
        result.mode.replace(" ", "-"),
        f"for-{result.aim}",
        "seed",
        "-".join(map(str, result.seeds)),
    )
    return "_".join(parts)


def write_found(
    result: MethodResult, numbers: Mapping[str, FrameNumbers | None], out: Path
) -> None:
    """Found intervals as a truth table (1-based, inclusive), and as MEGC submissions.

    numbers: of the files of each video; frames are given in these. `fesnet score` reads the table.
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
        for i in numbered(v.found, numbers.get(v.video))
    ]
    stem = result_stem(result)
    atomic_write_text(out / "found" / f"{stem}.csv", csv_text([FOUND, *frames]))
    for year, heads in MEGC.items():
        cells = [(video, first, last, TYPES[kind]) for _, video, kind, first, _, last, _ in frames]
        atomic_write_text(out / "megc" / f"{stem}.{year}.csv", csv_text([heads, *cells]))


def numbered(found: Sequence[Interval], numbers: FrameNumbers | None) -> Iterable[Interval]:
    """Intervals in numbers of files: `start` is the onset less 1."""
    return found if numbers is None else map(numbers.to_numbers, found)


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
