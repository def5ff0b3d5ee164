"""Leave one data set out: each of several is tested by what learned from all others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fesnet._guard import check_replaceable, replacing
from fesnet._io import atomic_write_text, csv_text, make_writable_folder
from fesnet._types import StepCallback
from fesnet.datasets.recording import DataSet
from fesnet.errors import UsageError
from fesnet.evaluation.benchmark import BenchmarkOptions, check_datasets, run_benchmark
from fesnet.evaluation.table import NAMES, ResultRow, Table, markdown
from fesnet.jobs import Executor
from fesnet.metrics import Counts

HEADS = ("tested on", "method", "mode", "rules for", "seed", "kind", "TP", "FP", "FN", "F1")
FEWEST = 2  # data sets


def leave_one_dataset_out(
    sets: Sequence[DataSet],
    options: BenchmarkOptions,
    out: Path,
    progress: StepCallback = lambda *_: None,
    executor: Executor | None = None,
) -> dict[str, list[ResultRow]]:
    """A benchmark for each data set in `out/NAME`, and the table of all; returns rows by data set.

    Raises UsageError for fewer than two, and as `run_benchmark`.
    """
    if len(sets) < FEWEST:
        raise UsageError(f"expected {FEWEST} data sets or more to leave one out, got {len(sets)}")
    check_datasets(sets)
    make_writable_folder(out)
    names = distinct_names(sets)
    tables = out / "table.md", out / "table.csv"
    for table in tables:
        check_replaceable(
            table, force=options.force, known=lambda t: (t.parent / names[0]).is_dir()
        )
    rows = {}
    for name, tested in zip(names, sets, strict=True):
        others = [(n, s) for n, s in zip(names, sets, strict=True) if s is not tested]
        pair = [merge_datasets(others), tested]
        rows[name] = run_benchmark(pair, options, out / name, progress, executor)
    heads, cells = left_out_table(rows)
    title = "# Leave one data set out: official protocol"
    note = "Each data set is tested by what learned from all others; `all` pools their counts."
    with replacing():
        atomic_write_text(tables[0], f"{title}\n\n{note}\n\n{markdown(heads, cells)}\n")
        atomic_write_text(tables[1], csv_text([heads, *cells]))
    return rows


def distinct_names(sets: Sequence[DataSet]) -> list[str]:
    """casme2, samm; folder-1, folder-2 where a name comes twice."""
    times = Counter(s.name for s in sets)
    return [f"{s.name}-{n}" if times[s.name] > 1 else s.name for n, s in enumerate(sets, 1)]


def merge_datasets(parts: Sequence[tuple[str, DataSet]]) -> DataSet:
    """One data set of several; names of videos and subjects begin with that of their set."""
    recordings = [
        replace(r, id=f"{name}-{r.id}", subject=f"{name}-{r.subject}")
        for name, data in parts
        for r in data.recordings
    ]
    name = "+".join(name for name, _ in parts)
    ordered = tuple(sorted(recordings, key=lambda r: r.id))
    return DataSet(name, parts[0][1].root, ordered, options=dict(parts[0][1].options))


def left_out_table(rows: dict[str, list[ResultRow]]) -> Table:
    """A row for each data set, method and kind, and the counts of all data sets together."""
    total: dict[tuple[str, ...], Counts] = {}
    cells = []
    for name, of_set in rows.items():
        for row in of_set:
            for kind in NAMES:
                counts = row.evaluations["official"].counts[kind]
                key = (*row.label, str(kind))
                total[key] = total.get(key, Counts()) + counts
                cells.append([name, *key, *count_cells(counts)])
    cells += [["all", *key, *count_cells(counts)] for key, counts in total.items()]
    return list(HEADS), cells


def count_cells(counts: Counts) -> list[str]:
    return [str(counts.tp), str(counts.fp), str(counts.fn), f"{counts.f1:.4f}"]
