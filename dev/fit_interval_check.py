"""Fit the check of candidate intervals, and say how well it does on people it has not seen.

    python dev/fit_interval_check.py --clips RECORDS ANNOTATIONS.json --synthetic RECORDS VIDEOS \\
        --quiet RECORDS --validate RECORDS VIDEOS --weights FOLDER

`--clips`: real clips, labelled by hand; `--changed`: copies of them that `dev/vary_clips.py` made,
which enter the fit and the choice of thresholds; `--synthetic`: what `fesnet synth` made of
people who train; `--quiet`: footage without expressions, of people who speak; `--validate`:
synthetic video of other people. RECORDS are folders that `dev/record_tracks.py` wrote. Each may be
given again.

The macro part is fitted on all but the validation people; its few numbers for real clips are
calibrated as thresholds are. The micro part is fitted on synthetic people and footage alone: real
clips hold hardly any micro-expression. Each part is calibrated on people it has not seen, real and
synthetic ones counting half each.

The price stated: two thirds the mean F1 on real clips and copies (with and without the rule for
chains) and one third the mean F1 of both kinds on validation people, with at most `--most` false
alarms a minute on real clips without an event, and at most one on validation people.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median_low
from typing import Any

import numpy as np
from labelled_clips import (
    FITTED,
    Clip,
    Figures,
    Thresholds,
    evaluate,
    evaluate_kind,
    judge,
    load_clips,
    load_quiet,
    load_synthetic,
    nuisances,
    outcomes,
    reliability,
)

from fesnet.interval_check import Candidate, IntervalCheck, KindWeights, install_check, logistic
from fesnet.interval_features import compress

SLOPE_PRIOR = 5.0  # how strongly a calibration's slope is drawn to 1
GRID = tuple(round(0.02 * k, 2) for k in range(2, 48))  # thresholds that are tried
Kept = dict[str, list[Candidate]]


@dataclass(frozen=True)
class Data:
    """Clips by what they are for. share: weight of a candidate in the macro part. changed: copies
    of the real ones."""

    real: Sequence[Clip]
    changed: Sequence[Clip] = ()
    synthetic: Sequence[Clip] = ()
    quiet: Sequence[Clip] = ()
    validation: Sequence[Clip] = ()
    changed_share: float = 0.35
    synthetic_share: float = 0.1
    quiet_share: float = 0.3
    macro_l2: float = 0.85
    micro_l2: float = 1.0
    micro_quiet_share: float = 3.0

    def without(self, person: str) -> Data:
        real, changed = (
            [c for c in clips if c.person != person] for clips in (self.real, self.changed)
        )
        return replace(self, real=real, changed=changed)


def fit_macro(data: Data) -> KindWeights:
    """On all candidates of whatever length; a column for short ones is used in the fit alone."""
    parts = [(data.real, 1.0), (data.changed, data.changed_share)]
    parts += [(data.synthetic, data.synthetic_share), (data.quiet, data.quiet_share)]
    x, micro, y, w = stack(parts)
    return fit(x, micro, y, w, data.macro_l2)


def fit_micro(data: Data) -> KindWeights:
    """On short candidates of synthetic people and footage; of real clips where there are no
    others, and as the macro part where there are none at all.
    """
    parts = [(data.synthetic, 1.0), (data.quiet, data.micro_quiet_share)]
    x, micro, y, w = stack(parts if data.synthetic else [(data.real, 1.0)])
    if not micro.any():
        return fit_macro(data)
    return fit(x[micro], micro[micro] * 0, y[micro], w[micro], data.micro_l2)


def stack(parts: Sequence[tuple[Sequence[Clip], float]]) -> tuple[np.ndarray, ...]:
    """Compressed features (N, F), shortness (N,), targets (N,) and weights (N,) of clips that are
    weighed."""
    rows = [(c, weight) for clips, weight in parts for c in clips if len(c.candidates)]
    return (
        compress(np.concatenate([c.features[c.used] for c, _ in rows])),
        np.concatenate([c.micro[c.used] for c, _ in rows]),
        np.concatenate([c.target[c.used] for c, _ in rows]),
        np.concatenate([np.full(c.used.sum(), weight) for c, weight in rows]),
    )


def fit(x: np.ndarray, micro: np.ndarray, y: np.ndarray, w: np.ndarray, l2: float) -> KindWeights:
    """Weighted logistic loss with an L2 penalty on standardised coefficients, by Newton's
    method."""
    centre = np.average(x, 0, w)
    scale = np.sqrt(np.average((x - centre) ** 2, 0, w)) + 1e-6
    a = np.column_stack([(x - centre) / scale, micro, np.ones(len(x))])
    penalty = np.r_[np.full(a.shape[1] - 1, l2), 1e-6] * w.sum()
    theta = newton(a, y, w, penalty, np.zeros(a.shape[1]))
    return KindWeights(
        rounded(centre), rounded(scale), rounded(theta[:-2]), round(float(theta[-1]), 5)
    )


def rounded(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(v), 6) for v in values)


def newton(
    a: np.ndarray, y: np.ndarray, w: np.ndarray, penalty: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """Minimise the weighted cross-entropy of a @ theta (N,) with y (N,) in 0..1 plus penalty
    (F,) / 2 per square."""
    theta = start.copy()
    for _ in range(50):
        p = logistic(a @ theta)
        gradient = a.T @ (w * (p - y)) + penalty * (theta - start)
        curvature = (a * (w * p * (1 - p))[:, None]).T @ a + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        theta = theta - step
        if np.abs(step).max() < 1e-8:
            break
    return theta


def fitted(data: Data) -> IntervalCheck:
    """A check, each part calibrated on what checks without a person say of that person's clips."""
    check = IntervalCheck(FITTED, fit_macro(data), fit_micro(data), averaged=True)
    real: list[tuple[Clip, list[Candidate]]] = []
    for person in sorted({c.person for c in data.real}):
        inner = replace(check, macro=fit_macro(data.without(person)))
        real += [(c, judge(c, inner)) for c in data.real if c.person == person]
    other = [(c, judge(c, check)) for c in data.validation]
    return replace(
        check,
        macro=calibrate("macro", check.macro, real, other),
        micro=calibrate("micro", check.micro, real, other),
    )


def calibrate(
    kind: str, part: KindWeights, *groups: Sequence[tuple[Clip, list[Candidate]]]
) -> KindWeights:
    """Slope and shift (Platt 1999) of what stands, by whether it answers an event; the groups
    weigh the same in all, and the slope is drawn to 1."""
    p, y, w = [], [], []
    for group in groups:
        rows = [r for clip, kept in group for r in outcomes(clip, kept) if r[0].kind == kind]
        p += [c.probability for c, _ in rows]
        y += [float(good) for _, good in rows]
        w += [1 / max(1, len(rows))] * len(rows)
    q = np.clip(p, 1e-4, 1 - 1e-4)
    a = np.column_stack([np.log(q / (1 - q)), np.ones(len(q))])
    weights = np.array(w) * len(w) / max(1e-9, sum(w))
    slope, shift = newton(
        a, np.array(y), weights, np.array([SLOPE_PRIOR, 1e-6]), np.array([1.0, 0.0])
    )
    return replace(part, slope=round(float(slope), 5), shift=round(float(shift), 5))


def leave_out(data: Data) -> Kept:
    """What stands in each real clip and copy under a check that was fitted and calibrated without
    its person."""
    out: Kept = {}
    for person in sorted({c.person for c in data.real}):
        check = fitted(data.without(person))
        own = [c for c in (*data.real, *data.changed) if c.person == person]
        out |= {c.name: judge(c, check) for c in own}
    return out


class Choice:
    """The price of every pair of thresholds, from counts that are made once."""

    def __init__(
        self,
        clips: Sequence[Clip],
        kept: Kept,
        validation: Sequence[Clip],
        held: Kept,
        copies: Sequence[Clip] = (),
    ) -> None:
        clips = [*clips, *copies]
        self.clips, self.copies, pairs = clips, copies, [(a, b) for a in GRID for b in GRID]
        self.counts = {
            (clip.name, merged): [evaluate([clip], kept, t, merged) for t in pairs]
            for clip in clips
            for merged in (True, False)
        }
        self.pairs = pairs
        values = {
            kind: [evaluate_kind(validation, held, kind, t) for t in GRID]
            for kind in ("macro", "micro")
        }
        self.other = [(a[0] + b[0], a[1] + b[1]) for a in values["macro"] for b in values["micro"]]
        self.has_validation = bool(validation)

    def total(self, clips: Sequence[Clip], merged: bool, at: int) -> Figures:
        out = Figures()
        for clip in clips:
            out += self.counts[clip.name, merged][at]
        return out

    def best(self, clips: Sequence[Clip], most: float) -> int:
        """The place of the best pair, chosen on these clips; of equal ones that in the middle,
        furthest from where the price falls. The limit of false alarms is that of clips as they are:
        copies are harder, and count in the price."""
        copies = {c.name for c in self.copies}
        originals = [c for c in clips if c.name not in copies]
        prices = []
        for at in range(len(self.pairs)):
            real = self.total(clips, True, at)
            f1, false = self.other[at] if self.has_validation else (0.0, 0.0)
            price = (2 * (real.f1 + self.total(clips, False, at).f1) + f1) / 6
            loud = self.total(originals, True, at).per_minute > most + 0.005
            prices.append((not loud and false <= 1.0, round(price, 6)))
        equal = [
            pair for pair, price in zip(self.pairs, prices, strict=True) if price == max(prices)
        ]
        macro = median_low([pair[0] for pair in equal])
        micro = median_low([pair[1] for pair in equal if pair[0] == macro])
        return self.pairs.index((macro, micro))

    def nested(self, measured: Sequence[Clip], most: float) -> tuple[Figures, Figures]:
        """Figures with and without the chain rule of clips, where each person's thresholds are
        chosen on the others."""
        out = Figures(), Figures()
        for person in sorted({c.person for c in measured}):
            at = self.best([c for c in self.clips if c.person != person], most)
            own = [c for c in measured if c.person == person]
            for merged, total in zip((True, False), out, strict=True):
                total += self.total(own, merged, at)
        return out


def report(title: str, clips: Sequence[Clip], kept: Kept, thresholds: Thresholds) -> None:
    print(f"\n{title}, thresholds {thresholds[0]:.2f} (macro) and {thresholds[1]:.2f} (micro)")
    print("  with the chain rule   ", evaluate(clips, kept, thresholds))
    print("  without the chain rule", evaluate(clips, kept, thresholds, merged=False))
    print("  false intervals by nuisance touched:", nuisances(clips, kept, thresholds))
    report_reliability(clips, kept)


def report_kinds(title: str, clips: Sequence[Clip], kept: Kept, thresholds: Thresholds) -> None:
    print(f"\n{title}")
    for kind, threshold in zip(("macro", "micro"), thresholds, strict=True):
        f1, false = evaluate_kind(clips, kept, kind, threshold)
        print(f"  {kind}: F1 {f1:.3f}, {false:.2f} false alarms a minute")
    report_reliability(clips, kept)


def report_reliability(clips: Sequence[Clip], kept: Kept) -> None:
    error, bins = reliability(clips, kept)
    table = ", ".join(f"{p:.2f} said {y:.2f} true ({n})" for p, y, n in bins)
    print(f"  expected calibration error {error:.3f}: {table}")


def load(pairs: Sequence[Sequence[Path]], read: Callable[..., list[Clip]]) -> list[Clip]:
    return [clip for pair in pairs for clip in read(*pair)]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    labelled, made = ("RECORDS", "ANNOTATIONS"), ("RECORDS", "VIDEOS")
    several: dict[str, Any] = {"type": Path, "action": "append", "default": []}
    parser.add_argument(
        "--clips", nargs=2, type=Path, action="append", required=True, metavar=labelled
    )
    parser.add_argument("--changed", nargs=2, metavar=labelled, **several)
    parser.add_argument("--synthetic", nargs=2, metavar=made, **several)
    parser.add_argument("--quiet", nargs=1, metavar="RECORDS", **several)
    parser.add_argument("--validate", nargs=2, metavar=made, **several)
    parser.add_argument("--test", nargs=2, metavar=made, **several, help="told at the end only")
    parser.add_argument("--most", type=float, default=1.0, help="false alarms a minute allowed")
    parser.add_argument("--weights", type=Path, help="weights folder to put the check into")
    parser.add_argument("--per-clip", action="store_true")
    return parser.parse_args()


def main() -> None:
    args = parse()
    data = Data(
        load(args.clips, load_clips),
        load(args.changed, load_clips),
        load(args.synthetic, load_synthetic),
        load(args.quiet, load_quiet),
        load(args.validate, load_synthetic),
    )
    kept, check = leave_out(data), fitted(data)
    held = {c.name: judge(c, check) for c in data.validation}
    choice = Choice(data.real, kept, data.validation, held, data.changed)
    thresholds = choice.pairs[choice.best(choice.clips, args.most)]
    if data.changed:
        report("real clips and copies, one person left out", choice.clips, kept, thresholds)
    report("real clips, one person left out", data.real, kept, thresholds)
    merged, single = choice.nested(data.real, args.most)
    print(f"  thresholds, too: {merged} (without chains {single.f1:.3f})")
    if args.per_clip:
        for clip in data.real:
            one = evaluate([clip], kept, thresholds)
            print(f"    {clip.name}: TP {one.tp} FP {one.fp} FN {one.fn}")
    every = {c.name: judge(c, check) for c in data.real}
    report("real clips, nobody left out", data.real, every, thresholds)
    if data.validation:
        report_kinds("validation people", data.validation, held, thresholds)
    for pair in args.test:
        clips = load_synthetic(*pair)
        report_kinds(f"{pair[1]}", clips, {c.name: judge(c, check) for c in clips}, thresholds)
    if args.weights is not None:
        install_check(args.weights, check, dict(zip(("macro", "micro"), thresholds, strict=True)))


if __name__ == "__main__":
    main()
