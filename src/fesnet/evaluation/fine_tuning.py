"""Fine-tune weights on a lab's videos, with an estimate on participants that were left out.

    for each group of participants: learn from the others, spot this group's videos
       -> F1 and false alarms before and after
    better? -> weights that learned from all

The estimate goes through the whole of spotting, with the interval check of the start. Where it is
no better than before, nothing is written.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from fesnet._io import file_sha256
from fesnet._messages import counted
from fesnet.errors import UsageError
from fesnet.evaluation.tune_rules import FALSE_ALARM_PRICE
from fesnet.intervals import KINDS, Interval
from fesnet.metrics import Counts, count, overall
from fesnet.spotter import Spotter
from fesnet.training.config import TrainConfig
from fesnet.training.lab_videos import (
    LabVideo,
    fine_tune,
    lab_config,
    lab_shards,
    load_start,
    read_lab,
    save_tuned,
)
from fesnet.training.shards import Shard
from fesnet.weights import BUNDLED, Weights, load_weights

if TYPE_CHECKING:
    from fesnet.model.network import FesNet

# The least labelled material that says anything of other people; our choice, as for rules.
MIN_PARTICIPANTS, MIN_EXPRESSIONS = 3, 20
MAX_FOLDS = 5  # groups of participants that are left out, one after another


@dataclass(frozen=True)
class FineTuneOptions:
    """videos: folder; table: of their expressions; out: new weights folder; start: "bundled" or a
    folder; file: TOML with `TrainConfig` fields; steps: single numbers of steps."""

    videos: Path
    table: Path
    out: Path
    start: str = BUNDLED
    file: Path | None = None
    steps: dict[str, int | None] | None = None


@dataclass(frozen=True)
class FineTuneEstimate:
    """Counts on left-out participants, by kind and overall, and minutes of known face."""

    before: dict[str, Counts]
    after: dict[str, Counts]
    minutes: float

    @property
    def helps(self) -> bool:
        return self.value(self.after) > self.value(self.before)

    def value(self, counts: dict[str, Counts]) -> float:
        """What has to rise: the F1 of both kinds, less the price of false alarms, as for rules."""
        alarms = counts["overall"].fp / max(self.minutes, 1e-9)
        return sum(counts[kind].f1 for kind in KINDS) - FALSE_ALARM_PRICE * alarms

    def lines(self) -> Iterator[str]:
        for name, counts in (("before", self.before), ("after", self.after)):
            parts = [f"{kind} F1 {counts[kind].f1:.3f}" for kind in (*KINDS, "overall")]
            alarms = counts["overall"].fp / max(self.minutes, 1e-9)
            yield f"{name}, on left-out participants: {', '.join(parts)}, {alarms:.2f} false/min"

    def to_dict(self) -> dict[str, Any]:
        """For the provenance of the weights."""
        f1 = {
            name: {kind: round(counts[kind].f1, 4) for kind in (*KINDS, "overall")}
            for name, counts in (("before", self.before), ("after", self.after))
        }
        return {"f1": f1, "minutes": round(self.minutes, 2)}


def fine_tune_on_videos(options: FineTuneOptions) -> Iterator[str]:
    """Fine-tune and write a weights folder, if the estimate is better; yields lines of progress.

    Raises UsageError where `out` exists or too little is labelled, TruthError for the table.
    """
    if options.out.exists():
        raise UsageError(
            f"expected a new folder for the weights, but {options.out} exists; name another"
        )
    config = lab_config(options.file, options.steps or {})
    start = load_weights(None if options.start == BUNDLED else options.start)
    videos, left = read_lab(options.videos, options.table)
    yield from left
    check_lab(videos)
    network = load_start(start)
    shards = lab_shards(network, videos, config.seed)
    yield f"{sum(len(s.start) for s in shards)} windows of {counted(len(videos), 'video')}"
    lab = Lab(videos, shards, network, start, config)
    estimate = yield from lab.estimate(options.out.parent)
    yield from estimate.lines()
    if not estimate.helps:
        yield "it does not help on participants that it has not seen: nothing is written"
        return
    write_tuned(lab, fine_tune(network, shards, config), options, estimate)
    yield f"weights in {options.out}; next: fesnet spot VIDEOS --weights {options.out}"


def check_lab(videos: Sequence[LabVideo]) -> None:
    """Raises UsageError where an estimate would say nothing."""
    people = len({v.participant for v in videos})
    events = sum(len(v.truth) for v in videos)
    if people < MIN_PARTICIPANTS or events < MIN_EXPRESSIONS:
        raise UsageError(
            f"expected labelled videos of {MIN_PARTICIPANTS} participants with {MIN_EXPRESSIONS} "
            f"expressions at least, got {counted(people, 'participant')} and "
            f"{counted(events, 'expression')}; label or check more videos"
        )


@dataclass(frozen=True)
class Lab:
    """All that the folds share: videos and their windows, the start, and the settings."""

    videos: Sequence[LabVideo]
    shards: Sequence[Shard]
    network: FesNet
    start: Weights
    config: TrainConfig

    def estimate(self, folder: Path) -> Generator[str, None, FineTuneEstimate]:
        """Leave groups of participants out; yields lines, returns the `FineTuneEstimate`. folder:
        for the weights of the folds, which are removed."""
        before: list[dict[str, Counts]] = []
        after: list[dict[str, Counts]] = []
        minutes = 0.0
        folder.mkdir(parents=True, exist_ok=True)
        old = Spotter(self.start.folder)
        groups = fold_groups(sorted({v.participant for v in self.videos}))
        for number, group in enumerate(groups, 1):
            own = [v for v in self.videos if v.participant in group]
            others = [
                s
                for v, s in zip(self.videos, self.shards, strict=True)
                if v.participant not in group
            ]
            with TemporaryDirectory(prefix=".fold-", dir=folder) as scratch:
                tuned = fine_tune(self.network, others, self.config)
                save_tuned(tuned, self.start, Path(scratch) / "w", {"fold": number})
                new = Spotter(Path(scratch) / "w")
                for video in own:
                    counts, known = count_finds(old, video)
                    before.append(counts)
                    minutes += known / 60
                    after.append(count_finds(new, video)[0])
            yield f"left out {number} of {len(groups)}: {', '.join(group)}"
        return FineTuneEstimate(overall(before), overall(after), minutes)


def fold_groups(people: Sequence[str]) -> list[list[str]]:
    """At most MAX_FOLDS groups of participants, of nearly equal size."""
    count_ = min(len(people), MAX_FOLDS)
    return [list(people[k::count_]) for k in range(count_)]


def count_finds(spotter: Spotter, video: LabVideo) -> tuple[dict[str, Counts], float]:
    """(counts by kind and overall, seconds of known face) of one video. Raises SourceError."""
    spotting = spotter.spot(video.path)
    found = [Interval(i.onset_frame, i.offset_frame + 1, i.kind) for i in spotting.intervals]
    return count(video.truth, found), spotting.known_seconds


def write_tuned(
    lab: Lab, network: FesNet, options: FineTuneOptions, estimate: FineTuneEstimate
) -> None:
    people = len({v.participant for v in lab.videos})
    training = {
        "data": f"own videos: {counted(len(lab.videos), 'video')} of "
        f"{counted(people, 'participant')}",
        "table_sha256": file_sha256(options.table),
        "config": asdict(lab.config),
        "left_out_participants": estimate.to_dict(),
        "start": {"sha256": lab.start.sha256, "training": lab.start.training},
    }
    save_tuned(network, lab.start, options.out, training)
