"""`fesnet benchmark` as a function: data sets in, tables out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fesnet._guard import check_replaceable, replacing
from fesnet._io import make_writable_folder, remove_partial_files
from fesnet._types import StepCallback
from fesnet._validation import require_choices, require_range
from fesnet._version import __version__
from fesnet.datasets import load_features
from fesnet.datasets.recording import DataSet
from fesnet.errors import UsageError
from fesnet.evaluation.cross_validation import CrossValidationPlan, cross_validate
from fesnet.evaluation.dataset import EvaluationDataset
from fesnet.evaluation.folds import MODES, Mode
from fesnet.evaluation.inputs import FeatureKind
from fesnet.evaluation.methods import ABLATIONS, METHODS, Variant
from fesnet.evaluation.prepare import Preparation, prepare_dataset, required_input
from fesnet.evaluation.report import TABLES, dataset_summary, write_benchmark_report
from fesnet.evaluation.row_figures import require_matplotlib
from fesnet.evaluation.shipped import METHOD as SHIPPED
from fesnet.evaluation.shipped import run_shipped
from fesnet.evaluation.table import ResultRow, apply_protocols
from fesnet.jobs import Executor, SerialExecutor
from fesnet.metrics import PROTOCOLS

MODE_NOTES = {
    "nested": "nested: epoch and rules for a subject were chosen on inner folds that never saw "
    "that subject",
    "crossfit": "crossfit: last epoch; rules for a subject were chosen on the other subjects' test "
    "scores",
    "oracle": "ORACLE: epoch and rules were chosen on the tested subjects themselves; no result, "
    "not to quote",
}


@dataclass(frozen=True)
class BenchmarkOptions:
    """The options of `fesnet benchmark`.

    steps: of training, None for the method's own; flow: the kind of features; plots: with figures;
    force: replace tables that fesnet did not write, or that were changed.
    """

    methods: tuple[str, ...] = ("fesnet",)
    mode: Mode = "nested"
    protocols: tuple[str, ...] = tuple(PROTOCOLS)
    ablate: tuple[str, ...] = ()
    seeds: int = 1
    inner: int = 6
    steps: int | None = None
    flow: FeatureKind = "auto"
    aims: tuple[str, ...] = field(default=("kinds", "overall"))
    plots: bool = False
    force: bool = False

    def __post_init__(self) -> None:
        for name, values, known in (
            ("methods", self.methods, tuple(METHODS)),
            ("mode", (self.mode,), MODES),
            ("protocols", self.protocols, tuple(PROTOCOLS)),
            ("ablations", self.ablate, ABLATIONS),
            ("flow", (self.flow,), ("auto", "step", "state")),
        ):
            require_choices(name, values or (() if name == "ablations" else ("none",)), known)
        for name, low in (("seeds", 1), ("inner", 3)):
            require_range(name, getattr(self, name), low)
        if self.ablate and "fesnet" not in self.methods:
            raise UsageError("expected method fesnet with ablations, which are of fesnet")

    def variants(self) -> tuple[Variant, ...]:
        """Every method, and fesnet without each of the ablated mechanisms."""
        whole = [Variant(m, steps=self.steps) for m in self.methods]
        return (*whole, *(Variant("fesnet", without, self.steps) for without in self.ablate))

    def plan(self, variants: tuple[Variant, ...], executor: Executor) -> CrossValidationPlan:
        return CrossValidationPlan(
            variants, self.mode, tuple(range(self.seeds)), self.aims, self.inner, executor
        )


def run_benchmark(
    data: Sequence[DataSet],
    options: BenchmarkOptions,
    out: Path,
    progress: StepCallback = lambda *_: None,
    executor: Executor | None = None,
) -> list[ResultRow]:
    """Run everything and write it to `out`.

    data: one data set, or that and another one to test on. executor: trains folds, extracts
    features and counts; None for this process. What an earlier call with the same `out` finished is
    used again. Raises UsageError, SourceError, TruthError.
    """
    check_datasets(data)
    if options.plots:
        require_matplotlib()
    for variant in options.variants():
        required_input(data, variant.method)  # before a folder is made
    executor = executor or SerialExecutor()
    out = out.absolute()  # workers of a cluster have another working folder
    make_output_folder(out, options)
    how = Preparation(out / "work" / "inputs", load_features, options.flow, executor)
    rows: list[ResultRow] = []
    decided: dict[str, dict[str, str]] = {}
    for variant in options.variants():
        step = partial(progress, f"{variant.method}: videos")
        if variant.method == SHIPPED:
            dataset, result = run_shipped(data, how, step)
            decided[SHIPPED] = {"weights and rules": "as bundled"}
            rows.append(apply_protocols(result, options.protocols))
            continue
        dataset, decided[variant.method] = prepare_dataset(data, variant.method, how, step)
        plan = options.plan((variant,), executor)
        rows += [
            apply_protocols(result, options.protocols)
            for result in cross_validate(dataset, plan, out / "work" / "pieces", progress)
        ]
    remove_partial_files(out)  # of workers that were killed on the way
    notes = table_notes(data, options.mode, decided, dataset)
    settings = settings_dict(data, options, decided)
    with replacing():
        write_benchmark_report(rows, dataset, settings, notes, out, plots=options.plots)
    return rows


def settings_dict(
    data: Sequence[DataSet], options: BenchmarkOptions, decided: dict[str, dict[str, str]]
) -> dict[str, Any]:
    """What `config.json` names of the run."""
    return {
        "fesnet": __version__,
        "numpy": np.__version__,
        "data set": {"name": data[0].name, "options": data[0].options},
        "tested on": [d.name for d in data[1:]],
        "mode": options.mode,
        "seeds": options.seeds,
        "decided": decided,
        "variants": [v.settings() for v in options.variants()],
        "options": asdict(options),
    }


def make_output_folder(out: Path, options: BenchmarkOptions) -> None:
    """Make the folder for the tables, without what a killed run left in it. Raises UsageError, also
    where it holds tables that are not ours.
    """
    remove_partial_files(make_writable_folder(out))
    for name in TABLES:  # those of an older version are in no record
        check_replaceable(
            out / name, force=options.force, known=lambda table: (table.parent / "work").is_dir()
        )


def check_datasets(data: Sequence[DataSet]) -> None:
    """Raises UsageError where recordings are missing, or there is none."""
    for each in data:
        if each.missing:
            some = ", ".join(each.missing[:3]) + (", ..." if len(each.missing) > 3 else "")
            raise UsageError(
                f"expected all videos of {each.root}, but {len(each.missing)} are missing "
                f"({some}); add their files, "
                "or leave their lines out of the tables"
            )
        if not each.recordings:
            raise UsageError(f"expected videos in {each.root}, got none")


def table_notes(
    data: Sequence[DataSet],
    mode: Mode,
    decided: dict[str, dict[str, str]],
    dataset: EvaluationDataset,
) -> list[str]:
    """What a reader of the table must know first."""
    summary = dataset_summary(dataset)
    minutes = sum(v.seconds for v in dataset.videos) / 60
    out = [
        f"{summary['videos']} videos of {summary['subjects']} subjects, {minutes:.0f} minutes, "
        f"{summary['macro']} macro, "
        f"{summary['micro']} micro; data {str(summary['sha256'])[:12]}, fesnet {__version__}",
        *(
            f"{method}: " + ", ".join(f"{k} {v}" for k, v in choices.items())
            for method, choices in decided.items()
        ),
        MODE_NOTES[mode],
    ]
    if len(data) > 1:
        out.append(f"trained on {data[0].name}, tested on {data[1].name}")
    empty = [
        s
        for s in dataset.subjects
        if not any(v.truth for v in dataset.videos if v.clip.subject == s)
    ]
    if empty:
        out.append(f"subjects without an expression, whose finds are all false: {', '.join(empty)}")
    return out
