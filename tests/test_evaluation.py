"""The benchmark from end to end on a tiny data set: what may be seen, what is kept, what comes
out.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import job_functions
from fesnet.cli import app
from fesnet.datasets import load_dataset
from fesnet.errors import SourceError, TruthError, UsageError
from fesnet.evaluation import fold_runs, methods
from fesnet.evaluation.benchmark import BenchmarkOptions, run_benchmark
from fesnet.evaluation.cross_validation import CrossValidationPlan, cross_validate
from fesnet.evaluation.dataset import Clip, EvaluationDataset
from fesnet.evaluation.folds import Mode, folds_of, make_fold_runs
from fesnet.evaluation.method_results import MethodResult
from fesnet.evaluation.methods import Variant
from fesnet.evaluation.parallel import require_shared_files, run_parallel
from fesnet.evaluation.prepare import Preparation, prepare_dataset
from fesnet.intervals import Interval
from fesnet.jobs import Executor, ProcessPool, SerialExecutor, make_executor
from fesnet.metrics import PROTOCOLS, agree
from small_evaluation import (
    FRAMES,
    SUBJECTS,
    TRUTH,
    data_set,
    features_of,
    run_small_fold,
    small_settings,
)

POISON = (Interval(0, 300, "macro"), Interval(5, 9, "micro"), Interval(40, 44, "micro"))


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "fesnet_settings", small_settings)


def material(
    folder: Path, truth: dict[str, tuple[Interval, ...]] | None = None
) -> EvaluationDataset:
    return prepare_dataset(
        [data_set(folder, truth)], "fesnet", Preparation(folder / "inputs", features_of)
    )[0]


def rows(
    folder: Path, made: EvaluationDataset, mode: Mode = "nested", **plan: object
) -> list[MethodResult]:
    whole = CrossValidationPlan(
        (Variant(str(plan.pop("method", "fesnet"))),), mode, inner=3, **plan
    )  # type: ignore[arg-type]
    return list(cross_validate(made, whole, folder / "pieces", lambda *_: None))


def test_a_view_holds_no_truth_of_those_held_out(tmp_path: Path) -> None:
    split = material(tmp_path).split({"b"})
    assert {s.clip.subject for s in split.train} == {"a", "c", "d"}
    assert [c.subject for c in split.test] == ["b"]
    assert not any("truth" in name for name in Clip.__dataclass_fields__)


@pytest.mark.parametrize("method", ["fesnet", "auwgcn"])
def test_a_poisoned_truth_of_the_test_subject_changes_nothing_in_its_fold(
    tmp_path: Path, method: str
) -> None:
    """Weights, epoch, rules and finds are the same to the last bit, whatever the test subject's
    truth says.
    """
    clean = rows(tmp_path / "clean", material(tmp_path / "clean"), method=method)
    told = rows(
        tmp_path / "poisoned", material(tmp_path / "poisoned", {"b": POISON}), method=method
    )
    for one, other in zip(clean, told, strict=True):
        assert one.fingerprints["b"] == other.fingerprints["b"]
        assert one.selected["b"] == other.selected["b"]
        found = [[v.found for v in row.videos if v.subject == "b"] for row in (one, other)]
        assert found[0] == found[1]
        assert one.fingerprints["a"] != other.fingerprints["a"], (
            "the poison did not arrive where it may be seen"
        )


def test_nested_judges_never_learnt_from_the_tested(tmp_path: Path) -> None:
    made = material(tmp_path)
    for fold in folds_of(made, "nested", 3):
        assert fold.test <= fold.run
        for piece, subjects in fold.selection:
            assert fold.test <= piece and subjects <= piece and not subjects & fold.test


def test_crossfit_chooses_on_the_other_subjects_and_takes_the_last_epoch(tmp_path: Path) -> None:
    made = material(tmp_path)
    for fold in folds_of(made, "crossfit", 3):
        assert all(not subjects & fold.test for _, subjects in fold.selection)
    row = rows(tmp_path, made, "crossfit", aims=("kinds",))[0]
    epochs = len(row.epochs)
    assert {c.epochs for c in row.selected.values()} == {(epochs - 1, epochs - 1)}


def test_only_the_oracle_looks_at_the_tested(tmp_path: Path) -> None:
    made = material(tmp_path)
    for mode in ("nested", "crossfit"):
        assert not any(
            f.uses_test_truth or f.test & {s.clip.subject for s in f.selection_clips(made)}
            for f in folds_of(made, mode, 3)
        )
    assert all(
        f.uses_test_truth and f.test <= {s.clip.subject for s in f.selection_clips(made)}
        for f in folds_of(made, "oracle", 3)
    )


def test_pieces_are_used_again_and_follow_from_their_material_alone(tmp_path: Path) -> None:
    made = material(tmp_path)
    first = rows(tmp_path, made)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "pieces").iterdir()}
    assert rows(tmp_path, made) == first
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "pieces").iterdir()} == before
    folds = folds_of(made, "nested", 3)
    keys = {h: p.key for h, p in make_fold_runs(made, folds, Variant("fesnet"), 0).items()}
    other = make_fold_runs(material(tmp_path, {"b": POISON}), folds, Variant("fesnet"), 0)
    same = {h for h, p in other.items() if p.key == keys[h]}
    assert same == {h for h in keys if "b" in h}
    assert not set(keys.values()) & {
        p.key for p in make_fold_runs(made, folds, Variant("fesnet"), 1).values()
    }


def test_counting_side_by_side_is_as_one_after_another(tmp_path: Path) -> None:
    made = material(tmp_path)
    plan = {"mode": "crossfit", "aims": ("kinds",)}
    with make_executor(2) as pool:
        assert rows(tmp_path / "one", made, **plan) == rows(
            tmp_path / "one", made, **plan, executor=pool
        )  # type: ignore[arg-type]


def test_several_seeds_have_a_row_each_and_one_together(tmp_path: Path) -> None:
    got = rows(tmp_path, material(tmp_path), "crossfit", seeds=(0, 1), aims=("kinds",))
    assert [row.seeds for row in got] == [(0,), (1,), (0, 1)]
    assert got[0].fingerprints["a"] != got[1].fingerprints["a"]


# It kills itself when it has a fold, while it works on the next.
KILLED = """
import os, signal, sys, threading, time
from pathlib import Path
sys.path.insert(0, {tests!r})
import small_evaluation
from lean_torch import lean_torch
from fesnet.evaluation import methods
from fesnet.evaluation.methods import Variant
from fesnet.evaluation.prepare import Preparation, prepare_dataset
from fesnet.evaluation.cross_validation import CrossValidationPlan, cross_validate
methods.fesnet_settings = small_evaluation.small_settings
folder = Path({folder!r})
how = Preparation(folder / "inputs", small_evaluation.features_of)
made, _ = prepare_dataset([small_evaluation.data_set(folder)], "fesnet", how)
plan = CrossValidationPlan((Variant("fesnet", steps={steps}),), "crossfit")

def kill():
    while not list((folder / "pieces").glob("*.npz")):
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGKILL)

threading.Thread(target=kill, daemon=True).start()
with lean_torch():
    list(cross_validate(made, plan, folder / "pieces", lambda *_: None))
"""


def test_killed_in_the_middle_it_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    script = KILLED.format(tests=str(Path(__file__).parent), folder=str(tmp_path), steps=12)
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", script]
    running = subprocess.run(command, env=one_thread, timeout=600, check=False)
    pieces = tmp_path / "pieces"
    done = {p.name for p in pieces.glob("*.npz")}
    assert done and running.returncode == -signal.SIGKILL, "it was over before it could be killed"
    made = material(tmp_path)
    plan = CrossValidationPlan((Variant("fesnet", steps=12),), "crossfit")
    resumed = list(cross_validate(made, plan, pieces, lambda *_: None))
    whole = list(cross_validate(made, plan, tmp_path / "whole", lambda *_: None))
    assert len(done) < len(list((tmp_path / "whole").iterdir()))
    assert resumed == whole


def test_too_few_subjects(tmp_path: Path) -> None:
    data = data_set(tmp_path)
    two = type(data)("folder", tmp_path, data.recordings[:2])
    made = prepare_dataset([two], "fesnet", Preparation(tmp_path, features_of))[0]
    with pytest.raises(UsageError, match=r"expected at least 3 subjects .* got 2 \(a, b\)"):
        folds_of(made, "nested", 6)


def test_features_that_do_not_fit(tmp_path: Path) -> None:
    def broken(recording: object) -> tuple[np.ndarray, float]:
        table, rate = features_of(recording)  # type: ignore[arg-type]
        table[7, 2] = np.nan
        return table, rate

    with pytest.raises(
        SourceError,
        match=rf"finite numbers in the features of a_1, got others in 1 of {FRAMES} frames",
    ):
        prepare_dataset([data_set(tmp_path)], "fesnet", Preparation(tmp_path, broken))

    def wider(recording: object) -> tuple[np.ndarray, float]:
        table, rate = features_of(recording)  # type: ignore[arg-type]
        return (np.concatenate([table, table], 1) if recording.id == "c_1" else table), rate  # type: ignore[attr-defined]

    with pytest.raises(UsageError, match="one width, got 6 numbers a frame in a_1 and 12 in c_1"):
        prepare_dataset([data_set(tmp_path)], "fesnet", Preparation(tmp_path, wider))
    with pytest.raises(
        SourceError, match=r"expected features \(T, D\) or \(T, R, 2\) of a_1, got shape \(5,\)"
    ):
        prepare_dataset(
            [data_set(tmp_path)],
            "fesnet",
            Preparation(tmp_path, lambda _: (np.zeros(5, np.float32), 30.0)),
        )


def test_truth_after_the_end_of_the_features(tmp_path: Path) -> None:
    late = {"c": (*TRUTH, Interval(FRAMES + 5, FRAMES + 25, "macro"))}
    with pytest.raises(
        TruthError, match=f"within the {FRAMES} frames of c_1, got one from frame {FRAMES + 6} on"
    ):
        material(tmp_path, late)


def test_nobody_shows_anything(tmp_path: Path) -> None:
    made = material(tmp_path, dict.fromkeys(SUBJECTS, ()))
    with pytest.raises(UsageError, match="expected expressions in the training videos, got none"):
        rows(tmp_path, made, "crossfit")


def test_a_subject_without_an_expression_counts(tmp_path: Path) -> None:
    row = rows(tmp_path, material(tmp_path, {"d": ()}), "crossfit", aims=("kinds",))[0]
    assert [len(v.truth) for v in row.videos] == [3, 3, 3, 0]


def test_kinds_are_scored_apart_where_micros_lie_in_macros() -> None:
    held = np.zeros((10, 2), np.int8)
    held[2:8, 0] = held[6:10, 1] = 1
    assert methods.micro_in_macro([(np.zeros((10, 1), np.float32), held)]) == 0.5
    assert methods.micro_in_macro([(np.zeros((10, 1), np.float32), 0 * held)]) == 0


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """The tiny data set as a folder that others could have sent."""
    root = tmp_path / "data"
    root.mkdir()
    recordings = data_set(root).recordings
    for r in recordings:
        table, rate = features_of(r)
        np.savez(root / f"{r.id}.npz", features=table.reshape(len(table), -1, 2), fps=rate)
    rows = [
        f"{r.subject},{r.id},{i.kind},{i.start + 1},,{i.stop}\n"
        for r in recordings
        for i in r.truth
    ]
    (root / "videos.csv").write_text(
        "subject,video\n" + "".join(f"{r.subject},{r.id}\n" for r in recordings)
    )
    (root / "truth.csv").write_text(
        "subject,video,kind,onset_frame,apex_frame,offset_frame\n" + "".join(rows)
    )
    return root


def files(folder: Path) -> dict[str, bytes]:
    names = ("table.md", "table.csv", "index.html", "config.json", "found", "megc")
    paths = [
        p
        for n in names
        for p in ([folder / n] if (folder / n).is_file() else sorted((folder / n).iterdir()))
    ]
    return {str(p.relative_to(folder)): p.read_bytes() for p in paths}


def test_everything_is_written_and_the_same_again(shared: Path, tmp_path: Path) -> None:
    data = [load_dataset("folder", shared)]
    options = BenchmarkOptions(("fesnet", "flow"), "crossfit", ablate=("smooth",))
    lines = run_benchmark(data, options, tmp_path / "one")
    run_benchmark(data, options, tmp_path / "one")
    assert [line.result.name for line in lines[::2]] == ["fesnet", "flow", "fesnet without smooth"]
    run_benchmark(data, options, tmp_path / "other")
    one = files(tmp_path / "one")
    assert one == files(tmp_path / "other")
    text = one["table.md"].decode()
    assert all(f"`{name}`" in text for name in PROTOCOLS) and "crossfit" in text
    page = one["index.html"].decode()
    assert "Not measured here" in page and "MDMD" in page and ".1196 / .0082 / .0376" in page
    kept = json.loads(one["config.json"])
    assert kept["data"]["macro"] == 8 and kept["rows"][0]["weights"].keys() == set(SUBJECTS)


def small_in_workers(monkeypatch: pytest.MonkeyPatch) -> BenchmarkOptions:
    """Workers are processes of their own: each fold run brings the small settings along."""
    monkeypatch.setattr(fold_runs, "run_fold", run_small_fold)
    return BenchmarkOptions(("fesnet", "flow"), "crossfit", inner=3, steps=2, aims=("kinds",))


def test_every_engine_writes_the_same(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ray_executor: Executor
) -> None:
    """A worker of the pool is killed, too: its fold is done again."""
    options, data = small_in_workers(monkeypatch), [load_dataset("folder", shared)]
    killed: list[int] = []

    with ProcessPool(2) as pool:

        def kill(what: str, done: int, of: int) -> None:
            if what == "fesnet" and done == 1 and not killed:
                killed.extend(w.process.pid or 0 for w in pool.workers if w.work)
                os.kill(killed[0], signal.SIGKILL)

        run_benchmark(data, options, tmp_path / "pool", kill, pool)
    run_benchmark(data, options, tmp_path / "here", executor=SerialExecutor())
    run_benchmark(data, options, tmp_path / "ray", executor=ray_executor)
    assert killed, "there was nothing to kill"
    wanted = files(tmp_path / "here")
    assert files(tmp_path / "pool") == wanted
    assert files(tmp_path / "ray") == wanted


def test_an_error_in_a_worker_is_the_benchmark_s(tmp_path: Path) -> None:
    with make_executor(0) as here, pytest.raises(SourceError, match="got a brick"):
        run_parallel(here, job_functions.fail, [("a", 0), ("b", 1)])
    with pytest.raises(UsageError, match=r"expected a.npz of a worker in .*share"):
        require_shared_files([tmp_path / "a.npz"])


def test_found_tables_score_as_the_table_says(shared: Path, tmp_path: Path) -> None:
    line = run_benchmark(
        [load_dataset("folder", shared)], BenchmarkOptions(("flow",), "nested"), tmp_path / "out"
    )[0]
    found = tmp_path / "out" / "found" / "flow_nested_for-kinds_seed_0.csv"
    assert (
        agree(shared, found).evaluate_as("official").counts == line.evaluations["official"].counts
    )


def test_another_data_set_is_only_tested_on(shared: Path, tmp_path: Path) -> None:
    own = load_dataset("folder", shared)
    other = type(own)("other", own.root, own.recordings[:2])
    line = run_benchmark(
        [own, other], BenchmarkOptions(("fesnet",), "nested", inner=3, steps=2), tmp_path / "out"
    )[0]
    assert {v.subject for v in line.result.videos} == {"other:a", "other:b"}
    assert list(line.result.selected) == ["other:a other:b"]
    assert "tested on other" in (tmp_path / "out" / "table.md").read_text()


def test_wrong_calls(shared: Path, tmp_path: Path) -> None:
    data = [load_dataset("folder", shared)]
    with pytest.raises(UsageError, match=r"expected methods out of fesnet, .* got fastnet"):
        BenchmarkOptions(("fastnet",))
    with pytest.raises(UsageError, match=r"expected ablations out of cascade, .* got attention"):
        BenchmarkOptions(ablate=("attention",))
    with pytest.raises(UsageError, match="expected inner of 3 or more, got 2"):
        BenchmarkOptions(inner=2)
    with pytest.raises(UsageError, match="expected video for method mdmd, got features"):
        run_benchmark(data, BenchmarkOptions(("mdmd",)), tmp_path / "out")
    (shared / "c_1.npz").unlink()
    with pytest.raises(UsageError, match=r"expected all videos of .* but 1 are missing \(c_1\)"):
        run_benchmark([load_dataset("folder", shared)], BenchmarkOptions(), tmp_path / "out")


def test_the_command_prints_the_table_or_one_clear_line(shared: Path, tmp_path: Path) -> None:
    call = ["benchmark", "folder", str(shared), "--method", "flow", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*call, "--protocol", "official,abpn"])
    assert (
        done.exit_code == 0 and "| flow | nested |" in done.output and "lssnet" not in done.output
    )
    wrong = CliRunner().invoke(app, [*call, "--mode", "nessted"])
    assert isinstance(wrong.exception, UsageError)
    assert str(wrong.exception) == "expected mode out of nested, crossfit, oracle, got nessted"
