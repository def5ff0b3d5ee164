"""Fine-tune weights on a lab's videos, with an estimate on participants that were left out.

    videos -> features, kept on disk while this runs
    for each group of participants: learn from the others, judge this group's features
       -> F1 and false alarms before and after
    better? -> weights that learned from all

Each video is read once: learning changes nothing before the features. Windows, interval check and
rules are those of spotting. Where the estimate is no better than before, nothing is written.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fesnet._io import file_sha256
from fesnet._messages import counted
from fesnet.errors import UsageError
from fesnet.evaluation.tune_rules import FALSE_ALARM_PRICE
from fesnet.interval_check import load_check
from fesnet.intervals import KINDS, Interval
from fesnet.kept_features import KeptFeatures, keep_features, spot_again
from fesnet.metrics import Counts, count, overall
from fesnet.model.network import FesNet
from fesnet.result import Spotting
from fesnet.spotter import describe_source, recommended_rules
from fesnet.stream import make_face_tracker
from fesnet.training.config import TrainConfig
from fesnet.training.lab_features import (
    FrameDecoder,
    ProjectingEncoder,
    lab_shard,
    window_every,
)
from fesnet.training.lab_videos import (
    LabVideo,
    fine_tune,
    lab_config,
    load_start,
    read_lab,
    save_tuned,
)
from fesnet.training.shards import Shard
from fesnet.video import open_source
from fesnet.weights import BUNDLED, Weights, load_weights

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
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".features-", dir=options.out.parent) as scratch:
        lab = yield from prepare_lab(start, videos, config, Path(scratch))
        estimate = yield from lab.estimate()
        yield from estimate.lines()
        if not estimate.helps:
            yield "it does not help on participants that it has not seen: nothing is written"
            return
        tuned = fine_tune(lab.network, lab.shards, config)
    write_tuned(lab, tuned, options, estimate)
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


def prepare_lab(
    start: Weights, videos: Sequence[LabVideo], config: TrainConfig, folder: Path
) -> Generator[str, None, Lab]:
    """Read each video once; yields lines, returns the `Lab`. folder: for the features. Raises
    SourceError."""
    network = load_start(start)
    encoder, kept = ProjectingEncoder(start, network), []
    for number, video in enumerate(videos, 1):
        with open_source(video.path) as source:
            info, tracker = describe_source(source), make_face_tracker(start.config)
            stem = folder / str(number)
            kept.append(keep_features(source, info, tracker, encoder, start.config, stem))
        yield f"read {number} of {counted(len(videos), 'video')}: {video.path.name}"
    steps = sum(len(face.steps) for k in kept for face in k.faces.values())
    every = window_every(steps / start.config.working_rate)
    shards = [lab_shard(network, k, v.truth, every) for k, v in zip(kept, videos, strict=True)]
    yield f"{sum(len(s.start) for s in shards)} windows of {counted(len(videos), 'video')}"
    return Lab(videos, kept, shards, network, start, config)


@dataclass(frozen=True)
class Lab:
    """All that the folds share: videos, their features and windows, the start, and the settings."""

    videos: Sequence[LabVideo]
    kept: Sequence[KeptFeatures]
    shards: Sequence[Shard]
    network: FesNet
    start: Weights
    config: TrainConfig

    def estimate(self) -> Generator[str, None, FineTuneEstimate]:
        """Leave groups of participants out; yields lines, returns the `FineTuneEstimate`."""
        before: list[dict[str, Counts]] = []
        after: list[dict[str, Counts]] = []
        minutes = 0.0
        groups = fold_groups(sorted({v.participant for v in self.videos}))
        for number, group in enumerate(groups, 1):
            own = [n for n, v in enumerate(self.videos) if v.participant in group]
            others = [s for n, s in enumerate(self.shards) if n not in own]
            tuned = fine_tune(self.network, others, self.config)
            for n in own:
                old, new = self.spot(n, self.network), self.spot(n, tuned)
                before.append(count_finds(old, self.videos[n].truth))
                after.append(count_finds(new, self.videos[n].truth))
                minutes += old.known_seconds / 60
            yield f"left out {number} of {len(groups)}: {', '.join(group)}"
        return FineTuneEstimate(overall(before), overall(after), minutes)

    def spot(self, number: int, network: FesNet) -> Spotting:
        """A video of the lab, as a network with the rules and the check of the start spots it."""
        rules, check = recommended_rules(self.start), load_check(self.start.folder)
        decoder = FrameDecoder(network)
        return spot_again(self.kept[number], decoder, self.start.config, rules, check)


def fold_groups(people: Sequence[str]) -> list[list[str]]:
    """At most MAX_FOLDS groups of participants, of nearly equal size."""
    count_ = min(len(people), MAX_FOLDS)
    return [list(people[k::count_]) for k in range(count_)]


def count_finds(spotting: Spotting, truth: Sequence[Interval]) -> dict[str, Counts]:
    """Counts by kind and overall of one video."""
    found = [Interval(i.onset_frame, i.offset_frame + 1, i.kind) for i in spotting.intervals]
    return count(truth, found)


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
