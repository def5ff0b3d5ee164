"""`fesnet benchmark --also`: each data set is tested by what learned from all others."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from fesnet.cli import app
from fesnet.datasets import load_dataset
from fesnet.errors import UsageError
from fesnet.evaluation.benchmark import BenchmarkOptions, run_benchmark
from fesnet.evaluation.leave_dataset_out import leave_one_dataset_out, merge_datasets
from small_evaluation import data_set, features_of


def write_set(folder: Path, shift: int = 0) -> Path:
    """The small set on disk, its truth moved by `shift` frames."""
    folder.mkdir(parents=True)
    videos, truth = [], []
    for r in data_set(folder).recordings:
        features, rate = features_of(r)
        np.savez(folder / f"{r.id}.npz", features=features, fps=rate)
        videos.append((r.subject, r.id))
        truth += [(r.subject, r.id, i.kind, i.start + 1 + shift, i.start + 2 + shift,
                   i.stop + shift) for i in r.truth]  # fmt: skip
    columns = ["subject", "video", "kind", "onset_frame", "apex_frame", "offset_frame"]
    for name, head, rows in (("videos", columns[:2], videos), ("truth", columns, truth)):
        with (folder / f"{name}.csv").open("w", newline="") as handle:
            csv.writer(handle).writerows([head, *rows])
    return folder


def leave_out(first: Path, others: list[Path], out: Path) -> dict[str, dict[str, list[int]]]:
    """TP, FP, FN of the kinds' rules by data set and kind, from the table of all."""
    also = [part for other in others for part in ("--also", f"folder:{other}")]
    call = ["benchmark", "folder", str(first), *also, "--method", "flow", "--mode", "crossfit",
            "--protocol", "official", "--jobs", "0", "--out", str(out)]  # fmt: skip
    done = CliRunner().invoke(app, call)
    assert done.exit_code == 0, done.output + str(done.exception)
    table: dict[str, dict[str, list[int]]] = defaultdict(dict)
    for row in csv.DictReader((out / "table.csv").read_text().splitlines()):
        if row["rules for"] == "each kind's F1":
            table[row["tested on"]][row["kind"]] = [int(row[n]) for n in ("TP", "FP", "FN")]
    return table


def test_each_data_set_is_tested_by_the_others(tmp_path: Path) -> None:
    sets = [write_set(tmp_path / name) for name in ("a", "b", "c")]
    out = tmp_path / "out"
    table = leave_out(sets[0], sets[1:], out)
    names = ["folder-1", "folder-2", "folder-3"]
    assert list(table) == [*names, "all"]
    for kind, counts in table["all"].items():
        assert counts == np.sum([table[n][kind] for n in names], axis=0).tolist()
    assert table["all"]["macro"][0] + table["all"]["macro"][2] == 3 * 4 * 2  # every true macro
    for name in names:
        config = json.loads((out / name / "config.json").read_text())
        others = "+".join(m for m in names if m != name)
        assert (config["data set"]["name"], config["tested on"]) == (others, ["folder"])
        # One protocol leaves nothing to compare it with.
        for page in ("table.md", "index.html"):
            text = (out / name / page).read_text()
            assert "Every protocol" in text and "above the official" not in text
        assert "<td>-</td>" in text and "<td>- / - / -</td>" not in text  # nothing was published
    assert "Leave one data set out" in (out / "table.md").read_text()

    # A wrong truth of the tested set changes no find of it.
    wrong = load_dataset("folder", write_set(tmp_path / "wrong", shift=5))
    rest = [(names[n], load_dataset("folder", sets[n])) for n in (1, 2)]
    options = BenchmarkOptions(("flow",), "crossfit", ("official",), aims=("kinds",))
    run_benchmark([merge_datasets(rest), wrong], options, tmp_path / "other")
    finds = [
        next((o / "found").glob("flow*kinds*.csv")).read_text()
        for o in (out / names[0], tmp_path / "other")
    ]
    assert finds[0] == finds[1] and finds[0].count("\n") > 8


def test_wrong_calls(tmp_path: Path) -> None:
    first = write_set(tmp_path / "a")
    call = ["benchmark", "folder", str(first), "--method", "flow", "--out", str(tmp_path / "o")]
    both = CliRunner().invoke(app, [*call, "--also", f"folder:{first}", "--test-on", "folder",
                                    str(first)])  # fmt: skip
    assert isinstance(both.exception, UsageError)
    assert "--test-on or --also, got both" in str(both.exception)
    none = CliRunner().invoke(app, [*call, "--also", "nothing"])
    assert isinstance(none.exception, UsageError) and not (tmp_path / "o").exists()
    with pytest.raises(UsageError, match="2 data sets or more"):
        leave_one_dataset_out([data_set(first)], BenchmarkOptions(), tmp_path / "o")
