"""Stability: does a clip give the same intervals when nothing about its expressions is changed?

Every clip of a folder is spotted as it is, and after each change of
`fesnet.evaluation.clip_changes`. The intervals of the changed clip are compared with the original's
as if these were the truth. No annotation is needed. Results stay in the output folder, so a second
call goes on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from fesnet._guard import check_replaceable, guarding
from fesnet._io import atomic_write_text, file_sha256, make_writable_folder
from fesnet._types import CountCallback
from fesnet.errors import ResultError
from fesnet.evaluation.clip_changes import CHANGES, ClipChange
from fesnet.jobs import Executor
from fesnet.jobs.resumable import iterate_outcomes
from fesnet.metrics import IOU, Counts, match
from fesnet.postprocess import IntervalRules
from fesnet.result import Spotting
from fesnet.spotter import Spotter
from fesnet.video.folder import find_video_files

ORIGINAL = "original"


@dataclass(frozen=True)
class ClipJob:
    """One clip to spot: as it is, or changed. result: the file to write."""

    clip: Path
    change: ClipChange | None
    result: Path


@dataclass(frozen=True)
class ClipAgreement:
    """How a changed clip's intervals agree with the original's, all repeats together.

    alike: kind and place agree (IoU 0.5); placed: whatever the kind.
    """

    clip: str
    change: str
    alike: Counts
    placed: Counts

    @property
    def empty(self) -> bool:
        """Whether neither the original nor the changed clip has an interval."""
        return self.alike == Counts()


@dataclass(frozen=True)
class StabilityTable:
    """All agreements, and a line for each clip that could not be read."""

    agreements: tuple[ClipAgreement, ...]
    left_out: tuple[str, ...]

    def of_change(self, change: str) -> list[ClipAgreement]:
        return [a for a in self.agreements if a.change == change]

    @property
    def changes(self) -> list[str]:
        return list(dict.fromkeys(a.change for a in self.agreements))


def measure_stability(
    clips: Path,
    out: Path,
    weights: Path | None,
    rules: IntervalRules | None,
    executor: Executor,
    progress: CountCallback = lambda *_: None,
    changes: Sequence[ClipChange] = CHANGES,
    *,
    force: bool = False,
) -> StabilityTable:
    """Spot all clips of a folder, and its folders, as they are and changed; write `stability.json`
    and `stability.md` into `out`.

    rules: default those of the weights; other rules need no new spotting. Raises UsageError for a
    folder without videos or an output folder that cannot be written.
    """
    files = find_video_files(clips)
    make_writable_folder(out)
    for ending in (".json", ".md"):
        check_replaceable(out / f"stability{ending}", force=force)
    names = {f: f.relative_to(clips).as_posix() for f in files}
    jobs = [
        ClipJob(file, change, clip_result(out, change, names[file]))
        for change in (None, *changes)
        for file in files
    ]
    left_out = spot_clips(jobs, weights, executor, progress)
    agreements = [
        compare_clip(names[job.clip], job, jobs[k % len(files)], rules)
        for k, job in enumerate(jobs)
        if job.change is not None and not {job.clip} & set(left_out)
    ]
    table = StabilityTable(tuple(agreements), tuple(left_out.values()))
    values = stability_values(table, weights, rules)
    with guarding(force=force):
        atomic_write_text(out / "stability.json", json.dumps(values, indent=1) + "\n")
        atomic_write_text(out / "stability.md", "\n".join(stability_lines(table)) + "\n")
    return table


def clip_result(out: Path, change: ClipChange | None, name: str) -> Path:
    folder = out / "results" / (change.name if change else ORIGINAL)
    return folder / (name.replace("/", "__") + ".json")


def spot_clips(
    jobs: Sequence[ClipJob], weights: Path | None, executor: Executor, progress: CountCallback
) -> dict[Path, str]:
    """Write the results that are missing; returns a line for each clip that cannot be read."""
    left_out: dict[Path, str] = {}
    by_key = {str(job.result): job for job in jobs}
    progress(0, len(jobs))
    outcomes = iterate_outcomes(
        executor, partial(spot_clip, weights=weights), iter(by_key.items()), keep_going=True
    )
    for done, outcome in enumerate(outcomes, 1):
        if outcome.error is not None:
            left_out[by_key[outcome.key].clip] = str(outcome.error)
        progress(done, len(jobs))
    return left_out


def spot_clip(job: ClipJob, weights: Path | None) -> None:
    """Write a clip's result, unless the one that is there has the same clip, change and weights."""
    spotter = process_spotter(weights)
    origin = {
        "clip_sha256": file_sha256(job.clip),
        "change": None if job.change is None else vars_of(job.change),
    }
    made_by = json.loads(json.dumps({**spotter.provenance(), **origin}))
    if job.result.is_file() and is_current(job.result, made_by):
        return
    source: Any = job.clip if job.change is None else job.change.frames(job.clip)
    result = spotter.spot(source)
    result.provenance.update(origin)
    job.result.parent.mkdir(parents=True, exist_ok=True)
    result.to_json(job.result)


def is_current(file: Path, made_by: dict[str, Any]) -> bool:
    """Whether a result was made by just this; a damaged one was not."""
    try:
        return Spotting.from_json(file).provenance == made_by
    except ResultError:
        return False


def vars_of(change: ClipChange) -> dict[str, Any]:
    """A change's settings, as a result keeps them."""
    return asdict(change)  # type: ignore[call-overload, no-any-return]


@cache
def process_spotter(weights: Path | None) -> Spotter:
    """One spotter a process."""
    return Spotter(weights)


def compare_clip(
    name: str, job: ClipJob, original: ClipJob, rules: IntervalRules | None
) -> ClipAgreement:
    """The agreement of a changed clip with the original, under these rules."""
    assert job.change is not None
    first, second = (read_result(file, rules) for file in (original.result, job.result))
    alike = placed = Counts()
    for truth, found in job.change.align(first, second):
        alike += agreement_counts(len(truth), len(found), len(match(truth, found)))
        pairs = match(truth, found, typed=False)
        placed += agreement_counts(len(truth), len(found), len(pairs))
    return ClipAgreement(name, job.change.name, alike, placed)


def read_result(file: Path, rules: IntervalRules | None) -> Spotting:
    result = Spotting.from_json(file)
    return result if rules is None else result.rethreshold(rules)


def agreement_counts(truth: int, found: int, pairs: int) -> Counts:
    return Counts(pairs, found - pairs, truth - pairs)


def mean_f1(agreements: Sequence[ClipAgreement], *, typed: bool = True) -> float | None:
    """Mean F1 over the changed clips in which either result has an interval; None without any."""
    counts = [a.alike if typed else a.placed for a in agreements if not a.empty]
    return sum(c.f1 for c in counts) / len(counts) if counts else None


def stability_values(
    table: StabilityTable, weights: Path | None, rules: IntervalRules | None
) -> dict[str, Any]:
    """Everything, for `stability.json`."""
    spotter = process_spotter(weights)

    def summary(agreements: list[ClipAgreement]) -> dict[str, Any]:
        pooled = sum((a.alike for a in agreements), Counts())
        return {
            "mean_f1": mean_f1(agreements),
            "mean_f1_any_kind": mean_f1(agreements, typed=False),
            "pooled_f1": pooled.f1,
            "clips": len(agreements),
            "clips_without_intervals": sum(a.empty for a in agreements),
            "counts": asdict(pooled),
        }

    return {
        "iou": IOU,
        "weights": spotter.weights.name,
        "weights_sha256": spotter.weights.sha256,
        "rules": (rules or spotter.rules).to_dict(),
        "all": summary(list(table.agreements)),
        "changes": {name: summary(table.of_change(name)) for name in table.changes},
        "clips": [
            {
                "clip": a.clip,
                "change": a.change,
                "f1": None if a.empty else a.alike.f1,
                "f1_any_kind": None if a.empty else a.placed.f1,
                **asdict(a.alike),
            }
            for a in table.agreements
        ],
        "left_out": list(table.left_out),
    }


def stability_lines(table: StabilityTable) -> list[str]:
    """The table for people, in Markdown."""
    lines = [
        "Agreement of a changed clip's intervals with the original's (IoU 0.5). Clips without an",
        "interval in either result do not count.",
        "",
        "| change | clips that count | mean F1 | mean F1, any kind | same | only changed "
        "| only original |",
        "|---|---|---|---|---|---|---|",
    ]
    groups = [(name, table.of_change(name)) for name in table.changes]
    for name, agreements in [*groups, ("all", list(table.agreements))]:
        pooled = sum((a.alike for a in agreements), Counts())
        cells = [
            name,
            f"{sum(not a.empty for a in agreements)} of {len(agreements)}",
            share_text(mean_f1(agreements)),
            share_text(mean_f1(agreements, typed=False)),
            *(str(n) for n in (pooled.tp, pooled.fp, pooled.fn)),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", f"| clip | {' | '.join(table.changes)} |", "|---" * (1 + len(groups)) + "|"]
    for clip in dict.fromkeys(a.clip for a in table.agreements):
        own = [share_text(mean_f1([a])) for a in table.agreements if a.clip == clip]
        lines.append(f"| {clip} | {' | '.join(own)} |")
    return [*lines, *(f"left out: {line}" for line in table.left_out)]


def share_text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
