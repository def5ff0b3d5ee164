"""All methods, behind one call: train set and test inputs in, scores of the latter out.

torch loads late.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fesnet._types import Float32Array
from fesnet.config import FesNetConfig
from fesnet.errors import UsageError

if TYPE_CHECKING:
    from fesnet.training.feature_training import FeatureTrainConfig

TrainSet = Sequence[tuple[Float32Array, NDArray[np.int8]]]
Learn = Callable[
    [TrainSet, tuple[int, ...], Sequence[Float32Array], "Variant", int],
    tuple[list[Float32Array], str],
]
# A softmax cannot say "a micro in a macro"; where training subjects show more of it than this,
# kinds are scored apart.
OVERLAPPING = 0.1
# One mechanism each; the first three are named in the paper's abstract.
ABLATIONS = ("cascade", "multi_scale", "smooth", "balance", "variation", "averaging")


@dataclass(frozen=True)
class Variant:
    """A method without one mechanism ("" for none). steps: of training, None for its own."""

    method: str
    without: str = ""
    steps: int | None = None

    @property
    def name(self) -> str:
        return (
            f"{self.method} without {self.without.replace('_', ' ')}"
            if self.without
            else self.method
        )

    def settings(self) -> dict[str, Any]:
        """All that the scores depend on, beside the data."""
        return {
            "method": self.method,
            "without": self.without,
            **METHODS[self.method].settings(self),
        }


@dataclass(frozen=True)
class Method:
    """learn: trains and scores; settings: what is written beside the results.

    needs: the inputs to prepare, by what a data set has ("features", "video"). What is missing here
    the method cannot read.
    """

    learn: Learn
    settings: Callable[[Variant], dict[str, Any]]
    needs: dict[str, str]


def fesnet_settings(variant: Variant, inputs: int) -> tuple[FesNetConfig, FeatureTrainConfig]:
    """Sizes and training of FESNet on features; all are our choice.

    Raises UsageError for an unknown ablation.
    """
    from fesnet.training.feature_training import FeatureTrainConfig

    model = FesNetConfig(
        inputs=inputs, features=64, hidden=64, window=256, stride=128, dropout=0.3,
        discrepancy=False, branches=((3, 1), (5, 1), (5, 2), (7, 4)),
    )  # fmt: skip
    train = FeatureTrainConfig()
    if variant.steps is not None:
        train = replace(train, steps=variant.steps)
    off: dict[str, Callable[[], tuple[FesNetConfig, FeatureTrainConfig]]] = {
        "": lambda: (model, train),
        "cascade": lambda: (replace(model, cascade=False), train),
        "multi_scale": lambda: (replace(model, multi_scale=False), train),
        "smooth": lambda: (model, replace(train, loss=replace(train.loss, smooth=0.0))),
        "balance": lambda: (
            model,
            replace(train, loss=replace(train.loss, class_weights=(1.0, 1.0, 1.0), focal=0.0)),
        ),
        "variation": lambda: (
            model,
            replace(train, gain=0.0, stretch=0.0, noise=0.0, dropped=0.0, drift=0.0),
        ),
        "averaging": lambda: (model, replace(train, average=0.0)),
    }
    if variant.without not in off:
        raise UsageError(
            f"expected ablations out of {', '.join(ABLATIONS)}, got {variant.without!r}"
        )
    return off[variant.without]()


def learn_fesnet(
    train_set: TrainSet,
    groups: tuple[int, ...],
    test_inputs: Sequence[Float32Array],
    variant: Variant,
    seed: int,
) -> tuple[list[Float32Array], str]:
    from fesnet.training.feature_training import FeatureSample, fesnet_spec, train_and_score

    samples = [FeatureSample(inputs, labels) for inputs, labels in train_set]
    model, train = fesnet_settings(variant, len(groups))
    model = replace(model, independent=micro_in_macro(train_set) > OVERLAPPING)
    return train_and_score(samples, groups, test_inputs, model, fesnet_spec(model, train), seed)


def micro_in_macro(train_set: TrainSet) -> float:
    """Share of the micro ticks of the training videos that lie in a macro, 0..1."""
    labels = np.concatenate([labels for _, labels in train_set])
    micro = labels[:, 1] == 1
    return float((labels[micro, 0] == 1).mean()) if micro.any() else 0.0


def learn_auwgcn(
    train_set: TrainSet,
    groups: tuple[int, ...],
    test_inputs: Sequence[Float32Array],
    variant: Variant,
    seed: int,
) -> tuple[list[Float32Array], str]:
    from fesnet.baselines.auwgcn import auwgcn_spec
    from fesnet.training.feature_training import FeatureSample, train_and_score

    samples = [FeatureSample(inputs, labels) for inputs, labels in train_set]
    # The same windows, schedule and augmentation as fesnet.
    model, train = fesnet_settings(variant, len(groups))
    model = replace(model, independent=True)
    return train_and_score(
        samples,
        groups,
        test_inputs,
        model,
        auwgcn_spec(samples, groups, model.window, train),
        seed,
    )


def network_settings(variant: Variant) -> dict[str, Any]:
    model, train = fesnet_settings(variant, 1)
    sizes = {k: v for k, v in model.to_dict().items() if k not in ("inputs", "independent")}
    return {"model": sizes, "independent above": OVERLAPPING, "training": asdict(train)}


def learn_softnet(
    train_set: TrainSet,
    groups: tuple[int, ...],
    test_inputs: Sequence[Float32Array],
    variant: Variant,
    seed: int,
) -> tuple[list[Float32Array], str]:
    from fesnet.baselines.softnet import fit_and_score_softnet

    return fit_and_score_softnet(train_set, test_inputs, seed, variant.steps)  # type: ignore[arg-type]  # int8


def softnet_settings(variant: Variant) -> dict[str, Any]:
    from fesnet.baselines.flowmaps import LAGS_S, SIDE
    from fesnet.baselines.softnet import BATCH, STEPS

    return {"steps": variant.steps or STEPS, "batch": BATCH, "side": SIDE, "lags_s": LAGS_S}


def pass_scores_through(
    train_set: TrainSet,
    groups: tuple[int, ...],
    test_inputs: Sequence[Float32Array],
    variant: Variant,
    seed: int,
) -> tuple[list[Float32Array], str]:
    """Methods that are not trained: inputs are scores already, and only rules are selected."""
    return [scores[None] for scores in test_inputs], ""


def no_settings(variant: Variant) -> dict[str, Any]:
    return {}


def untrained(name: str, *media: str) -> Method:
    return Method(pass_scores_through, no_settings, dict.fromkeys(media, name))


METHODS: dict[str, Method] = {
    "fesnet": Method(learn_fesnet, network_settings, {"features": "features", "video": "lsdm"}),
    "fesnet-pretrained": untrained("pretrained", "video"),
    "fesnet-shipped": Method(pass_scores_through, no_settings, {"video": "shipped"}),
    "auwgcn": Method(learn_auwgcn, network_settings, {"features": "features", "video": "regions"}),
    "softnet": Method(learn_softnet, softnet_settings, {"video": "maps"}),
    "flow": untrained("flow", "features", "video"),
    "landmarks": untrained("landmarks", "video"),
    "mdmd": untrained("mdmd", "video"),
}
